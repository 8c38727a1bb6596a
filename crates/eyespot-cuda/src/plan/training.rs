//! The calls of a training program.

use super::convolution::{Direction, Sizes};
use super::inference::{image_channels, insert, linear, product, take_images};
use super::tables::{PackedTensor, Table, packing};
use super::{Block, Call, Constants, Convolution, Launch, Place, layers};
use crate::kernels::Element;
use eyespot_compile::training::{Backward, Forward, Kind, Norm, Task, Then};
use eyespot_compile::{Activation, Layout, Slots, Source, Span, TrainingPlan, in_and_out};
use eyespot_graph::{DeviceError, Graph, Op, ops};
use std::collections::HashMap;
use std::ops::Range;

/// What the calls are made from.
pub(crate) struct Training<'a> {
    graph: &'a Graph,
    plan: &'a TrainingPlan,
    layout: &'a Layout,
    element: Element,
    /// Channels of the images as they lie in memory.
    pub(crate) channels: usize,
    /// The convolutions' weights, by layer.
    packed: HashMap<usize, PackedTensor>,
    /// Elements of the packed block.
    pub(crate) packed_len: usize,
}

impl<'a> Training<'a> {
    pub(crate) fn new(
        graph: &'a Graph,
        plan: &'a TrainingPlan,
        layout: &'a Layout,
        element: Element,
    ) -> Result<Self, DeviceError> {
        let readers = plan.flows.iter().zip(&plan.layers).filter(|(flow, _)| flow.inputs.contains(&0));
        let channels = image_channels(graph, element, readers.map(|(_, layer)| layer.node));
        let (mut packed, mut packed_len) = (HashMap::new(), 0);
        for (index, (layer, flow)) in plan.layers.iter().zip(&plan.flows).enumerate() {
            let (Kind::Op { tensors }, Op::Conv2d(op)) = (&layer.kind, &graph.nodes[layer.node].op) else {
                continue;
            };
            let padded = if flow.inputs[0] == 0 { channels } else { op.in_channels } / op.groups;
            let tensor = PackedTensor {
                from: tensors[0].start,
                to: packed_len,
                out: op.out_channels,
                channels: op.in_channels / op.groups,
                padded,
                taps: op.kernel.0 * op.kernel.1,
            };
            packed_len = (packed_len + tensor.len()).next_multiple_of(128);
            packed.insert(index, tensor);
        }
        Ok(Self { graph, plan, layout, element, channels, packed, packed_len })
    }

    /// The length of each block in bytes, for the `batch` images that the plan is for.
    pub(crate) fn blocks(&self, slots: &Slots, batch: usize, constants: usize) -> Vec<(Block, usize)> {
        let (element, learned) = (self.element, 4 * slots.learned_len);
        let packed = element.bytes() * self.packed_len;
        let mut blocks =
            super::inference::blocks(self.graph, element, batch, self.layout, self.channels, constants);
        blocks.extend([
            (Block::Learned, learned),
            (Block::Packed, packed),
            (Block::PackedGradients, packed),
            (Block::Gradients, learned),
            (Block::Running, 4 * slots.running_len),
            (Block::Statistics, 4 * self.plan.statistics_len),
            (Block::Winners, self.plan.winners_len),
            (Block::Partial, self.partial_bytes(batch)),
            (Block::ScoresGradient, 4 * batch * self.graph.output_shape().elements()),
            (Block::Draw, 16),
            (Block::Parts, 16 * slots.slots.len().max(1)),
        ]);
        blocks
    }

    /// Bytes that the parts of sums take at most.
    fn partial_bytes(&self, batch: usize) -> usize {
        let bytes = |(images, shape): (usize, eyespot_graph::Shape)| {
            let (channels, rows) = (shape.channels(), images * shape.pixels());
            8 * channels * Rows::new(rows, channels, self.element).parts
        };
        let shapes = self.graph.nodes.iter().map(|node| node.shape);
        let sums = shapes.flat_map(|shape| (1..=batch).map(move |images| (images, shape))).map(bytes);
        sums.max().unwrap_or(0).max(8 * 256)
    }

    fn table(&self, constants: &mut Constants) -> Table {
        let mut tensors: Vec<PackedTensor> = self.packed.values().cloned().collect();
        tensors.sort_by_key(|tensor| tensor.to);
        packing(&tensors, constants)
    }

    fn span(&self, span: Span, images: usize) -> Place {
        Place::new(Block::Arena, self.layout.range(span, images).start * self.element.bytes())
    }

