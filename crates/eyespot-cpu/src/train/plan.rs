//! From a graph to the steps of a training program: forward first.
//!
//! All times count on one clock: forward steps come first, then the caller's loss, then the backward steps. A result
//! that a backward step reads lives until then; [`super::backward`] decides which are computed again instead.

use super::layer::{Forward, Kind, Layer, Norm, Then};
use super::weights::Weights;
use crate::analysis::{Analysis, Purpose};
use crate::arena::{Planner, Source, Span};
use crate::shapes;
use eyespot_graph::{DeviceError, Graph, Op};
use eyespot_kernels::conv2d::Conv2dTraining;
use eyespot_kernels::pool::MaxPool2d;
use std::collections::HashMap;
use std::ops::Range;

/// Which nodes' results a layer reads and which it computes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flow {
    pub(super) x: usize,
    pub(super) other: Option<usize>,
    pub(super) y: usize,
}

/// The forward pass, and all that planning the backward pass needs.
pub(super) struct Plan<'a> {
    pub(super) graph: &'a Graph,
    pub(super) batch: usize,
    pub(super) analysis: Analysis,
    pub(super) planner: Planner,
    pub(super) layers: Vec<Layer>,
    /// One for each layer.
    pub(super) flows: Vec<Flow>,
    pub(super) forward: Vec<Forward>,
    /// Where each node's result lies; none for those that are never stored.
    pub(super) places: Vec<Option<Source>>,
    /// Which layer computes a node's result.
    pub(super) producers: Vec<Option<usize>>,
    /// Whether a node's result depends on something learned.
    pub(super) learns: Vec<bool>,
    pub(super) output: Span,
    /// Lengths of the blocks that the layers share.
    pub(super) statistics_len: usize,
    pub(super) winners_len: usize,
    tensors: HashMap<&'a str, Range<usize>>,
    fused: Vec<bool>,
}

impl<'a> Plan<'a> {
    /// Plans the forward pass of a checked graph.
    pub(super) fn new(graph: &'a Graph, weights: &'a Weights, batch: usize) -> Result<Self, DeviceError> {
        let count = graph.nodes.len();
        let mut planner = Planner::default();
        let mut plan = Self {
            graph,
            batch,
            analysis: Analysis::new(graph, Purpose::Training),
            output: planner.buffer(graph.output_shape().elements(), batch),
            planner,
            layers: Vec::new(),
            flows: Vec::new(),
            forward: Vec::new(),
            places: vec![None; count],
            producers: vec![None; count],
            learns: vec![false; count],
            statistics_len: 0,
            winners_len: 0,
            tensors: weights.places(),
            fused: vec![false; count],
        };
        plan.places[0] = Some(Source::Input);
        for node in 1..count {
            if plan.analysis.computes[node] && !plan.fused[node] {
                plan.node(node)?;
            }
        }
        match plan.places[plan.analysis.output] {
            Some(Source::Arena(span)) => plan.output = span,
            // A network that changes nothing still hands out a result of its own.
            _ => {
                let (flow, y) = (Flow { x: 0, other: None, y: count - 1 }, plan.output);
                plan.push("output", Kind::Copy, flow, y, 0);
            }
        }
        let (output, loss) = (plan.output, plan.forward.len());
        plan.planner.touch(output, loss);
        Ok(plan)
    }

    pub(super) fn new_span(&mut self, node: usize) -> Span {
        self.planner.buffer(self.graph.nodes[node].shape.elements(), self.batch)
    }

