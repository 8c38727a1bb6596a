//! What a run of training is told.

use crate::{Loss, Schedule, TrainError};
use eyespot_graph::{Optimizer, TensorScales};
use serde::{Deserialize, Serialize};

/// How many images one step of the optimizer sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchSize {
    /// All of them.
    Full,
    /// This many; the last batch of an epoch takes what is left.
    Images(usize),
}

/// What is done about classes of different size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Balance {
    /// Nothing.
    #[default]
    None,
    /// Each class' loss weighs `samples / (classes · samples of the class)`.
    Weights,
    /// Each sample is drawn, with replacement, so that all classes come equally often.
    Sampler,
}

/// Everything that decides how weights are trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Passes over the data; default 20.
    pub epochs: u64,
    /// Images per step; default 32.
    pub batch_size: BatchSize,
    /// The rule; default SGD with momentum 0.9.
    pub optimizer: Optimizer,
    /// The full learning rate; default 0.01.
    pub learning_rate: f64,
    /// λ of the optimizer; default 0.
    pub weight_decay: f64,
    /// Factors on the learning rate and the weight decay of single tensors, such as lower rates near the input or no decay
    /// on biases; default 1 and 1 for all.
    #[serde(skip_serializing_if = "TensorScales::is_empty")]
    pub tensor_scales: TensorScales,
    /// The learning rate's way; default cosine.
    pub schedule: Schedule,
    /// Epochs of linear warm-up, part of `epochs`; default 0.
    pub warmup_epochs: f64,
    /// The loss; default cross-entropy.
    pub loss: Loss,
    /// Gradients with a greater Euclidean norm are scaled down to it (`clip_grad_norm_`); default: no limit.
    pub clip_norm: Option<f64>,
    /// Decay of the moving average of the weights per step, such as 0.999; the average is then what is validated
    /// and kept. Default: none.
    pub ema_decay: Option<f32>,
    /// Training stops at the first validation that comes this many epochs or more after the best one; default: never.
    pub patience: Option<u64>,
    /// What is done about classes of different size; default nothing.
    pub balance: Balance,
    /// Decides the order of samples and dropout; default 0.
    pub seed: u64,
    /// Validation, a record and perhaps a checkpoint come every so many epochs, and after the last; default 1.
    pub record_every: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch_size: BatchSize::Images(32),
            optimizer: Optimizer::Sgd { momentum: 0.9, nesterov: false },
            learning_rate: 0.01,
            weight_decay: 0.0,
            tensor_scales: TensorScales::new(),
            schedule: Schedule::Cosine,
            warmup_epochs: 0.0,
            loss: Loss::CROSS_ENTROPY,
            clip_norm: None,
            ema_decay: None,
            patience: None,
            balance: Balance::None,
            seed: 0,
            record_every: 1,
        }
    }
}

impl Settings {
    /// Images per step where there are `samples` of them.
    pub fn batch(&self, samples: usize) -> usize {
        match self.batch_size {
            BatchSize::Full => samples,
            BatchSize::Images(n) => n.min(samples),
        }
    }

    /// Whether every number is in its range; training checks it, too.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), TrainError> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let rules = [
            (self.epochs > 0, "--epochs must be at least 1"),
            (self.batch_size != BatchSize::Images(0), "the batch size (--batch-size) must be at least 1"),
            (positive(self.learning_rate), "the learning rate (--lr) must be a number above 0"),
            (
                self.weight_decay >= 0.0 && self.weight_decay.is_finite(),
                "weight decay (--weight-decay) must be 0 or more",
            ),
            (
                (0.0..=self.epochs as f64).contains(&self.warmup_epochs),
                "warm-up (--warmup) lasts between 0 and all of the epochs",
            ),
            (
                self.clip_norm.is_none_or(positive),
                "the limit on the gradient's norm (--clip) must be above 0",
            ),
            (
                self.ema_decay.is_none_or(|d| (0.0..1.0).contains(&d)),
                "the decay of the moving average (--ema) lies in 0..1",
            ),
            (
                match self.optimizer {
                    Optimizer::Sgd { momentum, .. } => (0.0..1.0).contains(&momentum),
                    _ => true,
                },
                "momentum (--momentum) lies in 0..1",
            ),
            (
                self.optimizer != Optimizer::Sgd { momentum: 0.0, nesterov: true },
                "Nesterov's variant needs a momentum above 0",
            ),
            (self.record_every > 0, "records come at least every epoch: --every must be 1 or more"),
            (self.patience != Some(0), "--patience must be at least 1"),
            (
                match self.loss {
                    Loss::CrossEntropy { label_smoothing } => (0.0..1.0).contains(&label_smoothing),
                    _ => true,
                },
                "label smoothing (--label-smoothing) lies in 0..1",
            ),
            (
                !matches!(self.schedule, Schedule::Step { epochs: 0, .. }),
                "the step schedule needs at least 1 epoch between two reductions",
            ),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(TrainError::Settings(rule.to_owned())),
            None => Ok(()),
        }
    }
}
