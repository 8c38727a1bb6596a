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
            vectorised::run(Row { windows: *w, oy, x, y, winners: None });
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
            vectorised::run(Row { windows: *w, oy, x, y, winners: Some(winners) });
        });
    }

    /// The gradient at `x`: each window hands its gradient to its winner.
    pub fn backward(&self, threads: &Threads, winners: &[u16], dy: &[f32], dx: &mut [f32]) {
        let w = &self.windows;
        w.check(dx.len(), dy.len());
        assert_eq!(winners.len(), dy.len(), "a winner per result");
        threads.chunks(dx, w.input.1 * w.channels, |index, dx| {
            let (image, iy) = (index / w.input.0, index % w.input.0);
            let picture = image * w.output_len()..(image + 1) * w.output_len();
            let (winners, dy) = (&winners[picture.clone()], &dy[picture]);
            vectorised::run(GradientRow { windows: *w, iy, winners, dy, dx });
        });
    }

    /// The picture of which output row `index` is part, and the row's number in it.
    fn picture<'a>(&self, x: &'a [f32], index: usize) -> (&'a [f32], usize) {
        let w = &self.windows;
        let (image, oy) = (index / w.output.0, index % w.output.0);
        (&x[image * w.input_len()..][..w.input_len()], oy)
    }
}

/// One row of results.
struct Row<'a> {
    windows: Windows,
    oy: usize,
    /// The picture.
    x: &'a [f32],
    y: &'a mut [f32],
    winners: Option<&'a mut [u16]>,
}

impl Kernel for Row<'_> {
    #[inline(always)]
    fn run(mut self) {
        let n = self.windows.channels;
        for ox in 0..self.windows.output.1 {
            let mut c = 0;
            while c < n {
                c += match n - c {
                    32.. => self.window::<32>(ox, c),
                    16.. => self.window::<16>(ox, c),
                    8.. => self.window::<8>(ox, c),
                    _ => self.window::<1>(ox, c),
                };
            }
        }
    }
}

impl Row<'_> {
    /// `N` channels of one window, which stay in registers meanwhile; returns `N`.
    #[inline(always)]
    fn window<const N: usize>(&mut self, ox: usize, c: usize) -> usize {
        let w = &self.windows;
        let columns = inside(ox, w.input.1, w.kernel.1, w.stride.1, w.padding.1);
        let mut largest = [f32::NEG_INFINITY; N];
        let mut winner = [0u32; N];
        let mut first = true;
        for iy in inside(self.oy, w.input.0, w.kernel.0, w.stride.0, w.padding.0) {
            let row = (iy + w.padding.0 - self.oy * w.stride.0) * w.kernel.1;
            for ix in columns.clone() {
                let tap = (row + ix + w.padding.1 - ox * w.stride.1) as u32;
                let x = &self.x[(iy * w.input.1 + ix) * w.channels + c..][..N];
                for i in 0..N {
                    // NaN beats every number; the first tap wins even with minus infinity.
                    let wins = first || x[i] > largest[i] || x[i].is_nan();
                    largest[i] = if wins { x[i] } else { largest[i] };
                    winner[i] = if wins { tap } else { winner[i] };
                }
                first = false;
            }
        }
        let at = ox * w.channels + c;
        self.y[at..at + N].copy_from_slice(&largest);
        if let Some(winners) = &mut self.winners {
            for (to, from) in winners[at..at + N].iter_mut().zip(winner) {
                *to = from as u16;
            }
        }
        N
    }
}

/// One row of gradients at the input.
struct GradientRow<'a> {
    windows: Windows,
    iy: usize,
    /// The picture's.
    winners: &'a [u16],
    /// The picture's.
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for GradientRow<'_> {
    #[inline(always)]
    fn run(mut self) {
        let n = self.windows.channels;
        for ix in 0..self.windows.input.1 {
            let mut c = 0;
            while c < n {
                c += match n - c {
                    32.. => self.pixel::<32>(ix, c),
                    16.. => self.pixel::<16>(ix, c),
                    8.. => self.pixel::<8>(ix, c),
                    _ => self.pixel::<1>(ix, c),
                };
            }
        }
    }
}

impl GradientRow<'_> {
    /// Collects what the windows over one pixel hand back to `N` of its channels; returns `N`.
    #[inline(always)]
    fn pixel<const N: usize>(&mut self, ix: usize, c: usize) -> usize {
        let w = &self.windows;
        let columns = windows_over(ix, w.output.1, w.kernel.1, w.stride.1, w.padding.1);
        let mut sum = [0.0f32; N];
        for oy in windows_over(self.iy, w.output.0, w.kernel.0, w.stride.0, w.padding.0) {
            let row = (self.iy + w.padding.0 - oy * w.stride.0) * w.kernel.1;
            for ox in columns.clone() {
                let tap = (row + ix + w.padding.1 - ox * w.stride.1) as u16;
                let at = (oy * w.output.1 + ox) * w.channels + c;
                let (dy, winners) = (&self.dy[at..at + N], &self.winners[at..at + N]);
                for i in 0..N {
                    sum[i] += if winners[i] == tap { dy[i] } else { 0.0 };
                }
            }
        }
        let at = ix * w.channels + c;
        self.dx[at..at + N].copy_from_slice(&sum);
        N
    }
}