    fn push(&mut self, name: &str, kind: Kind, flow: Flow, y: Span, multiply_adds: u64) {
        let time = self.forward.len();
        let place = |node: usize| self.places[node].unwrap_or(Source::Input);
        let (x, other) = (place(flow.x), flow.other.map(place));
        for span in [x.span(), other.and_then(Source::span), Some(y)].into_iter().flatten() {
            self.planner.touch(span, time);
        }
        let read = self.graph.nodes[flow.x].shape.elements();
        let work = y
            .per_image
            .saturating_add(read)
            .saturating_add(usize::try_from(multiply_adds).unwrap_or(usize::MAX));
        let has_weights =
            matches!(kind, Kind::Conv { .. } | Kind::Linear { .. } | Kind::Gaussian { .. } | Kind::Norm(_));
        let before = self.learns[flow.x] || flow.other.is_some_and(|other| self.learns[other]);
        let blocks = matches!(kind, Kind::Pointwise(eyespot_kernels::pointwise::Pointwise::Sgn));
        // Each part of a concatenation adds to what is known of the whole.
        self.learns[flow.y] |= (has_weights || before) && !blocks;
        self.producers[flow.y] = Some(self.layers.len());
        self.places[flow.y] = Some(Source::Arena(y));
        self.forward.push(Forward { layer: self.layers.len(), x, other, y });
        self.layers.push(Layer { name: name.to_owned(), kind, multiply_adds, work });
        self.flows.push(flow);
    }

    /// Where a tensor of a node lies in its block.
    fn tensor(&self, node: usize, suffix: &str) -> Range<usize> {
        let name = format!("{}.{suffix}", self.graph.nodes[node].name);
        self.tensors.get(name.as_str()).cloned().unwrap_or(0..0)
    }

    fn node(&mut self, node: usize) -> Result<(), DeviceError> {
        let graph = self.graph;
        let inputs = self.analysis.inputs(graph, node);
        let shapes = shapes::in_and_out(graph, node);
        let name = graph.nodes[node].name.as_str();
        let op = &graph.nodes[node].op;
        let (weight, bias) = (self.tensor(node, "weight"), self.tensor(node, "bias"));
        let kind = match op {
            Op::Input => return Ok(()),
            Op::BatchNorm2d(op) => {
                self.norm(node, inputs[0], op);
                return Ok(());
            }
            Op::Concat => {
                self.concat(node, &inputs);
                return Ok(());
            }
            Op::Relu | Op::Relu6 | Op::LeakyRelu { .. } | Op::Sigmoid | Op::Tanh | Op::Sgn => {
                if let Op::LeakyRelu { slope } = op
                    && slope.is_sign_negative()
                {
                    let reason = format!("a leaky ReLU with the negative slope {slope} can't be trained");
                    return Err(DeviceError::Unsupported { node: name.to_owned(), reason });
                }
                let Some(function) = shapes::pointwise(op) else { return Ok(()) };
                self.element_wise(node, inputs[0], Kind::Pointwise(function));
                return Ok(());
            }
            Op::Dropout { p } => {
                self.element_wise(node, inputs[0], Kind::Dropout { p: *p, layer: node as u64 });
                return Ok(());
            }
            Op::Conv2d(op) => {
                let plan = Box::new(Conv2dTraining::new(shapes::conv2d(op, shapes), self.batch));
                Kind::Conv { plan, weight, bias: op.bias.then_some(bias) }
            }
            Op::Linear(op) => {
                let sizes = (op.in_features, op.out_features);
                Kind::Linear { sizes, weight, bias: op.bias.then_some(bias) }
            }
            Op::Softmax => Kind::Softmax { n: shapes.0.channels() },
            Op::LogSoftmax => Kind::LogSoftmax { n: shapes.0.channels() },
            Op::MaxPool2d(op) => {
                if op.kernel.0.saturating_mul(op.kernel.1) > MaxPool2d::MOST_TAPS {
                    let reason = format!("a pooling window of {:?} is too large to be trained", op.kernel);
                    return Err(DeviceError::Unsupported { node: name.to_owned(), reason });
                }
                let (start, per_image) = (self.winners_len, shapes.1.elements());
                self.winners_len = start.saturating_add(per_image.saturating_mul(self.batch));
                Kind::MaxPool2d { pool: shapes::max_pool2d(op, shapes), start, per_image }
            }
            Op::AvgPool2d(op) => Kind::AvgPool2d(shapes::avg_pool2d(op, shapes)),
            Op::AdaptiveAvgPool2d { .. } => Kind::AdaptiveAvgPool2d(shapes::adaptive_avg_pool2d(shapes)),
            Op::Add => Kind::Add,
            Op::PadShortcut(op) => Kind::PadShortcut(shapes::pad_shortcut(op, shapes.0)),
            Op::Flatten => Kind::Flatten { pixels: shapes.0.pixels(), channels: shapes.0.channels() },
            Op::Gaussian(op) => Kind::Gaussian { inputs: op.in_features, weight },
            Op::LocalResponseNorm(op) => Kind::LocalResponseNorm(shapes::local_response_norm(op, shapes.0)),
        };
        let y = self.new_span(node);
        let flow = Flow { x: inputs[0], other: inputs.get(1).copied(), y: node };
        self.push(name, kind, flow, y, op.multiply_adds(shapes.0, shapes.1));
        Ok(())
    }

