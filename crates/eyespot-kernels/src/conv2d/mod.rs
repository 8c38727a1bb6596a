//! Two-dimensional convolution, forward and backward.
//!
//! `y[n, i, j, o] = b[o] + Σ_u Σ_v Σ_c W[o, c, u, v] · x[n, i·stride + u·dilation − padding, j·…, c]`, where `c` runs
//! over the channels of `o`'s group and pixels outside the map are zero. Activations are NHWC, weights OIHW
//! (out × in / groups × height × width) as in PyTorch's
//! [`Conv2d`](https://pytorch.org/docs/stable/generated/torch.nn.Conv2d.html).

mod depthwise;
mod depthwise_gradient;
mod direct;
mod few_channels;
mod inference;
#[cfg(test)]
mod reference;
mod separable;
#[cfg(test)]
mod tests;
mod training;
mod weight_gradient;
mod winograd;
mod winograd_transform;

pub use inference::Conv2dKernel;
pub use separable::SeparableKernel;
pub use training::Conv2dTraining;

/// The sizes of a convolution for one image. Pairs are (vertical, horizontal).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conv2dShape {
    /// Height of the input map.
    pub in_h: usize,
    /// Width of the input map.
    pub in_w: usize,
    /// Channels of the input map.
    pub in_c: usize,
    /// Height of the output map.
    pub out_h: usize,
    /// Width of the output map.
    pub out_w: usize,
    /// Channels of the output map.
    pub out_c: usize,
    /// Kernel height and width.
    pub kernel: (usize, usize),
    /// Steps between windows.
    pub stride: (usize, usize),
    /// Rows and columns of zeros above and left of the map (and as many as needed below and right).
    pub padding: (usize, usize),
    /// Distance between a kernel's taps.
    pub dilation: (usize, usize),
    /// Channel groups that don't see each other.
    pub groups: usize,
}

impl Conv2dShape {
    /// Floats of one input image.
    pub fn input_len(&self) -> usize {
        self.in_h * self.in_w * self.in_c
    }

    /// Floats of one dense output image.
    pub fn output_len(&self) -> usize {
        self.out_h * self.out_w * self.out_c
    }

    /// Floats of the weights.
    pub fn weights_len(&self) -> usize {
        self.out_c * self.group_in() * self.kernel.0 * self.kernel.1
    }

    /// Multiply-adds of one image's forward pass.
    pub fn multiply_adds(&self) -> usize {
        self.out_h * self.out_w * self.weights_len()
    }

    /// Input channels of a group.
    pub(crate) fn group_in(&self) -> usize {
        self.in_c / self.groups
    }

    /// Output channels of a group.
    pub(crate) fn group_out(&self) -> usize {
        self.out_c / self.groups
    }

    /// Panics where the sizes contradict each other.
    fn check(&self) {
        assert!(
            self.groups > 0
                && self.in_c.is_multiple_of(self.groups)
                && self.out_c.is_multiple_of(self.groups)
        );
        assert!(self.stride.0 > 0 && self.stride.1 > 0 && self.dilation.0 > 0 && self.dilation.1 > 0);
        assert!(self.kernel.0 > 0 && self.kernel.1 > 0);
    }
}
