//! What the CPU computes, one file per operator: how its kernels are called, forward and backward, and what they need.
//!
//! An operator without weights is one value that inference and training share. One with weights has two: inference packs
//! them, training reads them where the optimizer writes them.

mod add;
mod avg_pool;
mod batch_norm;
mod concat;
mod conv2d;
mod copy;
mod dropout;
mod flatten;
mod gaussian;
mod linear;
mod local_response_norm;
mod max_pool;
mod mul;
mod pad_shortcut;
mod pointwise;
mod softmax;

pub(crate) use conv2d::{Conv2d, Separable};
use pointwise::Pointwise;

use crate::memory::Inputs;
use eyespot_compile::{in_and_out, inference, training};
use eyespot_graph::{DeviceError, Graph, Op, Params};
use eyespot_kernels::{Threads, pointwise::Pointwise as Function};
use std::fmt::Debug;

/// An operator, ready to be computed. Maps are images × height × width × channels.
///
/// Steps call what they are planned for; the plan never asks an operator for a method that it hasn't got.
pub(crate) trait Operator: Debug + Send + Sync {
    /// How it is computed, for tables of timings.
    fn algorithm(&self) -> &'static str;

    /// Floats of [`Call::scratch`] that it uses.
    fn scratch_len(&self, _threads: &Threads) -> usize {
        0
    }

    /// Numbers of [`State::sums`] that it uses.
    fn sums_len(&self) -> usize {
        0
    }

    /// Bytes of its packed weights.
    fn weight_bytes(&self) -> usize {
        0
    }

    /// Computes the result from the inputs.
    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]);

    /// The same, with the only input overwritten by the result. For element-wise operators.
    fn forward_in_place(&self, _call: Call, _y: &mut [f32]) {
        unreachable!("{self:?} isn't planned in place")
    }

    /// Computes the result once more for the backward pass, with the statistics of the forward pass.
    fn recompute(&self, _call: Call, _inputs: Inputs, _y: &mut [f32]) {
        unreachable!("{self:?} isn't computed again")
    }

    /// The gradients of its weights, from the gradient `d` at its result.
    fn backward_weights(&self, _call: Call, _inputs: Inputs, _d: &[f32]) {
        unreachable!("{self:?} has no weights")
    }

    /// The gradient `dx` at input number `index`, from the gradient `d` at the result.
    fn backward_input(&self, _call: Call, _index: usize, _kept: Kept, _d: &mut [f32], _dx: &mut [f32]) {
        unreachable!("{self:?} has no gradient at its input")
    }

    /// The gradient at the only input, which overwrites the gradient `d` at the result.
    fn backward_in_place(&self, _call: Call, _kept: Kept, _d: &mut [f32]) {
        unreachable!("{self:?} has no gradient in place")
    }
}

/// What every call gets.
pub(crate) struct Call<'a> {
    pub(crate) threads: &'a Threads,
    pub(crate) images: usize,
    /// At least as long as [`Operator::scratch_len`]; holds anything.
    pub(crate) scratch: &'a mut [f32],
    /// Empty in inference.
    pub(crate) state: State<'a>,
}

/// What a training program keeps. Ranges in an operator say which part of a block is its own.
#[derive(Default)]
pub(crate) struct State<'a> {
    /// Learned weights.
    pub(crate) learned: &'a [f32],
    /// Their gradients, laid out alike.
    pub(crate) gradients: &'a mut [f32],
    /// Running means and variances.
    pub(crate) running: &'a mut [f32],
    /// Batch means and standard deviations of all batch norms.
    pub(crate) statistics: &'a mut [f32],
    /// Where each window's largest value stood, of all max poolings.
    pub(crate) winners: &'a mut [u16],
    /// At least as long as [`Operator::sums_len`]; holds anything.
    pub(crate) sums: &'a mut [f64],
    pub(crate) draw: Draw,
}

/// What decides dropout.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Draw {
    pub(crate) seed: u64,
    pub(crate) step: u64,
}

/// What the forward pass read and computed; empty where the plan says that the gradient doesn't read it.
pub(crate) struct Kept<'a> {
    pub(crate) inputs: Inputs<'a>,
    pub(crate) y: &'a [f32],
}

/// What computes a step of an inference program.
#[derive(Debug)]
pub(crate) enum Kernel {
    /// A convolution, which may still be fused with its neighbours.
    Conv2d(Conv2d),
    Op(Box<dyn Operator>),
}

impl Kernel {
    pub(crate) fn operator(&self) -> &dyn Operator {
        match self {
            Self::Conv2d(conv2d) => conv2d,
            Self::Op(operator) => &**operator,
        }
    }
}

