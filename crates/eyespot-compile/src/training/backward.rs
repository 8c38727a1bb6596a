//! The backward steps of a training program.
//!
//! Layers are taken from the last to the first. The gradient at a result is written by the first of its readers to
//! come and added to by the others; a layer that can overwrites the gradient it was given. What a batch norm gave
//! isn't kept for the convolution behind it but computed again, one cheap pass, which saves about a third of the
//! memory of a residual network.

use super::forward::Plan;
use super::{Backward, Kind, Task, Then};
use crate::arena::{Source, Span};
use crate::functions::{Reads, blocks_gradients, gradient_reads};
use eyespot_graph::Op;

/// Plans the backward pass behind `plan`'s forward pass: its steps, and where the loss' gradient goes.
pub(super) fn plan(plan: &mut Plan) -> (Vec<Backward>, Option<Span>) {
    let output = plan.analysis.output;
    let count = plan.graph.nodes.len();
    let mut planning = Planning {
        again: computed_again(plan),
        rebuilt: vec![None; count],
        gradients: vec![None; count],
        start_time: plan.steps.len() + 1,
        steps: Vec::new(),
        plan,
    };
    let start = planning.plan.learns[output].then(|| planning.new_span(output));
    if let Some(start) = start {
        planning.plan.planner.touch(start, planning.start_time);
        planning.gradients[output] = Some(start);
    }
    for layer in (0..planning.plan.layers.len()).rev() {
        planning.layer(layer);
    }
    (planning.steps, start)
}

/// Results of batch norms that are computed again when the backward pass needs them: all that can be from results
/// that are kept anyway.
fn computed_again(plan: &Plan) -> Vec<bool> {
    let mut again = vec![false; plan.graph.nodes.len()];
    let reads_input = |&node: &usize| matches!(plan.graph.nodes[node].op, Op::Conv2d(_) | Op::Linear(_));
    for (layer, flow) in plan.layers.iter().zip(&plan.flows) {
        let Kind::Norm(norm) = &layer.kind else { continue };
        again[flow.y] = match (norm.then, flow.inputs.get(1)) {
            (Then::AddRelu, Some(&other)) => {
                !again[other] && plan.analysis.consumers[other].iter().any(reads_input)
            }
            _ => true,
        };
    }
    again
}

struct Planning<'p, 'g> {
    plan: &'p mut Plan<'g>,
    /// Whether a node's result is computed again, and where it lies then.
    again: Vec<bool>,
    rebuilt: Vec<Option<Source>>,
    /// Where the gradient at a node's result lies.
    gradients: Vec<Option<Span>>,
    start_time: usize,
    steps: Vec<Backward>,
}

impl Planning<'_, '_> {
    fn new_span(&mut self, node: usize) -> Span {
        self.plan.new_span(node)
    }

    fn push(&mut self, step: Backward) {
        let time = self.start_time + self.steps.len();
        let sources = step.inputs.iter().copied().chain(step.y);
        for span in sources.filter_map(Source::span).chain(step.d).chain(step.dx) {
            self.plan.planner.touch(span, time);
        }
        self.steps.push(step);
    }

    /// A node's result, computed again if it wasn't kept.
    fn result(&mut self, node: usize) -> Source {
        if let Some(rebuilt) = self.rebuilt[node] {
            return rebuilt;
        }
        let place =
            self.plan.places[node].expect("the forward pass stored or fused every result that is read");
        let producer = self.plan.producers[node];
        let Some(layer) = producer.filter(|_| self.again[node]) else { return place };
        let inputs = self.inputs(layer);
        let dx = self.new_span(node);
        self.push(Backward { layer, task: Task::Recompute, inputs, y: None, d: None, dx: Some(dx) });
        self.rebuilt[node] = Some(Source::Arena(dx));
        Source::Arena(dx)
    }

    /// The results that a layer reads.
    fn inputs(&mut self, layer: usize) -> Vec<Source> {
        let inputs = self.plan.flows[layer].inputs.clone();
        inputs.into_iter().map(|input| self.result(input)).collect()
    }

    /// Hands a buffer that holds a part of the gradient at `node`'s result over to it.
    fn give(&mut self, layer: usize, node: usize, part: Span) {
        match self.gradients[node] {
            None => self.gradients[node] = Some(part),
            Some(whole) => {
                let (d, dx) = (Some(part), Some(whole));
                self.push(Backward { layer, task: Task::AddTo, inputs: Vec::new(), y: None, d, dx });
            }
        }
    }

