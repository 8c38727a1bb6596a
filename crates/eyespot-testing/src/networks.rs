//! Every network of the zoo against PyTorch: the same weights and images (by formula) give the same logits.
//!
//! The expected numbers are f64 results of scripts/reference/networks.py.

use crate::seeded;
use eyespot_graph::{Device, Shape, zoo};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    network: String,
    input: [usize; 3],
    /// One row per image.
    logits: Vec<Vec<f64>>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../data/networks.json")).unwrap()
}

/// Checks all cases of the networks whose name `wanted` accepts, each with its whole batch and with one image.
/// `tolerance` is the share of the logits' range by which a logit may differ: 1e-4 for a device that computes in f32.
pub fn logits(device: &dyn Device, tolerance: f64, wanted: fn(&str) -> bool) {
    let mut found_one = false;
    for case in cases().iter().filter(|case| wanted(&case.network)) {
        found_one = true;
        let [channels, height, width] = case.input;
        let shape = Shape::map(channels, height, width);
        let (count, classes) = (case.logits.len(), case.logits[0].len());
        let graph = zoo::build(&case.network, classes, Some(shape)).unwrap();
        let images = seeded::images(count, shape);
        let mut program = device.inference(&graph, &seeded::params(&graph), count).unwrap();

        // The whole batch, and its first image alone on the same program.
        let scores = program.run(&images, count).unwrap().to_vec();
        compare(case, tolerance, &scores);
        let scores = program.run(&images[..shape.elements()], 1).unwrap().to_vec();
        compare(case, tolerance, &scores);
    }
    assert!(found_one, "no network was asked for");
}

fn compare(case: &Case, tolerance: f64, scores: &[f32]) {
    for (image, (found, expected)) in scores.chunks(case.logits[0].len()).zip(&case.logits).enumerate() {
        let least = expected.iter().copied().fold(f64::INFINITY, f64::min);
        let most = expected.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let differences = found.iter().zip(expected).map(|(&a, &b)| (f64::from(a) - b).abs());
        // NaN must not pass: f64::max would drop it.
        let worst = differences.fold(0.0, |worst, d| if d <= worst { worst } else { d }) / (most - least);
        let what = format!("{} at {:?}, image {image}", case.network, case.input);
        assert!(worst <= tolerance, "{what}: off by {worst:.1e} of the range; {found:?} for {expected:?}");
    }
}

#[derive(Deserialize)]
struct Features {
    network: String,
    input: [usize; 3],
    len: usize,
    sum: f64,
    every7th: Vec<f64>,
}

/// The vector before the last layer, against scripts/reference/embeddings.py. `tolerance` is the share of the largest
/// number by which one may differ.
pub fn features_before_the_last_layer(device: &dyn Device, tolerance: f64) {
    let cases: Vec<Features> = serde_json::from_str(include_str!("../data/features.json")).unwrap();
    assert_eq!(cases.len(), 4);
    for Features { network, input: [channels, height, width], len, sum, every7th } in cases {
        let shape = Shape::map(channels, height, width);
        let graph = zoo::build(&network, 1000, Some(shape)).unwrap();
        let backbone = zoo::backbone(&graph).unwrap();
        assert_eq!(backbone.output_shape(), Shape::Vector(len), "{network}");
        let mut program = device.inference(&backbone, &seeded::params(&graph), 1).unwrap();
        let vector = program.run(&seeded::images(1, shape), 1).unwrap();
        let largest = every7th.iter().fold(0.0f64, |most, v| most.max(v.abs()));
        for (index, (&own, &reference)) in vector.iter().step_by(7).zip(&every7th).enumerate() {
            let error = (f64::from(own) - reference).abs();
            assert!(error <= tolerance * largest, "{network}, number {}: {own}, not {reference}", 7 * index);
        }
        let own: f64 = vector.iter().map(|&v| f64::from(v)).sum();
        assert!((own - sum).abs() <= tolerance * largest * len as f64, "{network}: sum {own}, not {sum}");
    }
}

/// Every network of the zoo has its logits.
pub fn no_network_is_forgotten() {
    let cases = cases();
    for name in zoo::names() {
        assert!(cases.iter().any(|case| case.network == name), "{name} has no reference logits");
    }
}
