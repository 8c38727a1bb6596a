//! From a graph to the steps of an inference program.
//!
//! Nodes are taken in their order. A convolution takes with it whatever can be computed while its result is still in
//! registers: the batch norm that follows (folded into its weights), a residual sum whose other summand is already
//! there, an activation. Where only a concatenation reads its result, it writes straight into its channels.

use super::{InferencePlan, Kind, Step};
use crate::analysis::{Analysis, Purpose, in_and_out};
use crate::arena::{Planner, Source, Span};
use crate::functions::Activation;
use eyespot_graph::{Graph, Op, ops};

/// Plans the program of a checked graph.
pub(super) fn plan(graph: &Graph, batch: usize) -> InferencePlan {
    let count = graph.nodes.len();
    let mut planning = Planning {
        graph,
        batch,
        places: vec![None; count],
        begun: vec![None; count],
        fused: vec![false; count],
        analysis: Analysis::new(graph, Purpose::Inference),
        planner: Planner::default(),
        steps: Vec::new(),
    };
    planning.places[0] = Some(Source::Input);
    for node in 1..count {
        if planning.analysis.computes[node] && !planning.fused[node] {
            planning.node(node);
        }
    }
    planning.finish()
}

struct Planning<'a> {
    graph: &'a Graph,
    batch: usize,
    analysis: Analysis,
    /// Where each result lies, as soon as a step computes it.
    places: Vec<Option<Source>>,
    /// The buffers of concatenations some of whose parts are computed already.
    begun: Vec<Option<Span>>,
    /// Nodes computed together with an earlier one.
    fused: Vec<bool>,
    planner: Planner,
    steps: Vec<Step>,
}

