//! The backward steps of a training program.
//!
//! Layers are taken from the last to the first. The gradient at a result is written by the first of its readers to
//! come and added to by the others; a layer that can overwrites the gradient it was given. What a batch norm gave
//! isn't kept for the convolution behind it but computed again, one cheap pass, which saves about a third of the
//! memory of a residual network.

use super::forward::Plan;
use super::{Backward, Kind, Task, Then, reads_own_result};
use crate::arena::{Source, Span};
use crate::functions::Pointwise;

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
    let reads_input = |&node: &usize| {
        use eyespot_graph::Op;
        matches!(plan.graph.nodes[node].op, Op::Conv2d(_) | Op::Linear(_))
    };
    for (layer, flow) in plan.layers.iter().zip(&plan.flows) {
        let Kind::Norm(norm) = &layer.kind else { continue };
        again[flow.y] = match (norm.then, flow.other) {
            (Then::AddRelu, Some(other)) => {
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
        let spans = [step.x.and_then(Source::span), step.y.and_then(Source::span), step.d, step.dx];
        spans.into_iter().flatten().for_each(|span| self.plan.planner.touch(span, time));
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
        let flow = self.plan.flows[layer];
        let x = self.result(flow.x);
        let other = flow.other.map(|other| self.result(other));
        let dx = self.new_span(node);
        self.push(Backward { layer, task: Task::Recompute, x: Some(x), y: other, d: None, dx: Some(dx) });
        self.rebuilt[node] = Some(Source::Arena(dx));
        Source::Arena(dx)
    }

    /// Hands a buffer that holds a part of the gradient at `node`'s result over to it.
    fn give(&mut self, layer: usize, node: usize, part: Span) {
        match self.gradients[node] {
            None => self.gradients[node] = Some(part),
            Some(whole) => {
                let (d, dx) = (Some(part), Some(whole));
                self.push(Backward { layer, task: Task::AddTo, x: None, y: None, d, dx });
            }
        }
    }

    fn layer(&mut self, layer: usize) {
        let flow = self.plan.flows[layer];
        let Some(d) = self.gradients[flow.y] else { return };
        let x_learns = self.plan.learns[flow.x];
        let step = |task, x, y, dx| Backward { layer, task, x, y, d: Some(d), dx };
        match self.plan.layers[layer].kind {
            Kind::Conv2d { .. } | Kind::Linear { .. } | Kind::Gaussian { .. } => {
                let x = self.result(flow.x);
                self.push(step(Task::Weights, Some(x), None, None));
                if x_learns {
                    let reads_x = matches!(self.plan.layers[layer].kind, Kind::Gaussian { .. });
                    let dx = self.new_span(flow.x);
                    self.push(step(Task::Input, reads_x.then_some(x), None, Some(dx)));
                    self.give(layer, flow.x, dx);
                }
            }
            Kind::Norm(ref norm) if norm.then == Then::AddRelu => {
                let (x, y) = (self.result(flow.x), self.result(flow.y));
                let dx = self.new_span(flow.x);
                self.push(step(Task::Input, Some(x), Some(y), Some(dx)));
                if let Some(other) = flow.other.filter(|&other| self.plan.learns[other]) {
                    self.give(layer, other, d);
                }
                if x_learns {
                    self.give(layer, flow.x, dx);
                }
            }
            Kind::Norm(_) => {
                let x = self.result(flow.x);
                self.push(step(Task::InPlace, Some(x), None, None));
                if x_learns {
                    self.give(layer, flow.x, d);
                }
            }
            // Nothing learns through it.
            Kind::Pointwise(Pointwise::Sgn) => {}
            Kind::Pointwise(_) | Kind::Dropout { .. } if x_learns => {
                let reads_y = reads_own_result(&self.plan.layers[layer].kind);
                let y = reads_y.then(|| self.result(flow.y));
                self.push(step(Task::InPlace, None, y, None));
                self.give(layer, flow.x, d);
            }
            Kind::Add => self.add(layer, d),
            Kind::Softmax | Kind::LogSoftmax if x_learns => {
                let y = self.result(flow.y);
                self.input_gradient(layer, flow.x, None, Some(y), d);
            }
            Kind::LocalResponseNorm if x_learns => {
                let x = self.result(flow.x);
                self.input_gradient(layer, flow.x, Some(x), None, d);
            }
            _ if x_learns => self.input_gradient(layer, flow.x, None, None, d),
            // Nothing before it learns.
            _ => {}
        }
    }

    fn input_gradient(&mut self, layer: usize, input: usize, x: Option<Source>, y: Option<Source>, d: Span) {
        let dx = self.new_span(input);
        self.push(Backward { layer, task: Task::Input, x, y, d: Some(d), dx: Some(dx) });
        self.give(layer, input, dx);
    }

    /// Both summands have the sum's gradient: one takes its buffer over, the other gets a copy.
    fn add(&mut self, layer: usize, d: Span) {
        let flow = self.plan.flows[layer];
        let learners = [Some(flow.x), flow.other].into_iter().flatten();
        let learners: Vec<usize> = learners.filter(|&node| self.plan.learns[node]).collect();
        if let [first, _] = learners[..] {
            match self.gradients[first] {
                Some(_) => self.give(layer, first, d),
                None => {
                    let dx = self.new_span(first);
                    let (d, dx) = (Some(d), Some(dx));
                    self.push(Backward { layer, task: Task::Copy, x: None, y: None, d, dx });
                    self.gradients[first] = dx;
                }
            }
        }
        if let Some(&last) = learners.last() {
            self.give(layer, last, d);
        }
    }
}
