//! Two-dimensional convolution, forward and backward.
//!
//! `y[n, i, j, o] = b[o] + Σ_u Σ_v Σ_c W[o, c, u, v] · x[n, i·stride + u·dilation − padding, j·…, c]`, where `c` runs
//! over the channels of `o`'s group and pixels outside the map are zero. Activations are NHWC, weights OIHW
//! (out × in / groups × height × width) as in PyTorch's
//! [`Conv2d`](https://pytorch.org/docs/stable/generated/torch.nn.Conv2d.html).

mod depthwise;
mod direct;
mod inference;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
mod training;

pub use inference::Conv2dKernel;
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

/// Calls `f(output pixel, output channel, input float, weight float)` for every product of one image.
fn products(s: &Conv2dShape, mut f: impl FnMut(usize, usize, usize, usize)) {
    let (group_in, group_out) = (s.group_in(), s.group_out());
    for i in 0..s.out_h {
        for j in 0..s.out_w {
            for u in 0..s.kernel.0 {
                for v in 0..s.kernel.1 {
                    let (y, x) = (i * s.stride.0 + u * s.dilation.0, j * s.stride.1 + v * s.dilation.1);
                    if y < s.padding.0 || x < s.padding.1 {
                        continue;
                    }
                    let (y, x) = (y - s.padding.0, x - s.padding.1);
                    if y >= s.in_h || x >= s.in_w {
                        continue;
                    }
                    for o in 0..s.out_c {
                        for c in 0..group_in {
                            let input = (y * s.in_w + x) * s.in_c + o / group_out * group_in + c;
                            let weight = ((o * group_in + c) * s.kernel.0 + u) * s.kernel.1 + v;
                            f(i * s.out_w + j, o, input, weight);
                        }
                    }
                }
            }
        }
    }
}
