//! The kernels' shape structs from the graph's operators, and their functions from the plan's.

use eyespot_compile as compile;
use eyespot_graph::{Shape, ops};
use eyespot_kernels::conv2d::Conv2dShape;
use eyespot_kernels::pointwise::Pointwise;
use eyespot_kernels::{Activation, channels, local_response_norm, pool};

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

pub(crate) fn activation(activation: compile::Activation) -> Activation {
    match activation {
        compile::Activation::None => Activation::None,
        compile::Activation::Relu => Activation::Relu,
        compile::Activation::Relu6 => Activation::Relu6,
    }
}

pub(crate) fn pointwise(function: compile::Pointwise) -> Pointwise {
    match function {
        compile::Pointwise::Relu => Pointwise::Relu,
        compile::Pointwise::Relu6 => Pointwise::Relu6,
        compile::Pointwise::LeakyRelu(slope) => Pointwise::LeakyRelu(slope),
        compile::Pointwise::Sigmoid => Pointwise::Sigmoid,
        compile::Pointwise::Tanh => Pointwise::Tanh,
        compile::Pointwise::Sgn => Pointwise::Sgn,
    }
}
