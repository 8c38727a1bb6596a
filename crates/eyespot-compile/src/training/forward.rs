//! From a graph to the steps of a training program: forward first.
//!
//! A result that a backward step reads lives until then; [`super::backward`] decides which are computed again instead.

use super::{Flow, Forward, Kind, Layer, Norm, Then};
use crate::analysis::{Analysis, Purpose, in_and_out};
use crate::arena::{Planner, Source, Span};
use crate::functions::{Reads, blocks_gradients, gradient_reads};
use crate::slots::Slots;
use eyespot_graph::{DeviceError, Graph, Op, ops::BatchNorm2d};
use std::collections::HashMap;
use std::ops::Range;

/// The forward pass, and all that planning the backward pass needs.
pub(super) struct Plan<'a> {
    pub(super) graph: &'a Graph,
    pub(super) batch: usize,
    pub(super) analysis: Analysis,
    pub(super) planner: Planner,
    pub(super) layers: Vec<Layer>,
    /// One for each layer.
    pub(super) flows: Vec<Flow>,
    pub(super) steps: Vec<Forward>,
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
    pub(super) fn new(graph: &'a Graph, slots: &'a Slots, batch: usize) -> Result<Self, DeviceError> {
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
            steps: Vec::new(),
            places: vec![None; count],
            producers: vec![None; count],
            learns: vec![false; count],
            statistics_len: 0,
            winners_len: 0,
            tensors: slots.places(),
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
                let (flow, y) = (Flow { inputs: vec![0], y: count - 1 }, plan.output);
                plan.push("output", count - 1, Kind::Copy, flow, y, 0);
            }
        }
        let (output, loss) = (plan.output, plan.steps.len());
        plan.planner.touch(output, loss);
        Ok(plan)
    }

    pub(super) fn new_span(&mut self, node: usize) -> Span {
        self.planner.buffer(self.graph.nodes[node].shape.elements(), self.batch)
    }

    fn push(&mut self, name: &str, node: usize, kind: Kind, flow: Flow, y: Span, multiply_adds: u64) {
        let time = self.steps.len();
        let place = |&node: &usize| {
            self.places[node].expect("nodes are taken in order, so what is read was computed")
        };
        let inputs: Vec<Source> = flow.inputs.iter().map(place).collect();
        for span in inputs.iter().copied().filter_map(Source::span).chain([y]) {
            self.planner.touch(span, time);
        }
        let read = self.graph.nodes[flow.inputs[0]].shape.elements();
        let work = y
            .per_image
            .saturating_add(read)
            .saturating_add(usize::try_from(multiply_adds).unwrap_or(usize::MAX));
        let has_weights = match &kind {
            Kind::Norm(_) => true,
            Kind::Op { tensors } => !tensors.is_empty(),
            _ => false,
        };
        let before = flow.inputs.iter().any(|&input| self.learns[input]);
        let blocks = blocks_gradients(&self.graph.nodes[node].op);
        // Each part of a concatenation adds to what is known of the whole.
        self.learns[flow.y] |= (has_weights || before) && !blocks;
        self.producers[flow.y] = Some(self.layers.len());
        self.places[flow.y] = Some(Source::Arena(y));
        self.steps.push(Forward { layer: self.layers.len(), inputs, y });
        self.layers.push(Layer { name: name.to_owned(), node, kind, multiply_adds, work });
        self.flows.push(flow);
    }

    /// Where a tensor of a node lies in its block.
    fn tensor(&self, node: usize, suffix: &str) -> Result<Range<usize>, DeviceError> {
        let name = format!("{}.{suffix}", self.graph.nodes[node].name);
        self.tensors.get(name.as_str()).cloned().ok_or(DeviceError::MissingTensor(name))
    }

    /// The places of an operator's learned tensors.
    fn tensors(&self, node: usize) -> Result<Vec<Range<usize>>, DeviceError> {
        let learned = self.graph.nodes[node].op.params().into_iter().filter(|spec| spec.learned);
        learned.map(|spec| self.tensor(node, spec.suffix)).collect()
    }

    /// Whether the gradient of what computes a node's result is computed from that result.
    fn result_is_read(&self, node: usize) -> bool {
        let Some(layer) = self.producers[node] else { return false };
        let layer = &self.layers[layer];
        match &layer.kind {
            Kind::Norm(norm) => norm.then == Then::AddRelu,
            Kind::Op { .. } => gradient_reads(&self.graph.nodes[layer.node].op) == Reads::Result,
            _ => false,
        }
    }

    fn node(&mut self, node: usize) -> Result<(), DeviceError> {
        let graph = self.graph;
        let inputs = self.analysis.inputs(graph, node);
        let shapes = in_and_out(graph, node);
        let name = graph.nodes[node].name.as_str();
        let op = &graph.nodes[node].op;
        let kind = match op {
            Op::Input => unreachable!("only node 0 is an input, and it isn't computed"),
            Op::BatchNorm2d(op) => return self.norm(node, inputs[0], op),
            Op::Concat => {
                self.concat(node, &inputs);
                return Ok(());
            }
            op if op.is_element_wise() => {
                if let Op::LeakyRelu { slope } = op
                    && slope.is_sign_negative()
                {
                    let reason = format!("a leaky ReLU with the negative slope {slope} can't be trained");
                    return Err(DeviceError::Unsupported { node: name.to_owned(), reason });
                }
                let in_place = gradient_reads(op) != Reads::Inputs;
                self.element_wise(node, inputs[0], Kind::Op { tensors: Vec::new() }, in_place);
                return Ok(());
            }
            Op::Dropout { p } => {
                self.element_wise(node, inputs[0], Kind::Dropout { p: *p, layer: node as u64 }, true);
                return Ok(());
            }
            Op::MaxPool2d(_) => {
                let (start, per_image) = (self.winners_len, shapes.1.elements());
                self.winners_len = start.saturating_add(per_image.saturating_mul(self.batch));
                Kind::MaxPool2d { start, per_image }
            }
            _ => Kind::Op { tensors: self.tensors(node)? },
        };
        let y = self.new_span(node);
        let flow = Flow { inputs, y: node };
        self.push(name, node, kind, flow, y, op.multiply_adds(shapes.0, shapes.1));
        Ok(())
    }

    /// Batch norm, with the ReLU or the residual sum and ReLU behind it.
    fn norm(&mut self, node: usize, x: usize, op: &BatchNorm2d) -> Result<(), DeviceError> {
        let (then, other, tail) = self.behind_norm(node);
        let channels = op.features;
        let mean = self.statistics_len..self.statistics_len + channels;
        let after_mean = mean.end.next_multiple_of(16);
        let inv_std = after_mean..after_mean + channels;
        self.statistics_len = inv_std.end.next_multiple_of(16);
        let norm = Norm {
            weight: self.tensor(node, "weight")?,
            bias: self.tensor(node, "bias")?,
            running_mean: self.tensor(node, "running_mean")?,
            running_var: self.tensor(node, "running_var")?,
            mean,
            inv_std,
            eps: op.eps,
            momentum: op.momentum,
            then,
        };
        let y = self.new_span(tail);
        let name = self.graph.nodes[node].name.as_str();
        let inputs = [Some(x), other].into_iter().flatten().collect();
        self.push(name, node, Kind::Norm(norm), Flow { inputs, y: tail }, y, 0);
        Ok(())
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
    fn element_wise(&mut self, node: usize, input: usize, kind: Kind, in_place: bool) {
        let alone = self.analysis.only_consumer(input).is_some();
        let y = match self.places[input] {
            Some(Source::Arena(span)) if in_place && alone && !self.result_is_read(input) => span,
            _ => self.new_span(node),
        };
        let name = self.graph.nodes[node].name.as_str();
        self.push(name, node, kind, Flow { inputs: vec![input], y: node }, y, 0);
    }

    fn concat(&mut self, node: usize, inputs: &[usize]) {
        let total = self.graph.nodes[node].shape.channels();
        let y = self.new_span(node);
        let name = self.graph.nodes[node].name.as_str();
        let mut offset = 0;
        for &x in inputs {
            let channels = self.graph.nodes[x].shape.channels();
            let kind = Kind::Insert { channels, total, offset };
            self.push(name, node, kind, Flow { inputs: vec![x], y: node }, y, 0);
            offset += channels;
        }
    }
}
