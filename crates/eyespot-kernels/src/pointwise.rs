//! Functions of single numbers: ReLU and its kin, sigmoid, tanh, sgn, and the sum of two maps.

use crate::vectorised::{self, Kernel};
use crate::{BLOCK, Threads, math};

/// A function applied to each number by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pointwise {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x` where positive, else `slope·x`. The derivative is taken from the sign of the result, so the slope must
    /// not be negative where gradients are needed (PyTorch asks the same of its in-place form).
    LeakyRelu(f32),
    /// `1 / (1 + e^−x)`.
    Sigmoid,
    /// `tanh(x)`.
    Tanh,
    /// 1 where `x ≥ 0`, else 0; its derivative is taken as 0.
    Sgn,
}

/// `y[i] = f(x[i])`. Both have the same length.
pub fn forward(threads: &Threads, function: Pointwise, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "input and output have one length");
    threads.chunks(y, BLOCK, |block, y| {
        copy_and(&x[block * BLOCK..], y, |_, y| vectorised::run(Values { function, x: y }));
    });
}

/// `x[i] ← f(x[i])`.
pub fn forward_in_place(threads: &Threads, function: Pointwise, x: &mut [f32]) {
    threads.chunks(x, BLOCK, |_, x| vectorised::run(Values { function, x }));
}

/// `dx[i] = f'(x[i]) · dy[i]`, the derivative computed from the result `y` of the forward pass.
pub fn backward(threads: &Threads, function: Pointwise, y: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert!(y.len() == dx.len() && dy.len() == dx.len(), "result and both gradients have one length");
    threads.chunks(dx, BLOCK, |block, dx| {
        let y = &y[block * BLOCK..][..dx.len()];
        copy_and(&dy[block * BLOCK..], dx, |from, d| {
            vectorised::run(Gradients { function, y: &y[from..][..d.len()], d });
        });
    });
}

/// As [`backward`], with the gradient overwritten: `d[i] ← f'(x[i]) · d[i]`.
pub fn backward_in_place(threads: &Threads, function: Pointwise, y: &[f32], d: &mut [f32]) {
    assert_eq!(y.len(), d.len(), "result and gradient have one length");
    threads.chunks(d, BLOCK, |block, d| {
        vectorised::run(Gradients { function, y: &y[block * BLOCK..][..d.len()], d });
    });
}

/// `y = a + b`. All have one length. Each summand's gradient is the sum's.
pub fn add(threads: &Threads, a: &[f32], b: &[f32], y: &mut [f32]) {
    assert!(a.len() == y.len() && b.len() == y.len(), "summands and sum have one length");
    threads.chunks(y, BLOCK, |block, y| {
        let b = &b[block * BLOCK..][..y.len()];
        copy_and(&a[block * BLOCK..], y, |from, sum| {
            vectorised::run(AddTo { x: &b[from..][..sum.len()], sum });
        });
    });
}

/// `sum ← sum + x`: how gradients of a value with several users come together.
pub fn add_to(threads: &Threads, x: &[f32], sum: &mut [f32]) {
    assert_eq!(sum.len(), x.len(), "sum and summand have one length");
    threads.chunks(sum, BLOCK, |block, sum| {
        vectorised::run(AddTo { x: &x[block * BLOCK..][..sum.len()], sum });
    });
}

/// Zeroes `d` where a ReLU's result `y` is 0, on the calling thread.
pub(crate) fn mask_relu(y: &[f32], d: &mut [f32]) {
    vectorised::run(Gradients { function: Pointwise::Relu, y, d });
}

/// Copies the beginning of `from` to `to` and applies an in-place function, in pieces that stay in the nearest cache,
/// so that every function needs its in-place form only.
fn copy_and(from: &[f32], to: &mut [f32], f: impl Fn(usize, &mut [f32])) {
    const PIECE: usize = 2048;
    for (index, to) in to.chunks_mut(PIECE).enumerate() {
        to.copy_from_slice(&from[index * PIECE..][..to.len()]);
        f(index * PIECE, to);
    }
}

struct Values<'a> {
    function: Pointwise,
    x: &'a mut [f32],
}

impl Kernel for Values<'_> {
    // Comparisons are this way round to keep NaN, as PyTorch does.
    #[allow(clippy::redundant_closure)] // a function's name alone would be called, not inlined
    #[inline(always)]
    fn run(self) {
        let x = self.x;
        match self.function {
            Pointwise::Relu => update(x, |x| if x < 0.0 { 0.0 } else { x }),
            Pointwise::Relu6 => update(x, |x| {
                let x = if x < 0.0 { 0.0 } else { x };
                if x > 6.0 { 6.0 } else { x }
            }),
            Pointwise::LeakyRelu(slope) => update(x, |x| if x > 0.0 { x } else { slope * x }),
            Pointwise::Sigmoid => update(x, |x| math::sigmoid(x)),
            Pointwise::Tanh => update(x, |x| math::tanh(x)),
            Pointwise::Sgn => update(x, |x| if x >= 0.0 { 1.0 } else { 0.0 }),
        }
    }
}

#[inline(always)]
fn update(data: &mut [f32], f: impl Fn(f32) -> f32) {
    for x in data {
        *x = f(*x);
    }
}

struct Gradients<'a> {
    function: Pointwise,
    y: &'a [f32],
    d: &'a mut [f32],
}

impl Kernel for Gradients<'_> {
    #[inline(always)]
    fn run(self) {
        let (y, d) = (self.y, self.d);
        match self.function {
            Pointwise::Relu => update_with(d, y, |d, y| if y <= 0.0 { 0.0 } else { d }),
            Pointwise::Relu6 => update_with(d, y, |d, y| if y <= 0.0 || y >= 6.0 { 0.0 } else { d }),
            Pointwise::LeakyRelu(slope) => update_with(d, y, |d, y| if y > 0.0 { d } else { slope * d }),
            Pointwise::Sigmoid => update_with(d, y, |d, y| d * (1.0 - y) * y),
            Pointwise::Tanh => update_with(d, y, |d, y| d * (1.0 - y * y)),
            Pointwise::Sgn => d.fill(0.0),
        }
    }
}

struct AddTo<'a> {
    x: &'a [f32],
    sum: &'a mut [f32],
}

impl Kernel for AddTo<'_> {
    #[inline(always)]
    fn run(self) {
        update_with(self.sum, self.x, |sum, x| sum + x);
    }
}

#[inline(always)]
fn update_with(data: &mut [f32], other: &[f32], f: impl Fn(f32, f32) -> f32) {
    for (x, &y) in data.iter_mut().zip(other) {
        *x = f(*x, y);
    }
}
