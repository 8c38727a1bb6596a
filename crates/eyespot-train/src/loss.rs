//! Losses: how wrong scores are, and the gradient at the scores.

use crate::TrainError;
use eyespot_graph::{Graph, Op};
use serde::{Deserialize, Serialize};

/// The loss that training makes small; `torch.nn`'s losses with `reduction="mean"`.
///
/// Scores are images × outputs. One output is a two-class problem: the score stands for class 1. More outputs
/// are one per class; the class is then one-hot where the loss works on single numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Loss {
    /// Mean squared error `(x − t)²`, `torch.nn.MSELoss`. With one output the classes part at 0.5.
    Mse,
    /// Binary cross-entropy `−t·log x − (1 − t)·log(1 − x)` of probabilities, `torch.nn.BCELoss`: logarithms end
    /// at −100 and the gradient's denominator at 1e-12.
    Bce,
    /// Binary cross-entropy of scores before the sigmoid, `torch.nn.BCEWithLogitsLoss`.
    BceWithLogits,
    /// `−log softmax(x)` at the class, `torch.nn.CrossEntropyLoss`. With class weights and hard labels the mean
    /// is weighted; with soft labels the sum is divided by the number of images.
    CrossEntropy {
        /// Share of the target spread over all classes, 0..1; default 0.
        #[serde(default)]
        label_smoothing: f32,
    },
}