    /// Batch norm, with the ReLU or the residual sum and ReLU behind it.
    fn norm(&mut self, node: usize, x: usize, op: &eyespot_graph::ops::BatchNorm2d) {
        let (then, other, tail) = self.behind_norm(node);
        let channels = op.features;
        let mean = self.statistics_len..self.statistics_len + channels;
        let after_mean = mean.end.next_multiple_of(16);
        let inv_std = after_mean..after_mean + channels;
        self.statistics_len = inv_std.end.next_multiple_of(16);
        let norm = Norm {
            weight: self.tensor(node, "weight"),
            bias: self.tensor(node, "bias"),
            running_mean: self.tensor(node, "running_mean"),
            running_var: self.tensor(node, "running_var"),
            mean,
            inv_std,
            eps: op.eps,
            momentum: op.momentum,
            then,
        };
        let y = self.new_span(tail);
        let name = self.graph.nodes[node].name.as_str();
        self.push(name, Kind::Norm(norm), Flow { x, other, y: tail }, y, 0);
    }

    /// What can be computed in the same pass as a batch norm: what, the other summand, and the last node.
    fn behind_norm(&mut self, node: usize) -> (Then, Option<usize>, usize) {
        let op = |node: usize| &self.graph.nodes[node].op;
        let Some(next) = self.analysis.only_consumer(node) else { return (Then::Nothing, None, node) };
        match op(next) {
            Op::Relu => {
                self.fused[next] = true;
                (Then::Relu, None, next)
            }
            Op::Relu6 => {
                self.fused[next] = true;
                (Then::Relu6, None, next)
            }
            Op::Add => {
                let inputs = self.analysis.inputs(self.graph, next);
                let other = if inputs[0] == node { inputs[1] } else { inputs[0] };
                match self.analysis.only_consumer(next) {
                    Some(relu) if *op(relu) == Op::Relu && self.places[other].is_some() => {
                        self.fused[next] = true;
                        self.fused[relu] = true;
                        (Then::AddRelu, Some(other), relu)
                    }
                    _ => (Then::Nothing, None, node),
                }
            }
            _ => (Then::Nothing, None, node),
        }
    }

    /// An element-wise layer; in place where nothing else needs its input, now or in the backward pass.
    fn element_wise(&mut self, node: usize, input: usize, kind: Kind) {
        let alone = self.analysis.only_consumer(input).is_some();
        let producer = self.producers[input].map(|layer| &self.layers[layer].kind);
        let y = match self.places[input] {
            Some(Source::Arena(span)) if alone && !producer.is_some_and(reads_own_result) => span,
            _ => self.new_span(node),
        };
        let name = self.graph.nodes[node].name.as_str();
        self.push(name, kind, Flow { x: input, other: None, y: node }, y, 0);
    }

    fn concat(&mut self, node: usize, inputs: &[usize]) {
        let total = self.graph.nodes[node].shape.channels();
        let y = self.new_span(node);
        let name = self.graph.nodes[node].name.as_str();
        let mut offset = 0;
        for &x in inputs {
            let channels = self.graph.nodes[x].shape.channels();
            let kind = Kind::Insert { channels, total, offset };
            self.push(name, kind, Flow { x, other: None, y: node }, y, 0);
            offset += channels;
        }
    }
}

/// Whether a layer's gradient is computed from its result.
pub(super) fn reads_own_result(kind: &Kind) -> bool {
    match kind {
        Kind::Pointwise(_) | Kind::Softmax { .. } | Kind::LogSoftmax { .. } => true,
        Kind::Norm(norm) => norm.then == Then::AddRelu,
        _ => false,
    }
}
