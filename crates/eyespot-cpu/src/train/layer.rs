//! The layers of a training program: what they compute, forward and backward.

use crate::memory::{Floats, borrow};
use crate::plain::Plain;
use crate::shapes;
use eyespot_compile::training::{self, Backward, Forward, Norm, Task, Then};
use eyespot_compile::{Layout, Source, in_and_out};
use eyespot_graph::{DeviceError, Graph, Op};
use eyespot_kernels::batch_norm::{self, Followed, Follows, Gradients, Parameters, Statistics};
use eyespot_kernels::conv2d::Conv2dTraining;
use eyespot_kernels::dropout::Dropout;
use eyespot_kernels::{Threads, gaussian, linear, pointwise, pool};
use std::ops::Range;

/// What a layer computes. Ranges are the places of its tensors in their blocks.
#[derive(Debug)]
pub(super) enum Kind {
    Conv {
        plan: Box<Conv2dTraining>,
        weight: Range<usize>,
        bias: Option<Range<usize>>,
    },
    Linear {
        sizes: (usize, usize),
        weight: Range<usize>,
        bias: Option<Range<usize>>,
    },
    /// Batch norm with what follows it.
    Norm(Norm),
    /// `start` is where its winners begin, `per_image` how many a picture has.
    MaxPool2d {
        pool: pool::MaxPool2d,
        start: usize,
        per_image: usize,
    },
    Gaussian {
        inputs: usize,
        weight: Range<usize>,
    },
    /// `layer` tells its mask from other layers'.
    Dropout {
        p: f32,
        layer: u64,
    },
    /// An operator without weights.
    Plain(Plain),
}

/// A layer with a name.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Multiply-adds of one picture's forward pass.
    pub(super) multiply_adds: u64,
    /// Floats one picture's step touches or multiplies: what decides whether threads are worth while.
    pub(super) work: usize,
}

/// Everything a training program writes while it runs.
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

/// What decides dropout.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    pub(super) seed: u64,
    pub(super) step: u64,
}

impl Draw {
    fn dropout(self, p: f32, layer: u64) -> Dropout {
        Dropout { p, seed: self.seed, step: self.step, layer }
    }
}

impl Layer {
    /// What computes a planned layer.
    pub(super) fn new(graph: &Graph, layer: training::Layer, batch: usize) -> Result<Self, DeviceError> {
        use training::Kind as Planned;
        let training::Layer { name, node, kind, multiply_adds, work } = layer;
        let op = &graph.nodes[node].op;
        let kind = match (kind, op) {
            (Planned::Conv2d { weight, bias }, Op::Conv2d(op)) => {
                let shape = shapes::conv2d(op, in_and_out(graph, node));
                Kind::Conv { plan: Box::new(Conv2dTraining::new(shape, batch)), weight, bias }
            }
            (Planned::Linear { weight, bias }, Op::Linear(op)) => {
                Kind::Linear { sizes: (op.in_features, op.out_features), weight, bias }
            }
            (Planned::Norm(norm), _) => Kind::Norm(norm),
            (Planned::MaxPool2d { start, per_image }, Op::MaxPool2d(op)) => {
                if op.kernel.0.saturating_mul(op.kernel.1) > pool::MaxPool2d::MOST_TAPS {
                    let reason = format!("a pooling window of {:?} is too large to be trained", op.kernel);
                    return Err(DeviceError::Unsupported { node: name, reason });
                }
                let pool = shapes::max_pool2d(op, in_and_out(graph, node));
                Kind::MaxPool2d { pool, start, per_image }
            }
            (Planned::Gaussian { weight }, Op::Gaussian(op)) => {
                Kind::Gaussian { inputs: op.in_features, weight }
            }
            (Planned::Dropout { p, layer }, _) => Kind::Dropout { p, layer },
            (Planned::Insert { channels, total, offset }, _) => {
                Kind::Plain(Plain::Insert { channels, total, offset })
            }
            (Planned::Pointwise(function), _) => Kind::Plain(Plain::Pointwise(shapes::pointwise(function))),
            (Planned::Copy, _) => Kind::Plain(Plain::Copy),
            _ => Kind::Plain(Plain::of(graph, node)),
        };
        Ok(Self { name, kind, multiply_adds, work })
    }