    fn place(&self, source: Source, images: usize) -> Place {
        match source {
            Source::Input => Place::new(Block::Images, 0),
            Source::Arena(span) => self.span(span, images),
        }
    }

    /// The forward pass for `images` images: from [`Block::Input`] to [`Block::Scores`].
    pub(crate) fn forward(&self, images: usize, constants: &mut Constants) -> Result<Vec<Call>, DeviceError> {
        let mut calls = Vec::new();
        let table = self.table(constants);
        if table.entries > 0 {
            let places = [table.place, Place::new(Block::Learned, 0), Place::new(Block::Packed, 0)];
            let launch = Launch::new("pack_weights", (table.blocks, 1), (256, 1));
            calls.push(launch.arg(places[0]).arg(table.entries).args([places[1], places[2]]).into());
        }
        calls.push(take_images(self.graph, self.channels, images));
        for step in &self.plan.forward {
            self.forward_step(step, images, constants, &mut calls)?;
        }
        let count = images * self.graph.output_shape().elements();
        let scores = [self.span(self.plan.output, images), Place::new(Block::Scores, 0)];
        calls.push(Launch::each("to_f32", count).args(scores).arg(count).into());
        Ok(calls)
    }

    /// The backward pass: from [`Block::ScoresGradient`] to [`Block::Gradients`].
    pub(crate) fn backward(
        &self,
        images: usize,
        constants: &mut Constants,
    ) -> Result<Vec<Call>, DeviceError> {
        let mut calls = Vec::new();
        if let Some(gradient) = self.plan.gradient {
            let count = images * self.graph.output_shape().elements();
            let places = [Place::new(Block::ScoresGradient, 0), self.span(gradient, images)];
            calls.push(Launch::each("from_f32", count).args(places).arg(count).into());
        }
        for step in &self.plan.backward {
            self.backward_step(step, images, constants, &mut calls)?;
        }
        let table = self.table(constants);
        if table.entries > 0 {
            let places = [Place::new(Block::PackedGradients, 0), Place::new(Block::Gradients, 0)];
            let launch = Launch::new("unpack_gradients", (table.blocks, 1), (256, 1));
            calls.push(launch.arg(table.place).arg(table.entries).args(places).into());
        }
        Ok(calls)
    }

    fn forward_step(
        &self,
        step: &Forward,
        images: usize,
        constants: &mut Constants,
        calls: &mut Vec<Call>,
    ) -> Result<(), DeviceError> {
        let layer = &self.plan.layers[step.layer];
        let node = layer.node;
        let (input, output) = in_and_out(self.graph, node);
        let inputs: Vec<Place> = step.inputs.iter().map(|&source| self.place(source, images)).collect();
        let (x, y) = (inputs[0], self.span(step.y, images));
        let call = match (&layer.kind, &self.graph.nodes[node].op) {
            (Kind::Norm(norm), _) => {
                let rows = Rows::new(images * input.pixels(), input.channels(), self.element);
                let partial = Place::new(Block::Partial, 0);
                calls.push(rows.launch("norm_sums").args([x, partial]).args(rows.sizes()).into());
                let places = [
                    x,
                    partial,
                    Place::float(Block::Statistics, norm.mean.start),
                    Place::float(Block::Statistics, norm.inv_std.start),
                    Place::float(Block::Running, norm.running_mean.start),
                    Place::float(Block::Running, norm.running_var.start),
                ];
                let launch = rows.finish("norm_statistics").args(places).args(rows.sizes());
                calls.push(launch.arg(rows.parts).args([norm.eps, norm.momentum]).into());
                self.norm_apply(norm, &rows, x, inputs.get(1).copied(), y)
            }
            (&Kind::Dropout { p, layer }, _) => self.dropout(p, layer, images * output.elements(), [x, y]),
            (&Kind::Insert { channels, total, offset }, _) => {
                insert(images * output.pixels(), [x, y], [channels, total, offset])
            }
            (Kind::Copy, _) => {
                let count = images * output.elements();
                Launch::each("copy", count).args([x, y]).arg(count).into()
            }
            (&Kind::MaxPool2d { start, .. }, Op::MaxPool2d(op)) => {
                if op.kernel.0.saturating_mul(op.kernel.1) > 255 {
                    let reason = format!("a pooling window of {:?} is too large to be trained", op.kernel);
                    return Err(DeviceError::Unsupported { node: layer.name.clone(), reason });
                }
                let winners = Some(Place::new(Block::Winners, start));
                layers::max_pool(op, self.graph, node, images, self.element, [x, y], winners).into()
            }
            (Kind::Op { tensors }, Op::Conv2d(op)) => {
                let bias = tensors.get(1).map(|range| Place::float(Block::Learned, range.start));
                let direction = Direction::Forward { bias, residual: None, activation: Activation::None };
                self.convolution(step.layer, op, step.inputs[0], direction, images, [x, y], constants)
            }
            (Kind::Op { tensors }, Op::Linear(op)) => {
                let learned = |range: &Range<usize>| Place::float(Block::Learned, range.start);
                let sizes = (op.in_features, op.out_features);
                linear(images, sizes, [x, learned(&tensors[0]), y], tensors.get(1).map(learned), 0)
            }
            (Kind::Op { tensors }, Op::Gaussian(op)) => {
                let w = Place::float(Block::Learned, tensors[0].start);
                let launch = Launch::warps("gaussian", images * op.out_features).args([x, w, y]);
                launch.args([images, op.in_features, op.out_features]).into()
            }
            _ => layers::forward(self.graph, node, images, self.element, &inputs, y)?,
        };
        calls.push(call);
        Ok(())
    }

