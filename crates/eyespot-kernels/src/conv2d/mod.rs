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

use crate::check;

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
    /// Floats of one input image. Like the other lengths it panics where it is more than memory can hold.
    pub fn input_len(&self) -> usize {
        check::product([self.in_h, self.in_w, self.in_c])
    }

    /// Floats of one dense output image.
    pub fn output_len(&self) -> usize {
        check::product([self.out_h, self.out_w, self.out_c])
    }

    /// Floats of the weights.
    pub fn weights_len(&self) -> usize {
        check::product([self.out_c, self.group_in(), self.kernel.0, self.kernel.1])
    }

    /// Multiply-adds of one image's forward pass.
    pub fn multiply_adds(&self) -> usize {
        check::product([self.out_h, self.out_w, self.weights_len()])
    }

    /// Input channels of a group.
    pub(crate) fn group_in(&self) -> usize {
        self.in_c / self.groups
    }

    /// Output channels of a group.
    pub(crate) fn group_out(&self) -> usize {
        self.out_c / self.groups
    }

    /// Panics unless the sizes go together and batches of up to `images` images can be. All that a plan computes from
    /// them then are numbers: positions of pixels fit 32 bits, lengths fit a slice.
    fn check(&self, images: usize) {
        assert!(
            self.groups > 0
                && self.in_c.is_multiple_of(self.groups)
                && self.out_c.is_multiple_of(self.groups),
            "{} and {} channels in {} groups",
            self.in_c,
            self.out_c,
            self.groups
        );
        let most = i32::MAX as usize;
        let channels = 1..=most;
        assert!(
            channels.contains(&self.in_c) && channels.contains(&self.out_c),
            "convolution of no or too many channels: {self:?}"
        );
        let directions = [
            (self.in_h, self.out_h, self.kernel.0, self.stride.0, self.padding.0, self.dilation.0),
            (self.in_w, self.out_w, self.kernel.1, self.stride.1, self.padding.1, self.dilation.1),
        ];
        for (input, output, kernel, stride, padding, dilation) in directions {
            let some = [input, output, kernel, stride, dilation].iter().all(|&size| size > 0);
            assert!(some, "convolution without a size: {self:?}");
            // As far as the last window reaches, and as far as an input pixel and the phases of the stride do.
            let last = check::product([output - 1, stride]);
            let window = check::sum([last, check::product([kernel - 1, dilation]), 1]);
            let pixels = check::sum([input, padding, stride]);
            assert!(window.max(pixels) <= most, "convolution beyond 32 bits: {self:?}");
        }
        // More bytes than can be counted are nowhere; fewer are compared with real slices in each run.
        check::product([images, self.input_len(), 4]);
        check::product([images, self.output_len(), 4]);
        check::product([self.weights_len(), 4]);
    }
}