    /// Computes one forward step for `images` pictures.
    #[allow(clippy::too_many_arguments)] // the plain list reads better than a struct used twice
    pub(super) fn forward(
        &self,
        step: &Forward,
        threads: &Threads,
        images: usize,
        draw: Draw,
        input: &[f32],
        weights: &[f32],
        running: &mut [f32],
        memory: &mut Memory,
    ) {
        let Memory { layout, arena, statistics, winners, scratch, sums, .. } = memory;
        if step.x == Source::Arena(step.y) {
            let y = &mut arena[layout.range(step.y, images)];
            match self.kind {
                Kind::Plain(Plain::Pointwise(function)) => pointwise::forward_in_place(threads, function, y),
                Kind::Dropout { p, layer } => draw.dropout(p, layer).apply_in_place(threads, y),
                _ => unreachable!("only element-wise layers are planned in place"),
            }
            return;
        }
        let other_span = step.other.filter(|other| *other != step.x).and_then(Source::span);
        let [x, other, y] = borrow(
            arena,
            [
                layout.range_or_empty(step.x.span(), images),
                layout.range_or_empty(other_span, images),
                layout.range(step.y, images),
            ],
        );
        let x = if step.x == Source::Input { input } else { &*x };
        let other: Option<&[f32]> = step.other.map(|source| match source {
            same if same == step.x => x,
            Source::Input => input,
            Source::Arena(_) => &*other,
        });
        let part = |range: &Range<usize>| &weights[range.clone()];
        match &self.kind {
            Kind::Conv { plan, weight, bias } => {
                plan.forward(threads, images, x, part(weight), bias.as_ref().map(part), y, scratch);
            }
            Kind::Linear { sizes, weight, bias } => {
                linear::forward(threads, *sizes, images, x, part(weight), bias.as_ref().map(part), y);
            }
            Kind::Norm(norm) => {
                let parameters = parameters(norm, weights);
                let [mean, inv_std] = borrow(statistics, [norm.mean.clone(), norm.inv_std.clone()]);
                let [running_mean, running_var] =
                    borrow(running, [norm.running_mean.clone(), norm.running_var.clone()]);
                let momentum = norm.momentum;
                let statistics = Statistics { mean, inv_std, running_mean, running_var, momentum };
                batch_norm::forward(threads, parameters, statistics, follows(norm.then, other), x, y, sums);
            }
            Kind::MaxPool2d { pool, start, per_image } => {
                let winners = &mut winners[*start..start + images * per_image];
                pool.forward_training(threads, x, y, winners);
            }
            Kind::Gaussian { inputs, weight } => gaussian::forward(threads, *inputs, x, part(weight), y),
            Kind::Dropout { p, layer } => draw.dropout(*p, *layer).apply(threads, x, y),
            Kind::Plain(plain) => plain.forward(threads, x, other, y),
        }
    }

