//! The operators that inference and training compute alike, and their gradients.

use super::pool::windows;
use super::{Call, Launch, Place};
use crate::kernels::Element;
use eyespot_compile::in_and_out;
use eyespot_graph::{DeviceError, Graph, Op};

/// The number that stands for an element-wise function in the kernels, and LeakyReLU's slope.
pub(crate) fn function(op: &Op) -> Option<(usize, f32)> {
    Some(match op {
        Op::Relu => (0, 0.0),
        Op::Relu6 => (1, 0.0),
        Op::LeakyRelu { slope } => (2, *slope),
        Op::Sigmoid => (3, 0.0),
        Op::Tanh => (4, 0.0),
        Op::Sgn => (5, 0.0),
        Op::Gelu { tanh: false } => (6, 0.0),
        Op::Gelu { tanh: true } => (7, 0.0),
        Op::Silu => (8, 0.0),
        Op::HardSwish => (9, 0.0),
        Op::HardSigmoid => (10, 0.0),
        _ => return None,
    })
}

/// The result of the operator at a node.
pub(crate) fn forward(
    graph: &Graph,
    node: usize,
    images: usize,
    element: Element,
    inputs: &[Place],
    y: Place,
) -> Result<Call, DeviceError> {
    let (input, output) = in_and_out(graph, node);
    let (x, op) = (inputs[0], &graph.nodes[node].op);
    let count = images * output.elements();
    let rows = images * input.pixels();
    if let Some((function, slope)) = function(op) {
        let launch = Launch::packs("pointwise", element, output.elements(), count).arg(function).arg(slope);
        return Ok(launch.args([x, y]).arg(count).into());
    }
    Ok(match op {
        Op::Add => Launch::packs("add", element, output.elements(), count).args([x, inputs[1], y]).arg(count),
        Op::Mul => Launch::each("product", count).args([x, inputs[1], y]).args(factors(graph, node, count)),
        Op::Softmax | Op::LogSoftmax => {
            let logarithm = usize::from(*op == Op::LogSoftmax);
            Launch::warps("softmax", rows).args([x, y]).args([rows, input.channels(), logarithm])
        }
        Op::MaxPool2d(op) => max_pool(op, graph, node, images, element, [x, y], None),
        Op::AvgPool2d(op) => {
            let sizes = windows(images, (input, output), [op.kernel, op.stride, op.padding]);
            Launch::each("avg_pool", count).args([x, y]).args(sizes).arg(usize::from(op.count_include_pad))
        }
        Op::AdaptiveAvgPool2d { .. } => {
            let ((c, h, w), (_, oh, ow)) = (input.chw(), output.chw());
            Launch::each("adaptive_avg_pool", count).args([x, y]).args([images, h, w, c, oh, ow])
        }
        Op::Flatten => {
            let sizes = [images, input.pixels(), input.channels(), 0];
            Launch::each("flatten", count).args([x, y]).args(sizes)
        }
        Op::PadShortcut(op) => {
            let ((c, h, w), (oc, oh, ow)) = (input.chw(), output.chw());
            let sizes = [images, h, w, c, oh, ow, oc, op.stride];
            Launch::each("pad_shortcut", count).args([x, y]).args(sizes)
        }
        Op::LocalResponseNorm(op) => Launch::each("local_response_norm", count)
            .args([x, y])
            .args([count, input.channels(), op.size])
            .args([op.alpha, op.beta, op.k]),
        op => return Err(unsupported(graph, node, op)),
    }
    .into())
}

/// The gradient `dx` at the only input that the operator at a node has, from the gradient `d` at its result. `x` and `y`
/// are what it read and computed, where its gradient reads them.
pub(crate) fn backward(
    graph: &Graph,
    node: usize,
    images: usize,
    (x, y): (Option<Place>, Option<Place>),
    d: Place,
    dx: Place,
) -> Result<Call, DeviceError> {
    let (input, output) = in_and_out(graph, node);
    let op = &graph.nodes[node].op;
    let count = images * input.elements();
    let rows = images * input.pixels();
    Ok(match op {
        Op::Softmax | Op::LogSoftmax => {
            let logarithm = usize::from(*op == Op::LogSoftmax);
            let launch = Launch::warps("softmax_backward", rows).arg(y).args([d, dx]);
            launch.args([rows, input.channels(), logarithm])
        }
        Op::AvgPool2d(op) => {
            let sizes = windows(images, (input, output), [op.kernel, op.stride, op.padding]);
            let launch = Launch::each("avg_pool_backward", count).args([d, dx]).args(sizes);
            launch.arg(usize::from(op.count_include_pad))
        }
        Op::AdaptiveAvgPool2d { .. } => {
            let ((c, h, w), (_, oh, ow)) = (input.chw(), output.chw());
            Launch::each("adaptive_avg_pool_backward", count).args([d, dx]).args([images, h, w, c, oh, ow])
        }
        Op::Flatten => {
            let sizes = [images, input.pixels(), input.channels(), 1];
            Launch::each("flatten", count).args([d, dx]).args(sizes)
        }
        Op::PadShortcut(op) => {
            let ((c, h, w), (oc, oh, ow)) = (input.chw(), output.chw());
            let sizes = [images, h, w, c, oh, ow, oc, op.stride];
            Launch::each("pad_shortcut_backward", count).args([d, dx]).args(sizes)
        }
        Op::LocalResponseNorm(op) => Launch::each("local_response_norm_backward", count)
            .arg(x)
            .args([d, dx])
            .args([count, input.channels(), op.size])
            .args([op.alpha, op.beta, op.k]),
        op => return Err(unsupported(graph, node, op)),
    }
    .into())
}

/// The gradient at input number `index` of a product of `inputs`.
pub(crate) fn product_backward(
    graph: &Graph,
    node: usize,
    images: usize,
    index: usize,
    inputs: &[Place],
    [d, dx]: [Place; 2],
) -> Call {
    let count = images * graph.nodes[node].shape.elements();
    let sizes = factors(graph, node, count);
    if index == 0 {
        return Launch::each("product", count).args([d, inputs[1], dx]).args(sizes).into();
    }
    let [_, picture, channels] = sizes;
    let sums = images * channels;
    Launch::each("product_factors", sums).args([inputs[0], d, dx]).args([sums, picture, channels]).into()
}

/// How many numbers a product has, of one picture, and factors of one picture.
fn factors(graph: &Graph, node: usize, count: usize) -> [usize; 3] {
    let factors = graph.node(graph.nodes[node].inputs[1]).shape.elements();
    [count, graph.nodes[node].shape.elements(), factors]
}

/// Max pooling, with the place of its winners in training.
pub(crate) fn max_pool(
    op: &eyespot_graph::ops::MaxPool2d,
    graph: &Graph,
    node: usize,
    images: usize,
    element: Element,
    [x, y]: [Place; 2],
    winners: Option<Place>,
) -> Launch {
    let shapes = in_and_out(graph, node);
    let sizes = windows(images, shapes, [op.kernel, op.stride, op.padding]);
    let count = images * shapes.1.elements();
    Launch::packs("max_pool", element, shapes.1.channels(), count).args([x, y]).arg(winners).args(sizes)
}

pub(crate) fn unsupported(graph: &Graph, node: usize, op: &Op) -> DeviceError {
    let reason = format!("the GPU has no {} yet; use the CPU", op.kind());
    DeviceError::Unsupported { node: graph.nodes[node].name.clone(), reason }
}
