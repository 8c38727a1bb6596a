//! Batch normalisation.

use super::ParamSpec;
use crate::Shape;
use serde::{Deserialize, Serialize};

/// Batch norm over maps as `torch.nn.BatchNorm2d`.
///
/// `y = (x − mean) / √(var + eps) · weight + bias` per channel. Training uses the batch's mean and biased variance
/// and moves the running ones: `running ← (1 − momentum)·running + momentum·batch`, with the unbiased variance;
/// inference uses the running ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchNorm2d {
    /// Channels.
    pub features: usize,
    /// Added to the variance; default 1e-5.
    pub eps: f32,
    /// Share of a batch in the running statistics; default 0.1.
    pub momentum: f32,
}

impl BatchNorm2d {
    /// PyTorch's defaults for this many channels.
    pub fn new(features: usize) -> Self {
        Self { features, eps: 1e-5, momentum: 0.1 }
    }

    pub(super) fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        if !(self.eps >= 0.0 && self.eps.is_finite() && (0.0..=1.0).contains(&self.momentum)) {
            return Err(format!("eps {} is not ≥ 0 or momentum {} not in 0..=1", self.eps, self.momentum));
        }
        if matches!(input, Shape::Map { .. }) && input.channels() == self.features {
            Ok(input)
        } else {
            Err(format!("takes a map of {} channels, is given {input}", self.features))
        }
    }

    pub(super) fn params(&self) -> Vec<ParamSpec> {
        let spec = |suffix, value, learned| ParamSpec::constant(suffix, vec![self.features], value, learned);
        let bias = ParamSpec { is_bias: true, ..spec("bias", 0.0, true) };
        vec![
            spec("weight", 1.0, true),
            bias,
            spec("running_mean", 0.0, false),
            spec("running_var", 1.0, false),
        ]
    }
}
