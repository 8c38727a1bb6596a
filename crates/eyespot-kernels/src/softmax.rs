//! Softmax and its logarithm over the channels of each row.

use crate::vectorised::{self, Kernel};
use crate::{BLOCK, Threads, check, math};
use std::ops::Range;

/// `y[i] = e^x[i] / Σ_j e^x[j]` over rows of `n` numbers, as `torch.softmax(x, 1)`.
///
/// The row's largest number is subtracted first, so nothing overflows.
pub fn softmax(threads: &Threads, n: usize, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "input and output have one length");
    rows(threads, n, y, |range, y| {
        let x = &x[range];
        vectorised::run(Exp { x, largest: largest(x), y });
        let share = (1.0 / sum(y)) as f32;
        y.iter_mut().for_each(|y| *y *= share);
    });
}

/// The gradient at `x` from [`softmax`]'s result: `dx[i] = y[i] · (dy[i] − Σ_j dy[j] · y[j])`.
pub fn softmax_backward(threads: &Threads, n: usize, y: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert!(y.len() == dx.len() && dy.len() == dx.len(), "result and both gradients have one length");
    rows(threads, n, dx, |range, dx| {
        let (y, dy) = (&y[range.clone()], &dy[range]);
        let dot = y.iter().zip(dy).map(|(&y, &d)| f64::from(y) * f64::from(d)).sum::<f64>() as f32;
        for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
            *dx = y * (dy - dot);
        }
    });
}

/// `y[i] = x[i] − log Σ_j e^x[j]` over rows of `n` numbers, as `torch.log_softmax(x, 1)`.
pub fn log_softmax(threads: &Threads, n: usize, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "input and output have one length");
    rows(threads, n, y, |range, y| {
        let x = &x[range];
        let largest = largest(x);
        vectorised::run(Exp { x, largest, y });
        let log = sum(y).ln() as f32;
        for (y, &x) in y.iter_mut().zip(x) {
            *y = (x - largest) - log;
        }
    });
}

/// The gradient at `x` from [`log_softmax`]'s result: `dx[i] = dy[i] − e^y[i] · Σ_j dy[j]`.
pub fn log_softmax_backward(threads: &Threads, n: usize, y: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert!(y.len() == dx.len() && dy.len() == dx.len(), "result and both gradients have one length");
    rows(threads, n, dx, |range, dx| {
        let (y, dy) = (&y[range.clone()], &dy[range]);
        let total = sum(dy) as f32;
        vectorised::run(Exp { x: y, largest: 0.0, y: dx });
        for (dx, &dy) in dx.iter_mut().zip(dy) {
            *dx = dy - *dx * total;
        }
    });
}

/// Calls `f(range, row of out)` for each row of `n` numbers.
fn rows(threads: &Threads, n: usize, out: &mut [f32], f: impl Fn(Range<usize>, &mut [f32]) + Sync) {
    if check::pieces("rows of softmax", out.len(), n) == 0 {
        return;
    }
    let block = (BLOCK / n).max(1) * n;
    threads.chunks(out, block, |index, out| {
        for (row, out) in out.chunks_exact_mut(n).enumerate() {
            let from = index * block + row * n;
            f(from..from + n, out);
        }
    });
}

fn sum(row: &[f32]) -> f64 {
    row.iter().map(|&x| f64::from(x)).sum()
}

/// NaN is skipped here; the exponentials bring it back.
fn largest(row: &[f32]) -> f32 {
    row.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

/// `y = e^(x − largest)`.
struct Exp<'a> {
    x: &'a [f32],
    largest: f32,
    y: &'a mut [f32],
}

impl Kernel for Exp<'_> {
    #[inline(always)]
    fn run(self) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            *y = math::exp(x - self.largest);
        }
    }
}
