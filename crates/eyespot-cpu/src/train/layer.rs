//! The layers of a training program: what they compute, forward and backward.

use crate::arena::{Floats, Layout, Source, Span, borrow};
use eyespot_kernels::batch_norm::{self, Followed, Follows, Gradients, Parameters, Statistics};
use eyespot_kernels::conv2d::Conv2dTraining;
use eyespot_kernels::dropout::Dropout;
use eyespot_kernels::local_response_norm::LocalResponseNorm;
use eyespot_kernels::pointwise::{self, Pointwise};
use eyespot_kernels::{Threads, channels, gaussian, linear, pool, softmax};
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
    Pointwise(Pointwise),
    Softmax {
        n: usize,
    },
    LogSoftmax {
        n: usize,
    },
    /// `start` is where its winners begin, `per_image` how many a picture has.
    MaxPool2d {
        pool: pool::MaxPool2d,
        start: usize,
        per_image: usize,
    },
    AvgPool2d(pool::AvgPool2d),
    AdaptiveAvgPool2d(pool::AdaptiveAvgPool2d),
    Add,
    /// One part of a concatenation.
    Insert {
        channels: usize,
        total: usize,
        offset: usize,
    },
    PadShortcut(channels::PadShortcut),
    Flatten {
        pixels: usize,
        channels: usize,
    },
    Gaussian {
        inputs: usize,
        weight: Range<usize>,
    },
    LocalResponseNorm(LocalResponseNorm),
    /// `layer` tells its mask from other layers'.
    Dropout {
        p: f32,
        layer: u64,
    },
    Copy,
}

/// A batch norm.
#[derive(Debug)]
pub(super) struct Norm {
    pub(super) weight: Range<usize>,
    pub(super) bias: Range<usize>,
    pub(super) running_mean: Range<usize>,
    pub(super) running_var: Range<usize>,
    /// The batch's mean and 1 / standard deviation, kept for the gradient.
    pub(super) mean: Range<usize>,
    pub(super) inv_std: Range<usize>,
    pub(super) eps: f32,
    pub(super) momentum: f32,
    pub(super) then: Then,
}

/// What follows a batch norm in the same pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    Relu,
    Relu6,
    /// A residual sum and a ReLU.
    AddRelu,
}

impl Then {
    fn follows(self, other: Option<&[f32]>) -> Follows<'_> {
        match (self, other) {
            (Self::AddRelu, Some(other)) => Follows::AddRelu(other),
            (Self::Relu, _) => Follows::Relu,
            (Self::Relu6, _) => Follows::Relu6,
            _ => Follows::Nothing,
        }
    }

    fn followed(self) -> Followed {
        match self {
            Self::Relu => Followed::Relu,
            Self::Relu6 => Followed::Relu6,
            Self::Nothing | Self::AddRelu => Followed::Nothing,
        }
    }
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

/// One step of the forward pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Forward {
    pub(super) layer: usize,
    pub(super) x: Source,
    pub(super) other: Option<Source>,
    /// The same span as `x` where the layer works in place.
    pub(super) y: Span,
}

/// One step of the backward pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backward {
    pub(super) layer: usize,
    pub(super) task: Task,
    /// The layer's input, where the task reads it.
    pub(super) x: Option<Source>,
    /// The layer's result (for [`Task::Recompute`]: the other summand), where the task reads it.
    pub(super) y: Option<Source>,
    /// The gradient that comes from behind.
    pub(super) d: Option<Span>,
    /// What is written.
    pub(super) dx: Option<Span>,
}

