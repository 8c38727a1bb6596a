//! Means of windows.

use super::{Call, Kept, Operator};
use crate::memory::Inputs;
use eyespot_graph::{Shape, ops};
use eyespot_kernels::pool;

#[derive(Debug)]
pub(super) struct AvgPool2d(pool::AvgPool2d);

impl AvgPool2d {
    pub(super) fn new(op: &ops::AvgPool2d, shapes: (Shape, Shape)) -> Self {
        let windows = super::max_pool::windows(op.kernel, op.stride, op.padding, shapes);
        Self(pool::AvgPool2d { windows, count_include_pad: op.count_include_pad })
    }
}

impl Operator for AvgPool2d {
    fn algorithm(&self) -> &'static str {
        "avg_pool"
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        self.0.forward(call.threads, inputs.get(0), y);
    }

    fn backward_input(&self, call: Call, _index: usize, _kept: Kept, d: &mut [f32], dx: &mut [f32]) {
        self.0.backward(call.threads, d, dx);
    }
}

/// A grid of windows that cover the map.
#[derive(Debug)]
pub(super) struct AdaptiveAvgPool2d(pool::AdaptiveAvgPool2d);

impl AdaptiveAvgPool2d {
    pub(super) fn new((input, output): (Shape, Shape)) -> Self {
        let ((channels, in_h, in_w), (_, out_h, out_w)) = (input.chw(), output.chw());
        Self(pool::AdaptiveAvgPool2d { input: (in_h, in_w), output: (out_h, out_w), channels })
    }
}

impl Operator for AdaptiveAvgPool2d {
    fn algorithm(&self) -> &'static str {
        "adaptive_avg_pool"
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        self.0.forward(call.threads, inputs.get(0), y);
    }

    fn backward_input(&self, call: Call, _index: usize, _kept: Kept, d: &mut [f32], dx: &mut [f32]) {
        self.0.backward(call.threads, d, dx);
    }
}
