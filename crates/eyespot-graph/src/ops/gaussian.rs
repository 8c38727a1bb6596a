//! Gaussian connections: radial-basis output units.

use super::ParamSpec;
use crate::{Init, Shape};
use serde::{Deserialize, Serialize};

/// Euclidean radial-basis units as LeNet-5's output (LeCun et al. 1998, eq. 7), with the sign turned so that the
/// best class has the largest score: `y[k] = −½ Σ_i (x[i] − weight[k, i])²`, the logarithm of a Gaussian around
/// `weight[k]`. Softmax over the scores gives the posterior of equally likely Gaussians.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gaussian {
    /// Length of `x`.
    pub in_features: usize,
    /// Units, one per class.
    pub out_features: usize,
    /// How the centres start.
    pub init: Init,
}

impl Gaussian {
    pub(super) fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        match input {
            Shape::Vector(n) if n == self.in_features && n > 0 && self.out_features > 0 => {
                Ok(Shape::Vector(self.out_features))
            }
            _ => Err(format!("takes {} numbers, is given {input}", self.in_features)),
        }
    }

    pub(super) fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec {
            suffix: "weight",
            dims: vec![self.out_features, self.in_features],
            learned: true,
            init: self.init,
            fan_in: self.in_features,
            fan_out: self.out_features,
            is_bias: false,
        }]
    }

    pub(super) fn multiply_adds(&self) -> u64 {
        (self.in_features as u64).saturating_mul(self.out_features as u64)
    }
}
