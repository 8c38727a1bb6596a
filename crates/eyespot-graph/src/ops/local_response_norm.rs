//! Local response normalisation.

use crate::Shape;
use serde::{Deserialize, Serialize};

/// Normalisation across neighbouring channels as `torch.nn.LocalResponseNorm` (Krizhevsky et al. 2012, 3.3):
/// `y[c] = x[c] / (k + alpha/size · Σ x[c']²)^beta`, the sum over the `size` channels around `c`, from
/// `c − size/2` to `c + (size − 1)/2`, as far as they exist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LocalResponseNorm {
    /// Channels in the sum.
    pub size: usize,
    /// Default 1e-4.
    pub alpha: f32,
    /// Default 0.75.
    pub beta: f32,
    /// Default 1.
    pub k: f32,
}

impl LocalResponseNorm {
    /// PyTorch's defaults for this many channels in the sum.
    pub fn new(size: usize) -> Self {
        Self { size, alpha: 1e-4, beta: 0.75, k: 1.0 }
    }

    pub(super) fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        if self.size == 0 {
            return Err("sums over at least one channel".to_owned());
        }
        match input {
            Shape::Map { .. } => Ok(input),
            Shape::Vector(_) => Err(format!("takes a map, is given a vector of {input}")),
        }
    }
}