impl Planning<'_> {
    fn finish(mut self) -> InferencePlan {
        let output = match self.place(self.analysis.output) {
            Source::Arena(span) => span,
            // A network that changes nothing still hands out a result of its own.
            Source::Input => {
                let y = self.new_span(0);
                self.push("output", self.graph.nodes.len() - 1, Kind::Copy, &[0], y, 0);
                y
            }
        };
        self.planner.touch(output, self.steps.len());
        InferencePlan { steps: self.steps, planner: self.planner, output }
    }

    fn place(&self, node: usize) -> Source {
        self.places[node].expect("nodes are taken in order, so what is read was computed")
    }

    fn new_span(&mut self, node: usize) -> Span {
        self.planner.buffer(self.graph.nodes[node].shape.elements(), self.batch)
    }

    /// Appends a step that reads the results of the nodes `reads`.
    fn push(&mut self, name: &str, node: usize, kind: Kind, reads: &[usize], y: Span, multiply_adds: u64) {
        let time = self.steps.len();
        let inputs: Vec<Source> = reads.iter().map(|&node| self.place(node)).collect();
        for span in inputs.iter().copied().filter_map(Source::span).chain([y]) {
            self.planner.touch(span, time);
        }
        let work = y.per_image.saturating_add(usize::try_from(multiply_adds).unwrap_or(usize::MAX));
        self.steps.push(Step { name: name.to_owned(), node, kind, inputs, y, multiply_adds, work });
    }

    fn multiply_adds(&self, node: usize) -> u64 {
        let (input, output) = in_and_out(self.graph, node);
        self.graph.nodes[node].op.multiply_adds(input, output)
    }

    fn node(&mut self, node: usize) {
        let inputs = self.analysis.inputs(self.graph, node);
        let kind = match &self.graph.nodes[node].op {
            Op::Input => unreachable!("only node 0 is an input, and it isn't computed"),
            Op::Dropout { .. } => unreachable!("in inference dropout changes nothing"),
            Op::Conv2d(op) => return self.conv2d(node, op),
            Op::Linear(_) => return self.linear(node),
            Op::Concat => return self.concat(node, &inputs),
            op if op.is_element_wise() => return self.element_wise(node, inputs[0]),
            Op::Gaussian(_) => Kind::Gaussian { map: self.analysis.unordered_input(self.graph, node) },
            _ => Kind::Op,
        };
        let y = self.new_span(node);
        let (graph, multiply_adds) = (self.graph, self.multiply_adds(node));
        self.push(&graph.nodes[node].name, node, kind, &inputs, y, multiply_adds);
        self.places[node] = Some(Source::Arena(y));
    }

    fn conv2d(&mut self, node: usize, op: &ops::Conv2d) {
        let graph = self.graph;
        let mut name = graph.nodes[node].name.clone();
        let mut tail = node;
        let mut norms = Vec::new();
        let mut residual = None;
        let mut activation = Activation::None;
        while let Some(next) = self.analysis.only_consumer(tail) {
            match &graph.nodes[next].op {
                Op::BatchNorm2d(_) if residual.is_none() => norms.push(next),
                Op::Add if residual.is_none() => {
                    let inputs = self.analysis.inputs(graph, next);
                    let other = if inputs[0] == tail { inputs[1] } else { inputs[0] };
                    if self.places[other].is_none() {
                        break;
                    }
                    residual = Some(other);
                }
                op if Activation::of(op) != Activation::None => activation = Activation::of(op),
                _ => break,
            }
            self.fused[next] = true;
            tail = next;
            name = format!("{name}+{}", graph.nodes[next].op.kind());
            if activation != Activation::None {
                break;
            }
        }

        let slice = if residual.is_none() { self.slice_of_concat(tail) } else { None };
        let (y, out_stride) = match slice {
            Some((y, total)) => (y, total),
            None => (self.new_span(tail), op.out_channels),
        };
        let x = self.analysis.inputs(graph, node)[0];
        let kind = Kind::Conv2d { norms, activation, out_stride };
        let reads: Vec<usize> = [Some(x), residual].into_iter().flatten().collect();
        self.push(&name, node, kind, &reads, y, self.multiply_adds(node));
        self.places[tail] = Some(Source::Arena(y));
    }

    /// Where only a concatenation reads `node`'s result: the channels it takes there, and how many there are in all.
    fn slice_of_concat(&mut self, node: usize) -> Option<(Span, usize)> {
        let concat = self.analysis.only_consumer(node)?;
        if self.graph.nodes[concat].op != Op::Concat {
            return None;
        }
        let inputs = self.analysis.inputs(self.graph, concat);
        let before = inputs.iter().take_while(|&&input| input != node);
        let skip = before.map(|&input| self.graph.nodes[input].shape.channels()).sum();
        let whole = self.concat_span(concat);
        Some((Span { skip, ..whole }, self.graph.nodes[concat].shape.channels()))
    }

    /// The buffer of a concatenation's result, made when the first part is computed.
    fn concat_span(&mut self, concat: usize) -> Span {
        if let Some(span) = self.begun[concat] {
            return span;
        }
        let span = self.new_span(concat);
        self.begun[concat] = Some(span);
        span
    }

    fn concat(&mut self, node: usize, inputs: &[usize]) {
        let graph = self.graph;
        let whole = self.concat_span(node);
        let total = graph.nodes[node].shape.channels();
        let mut offset = 0;
        for &input in inputs {
            let channels = graph.nodes[input].shape.channels();
            let in_place = self.place(input).span().is_some_and(|span| span.buffer == whole.buffer);
            if !in_place {
                let kind = Kind::Insert { channels, total, offset };
                self.push(&graph.nodes[node].name, node, kind, &[input], whole, 0);
            }
            offset += channels;
        }
        self.places[node] = Some(Source::Arena(whole));
    }

    fn linear(&mut self, node: usize) {
        let graph = self.graph;
        let mut name = graph.nodes[node].name.clone();
        let mut tail = node;
        let mut activation = Activation::None;
        if let Some(next) = self.analysis.only_consumer(node) {
            activation = Activation::of(&graph.nodes[next].op);
            if activation != Activation::None {
                self.fused[next] = true;
                tail = next;
                name = format!("{name}+{}", graph.nodes[next].op.kind());
            }
        }
        let x = self.analysis.inputs(graph, node)[0];
        let y = self.new_span(tail);
        let kind = Kind::Linear { map: self.analysis.unordered_input(graph, node), activation };
        self.push(&name, node, kind, &[x], y, self.multiply_adds(node));
        self.places[tail] = Some(Source::Arena(y));
    }

    /// An element-wise function; in place where nothing else reads its input.
    fn element_wise(&mut self, node: usize, input: usize) {
        let alone = self.analysis.only_consumer(input).is_some();
        let y = match self.place(input) {
            Source::Arena(span) if alone => span,
            _ => self.new_span(node),
        };
        let graph = self.graph;
        self.push(&graph.nodes[node].name, node, Kind::Op, &[input], y, 0);
        self.places[node] = Some(Source::Arena(y));
    }
}
