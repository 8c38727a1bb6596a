//! Losses and schedules against PyTorch (scripts/reference/training.py); metrics against counting by hand.

use eyespot_train::{Loss, Metrics, Schedule, Steps, Targets, balanced_accuracy, roc_auc, wilson_interval};
use serde::Deserialize;

fn reference<T: serde::de::DeserializeOwned>(json: &str) -> Vec<T> {
    serde_json::from_str(json).expect("the reference numbers are JSON")
}

#[derive(Deserialize)]
struct LossCase {
    kind: String,
    label_smoothing: f32,
    outputs: usize,
    scores: Vec<f32>,
    labels: Vec<u32>,
    soft: Option<Vec<f32>>,
    weights: Option<Vec<f32>>,
    loss: f64,
    gradient: Vec<f32>,
}

#[test]
fn losses_and_their_gradients_are_pytorchs() {
    let cases: Vec<LossCase> = reference(include_str!("data/losses.json"));
    assert!(cases.len() > 30);
    for case in cases {
        let loss = match case.kind.as_str() {
            "mse" => Loss::Mse,
            "bce" => Loss::Bce,
            "bce-with-logits" => Loss::BceWithLogits,
            _ => Loss::CrossEntropy { label_smoothing: case.label_smoothing },
        };
        let name = format!("{loss:?}, {} outputs, soft {}", case.outputs, case.soft.is_some());
        let targets = case.soft.as_deref().map_or(Targets::Labels(&case.labels), Targets::Soft);
        let mut gradient = vec![f32::NAN; case.scores.len()];
        let value = loss
            .compute(&case.scores, case.outputs, targets, case.weights.as_deref(), &mut gradient)
            .unwrap();
        assert!(
            (value - case.loss).abs() <= 2e-6 * case.loss.abs().max(0.1),
            "{name}: {value}, {}",
            case.loss
        );
        for (own, theirs) in gradient.iter().zip(&case.gradient) {
            assert!((own - theirs).abs() <= 1e-5 * theirs.abs() + 1e-7, "{name}: {own}, {theirs}");
        }
    }
}

/// The gradient of every loss is its slope: central differences in the scores.
#[test]
fn gradients_are_slopes() {
    let scores = [0.3f32, 0.6, 0.1, 0.9, 0.2, 0.5];
    let shares = [0.2f32, 0.3, 0.5, 0.6, 0.3, 0.1];
    let weights = [0.5f32, 1.0, 2.0];
    for loss in [Loss::Mse, Loss::Bce, Loss::BceWithLogits, Loss::CrossEntropy { label_smoothing: 0.2 }] {
        let value = |scores: &[f32], gradient: &mut [f32]| {
            loss.compute(scores, 3, Targets::Soft(&shares), Some(&weights), gradient).unwrap()
        };
        let mut gradient = [0.0; 6];
        value(&scores, &mut gradient);
        for i in 0..6 {
            let (mut up, mut down) = (scores, scores);
            up[i] += 1.0 / 1024.0;
            down[i] -= 1.0 / 1024.0;
            let slope = (value(&up, &mut [0.0; 6]) - value(&down, &mut [0.0; 6])) * 512.0;
            assert!((slope - f64::from(gradient[i])).abs() < 2e-4, "{loss:?} {i}: {slope} {}", gradient[i]);
        }
    }
}

#[test]
fn a_long_batch_of_hopeless_probabilities_keeps_its_loss() {
    // −100 each, as torch.nn.BCELoss clamps; the product of the probabilities would vanish many times over.
    let labels: Vec<u32> = (0..1000).map(|i| i % 2).collect();
    let scores: Vec<f32> = labels.iter().map(|&label| 1.0 - label as f32).collect();
    let loss = Loss::Bce.compute(&scores, 1, Targets::Labels(&labels), None, &mut vec![0.0; 1000]).unwrap();
    assert!((loss - 100.0).abs() < 1e-9, "{loss}");
}

#[test]
fn what_is_no_number_stays_none() {
    for loss in [Loss::Mse, Loss::Bce, Loss::BceWithLogits, Loss::CROSS_ENTROPY] {
        let value = loss.compute(&[0.5, f32::NAN], 2, Targets::Labels(&[1]), None, &mut [0.0; 2]).unwrap();
        assert!(value.is_nan(), "{loss:?}: {value}");
    }
    let outside = Loss::Bce.compute(&[1.5], 1, Targets::Labels(&[1]), None, &mut [0.0]).unwrap();
    assert!(outside.is_nan());
}

