//! The calls of an inference program.

use super::convolution::{Direction, Sizes, packed, then};
use super::{Block, Call, Constants, Convolution, Launch, Place, layers};
use crate::kernels::Element;
use eyespot_compile::inference::{Kind, Step};
use eyespot_compile::{
    InferencePlan, Layout, ScaleShift, Source, columns_in_memory_order, conv2d_weights, in_and_out, tensor,
};
use eyespot_graph::{DeviceError, Graph, Op, Params, Shape};

/// What the calls are made from.
pub(crate) struct Inference<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) plan: &'a InferencePlan,
    pub(crate) layout: &'a Layout,
    pub(crate) element: Element,
}

/// How many channels the images have in memory: convolutions read them in packs, so zeros are added where only
/// convolutions read them.
pub(crate) fn image_channels(
    graph: &Graph,
    element: Element,
    readers: impl IntoIterator<Item = usize>,
) -> usize {
    let channels = graph.input_shape().channels();
    let convolves = |node: usize| matches!(&graph.nodes[node].op, Op::Conv2d(op) if op.groups == 1);
    if matches!(graph.input_shape(), Shape::Map { .. }) && readers.into_iter().all(convolves) {
        channels.next_multiple_of(element.pack())
    } else {
        channels
    }
}

/// The length of each block in bytes, for `batch` images.
pub(crate) fn blocks(
    graph: &Graph,
    element: Element,
    batch: usize,
    layout: &Layout,
    channels: usize,
    constants: usize,
) -> Vec<(Block, usize)> {
    let (input, output) = (graph.input_shape(), graph.output_shape());
    vec![
        (Block::Input, 4 * batch * input.elements()),
        (Block::Images, element.bytes() * batch * input.pixels() * channels),
        (Block::Arena, element.bytes() * layout.total),
        (Block::Constants, constants),
        (Block::Scores, 4 * batch * output.elements()),
    ]
}

/// The call that makes elements of the caller's images.
pub(crate) fn take_images(graph: &Graph, channels: usize, images: usize) -> Call {
    let shape = graph.input_shape();
    let (pixels, own) = (images * shape.pixels(), shape.channels());
    let places = [Place::new(Block::Input, 0), Place::new(Block::Images, 0)];
    Launch::each("take_images", pixels * channels).args(places).args([pixels, own, channels]).into()
}

