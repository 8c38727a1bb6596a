//! How good scores are.

use crate::{Loss, Targets, TrainError, balanced_accuracy, wilson_interval};
use serde::{Deserialize, Serialize};

/// How good scores are for one class. Where a quotient has nothing below the line it is 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Of the images called so, the share that is so.
    pub precision: f64,
    /// Of the images that are so, the share called so.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
    /// Images that are so.
    pub support: usize,
}

/// Scores measured against labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// How many images.
    pub images: usize,
    /// The share that is right.
    pub accuracy: f64,
    /// Its 95 % confidence interval, see [`wilson_interval`].
    pub accuracy_interval: [f64; 2],
    /// The mean of the classes' recalls, see [`balanced_accuracy`].
    pub balanced_accuracy: f64,
    /// Its 95 % confidence interval.
    pub balanced_accuracy_interval: [f64; 2],
    /// The share that would be right if every image were called by the class that most of them have.
    pub largest_class_accuracy: f64,
    /// The share whose class is among the five highest scores; absent where there are five classes or fewer, whose
    /// class always is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top5_accuracy: Option<f64>,
    /// Its 95 % confidence interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top5_accuracy_interval: Option<[f64; 2]>,
    /// The mean loss, without label smoothing.
    pub loss: f64,
    /// The area under the ROC curve of class 1, where there are two classes and images of both.
    pub auc: Option<f64>,
    /// Images by label (row) and prediction (column).
    pub confusion: Vec<Vec<usize>>,
}

impl Metrics {
    /// Measures `scores` (images × `outputs`) against `labels`. One output makes two classes.
    ///
    /// # Errors
    /// No images, slices of the wrong length, and labels that stand for no class.
    ///
    /// ```
    /// use eyespot_train::{Loss, Metrics};
    /// let scores = [2.0, 0.0, 0.0, 2.0, 2.0, 0.0];
    /// let metrics = Metrics::new(&Loss::CROSS_ENTROPY, &scores, 2, &[0, 1, 1])?;
    /// assert_eq!(metrics.confusion, [[1, 0], [1, 1]]);
    /// assert_eq!(metrics.class(1).recall, 0.5);
    /// assert_eq!(metrics.auc, Some(0.75));
    /// # Ok::<(), eyespot_train::TrainError>(())
    /// ```
    pub fn new(loss: &Loss, scores: &[f32], outputs: usize, labels: &[u32]) -> Result<Self, TrainError> {
        if labels.is_empty() {
            return Err(TrainError::Data("there are no images to evaluate on".to_owned()));
        }
        let mut gradient = vec![0.0; scores.len()];
        // The loss also checks lengths and labels, which the rest relies on.
        let loss_value =
            loss.plain().compute(scores, outputs, Targets::Labels(labels), None, &mut gradient)?;
        let class_count = outputs.max(2);
        let mut confusion = vec![vec![0usize; class_count]; class_count];
        let mut in_top5 = 0;
        for (row, &label) in scores.chunks_exact(outputs).zip(labels) {
            confusion[label as usize][loss.decide(row) as usize] += 1;
            in_top5 += usize::from(class_count > 5 && rank(row, label as usize) < 5);
        }
        let images = labels.len();
        let recalls: Vec<(usize, usize)> =
            confusion.iter().enumerate().map(|(class, row)| (row[class], row.iter().sum())).collect();
        let right: usize = recalls.iter().map(|(right, _)| right).sum();
        let largest = recalls.iter().map(|(_, images)| *images).max().unwrap_or(0);
        let (balanced_accuracy, balanced_accuracy_interval) = balanced_accuracy(&recalls);
        let margins: Option<Vec<f32>> = match outputs {
            1 => Some(scores.to_vec()),
            2 => Some(scores.chunks_exact(2).map(|pair| pair[1] - pair[0]).collect()),
            _ => None,
        };
        Ok(Self {
            images,
            accuracy: right as f64 / images as f64,
            accuracy_interval: wilson_interval(right, images),
            balanced_accuracy,
            balanced_accuracy_interval,
            largest_class_accuracy: largest as f64 / images as f64,
            top5_accuracy: (class_count > 5).then_some(in_top5 as f64 / images as f64),
            top5_accuracy_interval: (class_count > 5).then(|| wilson_interval(in_top5, images)),
            loss: loss_value,
            auc: margins.and_then(|margins| roc_auc(&margins, labels)),
            confusion,
        })
    }

    /// How many images are right.
    pub fn right(&self) -> usize {
        self.confusion.iter().enumerate().map(|(class, row)| row[class]).sum()
    }

    /// The class that most images have; the first of equals.
    pub fn largest_class(&self) -> usize {
        let counts = self.confusion.iter().map(|row| row.iter().sum::<usize>()).enumerate();
        counts.rev().max_by_key(|(_, count)| *count).map_or(0, |(class, _)| class)
    }

    /// One class.
    ///
    /// # Panics
    /// If there is no such class.
    pub fn class(&self, class: usize) -> ClassMetrics {
        let quotient = |a: usize, b: usize| if b == 0 { 0.0 } else { a as f64 / b as f64 };
        let right = self.confusion[class][class];
        let support: usize = self.confusion[class].iter().sum();
        let called: usize = self.confusion.iter().map(|row| row[class]).sum();
        ClassMetrics {
            precision: quotient(right, called),
            recall: quotient(right, support),
            f1: quotient(2 * right, called + support),
            support,
        }
    }
}

/// How many classes score higher; of equals the first counts as higher.
fn rank(row: &[f32], label: usize) -> usize {
    let own = row[label];
    row.iter().enumerate().filter(|&(class, &score)| score > own || (score == own && class < label)).count()
}

/// The area under the ROC curve: the chance that an image of class 1 scores above one of class 0, equal scores
/// counting half (Mann and Whitney's U by midranks). `None` unless both classes occur and scores are numbers.
///
/// ```
/// assert_eq!(eyespot_train::roc_auc(&[0.1, 0.4, 0.4, 0.8], &[0, 0, 1, 1]), Some(0.875));
/// ```
pub fn roc_auc(scores: &[f32], labels: &[u32]) -> Option<f64> {
    let mut pairs: Vec<(f32, bool)> = scores.iter().zip(labels).map(|(&s, &l)| (s, l == 1)).collect();
    let positives = pairs.iter().filter(|pair| pair.1).count();
    let negatives = pairs.len() - positives;
    if positives == 0 || negatives == 0 || pairs.iter().any(|pair| pair.0.is_nan()) {
        return None;
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut ranks, mut start) = (0.0, 0);
    // -0.0 and 0.0 sort apart but are equal, so groups go by `==`.
    for group in pairs.chunk_by(|a, b| a.0 == b.0) {
        let midrank = start as f64 + (group.len() as f64 + 1.0) / 2.0;
        ranks += midrank * group.iter().filter(|pair| pair.1).count() as f64;
        start += group.len();
    }
    let (p, n) = (positives as f64, negatives as f64);
    Some((ranks - p * (p + 1.0) / 2.0) / (p * n))
}
