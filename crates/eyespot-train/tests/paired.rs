//! Comparing two classifiers, against scripts/reference/comparison.py.

use eyespot_train::{Loss, Paired, log_loss};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    pairs: Vec<PairCase>,
    log_loss: LogLossCase,
}

#[derive(Deserialize)]
struct PairCase {
    images: usize,
    only_first: usize,
    only_second: usize,
    p: f64,
    low: [f64; 2],
    high: [f64; 2],
}

#[derive(Deserialize)]
struct LogLossCase {
    scores: Vec<f32>,
    outputs: usize,
    labels: Vec<u32>,
    log_loss: f64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("data/comparison.json")).expect("the reference numbers are JSON")
}

#[test]
fn mcnemars_p_is_statsmodels_and_the_interval_the_bootstraps_own() {
    let cases = reference().pairs;
    assert!(cases.len() >= 10);
    for PairCase { images, only_first, only_second, p, low, high } in cases {
        let paired = Paired { images, only_first, only_second };
        let off = (paired.mcnemar() - p).abs();
        assert!(off <= 1e-10 * p, "{paired:?}: {}, not {p}", paired.mcnemar());
        let [from, to] = paired.interval();
        let within = |x: f64, [least, most]: [f64; 2]| least - 1e-12 <= x && x <= most + 1e-12;
        assert!(within(from, low) && within(to, high), "{paired:?}: {from}..{to}, not {low:?}..{high:?}");
        assert_eq!(paired.interval(), [from, to], "the same draws every time");
    }
}

#[test]
fn images_are_counted_in_pairs() {
    let paired = Paired::count(&[true, true, false, false, true], &[true, false, true, false, false]);
    let paired = paired.expect("counts");
    assert_eq!(paired, Paired { images: 5, only_first: 2, only_second: 1 });
    assert!((paired.difference() + 0.2).abs() < 1e-15);
    assert!(Paired::count(&[true], &[]).is_err());
    assert!(Paired::count(&[], &[]).is_err());
}

#[test]
fn log_loss_is_scikit_learns() {
    let LogLossCase { scores, outputs, labels, log_loss: expected } = reference().log_loss;
    assert!((log_loss(&Loss::CROSS_ENTROPY, &scores, outputs, &labels) - expected).abs() < 1e-12);
    // A single logit is a softmax over 0 and itself.
    let logits = [-90.0, -0.5, 0.0, 3.0, 200.0];
    let pairs: Vec<f32> = logits.iter().flat_map(|&x| [0.0, x]).collect();
    let labels = [1, 0, 1, 0, 0];
    let two = log_loss(&Loss::CROSS_ENTROPY, &pairs, 2, &labels);
    assert!((log_loss(&Loss::BceWithLogits, &logits, 1, &labels) - two).abs() < 1e-12);
    // Certain and wrong is bad, not infinite.
    let wrong = log_loss(&Loss::Mse, &[0.0, 1.0], 2, &[0]);
    assert!((wrong - 23.0 * 2f64.ln()).abs() < 1e-12, "{wrong}");
}
