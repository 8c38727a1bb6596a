//! The largest value of each window.

use super::{Call, Kept, Operator};
use crate::memory::Inputs;
use eyespot_graph::{DeviceError, Shape, ops};
use eyespot_kernels::pool;

/// For inference.
#[derive(Debug)]
pub(super) struct MaxPool2d(pool::MaxPool2d);

impl MaxPool2d {
    pub(super) fn new(op: &ops::MaxPool2d, shapes: (Shape, Shape)) -> Self {
        Self(pool::MaxPool2d { windows: windows(op.kernel, op.stride, op.padding, shapes) })
    }
}

impl Operator for MaxPool2d {
    fn algorithm(&self) -> &'static str {
        "max_pool"
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        self.0.forward(call.threads, inputs.get(0), y);
    }
}

/// For training, which remembers where each window's largest value stood.
#[derive(Debug)]
pub(super) struct Training {
    pool: pool::MaxPool2d,
    /// Where its winners begin.
    start: usize,
    /// How many an image has.
    per_image: usize,
}

impl Training {
    pub(super) fn new(
        op: &ops::MaxPool2d,
        name: &str,
        shapes: (Shape, Shape),
        (start, per_image): (usize, usize),
    ) -> Result<Self, DeviceError> {
        if op.kernel.0.saturating_mul(op.kernel.1) > pool::MaxPool2d::MOST_TAPS {
            let reason = format!("a pooling window of {:?} is too large to be trained", op.kernel);
            return Err(DeviceError::Unsupported { node: name.to_owned(), reason });
        }
        Ok(Self { pool: MaxPool2d::new(op, shapes).0, start, per_image })
    }

    /// The winners of these images in their block.
    fn winners(&self, images: usize) -> std::ops::Range<usize> {
        self.start..self.start + images * self.per_image
    }
}

impl Operator for Training {
    fn algorithm(&self) -> &'static str {
        "max_pool"
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        let winners = &mut call.state.winners[self.winners(call.images)];
        self.pool.forward_training(call.threads, inputs.get(0), y, winners);
    }

    fn backward_input(&self, call: Call, _index: usize, _kept: Kept, d: &mut [f32], dx: &mut [f32]) {
        self.pool.backward(call.threads, &call.state.winners[self.winners(call.images)], d, dx);
    }
}

/// The windows of a pooling.
pub(super) fn windows(
    kernel: (usize, usize),
    stride: (usize, usize),
    padding: (usize, usize),
    (input, output): (Shape, Shape),
) -> pool::Windows {
    let ((channels, in_h, in_w), (_, out_h, out_w)) = (input.chw(), output.chw());
    pool::Windows { input: (in_h, in_w), output: (out_h, out_w), channels, kernel, stride, padding }
}