/// What a backward step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// The gradients of the layer's tensors, from `x` and `d`.
    Weights,
    /// The gradient at the layer's input: `dx` from `d`.
    Input,
    /// The same, with `d` overwritten.
    InPlace,
    /// The layer's result again, into `dx`.
    Recompute,
    /// `dx ← dx + d`, where a result has several readers.
    AddTo,
    /// `dx ← d`.
    Copy,
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
                Kind::Pointwise(function) => pointwise::forward_in_place(threads, function, y),
                Kind::Dropout { p, layer } => draw.dropout(p, layer).apply_in_place(threads, y),
                _ => {}
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
                let parameters = norm.parameters(weights);
                let [mean, inv_std] = borrow(statistics, [norm.mean.clone(), norm.inv_std.clone()]);
                let [running_mean, running_var] =
                    borrow(running, [norm.running_mean.clone(), norm.running_var.clone()]);
                let momentum = norm.momentum;
                let statistics = Statistics { mean, inv_std, running_mean, running_var, momentum };
                batch_norm::forward(threads, parameters, statistics, norm.then.follows(other), x, y, sums);
            }
            Kind::Pointwise(function) => pointwise::forward(threads, *function, x, y),
            Kind::Softmax { n } => softmax::softmax(threads, *n, x, y),
            Kind::LogSoftmax { n } => softmax::log_softmax(threads, *n, x, y),
            Kind::MaxPool2d { pool, start, per_image } => {
                let winners = &mut winners[*start..start + images * per_image];
                pool.forward_training(threads, x, y, winners);
            }
            Kind::AvgPool2d(pool) => pool.forward(threads, x, y),
            Kind::AdaptiveAvgPool2d(pool) => pool.forward(threads, x, y),
            Kind::Add => pointwise::add(threads, x, other.unwrap_or(x), y),
            Kind::Insert { channels, total, offset } => {
                channels::insert(threads, *channels, x, *total, *offset, y);
            }
            Kind::PadShortcut(shortcut) => shortcut.forward(threads, x, y),
            Kind::Flatten { pixels, channels } => channels::flatten(threads, *pixels, *channels, x, y),
            Kind::Gaussian { inputs, weight } => gaussian::forward(threads, *inputs, x, part(weight), y),
            Kind::LocalResponseNorm(norm) => norm.forward(threads, x, y),
            Kind::Dropout { p, layer } => draw.dropout(*p, *layer).apply(threads, x, y),
            Kind::Copy => y.copy_from_slice(x),
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
                let follows = norm.then.follows(Some(y));
                batch_norm::apply(threads, norm.parameters(weights), mean, inv_std, follows, x, dx);
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
                let parameters = norm.parameters(weights);
                if task == Task::InPlace {
                    batch_norm::backward(threads, parameters, norm.then.followed(), gradients, x, d, sums);
                } else {
                    batch_norm::backward_add_relu(threads, parameters, gradients, x, y, d, dx, sums);
                }
            }
            (_, Kind::Pointwise(function)) => pointwise::backward_in_place(threads, *function, y, d),
            (_, Kind::Dropout { p, layer }) => draw.dropout(*p, *layer).apply_in_place(threads, d),
            (_, Kind::Softmax { n }) => softmax::softmax_backward(threads, *n, y, d, dx),
            (_, Kind::LogSoftmax { n }) => softmax::log_softmax_backward(threads, *n, y, d, dx),
            (_, Kind::MaxPool2d { pool, start, per_image }) => {
                pool.backward(threads, &winners[*start..start + images * per_image], d, dx);
            }
            (_, Kind::AvgPool2d(pool)) => pool.backward(threads, d, dx),
            (_, Kind::AdaptiveAvgPool2d(pool)) => pool.backward(threads, d, dx),
            (_, Kind::Insert { channels, total, offset }) => {
                channels::extract(threads, *channels, dx, *total, *offset, d);
            }
            (_, Kind::PadShortcut(shortcut)) => shortcut.backward(threads, d, dx),
            (_, Kind::Flatten { pixels, channels }) => {
                channels::flatten_backward(threads, *pixels, *channels, d, dx);
            }
            (_, Kind::LocalResponseNorm(norm)) => norm.backward(threads, x, d, dx),
            // The plan gives other layers no other tasks.
            (_, Kind::Conv { .. } | Kind::Linear { .. } | Kind::Gaussian { .. } | Kind::Add | Kind::Copy) => {
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
            Kind::Pointwise(_) => "pointwise",
            Kind::Softmax { .. } | Kind::LogSoftmax { .. } => "softmax",
            Kind::MaxPool2d { .. } => "max_pool",
            Kind::AvgPool2d(_) => "avg_pool",
            Kind::AdaptiveAvgPool2d(_) => "adaptive_avg_pool",
            Kind::Add => "add",
            Kind::Insert { .. } | Kind::Copy => "copy",
            Kind::PadShortcut(_) => "pad_shortcut",
            Kind::Flatten { .. } => "flatten",
            Kind::Gaussian { .. } => "gaussian",
            Kind::LocalResponseNorm(_) => "local_response_norm",
            Kind::Dropout { .. } => "dropout",
        }
    }
}

impl Norm {
    fn parameters<'a>(&self, weights: &'a [f32]) -> Parameters<'a> {
        Parameters { weight: &weights[self.weight.clone()], bias: &weights[self.bias.clone()], eps: self.eps }
    }
}