    fn backward_step(
        &self,
        step: &Backward,
        images: usize,
        constants: &mut Constants,
        calls: &mut Vec<Call>,
    ) -> Result<(), DeviceError> {
        let layer = &self.plan.layers[step.layer];
        let node = layer.node;
        let op = &self.graph.nodes[node].op;
        let (input, output) = in_and_out(self.graph, node);
        let inputs: Vec<Place> = step.inputs.iter().map(|&source| self.place(source, images)).collect();
        let x = inputs.first().copied();
        let y = step.y.map(|source| self.place(source, images));
        let [d, dx] = [step.d, step.dx].map(|span| span.map(|span| self.span(span, images)));
        let in_count = images * input.elements();
        let missing = || DeviceError::Call(format!("the plan of `{}` lacks a place", layer.name));
        match (step.task, &layer.kind) {
            (Task::AddTo, _) => {
                let (d, dx) = (d.ok_or_else(missing)?, dx.ok_or_else(missing)?);
                let count = images * step.dx.map_or(0, |span| span.per_image);
                let launch = Launch::packs("add", self.element, count, count).args([d, dx, dx]).arg(count);
                calls.push(launch.into());
            }
            (Task::Copy, _) => {
                let count = images * step.dx.map_or(0, |span| span.per_image);
                calls.push(Launch::each("copy", count).arg(d).arg(dx).arg(count).into());
            }
            (Task::Recompute, Kind::Norm(norm)) => {
                let rows = Rows::new(images * input.pixels(), input.channels(), self.element);
                let (x, dx) = (x.ok_or_else(missing)?, dx.ok_or_else(missing)?);
                calls.push(self.norm_apply(norm, &rows, x, inputs.get(1).copied(), dx));
            }
            (task, Kind::Norm(norm)) => {
                let rows = Rows::new(images * input.pixels(), input.channels(), self.element);
                let dx = if task == Task::InPlace { d } else { dx };
                self.norm_backward(norm, &rows, [x, y, d, dx], calls);
            }
            (_, &Kind::Dropout { p, layer }) => {
                let d = d.ok_or_else(missing)?;
                calls.push(self.dropout(p, layer, in_count, [d, d]));
            }
            (_, &Kind::Insert { channels, total, offset }) => {
                let pixels = images * output.pixels();
                let launch = Launch::each("extract", pixels * channels).arg(d).arg(dx);
                calls.push(launch.args([pixels, channels, total, offset]).into());
            }
            (_, &Kind::MaxPool2d { start, .. }) => {
                let Op::MaxPool2d(op) = op else { return Err(missing()) };
                let sizes = super::pool::windows(images, (input, output), [op.kernel, op.stride, op.padding]);
                let name = "max_pool_backward";
                let launch = Launch::packs(name, self.element, input.channels(), in_count);
                let winners = Place::new(Block::Winners, start);
                calls.push(launch.arg(winners).arg(d).arg(dx).args(sizes).into());
            }
            (task, Kind::Op { tensors }) => match (task, op) {
                (Task::Weights, Op::Conv2d(op)) => {
                    let (x, d) = (x.ok_or_else(missing)?, d.ok_or_else(missing)?);
                    let places = [x, d];
                    let source = step.inputs[0];
                    let filter = Direction::Filter;
                    calls.push(self.convolution(step.layer, op, source, filter, images, places, constants));
                    if let Some(bias) = tensors.get(1) {
                        self.column_sums(images * output.pixels(), output.channels(), d, bias, calls);
                    }
                }
                (Task::Input(_), Op::Conv2d(op)) => {
                    let (d, dx) = (d.ok_or_else(missing)?, dx.ok_or_else(missing)?);
                    let source = Source::Arena(step.dx.ok_or_else(missing)?);
                    let data = Direction::Data;
                    calls.push(self.convolution(step.layer, op, source, data, images, [dx, d], constants));
                }
                (Task::Weights, Op::Linear(op)) => {
                    let dw = Place::float(Block::Gradients, tensors[0].start);
                    let (inputs, outputs) = (op.in_features, op.out_features);
                    let launch = product("linear_backward_weights", outputs, inputs).arg(x).arg(d).arg(dw);
                    calls.push(launch.args([images, inputs, outputs]).into());
                    if let Some(bias) = tensors.get(1) {
                        self.column_sums(images, outputs, d.ok_or_else(missing)?, bias, calls);
                    }
                }
                (Task::Input(_), Op::Linear(op)) => {
                    let w = Place::float(Block::Learned, tensors[0].start);
                    let (inputs, outputs) = (op.in_features, op.out_features);
                    let launch = product("linear_backward_input", images, inputs).arg(d).arg(w).arg(dx);
                    calls.push(launch.args([images, inputs, outputs]).into());
                }
                (Task::Weights, Op::Gaussian(op)) => {
                    let w = Place::float(Block::Learned, tensors[0].start);
                    let dw = Place::float(Block::Gradients, tensors[0].start);
                    let count = op.in_features * op.out_features;
                    let launch =
                        Launch::each("gaussian_backward_weights", count).arg(x).arg(w).arg(d).arg(dw);
                    calls.push(launch.args([images, op.in_features, op.out_features]).into());
                }
                (Task::Input(_), Op::Gaussian(op)) => {
                    let w = Place::float(Block::Learned, tensors[0].start);
                    let launch =
                        Launch::each("gaussian_backward_input", in_count).arg(x).arg(w).arg(d).arg(dx);
                    calls.push(launch.args([images, op.in_features, op.out_features]).into());
                }
                (Task::Input(index), Op::Mul) => {
                    let places = [d.ok_or_else(missing)?, dx.ok_or_else(missing)?];
                    calls.push(layers::product_backward(self.graph, node, images, index, &inputs, places));
                }
                (Task::InPlace, op) => {
                    let (function, slope) =
                        layers::function(op).ok_or_else(|| layers::unsupported(self.graph, node, op))?;
                    let name = "pointwise_backward";
                    let launch = Launch::packs(name, self.element, output.elements(), in_count);
                    let kept = x.or(y);
                    calls.push(launch.arg(function).arg(slope).arg(kept).arg(d).arg(in_count).into());
                }
                _ => {
                    let (d, dx) = (d.ok_or_else(missing)?, dx.ok_or_else(missing)?);
                    calls.push(layers::backward(self.graph, node, images, (x, y), d, dx)?);
                }
            },
            (_, Kind::Copy) => return Err(missing()),
        }
        Ok(())
    }

