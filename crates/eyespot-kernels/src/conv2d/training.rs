//! Convolution with weights that change at every step: forward and both gradients.

use super::{Conv2dShape, reference};
use crate::Threads;

/// A convolution compiled for training.
#[derive(Debug)]
pub struct Conv2dTraining {
    shape: Conv2dShape,
    max_images: usize,
}

#[allow(clippy::too_many_arguments)] // the plain lists read better than structs used once
impl Conv2dTraining {
    /// Plans training with batches of up to `max_images` images.
    pub fn new(shape: Conv2dShape, max_images: usize) -> Self {
        shape.check();
        Self { shape, max_images }
    }

    /// Floats of scratch memory that the three passes need; they may share it.
    pub fn scratch_len(&self, _threads: &Threads) -> usize {
        0
    }

    /// `output = convolution(input, weights) + bias`; activations dense NHWC, weights OIHW.
    ///
    /// # Panics
    /// When a slice is too short or `images` is over the compiled maximum; so do the other passes.
    pub fn forward(
        &self,
        _threads: &Threads,
        images: usize,
        input: &[f32],
        weights: &[f32],
        bias: Option<&[f32]>,
        output: &mut [f32],
        _scratch: &mut [f32],
    ) {
        assert!(images <= self.max_images, "batch of {images} over the compiled {}", self.max_images);
        let s = &self.shape;
        let y = reference::forward(s, &input[..images * s.input_len()], weights, bias);
        output[..y.len()].copy_from_slice(&y);
    }

    /// The gradient of the loss with respect to the input, from `dy`, that with respect to the output: `dx[n, y, x, c] =
    /// Σ dy · W` over all outputs that saw the input. Overwrites `dx`.
    pub fn backward_input(
        &self,
        _threads: &Threads,
        images: usize,
        dy: &[f32],
        weights: &[f32],
        dx: &mut [f32],
        _scratch: &mut [f32],
    ) {
        assert!(images <= self.max_images, "batch of {images} over the compiled {}", self.max_images);
        let s = &self.shape;
        let gradient = reference::backward_input(s, &dy[..images * s.output_len()], weights);
        dx[..gradient.len()].copy_from_slice(&gradient);
    }

    /// The gradients with respect to the weights (OIHW) and the bias, summed over images and pixels. Overwrites `dw`
    /// and `db`.
    pub fn backward_weights(
        &self,
        _threads: &Threads,
        images: usize,
        x: &[f32],
        dy: &[f32],
        dw: &mut [f32],
        db: Option<&mut [f32]>,
        _scratch: &mut [f32],
    ) {
        assert!(images <= self.max_images, "batch of {images} over the compiled {}", self.max_images);
        let s = &self.shape;
        let (weights, bias) =
            reference::backward_weights(s, &x[..images * s.input_len()], &dy[..images * s.output_len()]);
        dw.copy_from_slice(&weights);
        if let Some(db) = db {
            db.copy_from_slice(&bias);
        }
    }
}