#[test]
fn wrong_lengths_and_labels_are_errors() {
    let compute = |scores: &[f32], labels: &[u32], weights: Option<&[f32]>| {
        Loss::Mse.compute(scores, 3, Targets::Labels(labels), weights, &mut vec![0.0; scores.len()]).is_err()
    };
    assert!(compute(&[0.0; 4], &[0], None));
    assert!(compute(&[0.0; 6], &[0], None));
    assert!(compute(&[0.0; 3], &[3], None));
    assert!(compute(&[0.0; 3], &[0], Some(&[1.0, 1.0])));
    assert!(!compute(&[0.0; 3], &[2], Some(&[1.0, 1.0, 1.0])));
}

#[test]
fn one_output_decides_at_its_threshold() {
    assert_eq!([0.49, 0.5].map(|x| Loss::Mse.decide(&[x])), [0, 1]);
    assert_eq!([0.49, 0.5].map(|x| Loss::Bce.decide(&[x])), [0, 1]);
    assert_eq!([-0.01, 0.0, 0.3].map(|x| Loss::BceWithLogits.decide(&[x])), [0, 1, 1]);
    assert_eq!(Loss::CROSS_ENTROPY.decide(&[1.0, 3.0, 3.0]), 1);
    assert_eq!(Loss::Mse.probabilities(&[1.25]), [0.0, 1.0]);
    let p = Loss::CROSS_ENTROPY.probabilities(&[0.0, 2f32.ln(), 1000.0 - 1000.0]);
    assert!(p.iter().zip([0.25, 0.5, 0.25]).all(|(a, b)| (a - b).abs() < 1e-6), "{p:?}");
}

#[derive(Deserialize)]
struct ScheduleCase {
    kind: String,
    warmup: u64,
    total: u64,
    per_epoch: u64,
    rates: Vec<f64>,
}

#[test]
fn schedules_are_pytorchs() {
    let cases: Vec<ScheduleCase> = reference(include_str!("data/schedules.json"));
    assert_eq!(cases.len(), 8);
    for case in cases {
        let schedule = match case.kind.as_str() {
            "constant" => Schedule::Constant,
            "step" => Schedule::Step { epochs: 2, gamma: 0.1 },
            "cosine" => Schedule::Cosine,
            _ => Schedule::OneCycle,
        };
        let steps = Steps { total: case.total, per_epoch: case.per_epoch, warmup: case.warmup };
        for (step, theirs) in case.rates.iter().enumerate() {
            let own = schedule.rate(0.1, step as u64, steps);
            assert!(
                (own - theirs).abs() < 1e-12,
                "{schedule:?} {} step {step}: {own}, {theirs}",
                case.warmup
            );
        }
    }
}

#[test]
fn schedules_of_very_few_steps_are_numbers() {
    for schedule in [Schedule::Constant, Schedule::Cosine, Schedule::OneCycle] {
        for total in 1..6 {
            for warmup in 0..=total {
                let steps = Steps { total, per_epoch: 1, warmup };
                let rates = (0..total).map(|step| schedule.rate(0.1, step, steps));
                assert!(
                    rates.into_iter().all(|r| (0.0..=0.1 + 1e-12).contains(&r)),
                    "{schedule:?} {steps:?}"
                );
            }
        }
    }
}

/// AUC by its definition: every pair of a positive and a negative, equal scores counting half.
fn auc_by_pairs(scores: &[f32], labels: &[u32]) -> f64 {
    let of = |class| scores.iter().zip(labels).filter(move |&(_, &l)| l == class).map(|(&s, _)| s);
    let (mut won, mut pairs) = (0.0, 0.0);
    for positive in of(1) {
        for negative in of(0) {
            pairs += 1.0;
            won += if positive > negative {
                1.0
            } else if positive == negative {
                0.5
            } else {
                0.0
            };
        }
    }
    won / pairs
}

#[test]
fn auc_counts_pairs_and_halves_ties() {
    let scores: Vec<f32> = (0..60).map(|i| ((i * 37 % 11) as f32) / 10.0).collect();
    let labels: Vec<u32> = (0..60).map(|i| u32::from(i * 29 % 7 < 3)).collect();
    assert!((roc_auc(&scores, &labels).unwrap() - auc_by_pairs(&scores, &labels)).abs() < 1e-12);
    assert_eq!(roc_auc(&[0.0, -0.0], &[0, 1]), Some(0.5));
    assert_eq!(roc_auc(&[0.0, 1.0], &[1, 1]), None);
    assert_eq!(roc_auc(&[0.0, f32::NAN], &[0, 1]), None);
}