/// Makes what computes a planned step, its weights packed.
pub(crate) fn inference(
    graph: &Graph,
    params: &Params,
    batch: usize,
    step: &inference::Step,
) -> Result<Kernel, DeviceError> {
    use inference::Kind;
    let node = step.node;
    let name = graph.nodes[node].name.as_str();
    Ok(Kernel::Op(match (&step.kind, &graph.nodes[node].op) {
        (Kind::Conv2d { norms, activation, out_stride }, Op::Conv2d(op)) => {
            let (weights, bias) = eyespot_compile::conv2d_weights(graph, params, node, norms)?;
            let shapes = in_and_out(graph, node);
            let weights = (&weights[..], bias.as_deref());
            return Ok(Kernel::Conv2d(Conv2d::new(op, shapes, batch, weights, *activation, *out_stride)));
        }
        (Kind::Linear { map, activation }, Op::Linear(op)) => {
            Box::new(linear::Linear::new(op, name, params, *map, *activation)?)
        }
        (Kind::Gaussian { map }, Op::Gaussian(op)) => {
            Box::new(gaussian::Gaussian::new(op, name, params, *map)?)
        }
        (&Kind::Insert { channels, total, offset }, _) => {
            Box::new(concat::Insert { channels, total, offset })
        }
        (Kind::Copy, _) => Box::new(copy::Copy),
        (Kind::Op, Op::BatchNorm2d(op)) => Box::new(batch_norm::ScaleShift::new(op, name, params)?),
        (Kind::Op, Op::MaxPool2d(op)) => Box::new(max_pool::MaxPool2d::new(op, in_and_out(graph, node))),
        _ => without_weights(graph, node),
    }))
}

/// Makes what computes a planned layer.
pub(crate) fn training(
    graph: &Graph,
    layer: &training::Layer,
    (input, batch): (usize, usize),
) -> Result<Box<dyn Operator>, DeviceError> {
    use training::Kind;
    let node = layer.node;
    Ok(match (&layer.kind, &graph.nodes[node].op) {
        (Kind::Norm(norm), _) => {
            Box::new(batch_norm::Training::new(norm.clone(), graph.nodes[input].shape, batch))
        }
        (&Kind::Dropout { p, layer }, _) => Box::new(dropout::Dropout { p, layer }),
        (&Kind::Insert { channels, total, offset }, _) => {
            Box::new(concat::Insert { channels, total, offset })
        }
        (Kind::Copy, _) => Box::new(copy::Copy),
        (&Kind::MaxPool2d { start, per_image }, Op::MaxPool2d(op)) => {
            Box::new(max_pool::Training::new(op, &layer.name, in_and_out(graph, node), (start, per_image))?)
        }
        (Kind::Op { tensors }, Op::Conv2d(op)) => {
            Box::new(conv2d::Training::new(op, in_and_out(graph, node), batch, tensors))
        }
        (Kind::Op { tensors }, Op::Linear(op)) => Box::new(linear::Training::new(op, tensors)),
        (Kind::Op { tensors }, Op::Gaussian(op)) => Box::new(gaussian::Training::new(op, tensors)),
        _ => without_weights(graph, node),
    })
}

/// The operators that inference and training share.
fn without_weights(graph: &Graph, node: usize) -> Box<dyn Operator> {
    let shapes = in_and_out(graph, node);
    match &graph.nodes[node].op {
        Op::Relu => Box::new(Pointwise(Function::Relu)),
        Op::Relu6 => Box::new(Pointwise(Function::Relu6)),
        Op::LeakyRelu { slope } => Box::new(Pointwise(Function::LeakyRelu(*slope))),
        Op::Sigmoid => Box::new(Pointwise(Function::Sigmoid)),
        Op::Tanh => Box::new(Pointwise(Function::Tanh)),
        Op::Sgn => Box::new(Pointwise(Function::Sgn)),
        Op::Gelu { tanh: false } => Box::new(Pointwise(Function::Gelu)),
        Op::Gelu { tanh: true } => Box::new(Pointwise(Function::GeluTanh)),
        Op::Silu => Box::new(Pointwise(Function::Silu)),
        Op::HardSwish => Box::new(Pointwise(Function::HardSwish)),
        Op::HardSigmoid => Box::new(Pointwise(Function::HardSigmoid)),
        Op::Softmax => Box::new(softmax::Softmax { n: shapes.0.channels() }),
        Op::LogSoftmax => Box::new(softmax::LogSoftmax { n: shapes.0.channels() }),
        Op::AvgPool2d(op) => Box::new(avg_pool::AvgPool2d::new(op, shapes)),
        Op::AdaptiveAvgPool2d { .. } => Box::new(avg_pool::AdaptiveAvgPool2d::new(shapes)),
        Op::Add => Box::new(add::Add),
        Op::Mul => Box::new(mul::Mul::new(shapes.0, graph.node(graph.nodes[node].inputs[1]).shape)),
        Op::PadShortcut(op) => Box::new(pad_shortcut::PadShortcut::new(op, shapes.0)),
        Op::Flatten => Box::new(flatten::Flatten::new(shapes.0)),
        Op::LocalResponseNorm(op) => Box::new(local_response_norm::LocalResponseNorm::new(op, shapes.0)),
        op => unreachable!("the plan has a kind of its own for {}", op.kind()),
    }
}