    /// A convolution's call; `x` is the place of its input or of the gradient there, `y` that of its result or of the
    /// gradient there.
    #[allow(clippy::too_many_arguments)] // what a convolution is made of
    fn convolution(
        &self,
        layer: usize,
        op: &ops::Conv2d,
        source: Source,
        direction: Direction,
        images: usize,
        [x, y]: [Place; 2],
        constants: &mut Constants,
    ) -> Call {
        let (input, output) = in_and_out(self.graph, self.plan.layers[layer].node);
        let channels = if source == Source::Input { self.channels } else { input.channels() };
        let sizes = Sizes::new(op, input, output, channels, images);
        let block = if direction == Direction::Filter { Block::PackedGradients } else { Block::Packed };
        let w = Place::new(block, self.packed[&layer].to * self.element.bytes());
        Call::Convolution(Box::new(Convolution::new(sizes, direction, [x, w, y], self.element, constants)))
    }

    fn norm_apply(&self, norm: &Norm, rows: &Rows, x: Place, other: Option<Place>, y: Place) -> Call {
        let launch = rows.launch("norm_apply").arg(x).arg(other).arg(y).args(norm_places(norm));
        launch.args([rows.rows, rows.channels, then(norm.then)]).into()
    }

    fn norm_backward(
        &self,
        norm: &Norm,
        rows: &Rows,
        [x, y, d, dx]: [Option<Place>; 4],
        calls: &mut Vec<Call>,
    ) {
        let partial = Place::new(Block::Partial, 0);
        let then = then(norm.then);
        let launch = rows.launch("norm_backward_sums").args([x, y, d]).arg(partial);
        calls.push(launch.args(norm_places(norm)).args(rows.sizes()).arg(then).into());
        let dweight = Place::float(Block::Gradients, norm.weight.start);
        let dbias = Place::float(Block::Gradients, norm.bias.start);
        let launch = rows.finish("norm_backward_statistics").args([partial, dweight, dbias]);
        calls.push(launch.args([rows.channels, rows.parts]).into());
        let launch = rows.launch("norm_backward").args([x, y, d, dx]);
        let launch = launch.args(norm_places(norm)).args([dweight, dbias]);
        calls.push(launch.args(rows.sizes()).arg(then).into());
    }

