//! Operators without weights, which inference and training compute alike.

use crate::shapes;
use eyespot_compile::in_and_out;
use eyespot_graph::{Graph, Op};
use eyespot_kernels::local_response_norm::LocalResponseNorm;
use eyespot_kernels::pointwise::{self, Pointwise};
use eyespot_kernels::{Threads, channels, pool, softmax};

/// An operator without weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Plain {
    Pointwise(Pointwise),
    Softmax {
        n: usize,
    },
    LogSoftmax {
        n: usize,
    },
    AvgPool2d(pool::AvgPool2d),
    AdaptiveAvgPool2d(pool::AdaptiveAvgPool2d),
    Add,
    /// Pixels of `channels` floats into wider ones of `total`, from `offset` on: one part of a concatenation.
    Insert {
        channels: usize,
        total: usize,
        offset: usize,
    },
    PadShortcut(channels::PadShortcut),
    /// From memory order to PyTorch's.
    Flatten {
        pixels: usize,
        channels: usize,
    },
    LocalResponseNorm(LocalResponseNorm),
    Copy,
}

impl Plain {
    /// The operator at a node.
    pub(crate) fn of(graph: &Graph, node: usize) -> Self {
        let shapes = in_and_out(graph, node);
        let input = shapes.0;
        match &graph.nodes[node].op {
            Op::Softmax => Self::Softmax { n: input.channels() },
            Op::LogSoftmax => Self::LogSoftmax { n: input.channels() },
            Op::AvgPool2d(op) => Self::AvgPool2d(shapes::avg_pool2d(op, shapes)),
            Op::AdaptiveAvgPool2d { .. } => Self::AdaptiveAvgPool2d(shapes::adaptive_avg_pool2d(shapes)),
            Op::Add => Self::Add,
            Op::PadShortcut(op) => Self::PadShortcut(shapes::pad_shortcut(op, input)),
            Op::Flatten => Self::Flatten { pixels: input.pixels(), channels: input.channels() },
            Op::LocalResponseNorm(op) => Self::LocalResponseNorm(shapes::local_response_norm(op, input)),
            op => unreachable!("the plan has a kind of its own for {}", op.kind()),
        }
    }

    pub(crate) fn forward(&self, threads: &Threads, x: &[f32], other: Option<&[f32]>, y: &mut [f32]) {
        match self {
            Self::Pointwise(function) => pointwise::forward(threads, *function, x, y),
            Self::Softmax { n } => softmax::softmax(threads, *n, x, y),
            Self::LogSoftmax { n } => softmax::log_softmax(threads, *n, x, y),
            Self::AvgPool2d(pool) => pool.forward(threads, x, y),
            Self::AdaptiveAvgPool2d(pool) => pool.forward(threads, x, y),
            Self::Add => pointwise::add(threads, x, other.expect("a sum has two summands"), y),
            Self::Insert { channels, total, offset } => {
                channels::insert(threads, *channels, x, *total, *offset, y);
            }
            Self::PadShortcut(shortcut) => shortcut.forward(threads, x, y),
            Self::Flatten { pixels, channels } => channels::flatten(threads, *pixels, *channels, x, y),
            Self::LocalResponseNorm(norm) => norm.forward(threads, x, y),
            Self::Copy => y.copy_from_slice(x),
        }
    }

    /// The gradient `d` at the result becomes that at the input: in place for an element-wise function, else in `dx`.
    /// `x` and `y` are what was read and computed, where the plan says that the operator needs it.
    pub(crate) fn backward(&self, threads: &Threads, x: &[f32], y: &[f32], d: &mut [f32], dx: &mut [f32]) {
        match self {
            Self::Pointwise(function) => pointwise::backward_in_place(threads, *function, y, d),
            Self::Softmax { n } => softmax::softmax_backward(threads, *n, y, d, dx),
            Self::LogSoftmax { n } => softmax::log_softmax_backward(threads, *n, y, d, dx),
            Self::AvgPool2d(pool) => pool.backward(threads, d, dx),
            Self::AdaptiveAvgPool2d(pool) => pool.backward(threads, d, dx),
            Self::Insert { channels, total, offset } => {
                channels::extract(threads, *channels, dx, *total, *offset, d);
            }
            Self::PadShortcut(shortcut) => shortcut.backward(threads, d, dx),
            Self::Flatten { pixels, channels } => {
                channels::flatten_backward(threads, *pixels, *channels, d, dx);
            }
            Self::LocalResponseNorm(norm) => norm.backward(threads, x, d, dx),
            Self::Add => unreachable!("a sum's gradient is handed on or copied, for which there are tasks"),
            Self::Copy => unreachable!("a copied input has no gradient"),
        }
    }

    /// How it is computed, for tables of timings.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Pointwise(_) => "pointwise",
            Self::Softmax { .. } | Self::LogSoftmax { .. } => "softmax",
            Self::AvgPool2d(_) => "avg_pool",
            Self::AdaptiveAvgPool2d(_) => "adaptive_avg_pool",
            Self::Add => "add",
            Self::Insert { .. } | Self::Copy => "copy",
            Self::PadShortcut(_) => "pad_shortcut",
            Self::Flatten { .. } => "flatten",
            Self::LocalResponseNorm(_) => "local_response_norm",
        }
    }
}