    fn layer(&mut self, layer: usize) {
        let flow = self.plan.flows[layer].clone();
        let Some(d) = self.gradients[flow.y] else { return };
        let x = flow.inputs[0];
        let x_learns = self.plan.learns[x];
        match &self.plan.layers[layer].kind {
            Kind::Norm(norm) if norm.then == Then::AddRelu => {
                let inputs = vec![self.result(x)];
                let y = Some(self.result(flow.y));
                let dx = self.new_span(x);
                self.push(Backward { layer, task: Task::Input(0), inputs, y, d: Some(d), dx: Some(dx) });
                let other = flow.inputs[1];
                if self.plan.learns[other] {
                    self.give(layer, other, d);
                }
                if x_learns {
                    self.give(layer, x, dx);
                }
            }
            Kind::Norm(_) => {
                let inputs = vec![self.result(x)];
                self.in_place(layer, inputs, None, d);
                if x_learns {
                    self.give(layer, x, d);
                }
            }
            Kind::Dropout { .. } if x_learns => {
                self.in_place(layer, Vec::new(), None, d);
                self.give(layer, x, d);
            }
            Kind::Op { .. } => self.op(layer, d),
            // Max pooling and the parts of concatenations.
            _ if x_learns => self.input_gradient(layer, 0, Vec::new(), None, d),
            // Nothing before it learns.
            _ => {}
        }
    }

    /// An operator by itself: its tensors' gradients first, then those at its inputs.
    fn op(&mut self, layer: usize, d: Span) {
        let flow = self.plan.flows[layer].clone();
        let op = &self.plan.graph.nodes[self.plan.layers[layer].node].op;
        let learning: Vec<usize> =
            (0..flow.inputs.len()).filter(|&index| self.plan.learns[flow.inputs[index]]).collect();
        let reads = gradient_reads(op);
        let element_wise = op.is_element_wise();
        if blocks_gradients(op) {
            return;
        }
        if *op == Op::Add {
            return self.add(layer, d);
        }
        if self.has_tensors(layer) {
            let inputs = self.inputs(layer);
            self.push(Backward { layer, task: Task::Weights, inputs, y: None, d: Some(d), dx: None });
        }
        if learning.is_empty() {
            return;
        }
        let inputs = if reads == Reads::Inputs { self.inputs(layer) } else { Vec::new() };
        let y = (reads == Reads::Result).then(|| self.result(flow.y));
        if element_wise {
            self.in_place(layer, inputs, y, d);
            self.give(layer, flow.inputs[0], d);
            return;
        }
        for index in learning {
            self.input_gradient(layer, index, inputs.clone(), y, d);
        }
    }

    fn has_tensors(&self, layer: usize) -> bool {
        matches!(&self.plan.layers[layer].kind, Kind::Op { tensors } if !tensors.is_empty())
    }

    /// Overwrites the gradient at the result by that at the only input.
    fn in_place(&mut self, layer: usize, inputs: Vec<Source>, y: Option<Source>, d: Span) {
        self.push(Backward { layer, task: Task::InPlace, inputs, y, d: Some(d), dx: None });
    }

    /// The gradient at input number `index`, in a buffer of its own.
    fn input_gradient(
        &mut self,
        layer: usize,
        index: usize,
        inputs: Vec<Source>,
        y: Option<Source>,
        d: Span,
    ) {
        let input = self.plan.flows[layer].inputs[index];
        let dx = self.new_span(input);
        self.push(Backward { layer, task: Task::Input(index), inputs, y, d: Some(d), dx: Some(dx) });
        self.give(layer, input, dx);
    }

    /// Both summands have the sum's gradient: one takes its buffer over, the other gets a copy.
    fn add(&mut self, layer: usize, d: Span) {
        let learners: Vec<usize> =
            self.plan.flows[layer].inputs.iter().copied().filter(|&node| self.plan.learns[node]).collect();
        if let [first, _] = learners[..] {
            match self.gradients[first] {
                Some(_) => self.give(layer, first, d),
                None => {
                    let dx = self.new_span(first);
                    let (d, dx) = (Some(d), Some(dx));
                    self.push(Backward { layer, task: Task::Copy, inputs: Vec::new(), y: None, d, dx });
                    self.gradients[first] = dx;
                }
            }
        }
        if let Some(&last) = learners.last() {
            self.give(layer, last, d);
        }
    }
}
