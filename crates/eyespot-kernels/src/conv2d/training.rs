//! Convolution with weights that change at every step: forward and both gradients.

use super::Conv2dShape;
use super::depthwise::Depthwise;
use super::depthwise_gradient::DepthwiseGradient;
use super::direct::{Direct, Geometry, Operands, Order};
use super::weight_gradient::WeightGradient;
use super::winograd::Winograd;
use crate::simd::Isa;
use crate::{Threads, check};

/// A convolution compiled for training.
#[derive(Debug)]
pub struct Conv2dTraining {
    shape: Conv2dShape,
    max_images: usize,
    plan: Plan,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // one per layer, never moved
enum Plan {
    Direct { forward: Forward, backward_input: BackwardInput, backward_weights: WeightGradient },
    Depthwise { forward: Depthwise, backward_input: Depthwise, backward_weights: DepthwiseGradient },
}

#[derive(Debug)]
enum Forward {
    Direct(Direct),
    Winograd(Winograd),
}

#[derive(Debug)]
enum BackwardInput {
    /// One plan for each phase of the stride.
    Direct(Vec<Direct>),
    Winograd(Winograd),
}

#[allow(clippy::too_many_arguments)] // the plain lists read better than structs used once
impl Conv2dTraining {
    /// Plans training with batches of up to `max_images` images.
    ///
    /// # Panics
    /// When the sizes contradict each other.
    pub fn new(shape: Conv2dShape, max_images: usize) -> Self {
        Self::with_isa(Isa::best(), shape, max_images)
    }

    pub(super) fn with_isa(isa: Isa, shape: Conv2dShape, max_images: usize) -> Self {
        shape.check(max_images);
        let plan = if Depthwise::fits(&shape) {
            Plan::Depthwise {
                forward: Depthwise::forward(isa, shape),
                backward_input: Depthwise::backward_input(isa, shape),
                backward_weights: DepthwiseGradient::new(isa, shape),
            }
        } else {
            let forward = if Winograd::wins(&shape, max_images) {
                Forward::Winograd(Winograd::new(isa, shape))
            } else {
                Forward::Direct(Direct::new(isa, Geometry::forward(&shape)))
            };
            let backward_input = match Winograd::backward_shape(&shape) {
                Some(turned) if Winograd::wins(&turned, max_images) => {
                    BackwardInput::Winograd(Winograd::new(isa, turned))
                }
                _ => {
                    let phases = Geometry::backward_input(&shape);
                    BackwardInput::Direct(phases.into_iter().map(|g| Direct::new(isa, g)).collect())
                }
            };
            Plan::Direct {
                forward,
                backward_input,
                backward_weights: WeightGradient::new(isa, shape, max_images),
            }
        };
        Self { shape, max_images, plan }
    }

    /// Floats of scratch memory that the three passes need; they may share it.
    pub fn scratch_len(&self, threads: &Threads) -> usize {
        match &self.plan {
            Plan::Direct { forward, backward_input, backward_weights } => {
                let forward = match forward {
                    Forward::Direct(plan) => plan.packed_len(),
                    Forward::Winograd(plan) => {
                        check::sum([plan.packed_len(), plan.scratch_len(threads, self.max_images)])
                    }
                };
                let backward_input = match backward_input {
                    BackwardInput::Direct(phases) => phases.iter().map(Direct::packed_len).max().unwrap_or(0),
                    BackwardInput::Winograd(plan) => {
                        check::sum([plan.packed_len(), plan.scratch_len(threads, self.max_images)])
                    }
                };
                forward.max(backward_input).max(backward_weights.scratch_len(threads, self.max_images))
            }
            Plan::Depthwise { forward, backward_weights, .. } => {
                forward.packed_len().max(backward_weights.scratch_len(self.max_images))
            }
        }
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
        self.check(images, weights, bias);
        match &self.plan {
            Plan::Direct { forward: Forward::Direct(plan), .. } => {
                plan.pack(threads, weights, Order::forward(s), bias, scratch);
                plan.run(threads, operands(images, input, scratch, s.out_c), output);
            }
            Plan::Direct { forward: Forward::Winograd(plan), .. } => {
                let (packed, scratch) = scratch.split_at_mut(plan.packed_len());
                plan.pack(threads, weights, Order::forward(s), false, bias, packed);
                plan.run(threads, operands(images, input, packed, s.out_c), output, scratch);
            }
            Plan::Depthwise { forward, .. } => {
                forward.pack(weights, bias, false, scratch);
                forward.run(threads, operands(images, input, scratch, s.out_c), output);
            }
        }
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
        self.check(images, weights, None);
        match &self.plan {
            Plan::Direct { backward_input: BackwardInput::Direct(phases), .. } => {
                for plan in phases {
                    plan.pack(threads, weights, Order::backward(s), None, scratch);
                    plan.run(threads, operands(images, dy, scratch, s.in_c), dx);
                }
            }
            Plan::Direct { backward_input: BackwardInput::Winograd(plan), .. } => {
                let (packed, scratch) = scratch.split_at_mut(plan.packed_len());
                plan.pack(threads, weights, Order::backward(s), true, None, packed);
                plan.run(threads, operands(images, dy, packed, s.in_c), dx, scratch);
            }
            Plan::Depthwise { backward_input, .. } => {
                backward_input.pack(weights, None, true, scratch);
                backward_input.run(threads, operands(images, dy, scratch, s.in_c), dx);
            }
        }
    }

    /// The gradients with respect to the weights (OIHW) and the bias, summed over images and pixels. Overwrites `dw`
    /// and `db`.
    pub fn backward_weights(
        &self,
        threads: &Threads,
        images: usize,
        x: &[f32],
        dy: &[f32],
        dw: &mut [f32],
        db: Option<&mut [f32]>,
        scratch: &mut [f32],
    ) {
        self.check(images, dw, db.as_deref());
        match &self.plan {
            Plan::Direct { backward_weights, .. } => {
                backward_weights.run(threads, images, x, dy, dw, db, scratch);
            }
            Plan::Depthwise { backward_weights, .. } => {
                backward_weights.run(threads, images, x, dy, dw, db, scratch);
            }
        }
    }

    fn check(&self, images: usize, weights: &[f32], bias: Option<&[f32]>) {
        assert!(images <= self.max_images, "batch of {images} over the compiled {}", self.max_images);
        check::exactly("convolution weights", weights.len(), self.shape.weights_len());
        bias.inspect(|bias| check::exactly("convolution bias", bias.len(), self.shape.out_c));
    }
}

fn operands<'a>(images: usize, input: &'a [f32], packed: &'a [f32], out_stride: usize) -> Operands<'a> {
    let bounds = (f32::NEG_INFINITY, f32::INFINITY);
    Operands { images, input, packed, residual: None, out_stride, bounds }
}
