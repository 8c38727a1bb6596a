//! The layers of a training program, and how a step of one runs.

use super::weights::Weights;
use crate::memory::{Floats, Inputs, Readable};
use crate::ops::{self, Call, Draw, Kept, Operator, State};
use eyespot_compile::training::{self, Backward, Forward, Task};
use eyespot_compile::{Layout, Source};
use eyespot_graph::{DeviceError, Graph};
use eyespot_kernels::{Threads, pointwise};

/// A layer with a name.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) operator: Box<dyn Operator>,
    /// Multiply-adds of one picture's forward pass.
    pub(super) multiply_adds: u64,
    /// Floats one picture's step touches or multiplies: what decides whether threads are worth while.
    pub(super) work: usize,
}

/// Everything a training program writes while it runs, but for its weights.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) layout: Layout,
    pub(super) arena: Floats,
    /// Batch means and standard deviations of all batch norms.
    pub(super) statistics: Floats,
    /// Where each window's largest value stood, of all max poolings.
    pub(super) winners: Vec<u16>,
    /// Laid out as the learned weights.
    pub(super) gradients: Floats,
    pub(super) scratch: Floats,
    pub(super) sums: Vec<f64>,
}

/// What a step works on.
pub(super) struct Pass<'a> {
    pub(super) threads: &'a Threads,
    pub(super) images: usize,
    pub(super) draw: Draw,
    pub(super) input: &'a [f32],
    pub(super) weights: &'a mut Weights,
    pub(super) memory: &'a mut Memory,
}

impl<'a> Pass<'a> {
    /// The arena, apart from what the operator's call gets.
    fn call(self) -> (Call<'a>, &'a mut [f32], &'a Layout, &'a [f32]) {
        let Self { threads, images, draw, input, weights, memory } = self;
        let state = State {
            learned: &weights.learned,
            running: &mut weights.running,
            gradients: &mut memory.gradients,
            statistics: &mut memory.statistics,
            winners: &mut memory.winners,
            sums: &mut memory.sums,
            draw,
        };
        let call = Call { threads, images, scratch: &mut memory.scratch, state };
        (call, &mut memory.arena, &memory.layout, input)
    }
}

impl Layer {
    /// What computes a planned layer; `input` is the node of its first input.
    pub(super) fn new(
        graph: &Graph,
        layer: training::Layer,
        input: usize,
        batch: usize,
    ) -> Result<Self, DeviceError> {
        let operator = ops::training(graph, &layer, (input, batch))?;
        let training::Layer { name, multiply_adds, work, .. } = layer;
        Ok(Self { name, operator, multiply_adds, work })
    }

    /// Computes one forward step.
    pub(super) fn forward(&self, step: &Forward, pass: Pass) {
        let (call, arena, layout, input) = pass.call();
        let images = call.images;
        let y = layout.range(step.y, images);
        if step.inputs[0] == Source::Arena(step.y) {
            self.operator.forward_in_place(call, &mut arena[y]);
            return;
        }
        let ([y, _], readable) = Readable::split(arena, [y, 0..0], layout, images, input);
        self.operator.forward(call, Inputs::new(&readable, &step.inputs), y);
    }

    /// Computes one backward step.
    pub(super) fn backward(&self, step: &Backward, pass: Pass) {
        let (call, arena, layout, input) = pass.call();
        let images = call.images;
        let written = [step.d, step.dx].map(|span| layout.range_or_empty(span, images));
        let ([d, dx], readable) = Readable::split(arena, written, layout, images, input);
        let inputs = Inputs::new(&readable, &step.inputs);
        let kept = Kept { inputs, y: step.y.map_or(&[], |y| readable.at(y)) };
        match step.task {
            Task::Weights => self.operator.backward_weights(call, inputs, d),
            Task::Input(index) => self.operator.backward_input(call, index, kept, d, dx),
            Task::InPlace => self.operator.backward_in_place(call, kept, d),
            Task::Recompute => self.operator.recompute(call, inputs, dx),
            Task::AddTo => pointwise::add_to(call.threads, d, dx),
            Task::Copy => dx.copy_from_slice(d),
        }
    }
}
