//! The log loss of a classifier, whatever loss it was trained with.

use crate::Loss;

/// The mean of `−ln p` over images, where `p` is the probability given to the image's class (scikit-learn's `log_loss`).
///
/// Of softmax and of a single logit it is computed from the scores, without bound. Of other outputs the probabilities are
/// those of [`Loss::probabilities`], held to 2⁻²³ at least, scikit-learn's bound for `f32`. 0 without images.
///
/// `scores` are images × `outputs`.
///
/// ```
/// use eyespot_train::{Loss, log_loss};
/// assert!((log_loss(&Loss::CROSS_ENTROPY, &[0.0, 0.0], 2, &[1]) - 2f64.ln()).abs() < 1e-15);
/// assert_eq!(log_loss(&Loss::Mse, &[1.0, 0.0], 2, &[0]), 0.0);
/// ```
///
/// # Panics
/// If `outputs` is 0 or a label stands for no class.
pub fn log_loss(loss: &Loss, scores: &[f32], outputs: usize, labels: &[u32]) -> f64 {
    let one = |(row, &label): (&[f32], &u32)| -> f64 {
        match (loss, row) {
            (Loss::CrossEntropy { .. }, _) if outputs > 1 => {
                let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f64 = row.iter().map(|&x| (f64::from(x) - f64::from(max)).exp()).sum();
                sum.ln() + f64::from(max) - f64::from(row[label as usize])
            }
            (Loss::BceWithLogits, &[score]) => {
                // ln(1 + e^−x) for the class's own logit, without overflow.
                let x = if label == 1 { f64::from(score) } else { -f64::from(score) };
                (-x).max(0.0) + (-x.abs()).exp().ln_1p()
            }
            _ => -f64::from(loss.probabilities(row)[label as usize].max(f32::EPSILON)).ln(),
        }
    };
    let sum: f64 = scores.chunks_exact(outputs).zip(labels).map(one).sum();
    sum / labels.len().max(1) as f64
}