/// What the scores should be.
#[derive(Debug, Clone, Copy)]
pub enum Targets<'a> {
    /// The class of each image.
    Labels(&'a [u32]),
    /// Shares of the classes, images × classes (mixup and cutmix); two classes where there is one output.
    Soft(&'a [f32]),
}

/// e⁻¹⁰⁰: BCE's logarithms end at −100.
const SMALLEST_PROBABILITY: f64 = 3.720075976020836e-44;

impl Loss {
    /// Cross-entropy without label smoothing.
    pub const CROSS_ENTROPY: Self = Self::CrossEntropy { label_smoothing: 0.0 };

    /// The mean loss over a batch, and into `gradient` its derivative by each score.
    ///
    /// `scores` and `gradient` are images × `outputs`; `class_weights` has one number per class (two where there
    /// is one output). Sums are kept in f64. Nothing is allocated.
    ///
    /// # Errors
    /// Slices of the wrong length, and labels that stand for no class.
    ///
    /// ```
    /// use eyespot_train::{Loss, Targets};
    /// let mut gradient = [0.0; 2];
    /// let loss = Loss::CROSS_ENTROPY.compute(&[0.0, 0.0], 2, Targets::Labels(&[1]), None, &mut gradient)?;
    /// assert!((loss - 2f64.ln()).abs() < 1e-12);
    /// assert_eq!(gradient, [0.5, -0.5]);
    /// # Ok::<(), eyespot_train::TrainError>(())
    /// ```
    pub fn compute(
        &self,
        scores: &[f32],
        outputs: usize,
        targets: Targets<'_>,
        class_weights: Option<&[f32]>,
        gradient: &mut [f32],
    ) -> Result<f64, TrainError> {
        let classes = outputs.max(2);
        let images = scores.len() / outputs.max(1);
        let (target_count, wanted) = match targets {
            Targets::Labels(labels) => (labels.len(), images),
            Targets::Soft(shares) => (shares.len(), images * classes),
        };
        let weight_count = class_weights.map_or(classes, <[f32]>::len);
        if outputs == 0
            || images * outputs != scores.len()
            || gradient.len() != scores.len()
            || target_count != wanted
            || weight_count != classes
        {
            return Err(TrainError::Settings(format!(
                "the loss got {} scores for {outputs} outputs, room for {} gradients, {target_count} targets \
                 (needs {wanted}) and weights for {weight_count} classes (needs {classes})",
                scores.len(),
                gradient.len()
            )));
        }
        if let Targets::Labels(labels) = targets
            && let Some(label) = labels.iter().find(|&&label| label as usize >= classes)
        {
            return Err(TrainError::Settings(format!(
                "there is a label {label}, but only {classes} classes"
            )));
        }
        Ok(match (self, targets) {
            (Self::Bce, Targets::Labels(labels)) if outputs == 1 && class_weights.is_none() => {
                bce_two_classes(scores, labels, gradient)
            }
            (Self::CrossEntropy { label_smoothing }, _) => {
                cross_entropy(scores, outputs, targets, class_weights, *label_smoothing, gradient)
            }
            (Self::Mse, _) => elementwise(scores, outputs, targets, class_weights, gradient, mse),
            (Self::Bce, _) => elementwise(scores, outputs, targets, class_weights, gradient, bce),
            (Self::BceWithLogits, _) => {
                elementwise(scores, outputs, targets, class_weights, gradient, bce_with_logits)
            }
        })
    }

    /// The loss by which networks are compared: without label smoothing.
    pub fn plain(&self) -> Self {
        match self {
            Self::CrossEntropy { .. } => Self::CROSS_ENTROPY,
            other => *other,
        }
    }

    /// Probabilities of all classes from one image's scores: softmax for cross-entropy, sigmoid for
    /// [`Loss::BceWithLogits`], else the score itself held to 0..1. One score gives two probabilities.
    pub fn probabilities(&self, scores: &[f32]) -> Vec<f32> {
        let mut p: Vec<f32> = match self {
            Self::CrossEntropy { .. } => {
                let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f64 = scores.iter().map(|&x| f64::from(x - max).exp()).sum();
                scores.iter().map(|&x| (f64::from(x - max).exp() / sum) as f32).collect()
            }
            Self::BceWithLogits => scores.iter().map(|&x| sigmoid(x)).collect(),
            Self::Mse | Self::Bce => scores.iter().map(|&x| x.clamp(0.0, 1.0)).collect(),
        };
        if let [one] = p[..] {
            p = vec![1.0 - one, one];
        }
        p
    }

    /// The class that one image's scores say: the highest, the first of equals; with one output class 1 from
    /// 0.5 on (0 on for [`Loss::BceWithLogits`], where that is the same).
    pub fn decide(&self, scores: &[f32]) -> u32 {
        if let [score] = scores {
            let threshold = if matches!(self, Self::BceWithLogits) { 0.0 } else { 0.5 };
            return u32::from(*score >= threshold);
        }
        let mut best = 0;
        for (class, &score) in scores.iter().enumerate() {
            if score > scores[best] {
                best = class;
            }
        }
        best as u32
    }

    /// Says what doesn't fit between this loss and the network's last layer.
    pub(crate) fn check(&self, graph: &Graph, classes: usize) -> Result<Option<String>, TrainError> {
        let outputs = graph.output_shape().elements();
        let problem = |text: String| Err(TrainError::Settings(text));
        if outputs != classes && !(outputs == 1 && classes == 2) {
            return problem(format!(
                "the network has {outputs} outputs, the data {classes} classes; give the network an output per class"
            ));
        }
        let last = &graph.node(graph.output()).op;
        match self {
            Self::CrossEntropy { .. } if outputs == 1 => problem(
                "cross-entropy needs an output per class; with one output choose the loss bce or mse"
                    .to_owned(),
            ),
            Self::Bce if !matches!(last, Op::Sigmoid | Op::Softmax) => problem(format!(
                "the loss bce works on probabilities, but the network ends with {}; end it with a sigmoid, or \
                 choose bce-with-logits",
                last.kind()
            )),
            Self::CrossEntropy { .. } if matches!(last, Op::Softmax | Op::Sigmoid) => Ok(Some(format!(
                "cross-entropy takes scores before the softmax, but the network ends with {}; it learns slower so",
                last.kind()
            ))),
            Self::BceWithLogits if matches!(last, Op::Sigmoid | Op::Softmax) => Ok(Some(format!(
                "bce-with-logits takes scores before the sigmoid, but the network ends with {}; choose bce",
                last.kind()
            ))),
            _ => Ok(None),
        }
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Loss and derivative of one number.
fn mse(x: f32, t: f32) -> (f64, f32) {
    let d = x - t;
    (f64::from(d) * f64::from(d), 2.0 * d)
}

fn bce(x: f32, t: f32) -> (f64, f32) {
    if !(0.0..=1.0).contains(&x) {
        return (f64::NAN, f32::NAN);
    }
    let log = |p: f32| f64::from(p).ln().max(-100.0);
    let t64 = f64::from(t);
    (-t64 * log(x) - (1.0 - t64) * log(1.0 - x), (x - t) / ((1.0 - x) * x).max(1e-12))
}

fn bce_with_logits(x: f32, t: f32) -> (f64, f32) {
    let (x64, t64) = (f64::from(x), f64::from(t));
    // Written so that NaN stays NaN: f64::max would drop it.
    let positive = if x64 < 0.0 { 0.0 } else { x64 };
    (positive - x64 * t64 + (-x64.abs()).exp().ln_1p(), sigmoid(x) - t)
}

/// The target of output `j` of image `i`.
fn target(targets: Targets<'_>, outputs: usize, i: usize, j: usize) -> f32 {
    match targets {
        Targets::Labels(labels) if outputs == 1 => labels[i] as f32,
        Targets::Labels(labels) => f32::from(u8::from(labels[i] as usize == j)),
        Targets::Soft(shares) if outputs == 1 => shares[2 * i + 1],
        Targets::Soft(shares) => shares[outputs * i + j],
    }
}

/// The mean over images and outputs of a loss of single numbers.
fn elementwise(
    scores: &[f32],
    outputs: usize,
    targets: Targets<'_>,
    class_weights: Option<&[f32]>,
    gradient: &mut [f32],
    loss: impl Fn(f32, f32) -> (f64, f32),
) -> f64 {
    let scale = 1.0 / scores.len() as f32;
    let mut sum = 0.0;
    let rows = scores.chunks_exact(outputs).zip(gradient.chunks_exact_mut(outputs));
    for (i, (row, gradient)) in rows.enumerate() {
        for (j, (&x, g)) in row.iter().zip(gradient).enumerate() {
            let t = target(targets, outputs, i, j);
            let weight = match class_weights {
                None => 1.0,
                Some(w) if outputs == 1 => w[0] * (1.0 - t) + w[1] * t,
                Some(w) => w[j],
            };
            let (value, slope) = loss(x, t);
            sum += value * f64::from(weight);
            *g = slope * weight * scale;
        }
    }
    sum / scores.len() as f64
}

/// BCE for one output and hard labels. The sum of logarithms is the logarithm of the product, so a full batch of
/// a tiny network takes one or two logarithms in place of one per image.
fn bce_two_classes(scores: &[f32], labels: &[u32], gradient: &mut [f32]) -> f64 {
    let scale = 1.0 / scores.len() as f32;
    for ((&x, &label), g) in scores.iter().zip(labels).zip(&mut *gradient) {
        *g = (x - label as f32) / ((1.0 - x) * x).max(1e-12) * scale;
    }
    let (mut sum, mut product) = (0.0, 1.0f64);
    for (&x, &label) in scores.iter().zip(labels) {
        let p = if label == 1 { x } else { 1.0 - x };
        product *= match p {
            p if (0.0..=1.0).contains(&p) => f64::from(p).max(SMALLEST_PROBABILITY),
            _ => f64::NAN,
        };
        // Far from f64's smallest number, even after the smallest factor.
        if product < 1e-200 {
            sum += product.ln();
            product = 1.0;
        }
    }
    -(sum + product.ln()) / scores.len() as f64
}

fn cross_entropy(
    scores: &[f32],
    classes: usize,
    targets: Targets<'_>,
    class_weights: Option<&[f32]>,
    smoothing: f32,
    gradient: &mut [f32],
) -> f64 {
    let images = scores.len() / classes;
    let weight = |class: usize| class_weights.map_or(1.0, |w| w[class]);
    let divisor = match targets {
        Targets::Labels(labels) if class_weights.is_some() => {
            labels.iter().map(|&label| f64::from(weight(label as usize))).sum()
        }
        _ => images as f64,
    };
    let everywhere = smoothing / classes as f32;
    let mut sum = 0.0;
    let rows = scores.chunks_exact(classes).zip(gradient.chunks_exact_mut(classes));
    for (i, (row, gradient)) in rows.enumerate() {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut exponentials = 0.0f64;
        for (&x, g) in row.iter().zip(&mut *gradient) {
            *g = (x - max).exp();
            exponentials += f64::from(*g);
        }
        let log_sum = exponentials.ln();
        // loss = −Σ share·log p, so the derivative is p·Σ share − share.
        let share = |class: usize| match targets {
            Targets::Labels(labels) => {
                let label = labels[i] as usize;
                let hard = if label == class { (1.0 - smoothing) * weight(label) } else { 0.0 };
                hard + everywhere * weight(class)
            }
            Targets::Soft(shares) => {
                weight(class) * ((1.0 - smoothing) * shares[i * classes + class] + everywhere)
            }
        };
        let mut shares = 0.0f64;
        for (class, &x) in row.iter().enumerate() {
            let share = f64::from(share(class));
            shares += share;
            if share != 0.0 {
                sum -= share * (f64::from(x - max) - log_sum);
            }
        }
        let scale = (shares / exponentials) as f32;
        for (class, g) in gradient.iter_mut().enumerate() {
            *g = (*g * scale - share(class)) / divisor as f32;
        }
    }
    sum / divisor
}
