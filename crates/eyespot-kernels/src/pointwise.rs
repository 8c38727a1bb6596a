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
    /// `x·Φ(x)`, Φ the standard normal distribution (Hendrycks and Gimpel, "Gaussian error linear units", 2016).
    Gelu,
    /// The same paper's approximation `x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³)))`.
    GeluTanh,
    /// `x / (1 + e^−x)`, also called swish.
    Silu,
    /// `x·min(max(x + 3, 0), 6) / 6`.
    HardSwish,
    /// `min(max(x + 3, 0), 6) / 6`.
    HardSigmoid,
}

impl Pointwise {
    /// Whether the derivative is computed from the input; the others' is computed from the result.
    pub fn reads_input(self) -> bool {
        matches!(self, Self::Gelu | Self::GeluTanh | Self::Silu | Self::HardSwish)
    }
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

/// `dx[i] = f'(x[i]) · dy[i]`. `kept` is the input of the forward pass where [`Pointwise::reads_input`], else its result.
pub fn backward(threads: &Threads, function: Pointwise, kept: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert!(kept.len() == dx.len() && dy.len() == dx.len(), "maps and gradients have one length");
    threads.chunks(dx, BLOCK, |block, dx| {
        let kept = &kept[block * BLOCK..][..dx.len()];
        copy_and(&dy[block * BLOCK..], dx, |from, d| {
            vectorised::run(Gradients { function, kept: &kept[from..][..d.len()], d });
        });
    });
}

/// As [`backward`], with the gradient overwritten: `d[i] ← f'(x[i]) · d[i]`.
pub fn backward_in_place(threads: &Threads, function: Pointwise, kept: &[f32], d: &mut [f32]) {
    assert_eq!(kept.len(), d.len(), "map and gradient have one length");
    threads.chunks(d, BLOCK, |block, d| {
        vectorised::run(Gradients { function, kept: &kept[block * BLOCK..][..d.len()], d });
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
    vectorised::run(Gradients { function: Pointwise::Relu, kept: y, d });
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
            Pointwise::Gelu => update(x, |x| x * math::normal(x).0),
            Pointwise::GeluTanh => update(x, |x| 0.5 * x * (1.0 + math::tanh(gelu_argument(x)))),
            Pointwise::Silu => update(x, |x| x * math::sigmoid(x)),
            Pointwise::HardSwish => update(x, |x| x * hard_sigmoid(x)),
            Pointwise::HardSigmoid => update(x, |x| hard_sigmoid(x)),
        }
    }
}

/// The argument of the tanh in [`Pointwise::GeluTanh`].
#[inline(always)]
fn gelu_argument(x: f32) -> f32 {
    ROOT_2_OVER_PI * (x + 0.044_715 * x * x * x)
}

const ROOT_2_OVER_PI: f32 = 0.797_884_6;

#[inline(always)]
fn hard_sigmoid(x: f32) -> f32 {
    let x = x + 3.0;
    let x = if x < 0.0 { 0.0 } else { x };
    (if x > 6.0 { 6.0 } else { x }) / 6.0
}

#[inline(always)]
fn update(data: &mut [f32], f: impl Fn(f32) -> f32) {
    for x in data {
        *x = f(*x);
    }
}

struct Gradients<'a> {
    function: Pointwise,
    kept: &'a [f32],
    d: &'a mut [f32],
}

impl Kernel for Gradients<'_> {
    #[inline(always)]
    fn run(self) {
        // `y` is the result, or `x` the input, whichever the function's derivative is computed from.
        let (kept, d) = (self.kept, self.d);
        match self.function {
            Pointwise::Relu => update_with(d, kept, |d, y| if y <= 0.0 { 0.0 } else { d }),
            Pointwise::Relu6 => update_with(d, kept, |d, y| if y <= 0.0 || y >= 6.0 { 0.0 } else { d }),
            Pointwise::LeakyRelu(slope) => update_with(d, kept, |d, y| if y > 0.0 { d } else { slope * d }),
            Pointwise::Sigmoid => update_with(d, kept, |d, y| d * (1.0 - y) * y),
            Pointwise::Tanh => update_with(d, kept, |d, y| d * (1.0 - y * y)),
            Pointwise::Sgn => d.fill(0.0),
            Pointwise::Gelu => update_with(d, kept, |d, x| {
                let (cdf, pdf) = math::normal(x);
                d * (cdf + x * pdf)
            }),
            Pointwise::GeluTanh => update_with(d, kept, |d, x| {
                let tanh = math::tanh(gelu_argument(x));
                let slope = ROOT_2_OVER_PI * (1.0 + 3.0 * 0.044_715 * x * x);
                d * (0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * slope)
            }),
            Pointwise::Silu => update_with(d, kept, |d, x| {
                let y = math::sigmoid(x);
                d * y * (1.0 + x * (1.0 - y))
            }),
            // As PyTorch has it at the corners: both belong to the flat ends.
            Pointwise::HardSwish => update_with(d, kept, |d, x| {
                let middle = d * (x / 3.0 + 0.5);
                let upper = if x >= 3.0 { d } else { middle };
                if x <= -3.0 { 0.0 } else { upper }
            }),
            Pointwise::HardSigmoid => {
                update_with(d, kept, |d, y| if y <= 0.0 || y >= 1.0 { 0.0 } else { d / 6.0 });
            }
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
