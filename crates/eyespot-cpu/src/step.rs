//! One step of an inference program, and how it runs.

use crate::memory::{Inputs, Readable};
use crate::ops::{Call, Kernel, State};
use eyespot_compile::{Layout, Source, Span};
use eyespot_kernels::Threads;

/// One step: what, on what, where to.
#[derive(Debug)]
pub(crate) struct Step {
    /// The layers it computes, joined by `+`.
    pub(crate) name: String,
    pub(crate) kernel: Kernel,
    /// What it reads, in the operator's order.
    pub(crate) inputs: Vec<Source>,
    /// The result; the same span as the input where an element-wise function works in place.
    pub(crate) y: Span,
    /// Multiply-adds of one picture.
    pub(crate) multiply_adds: u64,
    /// Floats one picture's step touches or multiplies: what decides whether threads are worth while.
    pub(crate) work: usize,
}

impl Step {
    /// What it reads from the arena.
    pub(crate) fn reads(&self) -> impl Iterator<Item = Span> {
        self.inputs.iter().copied().filter_map(Source::span)
    }

    /// What it reads and writes there.
    pub(crate) fn spans(&self) -> impl Iterator<Item = Span> {
        self.reads().chain([self.y])
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
        let call = Call { threads, images, scratch, state: State::default() };
        let y = layout.range(self.y, images);
        if self.inputs[0] == Source::Arena(self.y) {
            self.kernel.operator().forward_in_place(call, &mut arena[y]);
            return;
        }
        let ([y, _], readable) = Readable::split(arena, [y, 0..0], layout, images, input);
        self.kernel.operator().forward(call, Inputs::new(&readable, &self.inputs), y);
    }
}
