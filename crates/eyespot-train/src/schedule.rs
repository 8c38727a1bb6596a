//! How the learning rate goes through training.

use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// The learning rate over the steps of training, as `torch.optim.lr_scheduler` with a step per batch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Schedule {
    /// Always the same.
    Constant,
    /// `StepLR`: times `gamma` every `epochs` epochs.
    Step {
        /// Epochs between two reductions, at least 1.
        epochs: u64,
        /// The factor; PyTorch's default is 0.1.
        gamma: f64,
    },
    /// `CosineAnnealingLR`: along half a cosine from the full rate to 0 at the end.
    Cosine,
    /// `OneCycleLR` with PyTorch's defaults (the given rate is the highest): by a cosine from 1/25 of the rate to
    /// all of it over the first 30 % of the steps, then down to 1/250,000.
    OneCycle,
}

/// How long training is, in optimizer steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// All steps.
    pub total: u64,
    /// Steps in an epoch.
    pub per_epoch: u64,
    /// Steps of linear warm-up at the beginning, part of `total`.
    pub warmup: u64,
}

/// Warm-up begins with this part of the first rate (torchvision's reference training).
const WARMUP_START: f64 = 0.01;

impl Schedule {
    /// The learning rate of step `step`, counted from 0, where `rate` is the full one.
    ///
    /// Warm-up goes linearly from a hundredth of the schedule's first rate to all of it (`LinearLR`); after it
    /// the schedule runs over the steps that are left (`SequentialLR`).
    ///
    /// ```
    /// use eyespot_train::{Schedule, Steps};
    /// let steps = Steps { total: 100, per_epoch: 10, warmup: 0 };
    /// assert_eq!(Schedule::Cosine.rate(0.1, 0, steps), 0.1);
    /// assert!((Schedule::Cosine.rate(0.1, 50, steps) - 0.05).abs() < 1e-12);
    /// ```
    pub fn rate(&self, rate: f64, step: u64, steps: Steps) -> f64 {
        if step < steps.warmup {
            let way = step as f64 / steps.warmup as f64;
            return self.after_warmup(rate, 0, steps) * (WARMUP_START + (1.0 - WARMUP_START) * way);
        }
        self.after_warmup(rate, step - steps.warmup, steps)
    }

    fn after_warmup(&self, rate: f64, step: u64, steps: Steps) -> f64 {
        let total = steps.total.saturating_sub(steps.warmup).max(1);
        let step = step.min(total);
        match *self {
            Self::Constant => rate,
            Self::Step { epochs, gamma } => {
                let every = epochs.saturating_mul(steps.per_epoch).max(1);
                rate * gamma.powf((step / every) as f64)
            }
            Self::Cosine => cosine(rate, 0.0, step as f64 / total as f64),
            Self::OneCycle => {
                let (first, last) = (rate / 25.0, rate / 25.0 / 1e4);
                let (step, end) = (step as f64, total as f64 - 1.0);
                let top = 0.3 * total as f64 - 1.0;
                if step <= top {
                    cosine(first, rate, step / top)
                } else if end > top {
                    cosine(rate, last, ((step - top) / (end - top)).min(1.0))
                } else {
                    rate
                }
            }
        }
    }
}

/// From `start` to `end` along half a cosine, `way` from 0 to 1.
fn cosine(start: f64, end: f64, way: f64) -> f64 {
    end + (start - end) * (1.0 + (PI * way).cos()) / 2.0
}
