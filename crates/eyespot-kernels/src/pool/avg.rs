//! Means of windows.

use super::{Windows, inside, windows_over};
use crate::Threads;

/// Mean pooling as `torch.nn.AvgPool2d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AvgPool2d {
    /// The windows.
    pub windows: Windows,
    /// Whether zeros of the padding count in the divisor. What hangs over the far padding never counts.
    pub count_include_pad: bool,
}

impl AvgPool2d {
    /// Means of `x` (images × input) to `y` (images × output).
    pub fn forward(&self, threads: &Threads, x: &[f32], y: &mut [f32]) {
        let w = &self.windows;
        w.check(x.len(), y.len());
        let n = w.channels;
        threads.chunks(y, w.output.1 * n, |index, y| {
            let (image, oy) = (index / w.output.0, index % w.output.0);
            let x = &x[image * w.input_len()..][..w.input_len()];
            for (ox, y) in y.chunks_exact_mut(n).enumerate() {
                y.fill(0.0);
                for iy in inside(oy, w.input.0, w.kernel.0, w.stride.0, w.padding.0) {
                    for ix in inside(ox, w.input.1, w.kernel.1, w.stride.1, w.padding.1) {
                        let x = &x[(iy * w.input.1 + ix) * n..][..n];
                        y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
                    }
                }
                let share = self.share(oy, ox);
                y.iter_mut().for_each(|y| *y *= share);
            }
        });
    }

    /// The gradient at `x`: each window hands an equal share of its gradient to each of its pixels.
    pub fn backward(&self, threads: &Threads, dy: &[f32], dx: &mut [f32]) {
        let w = &self.windows;
        w.check(dx.len(), dy.len());
        let n = w.channels;
        threads.chunks(dx, w.input.1 * n, |index, dx| {
            let (image, iy) = (index / w.input.0, index % w.input.0);
            let dy = &dy[image * w.output_len()..][..w.output_len()];
            for (ix, dx) in dx.chunks_exact_mut(n).enumerate() {
                dx.fill(0.0);
                for oy in windows_over(iy, w.output.0, w.kernel.0, w.stride.0, w.padding.0) {
                    for ox in windows_over(ix, w.output.1, w.kernel.1, w.stride.1, w.padding.1) {
                        let share = self.share(oy, ox);
                        let dy = &dy[(oy * w.output.1 + ox) * n..][..n];
                        dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy * share);
                    }
                }
            }
        });
    }

    /// One over the numbers that count in a window.
    fn share(&self, oy: usize, ox: usize) -> f32 {
        let w = &self.windows;
        let count = |index: usize, size: usize, kernel: usize, stride: usize, padding: usize| {
            if self.count_include_pad {
                // Positions are shifted by the padding: the near one starts at 0, the far one ends here.
                kernel.min(size + 2 * padding - index * stride)
            } else {
                inside(index, size, kernel, stride, padding).len()
            }
        };
        let rows = count(oy, w.input.0, w.kernel.0, w.stride.0, w.padding.0);
        let columns = count(ox, w.input.1, w.kernel.1, w.stride.1, w.padding.1);
        1.0 / (rows * columns) as f32
    }
}