    /// Computes one backward step for `images` pictures.
    #[allow(clippy::too_many_arguments)] // as above
    pub(super) fn backward(
        &self,
        step: &Backward,
        threads: &Threads,
        images: usize,
        draw: Draw,
        input: &[f32],
        weights: &[f32],
        memory: &mut Memory,
    ) {
        let Memory { layout, arena, statistics, winners, gradients, scratch, sums } = memory;
        let y_span = step.y.filter(|_| step.y != step.x).and_then(Source::span);
        let [x, y, d, dx] = borrow(
            arena,
            [
                layout.range_or_empty(step.x.and_then(Source::span), images),
                layout.range_or_empty(y_span, images),
                layout.range_or_empty(step.d, images),
                layout.range_or_empty(step.dx, images),
            ],
        );
        let x = if step.x == Some(Source::Input) { input } else { &*x };
        let y: &[f32] = match step.y {
            same if same == step.x => x,
            Some(Source::Input) => input,
            _ => &*y,
        };
        let part = |range: &Range<usize>| &weights[range.clone()];
        match (step.task, &self.kind) {
            (Task::AddTo, _) => pointwise::add_to(threads, d, dx),
            (Task::Copy, _) => dx.copy_from_slice(d),
            (Task::Recompute, Kind::Norm(norm)) => {
                let (mean, inv_std) = (&statistics[norm.mean.clone()], &statistics[norm.inv_std.clone()]);
                let follows = follows(norm.then, Some(y));
                batch_norm::apply(threads, parameters(norm, weights), mean, inv_std, follows, x, dx);
            }
            (Task::Weights, Kind::Conv { plan, weight, bias }) => {
                let [dw, db] = borrow(gradients, [weight.clone(), bias.clone().unwrap_or(0..0)]);
                plan.backward_weights(threads, images, x, d, dw, bias.is_some().then_some(db), scratch);
            }
            (Task::Input, Kind::Conv { plan, weight, .. }) => {
                plan.backward_input(threads, images, d, part(weight), dx, scratch);
            }
            (Task::Weights, Kind::Linear { sizes, weight, bias }) => {
                let [dw, db] = borrow(gradients, [weight.clone(), bias.clone().unwrap_or(0..0)]);
                linear::backward_weights(threads, *sizes, images, x, d, dw, bias.is_some().then_some(db));
            }
            (Task::Input, Kind::Linear { sizes, weight, .. }) => {
                linear::backward_input(threads, *sizes, images, d, part(weight), dx);
            }
            (Task::Weights, Kind::Gaussian { inputs, weight }) => {
                let dw = &mut gradients[weight.clone()];
                gaussian::backward_weights(threads, *inputs, x, part(weight), d, dw);
            }
            (Task::Input, Kind::Gaussian { inputs, weight }) => {
                gaussian::backward_input(threads, *inputs, x, part(weight), d, dx);
            }
            (task, Kind::Norm(norm)) => {
                let [weight, bias] = borrow(gradients, [norm.weight.clone(), norm.bias.clone()]);
                let (mean, inv_std) = (&statistics[norm.mean.clone()], &statistics[norm.inv_std.clone()]);
                let gradients = Gradients { mean, inv_std, weight, bias };
                let parameters = parameters(norm, weights);
                if task == Task::InPlace {
                    batch_norm::backward(threads, parameters, followed(norm.then), gradients, x, d, sums);
                } else {
                    batch_norm::backward_add_relu(threads, parameters, gradients, x, y, d, dx, sums);
                }
            }
            (_, Kind::Dropout { p, layer }) => draw.dropout(*p, *layer).apply_in_place(threads, d),
            (_, Kind::MaxPool2d { pool, start, per_image }) => {
                pool.backward(threads, &winners[*start..start + images * per_image], d, dx);
            }
            (_, Kind::Plain(plain)) => plain.backward(threads, x, y, d, dx),
            (task, Kind::Conv { .. } | Kind::Linear { .. } | Kind::Gaussian { .. }) => {
                unreachable!("{task:?} is planned for none of these layers")
            }
        }
    }

    /// How the layer is computed, for tables of timings.
    pub(super) fn algorithm(&self) -> &'static str {
        match &self.kind {
            Kind::Conv { .. } => "conv2d",
            Kind::Linear { .. } => "linear",
            Kind::Norm(norm) => match norm.then {
                Then::Nothing => "batch_norm",
                Then::Relu | Then::Relu6 => "batch_norm+relu",
                Then::AddRelu => "batch_norm+add+relu",
            },
            Kind::MaxPool2d { .. } => "max_pool",
            Kind::Gaussian { .. } => "gaussian",
            Kind::Plain(plain) => plain.algorithm(),
            Kind::Dropout { .. } => "dropout",
        }
    }
}

fn parameters<'a>(norm: &Norm, weights: &'a [f32]) -> Parameters<'a> {
    Parameters { weight: &weights[norm.weight.clone()], bias: &weights[norm.bias.clone()], eps: norm.eps }
}

/// What the kernel computes after the batch norm; `other` is the second summand.
fn follows(then: Then, other: Option<&[f32]>) -> Follows<'_> {
    match then {
        Then::Nothing => Follows::Nothing,
        Then::Relu => Follows::Relu,
        Then::Relu6 => Follows::Relu6,
        Then::AddRelu => Follows::AddRelu(other.expect("a residual sum has two summands")),
    }
}

/// What was computed after the batch norm, for a gradient in place.
fn followed(then: Then) -> Followed {
    match then {
        Then::Nothing => Followed::Nothing,
        Then::Relu => Followed::Relu,
        Then::Relu6 => Followed::Relu6,
        Then::AddRelu => unreachable!("the gradient of a residual sum is no task in place"),
    }
}
