//! Largest values of windows.

use super::{Windows, inside, windows_over};
use crate::Threads;
use crate::vectorised::{self, Kernel};

/// Max pooling as `torch.nn.MaxPool2d`: padding never wins, the first of equal values does, NaN beats every number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool2d {
    /// The windows.
    pub windows: Windows,
}

impl MaxPool2d {
    /// The largest window area whose winners can be remembered for the gradient.
    pub const MOST_TAPS: usize = 1 << 16;

    /// Largest values of `x` (images × input) to `y` (images × output).
    pub fn forward(&self, threads: &Threads, x: &[f32], y: &mut [f32]) {
        let w = &self.windows;
        w.check(x.len(), y.len());
        threads.chunks(y, w.output.1 * w.channels, |index, y| {
            let (x, oy) = self.picture(x, index);
            for (ox, y) in y.chunks_exact_mut(w.channels).enumerate() {
                self.each_tap(oy, ox, x, |first, _, x| {
                    if first {
                        y.copy_from_slice(x);
                    } else {
                        vectorised::run(Largest { x, y });
                    }
                });
            }
        });
    }

    /// As [`MaxPool2d::forward`]; `winners`, as long as `y`, remembers which tap of its window each value came from,
    /// counted row by row.
    ///
    /// # Panics
    /// When a window has more than [`MaxPool2d::MOST_TAPS`] taps.
    pub fn forward_training(&self, threads: &Threads, x: &[f32], y: &mut [f32], winners: &mut [u16]) {
        let w = &self.windows;
        w.check(x.len(), y.len());
        assert!(w.kernel.0 * w.kernel.1 <= Self::MOST_TAPS, "a tap's number fits into 16 bits");
        let row = w.output.1 * w.channels;
        threads.chunks2((y, row), (winners, row), |index, y, winners| {
            let (x, oy) = self.picture(x, index);
            let pixels = y.chunks_exact_mut(w.channels).zip(winners.chunks_exact_mut(w.channels));
            for (ox, (y, winners)) in pixels.enumerate() {
                self.each_tap(oy, ox, x, |first, tap, x| {
                    if first {
                        y.copy_from_slice(x);
                        winners.fill(tap);
                    } else {
                        vectorised::run(LargestAndTap { x, tap, y, winners });
                    }
                });
            }
        });
    }

    /// The gradient at `x`: each window hands its gradient to its winner.
    pub fn backward(&self, threads: &Threads, winners: &[u16], dy: &[f32], dx: &mut [f32]) {
        let w = &self.windows;
        w.check(dx.len(), dy.len());
        assert_eq!(winners.len(), dy.len(), "a winner per result");
        let n = w.channels;
        threads.chunks(dx, w.input.1 * n, |index, dx| {
            let (image, iy) = (index / w.input.0, index % w.input.0);
            let from = image * w.output_len();
            dx.fill(0.0);
            for oy in windows_over(iy, w.output.0, w.kernel.0, w.stride.0, w.padding.0) {
                let row = from + oy * w.output.1 * n;
                let first_tap = (iy + w.padding.0 - oy * w.stride.0) * w.kernel.1;
                for ox in 0..w.output.1 {
                    let at = row + ox * n;
                    let (dy, winners) = (&dy[at..at + n], &winners[at..at + n]);
                    for ix in inside(ox, w.input.1, w.kernel.1, w.stride.1, w.padding.1) {
                        let tap = (first_tap + ix + w.padding.1 - ox * w.stride.1) as u16;
                        let dx = &mut dx[ix * n..(ix + 1) * n];
                        vectorised::run(HandBack { tap, winners, dy, dx });
                    }
                }
            }
        });
    }

    /// The picture of which output row `index` is part, and the row's number in it.
    fn picture<'a>(&self, x: &'a [f32], index: usize) -> (&'a [f32], usize) {
        let w = &self.windows;
        let (image, oy) = (index / w.output.0, index % w.output.0);
        (&x[image * w.input_len()..][..w.input_len()], oy)
    }

    /// Calls `f(is the first, tap's number, pixel)` for each tap of a window that lies inside the map.
    #[inline(always)]
    fn each_tap(&self, oy: usize, ox: usize, x: &[f32], mut f: impl FnMut(bool, u16, &[f32])) {
        let w = &self.windows;
        let mut first = true;
        for iy in inside(oy, w.input.0, w.kernel.0, w.stride.0, w.padding.0) {
            for ix in inside(ox, w.input.1, w.kernel.1, w.stride.1, w.padding.1) {
                let tap =
                    (iy + w.padding.0 - oy * w.stride.0) * w.kernel.1 + ix + w.padding.1 - ox * w.stride.1;
                f(first, tap as u16, &x[(iy * w.input.1 + ix) * w.channels..][..w.channels]);
                first = false;
            }
        }
    }
}

/// Whether `x` takes the place of the largest value so far.
#[inline(always)]
fn wins(x: f32, y: f32) -> bool {
    x > y || x.is_nan()
}

struct Largest<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Largest<'_> {
    #[inline(always)]
    fn run(self) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            *y = if wins(x, *y) { x } else { *y };
        }
    }
}

struct LargestAndTap<'a> {
    x: &'a [f32],
    tap: u16,
    y: &'a mut [f32],
    winners: &'a mut [u16],
}

impl Kernel for LargestAndTap<'_> {
    #[inline(always)]
    fn run(self) {
        for ((y, &x), winner) in self.y.iter_mut().zip(self.x).zip(self.winners) {
            let win = wins(x, *y);
            *y = if win { x } else { *y };
            *winner = if win { self.tap } else { *winner };
        }
    }
}

struct HandBack<'a> {
    tap: u16,
    winners: &'a [u16],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for HandBack<'_> {
    #[inline(always)]
    fn run(self) {
        for ((dx, &dy), &winner) in self.dx.iter_mut().zip(self.dy).zip(self.winners) {
            *dx += if winner == self.tap { dy } else { 0.0 };
        }
    }
}
