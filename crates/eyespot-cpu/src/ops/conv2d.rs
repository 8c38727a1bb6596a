//! Convolutions.

use super::{Call, Kept, Operator};
use crate::memory::{Inputs, borrow};
use eyespot_compile as compile;
use eyespot_graph::{Shape, ops};
use eyespot_kernels::conv2d::{Conv2dKernel, Conv2dShape, Conv2dTraining, SeparableKernel};
use eyespot_kernels::{Activation, Threads};
use std::ops::Range;

/// For inference, with all that follows it.
#[derive(Debug)]
pub(crate) struct Conv2d {
    pub(crate) kernel: Box<Conv2dKernel>,
    /// How many floats the result's pixels are apart.
    pub(crate) out_stride: usize,
}

impl Conv2d {
    pub(super) fn new(
        op: &ops::Conv2d,
        shapes: (Shape, Shape),
        batch: usize,
        (weights, bias): (&[f32], Option<&[f32]>),
        then: compile::Activation,
        out_stride: usize,
    ) -> Self {
        let kernel = Conv2dKernel::new(shape(op, shapes), batch, weights, bias, activation(then));
        Self { kernel: Box::new(kernel), out_stride }
    }
}

impl Operator for Conv2d {
    fn algorithm(&self) -> &'static str {
        self.kernel.algorithm()
    }

    fn scratch_len(&self, threads: &Threads) -> usize {
        self.kernel.scratch_len(threads)
    }

    fn weight_bytes(&self) -> usize {
        self.kernel.memory_bytes()
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        let (x, residual) = (inputs.get(0), inputs.second());
        self.kernel.run(call.threads, call.images, x, residual, y, self.out_stride, call.scratch);
    }
}

/// A depthwise convolution with the pointwise ones around it, for inference.
#[derive(Debug)]
pub(crate) struct Separable {
    pub(crate) kernel: Box<SeparableKernel>,
    /// As in [`Conv2d`].
    pub(crate) out_stride: usize,
}

impl Operator for Separable {
    fn algorithm(&self) -> &'static str {
        "separable"
    }

    fn scratch_len(&self, threads: &Threads) -> usize {
        self.kernel.scratch_len(threads)
    }

    fn weight_bytes(&self) -> usize {
        self.kernel.memory_bytes()
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        let (x, residual) = (inputs.get(0), inputs.second());
        self.kernel.run(call.threads, call.images, x, residual, y, self.out_stride, call.scratch);
    }
}

/// For training.
#[derive(Debug)]
pub(super) struct Training {
    plan: Box<Conv2dTraining>,
    weight: Range<usize>,
    bias: Option<Range<usize>>,
}

impl Training {
    pub(super) fn new(
        op: &ops::Conv2d,
        shapes: (Shape, Shape),
        batch: usize,
        tensors: &[Range<usize>],
    ) -> Self {
        let plan = Box::new(Conv2dTraining::new(shape(op, shapes), batch));
        Self { plan, weight: tensors[0].clone(), bias: tensors.get(1).cloned() }
    }
}

impl Operator for Training {
    fn algorithm(&self) -> &'static str {
        "conv2d"
    }

    fn scratch_len(&self, threads: &Threads) -> usize {
        self.plan.scratch_len(threads)
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        let part = |range: &Range<usize>| &call.state.learned[range.clone()];
        let (weight, bias) = (part(&self.weight), self.bias.as_ref().map(part));
        self.plan.forward(call.threads, call.images, inputs.get(0), weight, bias, y, call.scratch);
    }

    fn backward_weights(&self, call: Call, inputs: Inputs, d: &[f32]) {
        let bias = self.bias.clone();
        let [dw, db] = borrow(call.state.gradients, [self.weight.clone(), bias.clone().unwrap_or(0..0)]);
        let db = bias.is_some().then_some(db);
        self.plan.backward_weights(call.threads, call.images, inputs.get(0), d, dw, db, call.scratch);
    }

    fn backward_input(&self, call: Call, _index: usize, _kept: Kept, d: &mut [f32], dx: &mut [f32]) {
        let weight = &call.state.learned[self.weight.clone()];
        self.plan.backward_input(call.threads, call.images, d, weight, dx, call.scratch);
    }
}

fn shape(op: &ops::Conv2d, (input, output): (Shape, Shape)) -> Conv2dShape {
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

/// The kernels' name for what follows.
pub(super) fn activation(activation: compile::Activation) -> Activation {
    match activation {
        compile::Activation::None => Activation::None,
        compile::Activation::Relu => Activation::Relu,
        compile::Activation::Relu6 => Activation::Relu6,
    }
}