    /// The gradient of a bias.
    fn column_sums(
        &self,
        rows: usize,
        channels: usize,
        d: Place,
        bias: &Range<usize>,
        calls: &mut Vec<Call>,
    ) {
        let rows = Rows::new(rows, channels, self.element);
        let partial = Place::new(Block::Partial, 0);
        calls.push(rows.launch("column_sums").args([d, partial]).args(rows.sizes()).into());
        let sums = Place::float(Block::Gradients, bias.start);
        let launch = rows.finish("column_sums_finish").args([partial, sums]);
        calls.push(launch.args([channels, rows.parts]).into());
    }

    fn dropout(&self, p: f32, layer: u64, count: usize, [x, y]: [Place; 2]) -> Call {
        let p = f64::from(p);
        let scale = if p < 1.0 { (1.0 / (1.0 - p)) as f32 } else { 0.0 };
        let threshold = (p * f64::from(1u32 << 24)).round() as usize;
        let launch = Launch::each("dropout", count).args([x, y, Place::new(Block::Draw, 0)]).arg(layer);
        launch.args([count, threshold]).arg(scale).arg(DROPOUT_BLOCK).into()
    }
}

/// How many numbers the CPU's dropout draws with one key; the masks are the same here.
const DROPOUT_BLOCK: usize = 1 << 14;

/// Sums over the rows of a matrix, in parts.
struct Rows {
    rows: usize,
    channels: usize,
    parts: usize,
    packs: bool,
    /// Threads along the channels.
    wide: usize,
    /// Blocks of threads along the channels.
    blocks: usize,
}

impl Rows {
    fn new(rows: usize, channels: usize, element: Element) -> Self {
        let packs = channels.is_multiple_of(element.pack());
        let columns = if packs { channels / element.pack() } else { channels };
        let wide = columns.next_power_of_two().min(32);
        let blocks = columns.div_ceil(wide);
        let parts = (1056 / blocks).clamp(1, rows.div_ceil(256 / wide).max(1));
        Self { rows, channels, parts, packs, wide, blocks }
    }

    fn launch(&self, name: &str) -> Launch {
        let kernel = format!("{name}_{}", if self.packs { 'v' } else { '1' });
        let (wide, high) = (self.wide as u32, (256 / self.wide) as u32);
        Launch::new(kernel, (self.blocks, self.parts), (wide, high))
    }

    /// The kernel that adds the parts.
    fn finish(&self, name: &str) -> Launch {
        Launch::new(name, (self.channels.div_ceil(32), 1), (32, 8))
    }

    fn sizes(&self) -> [usize; 2] {
        [self.rows, self.channels]
    }
}

/// Batch mean and deviation, weight and bias.
fn norm_places(norm: &Norm) -> [Place; 4] {
    [
        Place::float(Block::Statistics, norm.mean.start),
        Place::float(Block::Statistics, norm.inv_std.start),
        Place::float(Block::Learned, norm.weight.start),
        Place::float(Block::Learned, norm.bias.start),
    ]
}

/// The number that stands for what follows a batch norm in the kernels.
fn then(then: Then) -> usize {
    match then {
        Then::Nothing => 0,
        Then::Relu => 1,
        Then::Relu6 => 2,
        Then::AddRelu => 3,
    }
}
