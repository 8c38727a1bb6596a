//! One step of an inference program, and how it runs.

use crate::memory::borrow;
use crate::plain::Plain;
use eyespot_compile::{Layout, Source, Span};
use eyespot_kernels::conv2d::{Conv2dKernel, SeparableKernel};
use eyespot_kernels::linear::LinearKernel;
use eyespot_kernels::{Floats, Threads, batch_norm, gaussian, pointwise, pool};

/// What a step computes.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Convolution with all that follows it; the result's pixels are `out_stride` floats apart.
    Conv {
        kernel: Box<Conv2dKernel>,
        out_stride: usize,
    },
    /// A depthwise convolution with the pointwise ones around it.
    Separable {
        kernel: Box<SeparableKernel>,
        out_stride: usize,
    },
    Linear(LinearKernel),
    /// A batch norm that stands behind no convolution.
    ScaleShift {
        scale: Vec<f32>,
        shift: Vec<f32>,
    },
    MaxPool2d(pool::MaxPool2d),
    Gaussian {
        inputs: usize,
        centres: Floats,
    },
    /// An operator without weights.
    Plain(Plain),
}

/// One step: what, on what, where to.
#[derive(Debug)]
pub(crate) struct Step {
    /// The layers it computes, joined by `+`.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) x: Source,
    /// The second summand of an addition or of a fused residual sum.
    pub(crate) other: Option<Source>,
    /// The result; the same span as `x` where an element-wise function works in place.
    pub(crate) y: Span,
    /// Multiply-adds of one picture.
    pub(crate) multiply_adds: u64,
    /// Floats one picture's step touches or multiplies: what decides whether threads are worth while.
    pub(crate) work: usize,
}

impl Step {
    /// What it reads from the arena.
    pub(crate) fn reads(&self) -> impl Iterator<Item = Span> {
        [self.x.span(), self.other.and_then(Source::span)].into_iter().flatten()
    }

    /// What it reads and writes there.
    pub(crate) fn spans(&self) -> impl Iterator<Item = Span> {
        self.reads().chain([self.y])
    }

    pub(crate) fn scratch_len(&self, threads: &Threads) -> usize {
        match &self.kind {
            Kind::Conv { kernel, .. } => kernel.scratch_len(threads),
            Kind::Separable { kernel, .. } => kernel.scratch_len(threads),
            _ => 0,
        }
    }

    /// Bytes of its weights as they are packed.
    pub(crate) fn weight_bytes(&self) -> usize {
        match &self.kind {
            Kind::Conv { kernel, .. } => kernel.memory_bytes(),
            Kind::Separable { kernel, .. } => kernel.memory_bytes(),
            Kind::Linear(kernel) => kernel.memory_bytes(),
            Kind::ScaleShift { scale, shift } => (scale.len() + shift.len()) * size_of::<f32>(),
            Kind::Gaussian { centres, .. } => centres.len() * size_of::<f32>(),
            _ => 0,
        }
    }

    /// How the step is computed, for tables of timings.
    pub(crate) fn algorithm(&self) -> &'static str {
        match &self.kind {
            Kind::Conv { kernel, .. } => kernel.algorithm(),
            Kind::Separable { .. } => "separable",
            Kind::Linear(_) => "linear",
            Kind::ScaleShift { .. } => "scale_shift",
            Kind::MaxPool2d(_) => "max_pool",
            Kind::Gaussian { .. } => "gaussian",
            Kind::Plain(plain) => plain.algorithm(),
        }
    }

    /// Computes the step for `images` pictures.
    pub(crate) fn run(
        &self,
        threads: &Threads,
        images: usize,
        layout: &Layout,
        input: &[f32],
        arena: &mut [f32],
        scratch: &mut [f32],
    ) {
        if self.x == Source::Arena(self.y) {
            let Kind::Plain(Plain::Pointwise(function)) = self.kind else {
                unreachable!("only element-wise functions are planned in place");
            };
            pointwise::forward_in_place(threads, function, &mut arena[layout.range(self.y, images)]);
            return;
        }
        // A result read twice is borrowed once.
        let other_span = self.other.filter(|other| *other != self.x).and_then(Source::span);
        let [x, other, y] = borrow(
            arena,
            [
                layout.range_or_empty(self.x.span(), images),
                layout.range_or_empty(other_span, images),
                layout.range(self.y, images),
            ],
        );
        let x = if self.x == Source::Input { input } else { &*x };
        let other: Option<&[f32]> = self.other.map(|source| match source {
            same if same == self.x => x,
            Source::Input => input,
            Source::Arena(_) => &*other,
        });
        match &self.kind {
            Kind::Conv { kernel, out_stride } => {
                kernel.run(threads, images, x, other, y, *out_stride, scratch);
            }
            Kind::Separable { kernel, out_stride } => {
                kernel.run(threads, images, x, other, y, *out_stride, scratch);
            }
            Kind::Linear(kernel) => kernel.run(threads, images, x, y),
            Kind::ScaleShift { scale, shift } => {
                batch_norm::scale_shift(threads, scale, shift, batch_norm::Follows::Nothing, x, y);
            }
            Kind::MaxPool2d(pool) => pool.forward(threads, x, y),
            Kind::Gaussian { inputs, centres } => gaussian::forward(threads, *inputs, x, centres, y),
            Kind::Plain(plain) => plain.forward(threads, x, other, y),
        }
    }
}
