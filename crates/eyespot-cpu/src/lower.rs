//! From a graph to the steps of an inference program.
//!
//! Nodes are taken in their order. A convolution takes with it whatever can be computed while its result is still in
//! registers: the batch norm that follows (folded into its weights), a residual sum whose other summand is already
//! there, an activation. Where only a concatenation reads its result, it writes straight into its channels.

use crate::analysis::{Analysis, Purpose};
use crate::arena::{Planner, Source, Span};
use crate::check::tensor;
use crate::fold::{Folded, ScaleShift, columns_in_memory_order};
use crate::shapes;
use crate::step::{Kind, Step};
use eyespot_graph::{DeviceError, Graph, Op, Params, ops};
use eyespot_kernels::conv2d::Conv2dKernel;
use eyespot_kernels::linear::LinearKernel;
use eyespot_kernels::{Activation, Floats};
use std::borrow::Cow;

/// The steps, the buffers they use, and where the result lies.
pub(crate) struct Lowered {
    pub(crate) steps: Vec<Step>,
    pub(crate) planner: Planner,
    pub(crate) output: Span,
}

/// Lowers a checked graph. Owned weights are let go of one by one, as soon as they are packed.
pub(crate) fn lower(graph: &Graph, params: Cow<Params>, batch: usize) -> Result<Lowered, DeviceError> {
    let analysis = Analysis::new(graph, Purpose::Inference);
    let count = graph.nodes.len();
    let mut lowering = Lowering {
        graph,
        params,
        batch,
        places: vec![None; count],
        fused: vec![false; count],
        analysis,
        planner: Planner::default(),
        steps: Vec::new(),
    };
    lowering.places[0] = Some(Source::Input);
    for node in 1..count {
        if lowering.analysis.computes[node] && !lowering.fused[node] {
            lowering.node(node)?;
        }
    }
    lowering.finish()
}

struct Lowering<'a> {
    graph: &'a Graph,
    params: Cow<'a, Params>,
    batch: usize,
    analysis: Analysis,
    /// Where each result lies, as soon as a step computes it.
    places: Vec<Option<Source>>,
    /// Nodes computed together with an earlier one.
    fused: Vec<bool>,
    planner: Planner,
    steps: Vec<Step>,
}

