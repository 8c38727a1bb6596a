//! Convolution with weights that don't change: packed once, run many times.

use super::{Conv2dShape, reference};
use crate::{Activation, Threads};

/// A convolution compiled for inference: weights packed, algorithm chosen.
#[derive(Debug)]
pub struct Conv2dKernel {
    shape: Conv2dShape,
    max_images: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
    activation: Activation,
}

impl Conv2dKernel {
    /// Packs `weights` (OIHW, batch norm already folded in) for batches of up to `max_images` images.
    ///
    /// # Panics
    /// When the lengths don't match the shape.
    pub fn new(
        shape: Conv2dShape,
        max_images: usize,
        weights: &[f32],
        bias: Option<&[f32]>,
        activation: Activation,
    ) -> Self {
        shape.check();
        assert_eq!(weights.len(), shape.weights_len(), "convolution weights");
        let bias = bias.map_or_else(|| vec![0.0; shape.out_c], <[f32]>::to_vec);
        assert_eq!(bias.len(), shape.out_c, "convolution bias");
        Self { shape, max_images, weights: weights.to_vec(), bias, activation }
    }

    /// Floats of scratch memory that [`run`](Self::run) needs.
    pub fn scratch_len(&self, _threads: &Threads) -> usize {
        0
    }

    /// The name of the chosen algorithm, for tables of timings.
    pub fn algorithm(&self) -> &'static str {
        "reference"
    }

    /// `output = activation(convolution(input) + bias + residual)` for `images` images.
    ///
    /// `input` is dense NHWC. Pixel `p` of the output is written to `output[p * out_stride..][..out_c]`: `out_stride`
    /// is `out_c`, or larger when the result is a channel slice of a wider map. `residual` lies like `output`, with
    /// the same stride. `scratch` holds at least [`scratch_len`](Self::scratch_len) floats, of any content.
    ///
    /// # Panics
    /// When a slice is too short or `images` is over the compiled maximum.
    #[allow(clippy::too_many_arguments)] // the plain list reads better than a struct used once
    pub fn run(
        &self,
        _threads: &Threads,
        images: usize,
        input: &[f32],
        residual: Option<&[f32]>,
        output: &mut [f32],
        out_stride: usize,
        _scratch: &mut [f32],
    ) {
        assert!(images <= self.max_images, "batch of {images} over the compiled {}", self.max_images);
        let s = &self.shape;
        let y = reference::forward(s, &input[..images * s.input_len()], &self.weights, Some(&self.bias));
        for (p, pixel) in y.chunks_exact(s.out_c).enumerate() {
            for (o, &v) in pixel.iter().enumerate() {
                let at = p * out_stride + o;
                output[at] = self.activation.apply(v + residual.map_or(0.0, |r| r[at]));
            }
        }
    }
}