impl Inference<'_> {
    pub(crate) fn channels(&self) -> usize {
        // A residual sum with the images needs them as they are: the addition's node isn't a convolution's.
        let added = self.plan.steps.iter().any(|step| step.inputs[1..].contains(&Source::Input));
        if added {
            return self.graph.input_shape().channels();
        }
        let readers = self.plan.steps.iter().filter(|step| step.inputs[0] == Source::Input);
        image_channels(self.graph, self.element, readers.map(|step| step.node))
    }

    fn place(&self, source: Source, images: usize) -> Place {
        match source {
            Source::Input => Place::new(Block::Images, 0),
            Source::Arena(span) => {
                Place::new(Block::Arena, self.layout.range(span, images).start * self.element.bytes())
            }
        }
    }

    /// The calls for `images` images. What they need of the weights is appended to `constants`, at the same places for
    /// the same graph.
    pub(crate) fn calls(
        &self,
        params: &Params,
        images: usize,
        constants: &mut Constants,
    ) -> Result<Vec<Call>, DeviceError> {
        let mut calls = vec![take_images(self.graph, self.channels(), images)];
        for step in &self.plan.steps {
            calls.push(self.call(step, params, images, constants)?);
        }
        let count = images * self.graph.output_shape().elements();
        let y = self.place(Source::Arena(self.plan.output), images);
        calls.push(Launch::each("to_f32", count).args([y, Place::new(Block::Scores, 0)]).arg(count).into());
        Ok(calls)
    }

    fn call(
        &self,
        step: &Step,
        params: &Params,
        images: usize,
        constants: &mut Constants,
    ) -> Result<Call, DeviceError> {
        let node = step.node;
        let (input, output) = in_and_out(self.graph, node);
        let inputs: Vec<Place> = step.inputs.iter().map(|&source| self.place(source, images)).collect();
        let y = self.place(Source::Arena(step.y), images);
        let name = &self.graph.nodes[node].name;
        Ok(match (&step.kind, &self.graph.nodes[node].op) {
            (Kind::Conv2d { norms, activation, out_stride }, Op::Conv2d(op)) => {
                let (weights, bias) = conv2d_weights(self.graph, params, node, norms)?;
                let channels =
                    if step.inputs[0] == Source::Input { self.channels() } else { input.channels() };
                let mut sizes = Sizes::new(op, input, output, channels, images);
                sizes.out_stride = *out_stride;
                let taps = op.kernel.0 * op.kernel.1;
                let per_group = op.in_channels / op.groups;
                let weights = packed(&weights, op.out_channels, per_group, taps, channels / op.groups);
                let w = constants.push_elements(&weights, self.element);
                let bias = bias.map(|bias| constants.push_f32(&bias));
                let residual = inputs.get(1).copied();
                let direction = Direction::Forward { bias, residual, activation: *activation };
                Call::Convolution(Box::new(Convolution::new(
                    sizes,
                    direction,
                    [inputs[0], w, y],
                    self.element,
                    constants,
                )))
            }
            (Kind::Linear { map, activation }, Op::Linear(op)) => {
                let w = constants.push_f32(&columns(params, name, *map)?);
                let bias = if op.bias {
                    Some(constants.push_f32(&tensor(params, &format!("{name}.bias"))?))
                } else {
                    None
                };
                linear(images, (op.in_features, op.out_features), [inputs[0], w, y], bias, then(*activation))
            }
            (Kind::Gaussian { map }, Op::Gaussian(op)) => {
                let w = constants.push_f32(&columns(params, name, *map)?);
                let launch = Launch::warps("gaussian", images * op.out_features).args([inputs[0], w, y]);
                launch.args([images, op.in_features, op.out_features]).into()
            }
            (Kind::Op, Op::BatchNorm2d(op)) => {
                let (scale, shift) = ScaleShift::new(name, op, params)?.rounded();
                let (scale, shift) = (constants.push_f32(&scale), constants.push_f32(&shift));
                let count = images * output.elements();
                let launch = Launch::each("scale_shift", count).args([inputs[0], scale, shift, y]);
                launch.args([output.channels(), count]).into()
            }
            (&Kind::Insert { channels, total, offset }, _) => {
                // The part is the input whose place this is; its pixels are those of the whole.
                insert(images * output.pixels(), [inputs[0], y], [channels, total, offset])
            }
            (Kind::Copy, _) => {
                let count = images * output.elements();
                Launch::each("copy", count).args([inputs[0], y]).arg(count).into()
            }
            _ => layers::forward(self.graph, node, images, self.element, &inputs, y)?,
        })
    }
}

/// A layer's weights, their columns in the order in which its input lies in memory.
fn columns(params: &Params, layer: &str, map: Option<Shape>) -> Result<Vec<f32>, DeviceError> {
    let weights = tensor(params, &format!("{layer}.weight"))?;
    Ok(match map {
        Some(map) => {
            let mut reordered = vec![0.0; weights.len()];
            columns_in_memory_order(&weights, map, &mut reordered);
            reordered
        }
        None => weights.to_vec(),
    })
}

/// A linear layer with what follows.
pub(crate) fn linear(
    images: usize,
    (inputs, outputs): (usize, usize),
    [x, w, y]: [Place; 3],
    bias: Option<Place>,
    then: usize,
) -> Call {
    let launch = product("linear", images, outputs).args([x, w]).arg(bias).arg(y);
    launch.args([images, inputs, outputs, then]).into()
}

/// A product of `rows` × `columns` results.
pub(crate) fn product(kernel: &str, rows: usize, columns: usize) -> Launch {
    Launch::new(kernel, (columns.div_ceil(64), rows.div_ceil(64)), (16, 16))
}

/// One part of a concatenation.
pub(crate) fn insert(pixels: usize, [x, y]: [Place; 2], [channels, total, offset]: [usize; 3]) -> Call {
    let launch = Launch::each("insert", pixels * channels).args([x, y]);
    launch.args([pixels, channels, total, offset]).into()
}
