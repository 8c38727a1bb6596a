//! Convolution with weights that change at every step: forward and both gradients.

use super::Conv2dShape;
use super::direct::{Direct, Geometry, Operands};
use crate::Threads;
use crate::simd::Isa;

/// A convolution compiled for training.
#[derive(Debug)]
pub struct Conv2dTraining {
    shape: Conv2dShape,
    max_images: usize,
    forward: Direct,
    /// One plan for each phase of the stride.
    backward_input: Vec<Direct>,
}

#[allow(clippy::too_many_arguments)] // the plain lists read better than structs used once
impl Conv2dTraining {
    /// Plans training with batches of up to `max_images` images.
    pub fn new(shape: Conv2dShape, max_images: usize) -> Self {
        Self::with_isa(Isa::best(), shape, max_images)
    }

    pub(super) fn with_isa(isa: Isa, shape: Conv2dShape, max_images: usize) -> Self {
        shape.check();
        let forward = Direct::new(isa, Geometry::forward(&shape));
        let backward_input =
            Geometry::backward_input(&shape).into_iter().map(|g| Direct::new(isa, g)).collect();
        Self { shape, max_images, forward, backward_input }
    }

    /// Floats of scratch memory that the three passes need; they may share it.
    pub fn scratch_len(&self, _threads: &Threads) -> usize {
        self.backward_input.iter().map(Direct::packed_len).max().unwrap_or(0).max(self.forward.packed_len())
    }

    /// `output = convolution(input, weights) + bias`; activations dense NHWC, weights OIHW.
    ///
    /// # Panics
    /// When a slice is too short or `images` is over the compiled maximum; so do the other passes.
    pub fn forward(
        &self,
        threads: &Threads,
        images: usize,
        input: &[f32],
        weights: &[f32],
        bias: Option<&[f32]>,
        output: &mut [f32],
        scratch: &mut [f32],
    ) {
        let s = &self.shape;
        self.check(images, weights);
        let taps = s.kernel.0 * s.kernel.1;
        self.forward.pack(threads, weights, bias, scratch, |g, o, c, tap| {
            ((g * s.group_out() + o) * s.group_in() + c) * taps + tap
        });
        let operands = operands(images, input, scratch, s.out_c);
        self.forward.run(threads, operands, output);
    }

    /// The gradient of the loss with respect to the input, from `dy`, that with respect to the output: `dx[n, y, x, c] =
    /// Σ dy · W` over all outputs that saw the input. Overwrites `dx`.
    pub fn backward_input(
        &self,
        threads: &Threads,
        images: usize,
        dy: &[f32],
        weights: &[f32],
        dx: &mut [f32],
        scratch: &mut [f32],
    ) {
        let s = &self.shape;
        self.check(images, weights);
        let taps = s.kernel.0 * s.kernel.1;
        for plan in &self.backward_input {
            plan.pack(threads, weights, None, scratch, |g, c, o, tap| {
                ((g * s.group_out() + o) * s.group_in() + c) * taps + tap
            });
            plan.run(threads, operands(images, dy, scratch, s.in_c), dx);
        }
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
        let s = &self.shape;
        self.check(images, dw);
        dw.fill(0.0);
        for (x, dy) in x.chunks_exact(s.input_len()).zip(dy.chunks_exact(s.output_len())).take(images) {
            super::products(s, |pixel, o, i, w| dw[w] += dy[pixel * s.out_c + o] * x[i]);
        }
        if let Some(db) = db {
            db.fill(0.0);
            for pixel in dy[..images * s.output_len()].chunks_exact(s.out_c) {
                db.iter_mut().zip(pixel).for_each(|(db, dy)| *db += dy);
            }
        }
    }

    fn check(&self, images: usize, weights: &[f32]) {
        assert!(images <= self.max_images, "batch of {images} over the compiled {}", self.max_images);
        assert_eq!(weights.len(), self.shape.weights_len(), "convolution weights");
    }
}

fn operands<'a>(images: usize, input: &'a [f32], packed: &'a [f32], out_stride: usize) -> Operands<'a> {
    let bounds = (f32::NEG_INFINITY, f32::INFINITY);
    Operands { images, input, packed, residual: None, out_stride, bounds }
}
