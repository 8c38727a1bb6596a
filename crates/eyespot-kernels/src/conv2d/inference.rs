//! Convolution with weights that don't change: packed once, run many times.

use super::Conv2dShape;
use super::depthwise::Depthwise;
use super::direct::{Direct, Geometry, Operands, Order};
use super::few_channels::FewChannels;
use super::winograd::Winograd;
use crate::memory::Floats;
use crate::simd::Isa;
use crate::{Activation, Threads, check};

#[derive(Debug)]
pub(super) enum Plan {
    Direct(Direct),
    FewChannels(FewChannels),
    Depthwise(Depthwise),
    Winograd(Winograd),
}

/// A convolution compiled for inference: weights packed, algorithm chosen.
#[derive(Debug)]
pub struct Conv2dKernel {
    shape: Conv2dShape,
    max_images: usize,
    pub(super) plan: Plan,
    packed: Floats,
    activation: Activation,
}

impl Conv2dKernel {
    /// Packs `weights` (OIHW, batch norm already folded in) for batches of up to `max_images` images.
    ///
    /// # Panics
    /// When the lengths don't match the shape, or its sizes contradict each other.
    pub fn new(
        shape: Conv2dShape,
        max_images: usize,
        weights: &[f32],
        bias: Option<&[f32]>,
        activation: Activation,
    ) -> Self {
        Self::with_isa(Isa::best(), shape, max_images, weights, bias, activation)
    }

    pub(super) fn with_isa(
        isa: Isa,
        shape: Conv2dShape,
        max_images: usize,
        weights: &[f32],
        bias: Option<&[f32]>,
        activation: Activation,
    ) -> Self {
        shape.check(max_images);
        check::exactly("convolution weights", weights.len(), shape.weights_len());
        bias.inspect(|bias| check::exactly("convolution bias", bias.len(), shape.out_c));
        let (plan, packed) = if Depthwise::fits(&shape) {
            let plan = Depthwise::forward(isa, shape);
            let mut packed = Floats::zeroed(plan.packed_len());
            plan.pack(weights, bias, false, &mut packed);
            (Plan::Depthwise(plan), packed)
        } else if FewChannels::fits(&shape) {
            let plan = FewChannels::new(isa, shape);
            let mut packed = Floats::zeroed(plan.packed_len());
            plan.pack(&Threads::new(1), weights, bias, &mut packed);
            (Plan::FewChannels(plan), packed)
        } else if Winograd::wins(&shape, max_images) {
            let plan = Winograd::new(isa, shape);
            let mut packed = Floats::zeroed(plan.packed_len());
            plan.pack(&Threads::new(1), weights, Order::forward(&shape), false, bias, &mut packed);
            (Plan::Winograd(plan), packed)
        } else {
            let plan = Direct::new(isa, Geometry::forward(&shape));
            let mut packed = Floats::zeroed(plan.packed_len());
            plan.pack(&Threads::new(1), weights, Order::forward(&shape), bias, &mut packed);
            (Plan::Direct(plan), packed)
        };
        Self { shape, max_images, plan, packed, activation }
    }

    /// Floats of scratch memory that [`run`](Self::run) needs.
    pub fn scratch_len(&self, threads: &Threads) -> usize {
        match &self.plan {
            Plan::Winograd(plan) => plan.scratch_len(threads, self.max_images),
            Plan::FewChannels(plan) => plan.scratch_len(threads),
            Plan::Direct(_) | Plan::Depthwise(_) => 0,
        }
    }

    /// Bytes of the packed weights.
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&self.packed[..])
    }

    /// The name of the chosen algorithm, for tables of timings.
    pub fn algorithm(&self) -> &'static str {
        match self.plan {
            Plan::Direct(_) | Plan::FewChannels(_) => "direct",
            Plan::Depthwise(_) => "depthwise",
            Plan::Winograd(_) => "winograd",
        }
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
        threads: &Threads,
        images: usize,
        input: &[f32],
        residual: Option<&[f32]>,
        output: &mut [f32],
        out_stride: usize,
        scratch: &mut [f32],
    ) {
        assert!(images <= self.max_images, "batch of {images} over the compiled {}", self.max_images);
        let operands = self.operands(images, input, residual, out_stride);
        match &self.plan {
            Plan::Direct(plan) => plan.run(threads, operands, output),
            Plan::FewChannels(plan) => plan.run(threads, operands, output, scratch),
            Plan::Depthwise(plan) => plan.run(threads, operands, output),
            Plan::Winograd(plan) => plan.run(threads, operands, output, scratch),
        }
    }

    /// The kernel's own operands with a run's.
    pub(super) fn operands<'a>(
        &'a self,
        images: usize,
        input: &'a [f32],
        residual: Option<&'a [f32]>,
        out_stride: usize,
    ) -> Operands<'a> {
        let (packed, bounds) = (&*self.packed, self.activation.bounds());
        Operands { images, input, packed, residual, out_stride, bounds }
    }

    /// The sizes it was compiled for.
    pub fn shape(&self) -> &Conv2dShape {
        &self.shape
    }
}
