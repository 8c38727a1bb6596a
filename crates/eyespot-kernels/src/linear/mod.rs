//! Fully connected layers: `y[n, o] = b[o] + Σ_k W[o, k] · x[n, k]`, weights out × in as in PyTorch's
//! [`Linear`](https://pytorch.org/docs/stable/generated/torch.nn.Linear.html).

use crate::{Activation, Threads};

/// A linear layer with weights that don't change: packed once, run many times.
#[derive(Debug)]
pub struct LinearKernel {
    inputs: usize,
    outputs: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
    activation: Activation,
}

impl LinearKernel {
    /// Packs `weights` (outputs × inputs).
    ///
    /// # Panics
    /// When the lengths don't match the sizes.
    pub fn new(
        inputs: usize,
        outputs: usize,
        weights: &[f32],
        bias: Option<&[f32]>,
        activation: Activation,
    ) -> Self {
        assert_eq!(weights.len(), inputs * outputs, "linear weights");
        let bias = bias.map_or_else(|| vec![0.0; outputs], <[f32]>::to_vec);
        assert_eq!(bias.len(), outputs, "linear bias");
        Self { inputs, outputs, weights: weights.to_vec(), bias, activation }
    }

    /// `output = activation(input · Wᵀ + bias)`: `input` is images × inputs, `output` images × outputs.
    ///
    /// # Panics
    /// When a slice is too short.
    pub fn run(&self, threads: &Threads, images: usize, input: &[f32], output: &mut [f32]) {
        forward(threads, (self.inputs, self.outputs), images, input, &self.weights, Some(&self.bias), output);
        output[..images * self.outputs].iter_mut().for_each(|v| *v = self.activation.apply(*v));
    }
}

/// `y = x · Wᵀ + b` for `images` rows of (inputs, outputs) floats.
pub fn forward(
    _threads: &Threads,
    (inputs, outputs): (usize, usize),
    images: usize,
    x: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    for n in 0..images {
        let x = &x[n * inputs..][..inputs];
        for o in 0..outputs {
            let dot: f32 = x.iter().zip(&weights[o * inputs..][..inputs]).map(|(a, b)| a * b).sum();
            y[n * outputs + o] = dot + bias.map_or(0.0, |b| b[o]);
        }
    }
}

/// `dx = dy · W`. Overwrites `dx`.
pub fn backward_input(
    _threads: &Threads,
    (inputs, outputs): (usize, usize),
    images: usize,
    dy: &[f32],
    weights: &[f32],
    dx: &mut [f32],
) {
    for n in 0..images {
        let dx = &mut dx[n * inputs..][..inputs];
        dx.fill(0.0);
        for o in 0..outputs {
            let d = dy[n * outputs + o];
            dx.iter_mut().zip(&weights[o * inputs..][..inputs]).for_each(|(dx, w)| *dx += d * w);
        }
    }
}

/// `dW = dyᵀ · x` and `db = Σ dy`, summed over images. Overwrites `dw` and `db`.
pub fn backward_weights(
    _threads: &Threads,
    (inputs, outputs): (usize, usize),
    images: usize,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    db: Option<&mut [f32]>,
) {
    for o in 0..outputs {
        let dw = &mut dw[o * inputs..][..inputs];
        dw.fill(0.0);
        for n in 0..images {
            let d = dy[n * outputs + o];
            dw.iter_mut().zip(&x[n * inputs..][..inputs]).for_each(|(dw, x)| *dw += d * x);
        }
    }
    if let Some(db) = db {
        for o in 0..outputs {
            db[o] = (0..images).map(|n| dy[n * outputs + o]).sum();
        }
    }
}
