//! Largest values of windows.

use super::{Windows, inside, windows_over};
use crate::vectorised::{self, Kernel};
use crate::{Threads, check};

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
        check::exactly("a winner per result", winners.len(), y.len());
        assert!(
            check::product([w.kernel.0, w.kernel.1]) <= Self::MOST_TAPS,
            "a tap's number fits into 16 bits"
        );
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
    fn run(self) {
        let Row { windows: w, oy, x, y, mut winners } = self;
        let n = w.channels;
        for (ox, y) in y.chunks_exact_mut(n).enumerate() {
            let columns = inside(ox, w.input.1, w.kernel.1, w.stride.1, w.padding.1);
            let mut first = true;
            for iy in inside(oy, w.input.0, w.kernel.0, w.stride.0, w.padding.0) {
                let row = (iy + w.padding.0 - oy * w.stride.0) * w.kernel.1;
                for ix in columns.clone() {
                    let tap = (row + ix + w.padding.1 - ox * w.stride.1) as u16;
                    let x = &x[(iy * w.input.1 + ix) * n..][..n];
                    let winners = winners.as_deref_mut().map(|winners| &mut winners[ox * n..][..n]);
                    match winners {
                        // The first tap wins even with minus infinity.
                        Some(winners) if first => {
                            y.copy_from_slice(x);
                            winners.fill(tap);
                        }
                        Some(winners) => {
                            for ((y, &x), winner) in y.iter_mut().zip(x).zip(winners) {
                                let wins = wins(x, *y);
                                *y = if wins { x } else { *y };
                                *winner = if wins { tap } else { *winner };
                            }
                        }
                        None if first => y.copy_from_slice(x),
                        None => {
                            for (y, &x) in y.iter_mut().zip(x) {
                                *y = if wins(x, *y) { x } else { *y };
                            }
                        }
                    }
                    first = false;
                }
            }
        }
    }
}

/// Whether `x` takes the place of the largest value so far; NaN beats every number.
#[inline(always)]
fn wins(x: f32, largest: f32) -> bool {
    x > largest || x.is_nan()
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
    fn run(self) {
        let GradientRow { windows: w, iy, winners, dy, dx } = self;
        let n = w.channels;
        for (ix, dx) in dx.chunks_exact_mut(n).enumerate() {
            dx.fill(0.0);
            for oy in windows_over(iy, w.output.0, w.kernel.0, w.stride.0, w.padding.0) {
                let row = (iy + w.padding.0 - oy * w.stride.0) * w.kernel.1;
                for ox in windows_over(ix, w.output.1, w.kernel.1, w.stride.1, w.padding.1) {
                    let tap = (row + ix + w.padding.1 - ox * w.stride.1) as u16;
                    let at = (oy * w.output.1 + ox) * n;
                    let handed = dy[at..at + n].iter().zip(&winners[at..at + n]);
                    for (dx, (&dy, &winner)) in dx.iter_mut().zip(handed) {
                        *dx += if winner == tap { dy } else { 0.0 };
                    }
                }
            }
        }
    }
}
