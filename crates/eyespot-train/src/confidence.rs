//! Whether a classifier is right as often as it is sure.

use crate::Loss;

/// The probability given to the named class of each image, and whether that was its class.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Confidence {
    named: Vec<(f32, bool)>,
}

/// Bands of [`Confidence::calibration_error`], as in its paper.
const BANDS: usize = 15;

impl Confidence {
    /// From `scores` (images × `outputs`) and the class of each image.
    ///
    /// # Panics
    /// If `outputs` is 0.
    pub fn new(loss: &Loss, scores: &[f32], outputs: usize, labels: &[u32]) -> Self {
        let named = |(row, &label): (&[f32], &u32)| {
            let class = loss.decide(row);
            (loss.probabilities(row)[class as usize], class == label)
        };
        Self { named: scores.chunks_exact(outputs).zip(labels).map(named).collect() }
    }

    /// How many images were named with at least this probability, and how many of them rightly.
    pub fn at_least(&self, probability: f32) -> (usize, usize) {
        let sure = || self.named.iter().filter(|(p, _)| *p >= probability);
        (sure().count(), sure().filter(|(_, right)| *right).count())
    }

    /// The expected calibration error, 0 (as sure as right) to 1: `Σ |B|/n · |right(B) − sure(B)|` over 15 bands B of
    /// equal width, where right(B) is the share of right ones and sure(B) the mean probability (Guo et al. 2017, "On
    /// Calibration of Modern Neural Networks"). 0 without images.
    ///
    /// ```
    /// use eyespot_train::{Confidence, Loss};
    /// // Two images named with 0.9, of which one is right.
    /// let confidence = Confidence::new(&Loss::Mse, &[0.9, 0.9], 1, &[1, 0]);
    /// assert!((confidence.calibration_error() - 0.4).abs() < 1e-6);
    /// ```
    pub fn calibration_error(&self) -> f64 {
        let mut gaps = [0.0; BANDS];
        for &(probability, right) in &self.named {
            let band = ((f64::from(probability) * BANDS as f64).ceil() as usize).clamp(1, BANDS) - 1;
            gaps[band] += f64::from(u8::from(right)) - f64::from(probability);
        }
        gaps.iter().map(|gap| gap.abs()).sum::<f64>() / self.named.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_weighed_by_their_images() {
        // Named with 0.95, 0.95, 0.95, 0.7, 0.7: the first three twice right, the other two never.
        let scores = [0.95, 0.95, 0.05, 0.3, 0.7];
        let confidence = Confidence::new(&Loss::Mse, &scores, 1, &[1, 1, 1, 1, 0]);
        let expected = ((2.0 - 3.0 * 0.95f64).abs() + 2.0 * 0.7) / 5.0;
        assert!((confidence.calibration_error() - expected).abs() < 1e-6);
        assert_eq!(confidence.at_least(0.9), (3, 2));
        assert_eq!(confidence.at_least(0.0), (5, 2));
        assert_eq!(Confidence::default().calibration_error(), 0.0);
    }
}
