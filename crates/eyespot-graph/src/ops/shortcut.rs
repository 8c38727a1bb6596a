//! Ways around and together: the zero-padded shortcut and concatenation.

use crate::Shape;
use serde::{Deserialize, Serialize};

/// The parameter-free shortcut of the CIFAR ResNets (He et al. 2015, option A): every `stride`-th pixel, with
/// zero channels in front and behind: `y[pad + c, i, j] = x[c, i·stride, j·stride]`, `pad = (out − in) / 2`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PadShortcut {
    /// Channels of the result, at least the input's.
    pub out_channels: usize,
    /// Every how many-th pixel is taken.
    pub stride: usize,
}

impl PadShortcut {
    pub(super) fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        match input {
            Shape::Map { channels, height, width }
                if self.stride > 0
                    && self.out_channels >= channels
                    && (self.out_channels - channels).is_multiple_of(2) =>
            {
                let (height, width) = (height.div_ceil(self.stride), width.div_ceil(self.stride));
                Ok(Shape::Map { channels: self.out_channels, height, width })
            }
            _ => Err(format!("can't bring {input} to {} channels", self.out_channels)),
        }
    }
}

pub(super) fn concat_shape(inputs: &[Shape]) -> Result<Shape, String> {
    let total = inputs.iter().fold(0usize, |sum, shape| sum.saturating_add(shape.channels()));
    let same = |make: &dyn Fn(usize) -> Shape| {
        let fits = inputs.iter().all(|shape| *shape == make(shape.channels()));
        if fits { Ok(make(total)) } else { Err(format!("can't join {inputs:?} along the channels")) }
    };
    match inputs.first() {
        Some(&Shape::Map { height, width, .. }) => same(&|channels| Shape::Map { channels, height, width }),
        Some(Shape::Vector(_)) => same(&Shape::Vector),
        None => Err("nothing to join".to_owned()),
    }
}
