//! Two-dimensional convolution.

use super::ParamSpec;
use super::pool::window_count;
use crate::{Init, Shape};
use serde::{Deserialize, Serialize};

/// Convolution as `torch.nn.Conv2d`, with zeros around the map.
///
/// `y[o, i, j] = b[o] + Σ_c Σ_u Σ_v W[o, c, u, v] · x[c, i·stride + u·dilation − padding, j·…]`, where `c` runs over
/// the channels of `o`'s group. Weights: out × (in / groups) × height × width. Pairs are (vertical, horizontal).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conv2d {
    /// Channels of `x`.
    pub in_channels: usize,
    /// Channels of `y`.
    pub out_channels: usize,
    /// Kernel height and width.
    pub kernel: (usize, usize),
    /// Steps between windows; default 1.
    pub stride: (usize, usize),
    /// Rows and columns of zeros added on each side; default 0.
    pub padding: (usize, usize),
    /// Distance between a kernel's taps; default 1.
    pub dilation: (usize, usize),
    /// Channel groups that don't see each other; `in_channels` makes it depthwise. Default 1.
    pub groups: usize,
    /// Whether there is a `b`; default yes.
    pub bias: bool,
    /// How the weights start.
    pub init: Init,
}

impl Conv2d {
    /// A square kernel with stride 1, no padding, one group and a bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel: usize) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel: (kernel, kernel),
            stride: (1, 1),
            padding: (0, 0),
            dilation: (1, 1),
            groups: 1,
            bias: true,
            init: Init::Default,
        }
    }

    /// The same stride both ways.
    pub fn stride(mut self, stride: usize) -> Self {
        self.stride = (stride, stride);
        self
    }

    /// The same padding on all sides.
    pub fn padding(mut self, padding: usize) -> Self {
        self.padding = (padding, padding);
        self
    }

    /// The same dilation both ways.
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.dilation = (dilation, dilation);
        self
    }

    /// Channel groups.
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Without bias, as before a batch norm.
    pub fn no_bias(mut self) -> Self {
        self.bias = false;
        self
    }

    /// How the weights start.
    pub fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    pub(super) fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        let Shape::Map { channels, height, width } = input else {
            return Err(format!("takes a map, is given a vector of {input}"));
        };
        if channels != self.in_channels {
            return Err(format!("takes {} channels, is given {channels}", self.in_channels));
        }
        if self.groups == 0
            || !self.in_channels.is_multiple_of(self.groups)
            || !self.out_channels.is_multiple_of(self.groups)
            || self.out_channels == 0
            || channels == 0
        {
            return Err(format!(
                "{} input and {} output channels don't split into {} groups",
                self.in_channels, self.out_channels, self.groups
            ));
        }
        let side = |size, kernel, stride, padding, dilation| {
            window_count(size, kernel, stride, padding, dilation, false)
        };
        let height = side(height, self.kernel.0, self.stride.0, self.padding.0, self.dilation.0)?;
        let width = side(width, self.kernel.1, self.stride.1, self.padding.1, self.dilation.1)?;
        Ok(Shape::Map { channels: self.out_channels, height, width })
    }

    pub(super) fn params(&self) -> Vec<ParamSpec> {
        let area = self.kernel.0.saturating_mul(self.kernel.1);
        let inputs = self.in_channels / self.groups.max(1);
        let weight = ParamSpec {
            suffix: "weight",
            dims: vec![self.out_channels, inputs, self.kernel.0, self.kernel.1],
            learned: true,
            init: self.init,
            fan_in: inputs.saturating_mul(area),
            // As torch.nn.init counts it: dimension 0 of the weights, whatever the groups.
            fan_out: self.out_channels.saturating_mul(area),
            is_bias: false,
        };
        let bias =
            ParamSpec { suffix: "bias", dims: vec![self.out_channels], is_bias: true, ..weight.clone() };
        if self.bias { vec![weight, bias] } else { vec![weight] }
    }

    pub(super) fn multiply_adds(&self, output: Shape) -> u64 {
        let inputs = self.in_channels / self.groups.max(1);
        let per_output = inputs.saturating_mul(self.kernel.0).saturating_mul(self.kernel.1);
        (output.elements() as u64).saturating_mul(per_output as u64)
    }
}
