//! Fully connected layer.

use super::ParamSpec;
use crate::{Init, Shape};
use serde::{Deserialize, Serialize};

/// `y = W·x + b` with `W` of out × in, as `torch.nn.Linear`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    /// Length of `x`.
    pub in_features: usize,
    /// Length of `y`.
    pub out_features: usize,
    /// Whether there is a `b`.
    pub bias: bool,
    /// How the weights start.
    pub init: Init,
}

impl Linear {
    pub(super) fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        match input {
            Shape::Vector(n) if n == self.in_features && n > 0 && self.out_features > 0 => {
                Ok(Shape::Vector(self.out_features))
            }
            Shape::Vector(n) => Err(format!("takes {} numbers, is given {n}", self.in_features)),
            Shape::Map { .. } => Err(format!("takes a vector, is given a map of {input}; flatten it first")),
        }
    }

    pub(super) fn params(&self) -> Vec<ParamSpec> {
        let (fan_in, fan_out, init) = (self.in_features, self.out_features, self.init);
        let weight = ParamSpec {
            suffix: "weight",
            dims: vec![fan_out, fan_in],
            learned: true,
            init,
            fan_in,
            fan_out,
            is_bias: false,
        };
        let bias = ParamSpec { suffix: "bias", dims: vec![fan_out], is_bias: true, ..weight.clone() };
        if self.bias { vec![weight, bias] } else { vec![weight] }
    }

    pub(super) fn multiply_adds(&self) -> u64 {
        (self.in_features as u64).saturating_mul(self.out_features as u64)
    }
}
