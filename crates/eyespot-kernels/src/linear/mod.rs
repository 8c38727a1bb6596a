//! Fully connected layers: `y[n, o] = b[o] + Σ_k W[o, k] · x[n, k]`, weights out × in as in PyTorch's
//! [`Linear`](https://pytorch.org/docs/stable/generated/torch.nn.Linear.html).
//!
//! Weights are read as they are, each about once: with one image, and mostly with sixteen, a linear layer is as fast as
//! memory delivers them. Small layers run on the calling thread and allocate nothing.

mod ops;
#[cfg(test)]
mod tests;

use crate::check;
use crate::memory::Floats;
use crate::simd::Isa;
use crate::threads::Shared;
use crate::{Activation, Threads};
use ops::{BackwardInput, BackwardWeights, Forward};

/// Multiply-adds of a task: enough to outweigh handing it to a thread.
const TASK: usize = 1 << 18;

/// A linear layer with weights that don't change.
#[derive(Debug)]
pub struct LinearKernel {
    inputs: usize,
    outputs: usize,
    weights: Floats,
    bias: Option<Vec<f32>>,
    activation: Activation,
}

impl LinearKernel {
    /// Takes `weights` (outputs × inputs) as they are, and an optional bias.
    ///
    /// # Panics
    /// When the lengths don't match the sizes.
    pub fn new(
        inputs: usize,
        outputs: usize,
        weights: Floats,
        bias: Option<&[f32]>,
        activation: Activation,
    ) -> Self {
        check::exactly("linear weights", weights.len(), check::product([inputs, outputs]));
        bias.inspect(|bias| check::exactly("linear bias", bias.len(), outputs));
        Self { inputs, outputs, weights, bias: bias.map(<[f32]>::to_vec), activation }
    }

    /// Bytes of the weights.
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&self.weights[..])
    }

    /// `output = activation(input · Wᵀ + bias)`: `input` is images × inputs, `output` images × outputs.
    ///
    /// # Panics
    /// When a slice is too short.
    pub fn run(&self, threads: &Threads, images: usize, input: &[f32], output: &mut [f32]) {
        let sizes = (self.inputs, self.outputs);
        let bounds = self.activation.bounds();
        run_forward(
            Isa::best(),
            threads,
            sizes,
            images,
            (input, &self.weights, self.bias.as_deref()),
            bounds,
            output,
        );
    }
}

/// `y = x · Wᵀ + b` for `images` rows of (inputs, outputs) floats.
///
/// # Panics
/// When a slice is too short; so do the other functions.
pub fn forward(
    threads: &Threads,
    sizes: (usize, usize),
    images: usize,
    x: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let bounds = Activation::None.bounds();
    run_forward(Isa::best(), threads, sizes, images, (x, weights, bias), bounds, y);
}

/// `dx = dy · W`. Overwrites `dx`.
pub fn backward_input(
    threads: &Threads,
    sizes: (usize, usize),
    images: usize,
    dy: &[f32],
    weights: &[f32],
    dx: &mut [f32],
) {
    run_backward_input(Isa::best(), threads, sizes, images, dy, weights, dx);
}

/// `dW = dyᵀ · x` and `db = Σ dy`, summed over images. Overwrites `dw` and `db`.
pub fn backward_weights(
    threads: &Threads,
    sizes: (usize, usize),
    images: usize,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    db: Option<&mut [f32]>,
) {
    run_backward_weights(Isa::best(), threads, sizes, images, x, dy, dw);
    if let Some(db) = db {
        check::exactly("linear bias", db.len(), sizes.1);
        db.fill(0.0);
        for row in dy[..check::product([images, sizes.1])].chunks_exact(sizes.1.max(1)) {
            db.iter_mut().zip(row).for_each(|(db, dy)| *db += dy);
        }
    }
}

/// Calls `f(from, to)` for parts of `0..count` that cost `each` multiply-adds an item, whole multiples of `step`.
fn cut(threads: &Threads, count: usize, each: usize, step: usize, f: impl Fn(usize, usize) + Sync) {
    let part = (TASK / each.max(1)).max(1).next_multiple_of(step);
    threads.run(count.div_ceil(part), |i| f(i * part, count.min((i + 1) * part)));
}

fn run_forward(
    isa: Isa,
    threads: &Threads,
    (inputs, outputs): (usize, usize),
    images: usize,
    (x, weights, bias): (&[f32], &[f32], Option<&[f32]>),
    bounds: (f32, f32),
    y: &mut [f32],
) {
    let (x_len, y_len) = (check::product([images, inputs]), check::product([images, outputs]));
    check::at_least("linear input", x.len(), x_len);
    check::at_least("linear output", y.len(), y_len);
    check::at_least("linear weights", weights.len(), check::product([inputs, outputs]));
    bias.inspect(|bias| check::at_least("linear bias", bias.len(), outputs));
    if y_len == 0 {
        return;
    }
    let y = Shared(y.as_mut_ptr());
    cut(threads, outputs, x_len, 6, |from, to| {
        let op = Forward { sizes: (inputs, outputs), images, x, weights, bias, bounds, from, to, y: y.get() };
        // SAFETY: x and weights were found to hold a row for each image and output, y and the bias a number; tasks
        // write different outputs.
        unsafe { isa.run(op) }
    });
}

fn run_backward_input(
    isa: Isa,
    threads: &Threads,
    (inputs, outputs): (usize, usize),
    images: usize,
    dy: &[f32],
    weights: &[f32],
    dx: &mut [f32],
) {
    let (x_len, y_len) = (check::product([images, inputs]), check::product([images, outputs]));
    check::at_least("linear input's gradient", dx.len(), x_len);
    check::at_least("linear output's gradient", dy.len(), y_len);
    check::at_least("linear weights", weights.len(), check::product([inputs, outputs]));
    if x_len == 0 {
        return;
    }
    let dx = Shared(dx.as_mut_ptr());
    // Long pieces of each row, which memory delivers fastest. The cut changes no sum, so it may depend on the threads.
    let part = inputs.div_ceil(threads.count()).next_multiple_of(64).max(256);
    let parts = if x_len.saturating_mul(outputs) < TASK { 1 } else { inputs.div_ceil(part) };
    threads.run(parts, |i| {
        let (from, to) = if parts == 1 { (0, inputs) } else { (i * part, inputs.min((i + 1) * part)) };
        let op = BackwardInput { sizes: (inputs, outputs), images, dy, weights, from, to, dx: dx.get() };
        // SAFETY: dx and weights were found to hold a row for each image and output, dy a number; `from..to` lies in
        // the rows, and tasks write different columns.
        unsafe { isa.run(op) }
    });
}

fn run_backward_weights(
    isa: Isa,
    threads: &Threads,
    (inputs, outputs): (usize, usize),
    images: usize,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    let (x_len, w_len) = (check::product([images, inputs]), check::product([inputs, outputs]));
    check::at_least("linear input", x.len(), x_len);
    check::at_least("linear output's gradient", dy.len(), check::product([images, outputs]));
    check::at_least("linear weights' gradient", dw.len(), w_len);
    if w_len == 0 {
        return;
    }
    let dw = Shared(dw.as_mut_ptr());
    cut(threads, outputs, x_len, 6, |from, to| {
        let op = BackwardWeights { sizes: (inputs, outputs), images, x, dy, from, to, dw: dw.get() };
        // SAFETY: x and dw were found to hold a row for each image and output, dy a number; tasks write different rows.
        unsafe { isa.run(op) }
    });
}
