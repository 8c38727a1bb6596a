//! The kernels' shape structs from the graph's operators.

use eyespot_graph::{Graph, Shape, ops};
use eyespot_kernels::conv2d::Conv2dShape;
use eyespot_kernels::{channels, local_response_norm, pool};

/// The shape of a node's first input and of its result.
pub(crate) fn in_and_out(graph: &Graph, node: usize) -> (Shape, Shape) {
    let node = &graph.nodes[node];
    (graph.node(node.inputs[0]).shape, node.shape)
}

pub(crate) fn conv2d(op: &ops::Conv2d, (input, output): (Shape, Shape)) -> Conv2dShape {
    let ((in_c, in_h, in_w), (out_c, out_h, out_w)) = (input.chw(), output.chw());
    Conv2dShape {
        in_h,
        in_w,
        in_c,
        out_h,
        out_w,
        out_c,
        kernel: op.kernel,
        stride: op.stride,
        padding: op.padding,
        dilation: op.dilation,
        groups: op.groups,
    }
}

pub(crate) fn max_pool2d(op: &ops::MaxPool2d, shapes: (Shape, Shape)) -> pool::MaxPool2d {
    pool::MaxPool2d { windows: windows(op.kernel, op.stride, op.padding, shapes) }
}

pub(crate) fn avg_pool2d(op: &ops::AvgPool2d, shapes: (Shape, Shape)) -> pool::AvgPool2d {
    let windows = windows(op.kernel, op.stride, op.padding, shapes);
    pool::AvgPool2d { windows, count_include_pad: op.count_include_pad }
}

fn windows(
    kernel: (usize, usize),
    stride: (usize, usize),
    padding: (usize, usize),
    (input, output): (Shape, Shape),
) -> pool::Windows {
    let ((channels, in_h, in_w), (_, out_h, out_w)) = (input.chw(), output.chw());
    pool::Windows { input: (in_h, in_w), output: (out_h, out_w), channels, kernel, stride, padding }
}

pub(crate) fn adaptive_avg_pool2d((input, output): (Shape, Shape)) -> pool::AdaptiveAvgPool2d {
    let ((channels, in_h, in_w), (_, out_h, out_w)) = (input.chw(), output.chw());
    pool::AdaptiveAvgPool2d { input: (in_h, in_w), output: (out_h, out_w), channels }
}

pub(crate) fn pad_shortcut(op: &ops::PadShortcut, input: Shape) -> channels::PadShortcut {
    let (in_channels, height, width) = input.chw();
    channels::PadShortcut { height, width, in_channels, out_channels: op.out_channels, stride: op.stride }
}

pub(crate) fn local_response_norm(
    op: &ops::LocalResponseNorm,
    input: Shape,
) -> local_response_norm::LocalResponseNorm {
    let channels = input.channels();
    local_response_norm::LocalResponseNorm {
        channels,
        size: op.size,
        alpha: op.alpha,
        beta: op.beta,
        k: op.k,
    }
}

/// The element-wise function of an operator that is one.
pub(crate) fn pointwise(op: &eyespot_graph::Op) -> Option<eyespot_kernels::pointwise::Pointwise> {
    use eyespot_graph::Op;
    use eyespot_kernels::pointwise::Pointwise;
    Some(match *op {
        Op::Relu => Pointwise::Relu,
        Op::Relu6 => Pointwise::Relu6,
        Op::LeakyRelu { slope } => Pointwise::LeakyRelu(slope),
        Op::Sigmoid => Pointwise::Sigmoid,
        Op::Tanh => Pointwise::Tanh,
        Op::Sgn => Pointwise::Sgn,
        _ => return None,
    })
}