impl Lowering<'_> {
    fn finish(mut self) -> Result<Lowered, DeviceError> {
        let output = match self.place(self.analysis.output) {
            Source::Arena(span) => span,
            // A network that changes nothing still hands out a result of its own.
            Source::Input => {
                let y = self.new_span(0);
                self.push("output", Kind::Copy, 0, None, y, 0);
                y
            }
        };
        self.planner.touch(output, self.steps.len());
        Ok(Lowered { steps: self.steps, planner: self.planner, output })
    }

    fn place(&self, node: usize) -> Source {
        self.places[node].unwrap_or(Source::Input)
    }

    fn new_span(&mut self, node: usize) -> Span {
        self.planner.buffer(self.graph.nodes[node].shape.elements(), self.batch)
    }

    /// Appends a step that reads the results of nodes `x` and `other`.
    fn push(&mut self, name: &str, kind: Kind, x: usize, other: Option<usize>, y: Span, multiply_adds: u64) {
        let time = self.steps.len();
        let (x, other) = (self.place(x), other.map(|other| self.place(other)));
        for span in [x.span(), other.and_then(Source::span), Some(y)].into_iter().flatten() {
            self.planner.touch(span, time);
        }
        let work = y.per_image.saturating_add(usize::try_from(multiply_adds).unwrap_or(usize::MAX));
        self.steps.push(Step { name: name.to_owned(), kind, x, other, y, multiply_adds, work });
    }

    fn node(&mut self, node: usize) -> Result<(), DeviceError> {
        let graph = self.graph;
        let inputs = self.analysis.inputs(graph, node);
        let shapes = shapes::in_and_out(graph, node);
        let name = &graph.nodes[node].name;
        let op = &graph.nodes[node].op;
        let kind = match op {
            Op::Input | Op::Dropout { .. } => return Ok(()),
            Op::Conv2d(op) => return self.conv2d(node, op),
            Op::Linear(op) => return self.linear(node, op),
            Op::Concat => {
                self.concat(node, &inputs);
                return Ok(());
            }
            Op::Relu | Op::Relu6 | Op::LeakyRelu { .. } | Op::Sigmoid | Op::Tanh | Op::Sgn => {
                self.pointwise(node, inputs[0]);
                return Ok(());
            }
            Op::BatchNorm2d(op) => {
                let ScaleShift { scale, shift } = ScaleShift::new(name, op, &self.params)?;
                let narrow = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect();
                Kind::ScaleShift { scale: narrow(scale), shift: narrow(shift) }
            }
            Op::Softmax => Kind::Softmax { n: shapes.0.channels() },
            Op::LogSoftmax => Kind::LogSoftmax { n: shapes.0.channels() },
            Op::MaxPool2d(op) => Kind::MaxPool2d(shapes::max_pool2d(op, shapes)),
            Op::AvgPool2d(op) => Kind::AvgPool2d(shapes::avg_pool2d(op, shapes)),
            Op::AdaptiveAvgPool2d { .. } => Kind::AdaptiveAvgPool2d(shapes::adaptive_avg_pool2d(shapes)),
            Op::Add => Kind::Add,
            Op::PadShortcut(op) => Kind::PadShortcut(shapes::pad_shortcut(op, shapes.0)),
            Op::Flatten => Kind::Flatten { pixels: shapes.0.pixels(), channels: shapes.0.channels() },
            Op::Gaussian(op) => {
                let centres = self.columns(node, "weight")?;
                Kind::Gaussian { inputs: op.in_features, centres }
            }
            Op::LocalResponseNorm(op) => Kind::LocalResponseNorm(shapes::local_response_norm(op, shapes.0)),
        };
        let y = self.new_span(node);
        let multiply_adds = op.multiply_adds(shapes.0, shapes.1);
        self.push(name, kind, inputs[0], inputs.get(1).copied(), y, multiply_adds);
        self.places[node] = Some(Source::Arena(y));
        Ok(())
    }

    fn conv2d(&mut self, node: usize, op: &ops::Conv2d) -> Result<(), DeviceError> {
        let graph = self.graph;
        let mut name = graph.nodes[node].name.clone();
        let mut tail = node;
        let mut norms = Vec::new();
        let mut residual = None;
        let mut activation = Activation::None;
        while let Some(next) = self.analysis.only_consumer(tail) {
            match &graph.nodes[next].op {
                Op::BatchNorm2d(norm) if residual.is_none() => {
                    norms.push(ScaleShift::new(&graph.nodes[next].name, norm, &self.params)?);
                }
                Op::Add if residual.is_none() => {
                    let inputs = self.analysis.inputs(graph, next);
                    let other = if inputs[0] == tail { inputs[1] } else { inputs[0] };
                    if self.places[other].is_none() {
                        break;
                    }
                    residual = Some(other);
                }
                Op::Relu => activation = Activation::Relu,
                Op::Relu6 => activation = Activation::Relu6,
                _ => break,
            }
            self.fused[next] = true;
            tail = next;
            name = format!("{name}+{}", graph.nodes[next].op.kind());
            if activation != Activation::None {
                break;
            }
        }

        let shapes = shapes::in_and_out(graph, node);
        let shape = shapes::conv2d(op, shapes);
        let own = &graph.nodes[node].name;
        let weights = tensor(&self.params, &format!("{own}.weight"))?;
        let bias = if op.bias { Some(tensor(&self.params, &format!("{own}.bias"))?) } else { None };
        let kernel = if norms.is_empty() {
            Conv2dKernel::new(shape, self.batch, &weights, bias.as_deref(), activation)
        } else {
            let mut folded = Folded::new(op.out_channels, bias.as_deref());
            norms.iter().for_each(|norm| folded.follow_by(norm));
            let (weights, bias) = folded.finish(&weights);
            Conv2dKernel::new(shape, self.batch, &weights, Some(&bias), activation)
        };

        drop((weights, bias));
        self.packed(own);

        let slice = if residual.is_none() { self.slice_of_concat(tail) } else { None };
        let (y, out_stride) = match slice {
            Some((y, total)) => (y, total),
            None => (self.new_span(tail), op.out_channels),
        };
        let x = self.analysis.inputs(graph, node)[0];
        let kind = Kind::Conv { kernel: Box::new(kernel), out_stride };
        let multiply_adds = graph.nodes[node].op.multiply_adds(shapes.0, shapes.1);
        self.push(&name, kind, x, residual, y, multiply_adds);
        self.places[tail] = Some(Source::Arena(y));
        Ok(())
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
        if let Some(Source::Arena(span)) = self.places[concat] {
            return span;
        }
        let span = self.new_span(concat);
        self.places[concat] = Some(Source::Arena(span));
        span
    }

    fn concat(&mut self, node: usize, inputs: &[usize]) {
        let whole = self.concat_span(node);
        let total = self.graph.nodes[node].shape.channels();
        let mut offset = 0;
        for &input in inputs {
            let channels = self.graph.nodes[input].shape.channels();
            let in_place = self.place(input).span().is_some_and(|span| span.buffer == whole.buffer);
            if !in_place {
                let kind = Kind::Insert { channels, total, offset };
                let name = self.graph.nodes[node].name.clone();
                self.push(&name, kind, input, None, whole, 0);
            }
            offset += channels;
        }
    }

    fn linear(&mut self, node: usize, op: &ops::Linear) -> Result<(), DeviceError> {
        let graph = self.graph;
        let mut name = graph.nodes[node].name.clone();
        let mut tail = node;
        let mut activation = Activation::None;
        if let Some(next) = self.analysis.only_consumer(node) {
            activation = match graph.nodes[next].op {
                Op::Relu => Activation::Relu,
                Op::Relu6 => Activation::Relu6,
                _ => Activation::None,
            };
            if activation != Activation::None {
                self.fused[next] = true;
                tail = next;
                name = format!("{name}+{}", graph.nodes[next].op.kind());
            }
        }
        let weights = self.columns(node, "weight")?;
        let own = &graph.nodes[node].name;
        self.packed(own);
        let bias = if op.bias { Some(tensor(&self.params, &format!("{own}.bias"))?) } else { None };
        let kernel = LinearKernel::new(op.in_features, op.out_features, weights, bias.as_deref(), activation);
        let x = self.analysis.inputs(graph, node)[0];
        let y = self.new_span(tail);
        let shapes = shapes::in_and_out(graph, node);
        let multiply_adds = graph.nodes[node].op.multiply_adds(shapes.0, shapes.1);
        self.push(&name, Kind::Linear(kernel), x, None, y, multiply_adds);
        self.places[tail] = Some(Source::Arena(y));
        Ok(())
    }

    /// Lets go of the weights of a layer that is packed.
    fn packed(&mut self, layer: &str) {
        if let Cow::Owned(params) = &mut self.params {
            params.remove(&format!("{layer}.weight"));
        }
    }

    /// A layer's weights, their columns in the order in which its input lies in memory.
    fn columns(&self, node: usize, suffix: &str) -> Result<Floats, DeviceError> {
        let weights = tensor(&self.params, &format!("{}.{suffix}", self.graph.nodes[node].name))?;
        Ok(match self.analysis.unordered_input(self.graph, node) {
            Some(map) => columns_in_memory_order(&weights, map),
            None => Floats::copied(&weights),
        })
    }

    /// An element-wise function; in place where nothing else reads its input.
    fn pointwise(&mut self, node: usize, input: usize) {
        let Some(function) = shapes::pointwise(&self.graph.nodes[node].op) else { return };
        let alone = self.analysis.only_consumer(input).is_some();
        let y = match self.place(input) {
            Source::Arena(span) if alone => span,
            _ => self.new_span(node),
        };
        let name = self.graph.nodes[node].name.clone();
        self.push(&name, Kind::Pointwise(function), input, None, y, 0);
        self.places[node] = Some(Source::Arena(y));
    }
}
