//! Every network of the zoo against PyTorch: the same weights and pictures (by formula) give the same logits.
//!
//! The expected numbers are f64 results of scripts/reference/networks.py.

mod seeded;

use eyespot_cpu::Cpu;
use eyespot_graph::{Device, Shape, zoo};
use serde::Deserialize;

/// Share of the logits' range by which a logit may differ.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Case {
    network: String,
    input: [usize; 3],
    /// One row per picture.
    logits: Vec<Vec<f64>>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("data/networks.json")).unwrap()
}

/// Checks all cases of the networks whose name `wanted` accepts.
fn check(wanted: fn(&str) -> bool) {
    for case in cases().iter().filter(|case| wanted(&case.network)) {
        let [channels, height, width] = case.input;
        let shape = Shape::map(channels, height, width);
        let (images, classes) = (case.logits.len(), case.logits[0].len());
        let graph = zoo::build(&case.network, classes, Some(shape)).unwrap();
        let pictures = seeded::pictures(images, shape);
        let mut program = Cpu::new(1).inference(&graph, &seeded::params(&graph), images).unwrap();

        // The whole batch, and its first picture alone on the same program.
        let scores = program.run(&pictures, images).unwrap().to_vec();
        compare(case, &scores);
        let scores = program.run(&pictures[..shape.elements()], 1).unwrap().to_vec();
        compare(case, &scores);
    }
}

fn compare(case: &Case, scores: &[f32]) {
    for (picture, (found, expected)) in scores.chunks(case.logits[0].len()).zip(&case.logits).enumerate() {
        let least = expected.iter().copied().fold(f64::INFINITY, f64::min);
        let most = expected.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let differences = found.iter().zip(expected).map(|(&a, &b)| (f64::from(a) - b).abs());
        // NaN must not pass: f64::max would drop it.
        let worst = differences.fold(0.0, |worst, d| if d <= worst { worst } else { d }) / (most - least);
        let what = format!("{} at {:?}, picture {picture}", case.network, case.input);
        assert!(worst <= TOLERANCE, "{what}: off by {worst:.1e} of the range; {found:?} for {expected:?}");
    }
}

#[test]
fn plain_networks() {
    check(|name| matches!(name, "linear" | "mlp"));
}

#[test]
fn small_convolutional_networks() {
    check(|name| name.starts_with("lenet5") || name == "small_cnn");
}

#[test]
fn alexnet() {
    check(|name| name == "alexnet");
}

#[test]
fn vgg() {
    check(|name| name.starts_with("vgg"));
}

#[test]
fn resnets() {
    check(|name| name.starts_with("resnet"));
}

#[test]
fn cifar_resnets() {
    check(|name| name.starts_with("cifar_resnet"));
}

#[test]
fn light_networks() {
    check(|name| name.starts_with("squeezenet") || name == "mobilenet_v2");
}

#[derive(Deserialize)]
struct Features {
    network: String,
    input: [usize; 3],
    len: usize,
    sum: f64,
    every7th: Vec<f64>,
}

/// The vector before the last layer, against scripts/reference/embeddings.py.
#[test]
fn features_before_the_last_layer() {
    let cases: Vec<Features> = serde_json::from_str(include_str!("data/features.json")).unwrap();
    assert_eq!(cases.len(), 4);
    for Features { network, input: [channels, height, width], len, sum, every7th } in cases {
        let shape = Shape::map(channels, height, width);
        let graph = zoo::build(&network, 1000, Some(shape)).unwrap();
        let backbone = zoo::backbone(&graph).unwrap();
        assert_eq!(backbone.output_shape(), Shape::Vector(len), "{network}");
        let mut program = Cpu::new(1).inference(&backbone, &seeded::params(&graph), 1).unwrap();
        let vector = program.run(&seeded::pictures(1, shape), 1).unwrap();
        let largest = every7th.iter().fold(0.0f64, |most, v| most.max(v.abs()));
        for (index, (&own, &reference)) in vector.iter().step_by(7).zip(&every7th).enumerate() {
            let error = (f64::from(own) - reference).abs();
            assert!(error <= TOLERANCE * largest, "{network}, number {}: {own}, not {reference}", 7 * index);
        }
        let own: f64 = vector.iter().map(|&v| f64::from(v)).sum();
        assert!((own - sum).abs() <= TOLERANCE * largest * len as f64, "{network}: sum {own}, not {sum}");
    }
}

#[test]
fn no_network_is_forgotten() {
    let cases = cases();
    for name in zoo::names() {
        assert!(cases.iter().any(|case| case.network == name), "{name} has no reference logits");
    }
}