#[test]
fn metrics_count_right() {
    // Labels 0 0 0 1 1 2, predictions 0 0 1 1 2 1: by hand.
    let row = |best: usize| (0..3).map(move |class| if class == best { 2.0 } else { 0.0 });
    let scores: Vec<f32> = [0, 0, 1, 1, 2, 1].into_iter().flat_map(row).collect();
    let metrics = Metrics::new(&Loss::CROSS_ENTROPY, &scores, 3, &[0, 0, 0, 1, 1, 2]).unwrap();
    assert_eq!(metrics.confusion, [[2, 1, 0], [0, 1, 1], [0, 1, 0]]);
    assert_eq!(metrics.accuracy, 0.5);
    assert_eq!(metrics.top5_accuracy, None, "of three classes the five highest are all");
    assert_eq!((metrics.largest_class(), metrics.largest_class_accuracy), (0, 0.5));
    assert_eq!(metrics.auc, None);
    let figures = (0..3).map(|class| metrics.class(class)).map(|c| (c.precision, c.recall, c.f1, c.support));
    let expected = [(1.0, 2.0 / 3.0, 0.8, 3), (1.0 / 3.0, 0.5, 0.4, 2), (0.0, 0.0, 0.0, 1)];
    for (own, hand) in figures.zip(expected) {
        assert!((own.0 - hand.0).abs() < 1e-12 && (own.1 - hand.1).abs() < 1e-12, "{own:?} {hand:?}");
        assert!((own.2 - hand.2).abs() < 1e-12 && own.3 == hand.3, "{own:?} {hand:?}");
    }
    let e2 = 2f64.exp();
    // Three images lose log(1 + 2e⁻²), three 2 more.
    assert!((metrics.loss - ((1.0 + 2.0 / e2).ln() + 1.0)).abs() < 1e-6);
}

#[derive(Deserialize)]
struct BalancedCase {
    confusion: Vec<Vec<usize>>,
    balanced_accuracy: f64,
    interval: [f64; 2],
}

/// scripts/reference/balanced_accuracy.py: the value by scikit-learn, the interval of two classes by statsmodels.
#[test]
fn balanced_accuracy_is_scikit_learns_and_its_interval_newcombes() {
    let cases: Vec<BalancedCase> = reference(include_str!("data/balanced_accuracy.json"));
    assert!(cases.len() >= 10);
    for case in cases {
        let outputs = case.confusion.len();
        let (mut scores, mut labels) = (Vec::new(), Vec::new());
        for (label, row) in case.confusion.iter().enumerate() {
            for (prediction, &count) in row.iter().enumerate() {
                for _ in 0..count {
                    scores.extend((0..outputs).map(|class| f32::from(u8::from(class == prediction))));
                    labels.push(label as u32);
                }
            }
        }
        let metrics = Metrics::new(&Loss::CROSS_ENTROPY, &scores, outputs, &labels).unwrap();
        assert_eq!(metrics.confusion, case.confusion);
        assert!((metrics.balanced_accuracy - case.balanced_accuracy).abs() < 1e-12, "{:?}", case.confusion);
        let [low, high] = metrics.balanced_accuracy_interval;
        let [expected_low, expected_high] = case.interval;
        let off = (low - expected_low).abs().max((high - expected_high).abs());
        assert!(off < 1e-9, "{:?}: {low}..{high}", case.confusion);
    }
    assert_eq!(balanced_accuracy(&[]), (0.0, [0.0, 0.0]));
}

#[derive(Deserialize)]
struct IntervalCase {
    right: usize,
    images: usize,
    interval: [f64; 2],
}

/// scripts/reference/accuracy.py: Wilson's interval by statsmodels.
#[test]
fn the_interval_of_an_accuracy_is_statsmodels() {
    let cases: Vec<IntervalCase> = reference(include_str!("data/accuracy_intervals.json"));
    assert!(cases.len() >= 15);
    for IntervalCase { right, images, interval: [expected_low, expected_high] } in cases {
        let [low, high] = wilson_interval(right, images);
        let off = (low - expected_low).abs().max((high - expected_high).abs());
        assert!(off < 1e-12, "{right} of {images}: {low}..{high}");
        // As metrics tell it: of two classes, the first `right` images are named rightly.
        let scores: Vec<f32> =
            (0..images).flat_map(|i| if i < right { [1.0, 0.0] } else { [0.0, 1.0] }).collect();
        let metrics = Metrics::new(&Loss::CROSS_ENTROPY, &scores, 2, &vec![0; images]).unwrap();
        assert_eq!((metrics.right(), metrics.accuracy_interval), (right, [low, high]));
    }
    assert_eq!(wilson_interval(0, 0), [0.0, 1.0]);
}

#[test]
fn the_fifth_counts_for_top_5_and_the_sixth_does_not() {
    let scores = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0].repeat(2);
    let metrics = Metrics::new(&Loss::CROSS_ENTROPY, &scores, 7, &[4, 5]).unwrap();
    assert_eq!((metrics.top5_accuracy, metrics.accuracy), (Some(0.5), 0.0));
    assert_eq!(metrics.top5_accuracy_interval, Some(wilson_interval(1, 2)));
    assert!(Metrics::new(&Loss::CROSS_ENTROPY, &[], 7, &[]).is_err());
}
