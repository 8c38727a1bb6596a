//! Means over a grid of windows that cover the map.

use crate::vectorised::{self, Kernel};
use crate::{Threads, check};
use std::ops::Range;

/// Adaptive mean pooling as `torch.nn.AdaptiveAvgPool2d`: window `i` of `n` over `size` rows runs from
/// `⌊i·size/n⌋` to `⌈(i + 1)·size/n⌉`. Windows overlap where `n` does not divide `size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdaptiveAvgPool2d {
    /// Rows and columns of the input.
    pub input: (usize, usize),
    /// Rows and columns of the result.
    pub output: (usize, usize),
    /// Channels of both.
    pub channels: usize,
}

impl AdaptiveAvgPool2d {
    fn input_len(&self) -> usize {
        check::product([self.input.0, self.input.1, self.channels])
    }

    fn output_len(&self) -> usize {
        check::product([self.output.0, self.output.1, self.channels])
    }

    /// Panics unless there are pixels to take means of and maps of so many floats go together.
    fn check(&self, input: usize, output: usize) {
        assert!(self.input_len() > 0 && self.output_len() > 0, "means of an empty map: {self:?}");
        // A window's ends are computed from these.
        check::product([self.input.0, check::sum([self.output.0, 1])]);
        check::product([self.input.1, check::sum([self.output.1, 1])]);
        let pictures = check::pieces("the means' input", input, self.input_len());
        check::exactly("the means", output, check::product([pictures, self.output_len()]));
    }

    /// Means of `x` (images × input) to `y` (images × output).
    pub fn forward(&self, threads: &Threads, x: &[f32], y: &mut [f32]) {
        self.check(x.len(), y.len());
        let n = self.channels;
        let row = self.output.1 * n;
        threads.chunks(y, row, |index, y| {
            let (image, oy) = (index / self.output.0, index % self.output.0);
            let x = &x[image * self.input_len()..][..self.input_len()];
            let rows = window(oy, self.input.0, self.output.0);
            for (ox, y) in y.chunks_exact_mut(n).enumerate() {
                let columns = window(ox, self.input.1, self.output.1);
                y.fill(0.0);
                for iy in rows.clone() {
                    let from = (iy * self.input.1 + columns.start) * n;
                    vectorised::run(AddPixels { x: &x[from..from + columns.len() * n], sum: y });
                }
                let share = 1.0 / (rows.len() * columns.len()) as f32;
                y.iter_mut().for_each(|y| *y *= share);
            }
        });
    }

    /// The gradient at `x`: each window hands an equal share of its gradient to each of its pixels.
    pub fn backward(&self, threads: &Threads, dy: &[f32], dx: &mut [f32]) {
        self.check(dx.len(), dy.len());
        let n = self.channels;
        let row = self.input.1 * n;
        threads.chunks(dx, row, |index, dx| {
            let (image, iy) = (index / self.input.0, index % self.input.0);
            let dy = &dy[image * self.output_len()..][..self.output_len()];
            for (ix, dx) in dx.chunks_exact_mut(n).enumerate() {
                dx.fill(0.0);
                for oy in windows_over(iy, self.input.0, self.output.0) {
                    let rows = window(oy, self.input.0, self.output.0).len();
                    for ox in windows_over(ix, self.input.1, self.output.1) {
                        let columns = window(ox, self.input.1, self.output.1).len();
                        let share = 1.0 / (rows * columns) as f32;
                        let dy = &dy[(oy * self.output.1 + ox) * n..][..n];
                        for (dx, dy) in dx.iter_mut().zip(dy) {
                            *dx += dy * share;
                        }
                    }
                }
            }
        });
    }
}

fn window(index: usize, size: usize, count: usize) -> Range<usize> {
    index * size / count..((index + 1) * size).div_ceil(count)
}

fn windows_over(at: usize, size: usize, count: usize) -> Range<usize> {
    at * count / size..((at + 1) * count).div_ceil(size)
}

/// Adds pixels to a sum.
struct AddPixels<'a> {
    x: &'a [f32],
    sum: &'a mut [f32],
}

impl Kernel for AddPixels<'_> {
    #[inline(always)]
    fn run(self) {
        let AddPixels { x, sum } = self;
        let n = sum.len();
        for x in x.chunks_exact(n) {
            for c in 0..n {
                sum[c] += x[c];
            }
        }
    }
}
