//! The plan of a training program.
//!
//! All times count on one clock: forward steps come first, then the caller's loss, then the backward steps.

mod backward;
mod forward;

use crate::arena::{Planner, Source, Span};
use crate::check::check_graph;
use crate::slots::Slots;
use eyespot_graph::{DeviceError, Graph};
use std::ops::Range;

/// The layers, and the steps in which they are computed forward and backward.
#[derive(Debug, Clone)]
pub struct TrainingPlan {
    /// What is computed.
    pub layers: Vec<Layer>,
    /// Which nodes each layer stands between.
    pub flows: Vec<Flow>,
    /// The forward pass; a step's place is its time.
    pub forward: Vec<Forward>,
    /// The backward pass; its first step's time is one more than the number of forward steps, the loss' time.
    pub backward: Vec<Backward>,
    /// The network's result.
    pub output: Span,
    /// Where the loss' gradient goes; none where nothing learns.
    pub gradient: Option<Span>,
    /// The buffers of all results and gradients.
    pub planner: Planner,
    /// The length of the block of batch means and standard deviations, see [`Norm`].
    pub statistics_len: usize,
    /// The length of the block of max poolings' winners, see [`Kind::MaxPool2d`].
    pub winners_len: usize,
}

impl TrainingPlan {
    /// Plans a program for up to `batch` pictures whose tensors lie as `slots` says.
    ///
    /// # Errors
    /// As [`check_graph`]; a layer that can't be trained; a tensor without a slot.
    pub fn new(graph: &Graph, slots: &Slots, batch: usize) -> Result<Self, DeviceError> {
        check_graph(graph, batch)?;
        let mut forward = forward::Plan::new(graph, slots, batch)?;
        let (backward, gradient) = backward::plan(&mut forward);
        Ok(Self {
            layers: forward.layers,
            flows: forward.flows,
            forward: forward.steps,
            backward,
            output: forward.output,
            gradient,
            planner: forward.planner,
            statistics_len: forward.statistics_len,
            winners_len: forward.winners_len,
        })
    }
}

/// A layer with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// The node it computes, the first one where several are fused; the operator's settings stand there.
    pub node: usize,
    /// What it computes.
    pub kind: Kind,
    /// Multiply-adds of one picture's forward pass.
    pub multiply_adds: u64,
    /// Numbers one picture's step touches or multiplies: what decides whether threads are worth while.
    pub work: usize,
}

/// What a layer computes. Ranges are the places of its tensors in the blocks that [`Slots`] lays out.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Batch norm with what follows it.
    Norm(Norm),
    /// The largest value of each window. Where each stood (the winners) is kept for the gradient.
    MaxPool2d {
        /// Where its winners begin in their block.
        start: usize,
        /// How many winners a picture has.
        per_image: usize,
    },
    /// One part of a concatenation: pixels of `channels` numbers into wider ones of `total`, from `offset` on.
    Insert {
        /// Numbers in a pixel of the part.
        channels: usize,
        /// Numbers in a pixel of the whole.
        total: usize,
        /// Where in the wider pixel the part begins.
        offset: usize,
    },
    /// Numbers dropped at random.
    Dropout {
        /// The probability to drop one.
        p: f32,
        /// Tells its mask from other layers'.
        layer: u64,
    },
    /// Any other operator, by itself, as it stands in the graph.
    Op {
        /// Its learned tensors, in PyTorch's order; empty for an operator without weights.
        tensors: Vec<Range<usize>>,
    },
    /// The input as it is: a network that changes nothing.
    Copy,
}

/// A batch norm.
#[derive(Debug, Clone, PartialEq)]
pub struct Norm {
    /// Learned.
    pub weight: Range<usize>,
    /// Learned.
    pub bias: Range<usize>,
    /// In the block of running statistics.
    pub running_mean: Range<usize>,
    /// In the block of running statistics.
    pub running_var: Range<usize>,
    /// The batch's mean, kept for the gradient in a block of its own ([`TrainingPlan::statistics_len`]).
    pub mean: Range<usize>,
    /// 1 / standard deviation, kept likewise.
    pub inv_std: Range<usize>,
    /// Added to the variance.
    pub eps: f32,
    /// How far the running statistics follow a batch's.
    pub momentum: f32,
    /// What follows.
    pub then: Then,
}

/// What follows a batch norm in the same pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    Nothing,
    /// A ReLU.
    Relu,
    /// A ReLU6.
    Relu6,
    /// A residual sum and a ReLU.
    AddRelu,
}

/// Which nodes' results a layer reads and which it computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Its inputs, in the operator's order; a batch norm's second one is the other summand of a sum.
    pub inputs: Vec<usize>,
    /// Its result; the last node of those that are fused.
    pub y: usize,
}

/// One step of the forward pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The layer it computes.
    pub layer: usize,
    /// What it reads, as in [`Flow::inputs`].
    pub inputs: Vec<Source>,
    /// The result; the same span as the input where the layer works in place.
    pub y: Span,
}

/// One step of the backward pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backward {
    /// The layer whose gradients it computes.
    pub layer: usize,
    /// What it does.
    pub task: Task,
    /// The layer's inputs, as in [`Flow::inputs`], where the task reads them; else empty.
    pub inputs: Vec<Source>,
    /// The layer's result, where the task reads it.
    pub y: Option<Source>,
    /// The gradient that comes from behind.
    pub d: Option<Span>,
    /// What is written.
    pub dx: Option<Span>,
}

/// What a backward step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// The gradients of the layer's tensors, from its input and `d`.
    Weights,
    /// The gradient at one of the layer's inputs: `dx` from `d`. A batch norm's tensors get theirs, too, and its `d` is
    /// left as the gradient at the other summand.
    Input(usize),
    /// The gradient at the only input, with `d` overwritten.
    InPlace,
    /// The layer's result again, into `dx`.
    Recompute,
    /// `dx ← dx + d`, where a result has several readers.
    AddTo,
    /// `dx ← d`.
    Copy,
}
