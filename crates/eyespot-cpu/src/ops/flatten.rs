//! From memory order to PyTorch's: channel, row, column.

use super::{Call, Kept, Operator};
use crate::memory::Inputs;
use eyespot_graph::Shape;
use eyespot_kernels::channels;

#[derive(Debug)]
pub(super) struct Flatten {
    pixels: usize,
    channels: usize,
}

impl Flatten {
    pub(super) fn new(input: Shape) -> Self {
        Self { pixels: input.pixels(), channels: input.channels() }
    }
}

impl Operator for Flatten {
    fn algorithm(&self) -> &'static str {
        "flatten"
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        channels::flatten(call.threads, self.pixels, self.channels, inputs.get(0), y);
    }

    fn backward_input(&self, call: Call, _index: usize, _kept: Kept, d: &mut [f32], dx: &mut [f32]) {
        channels::flatten_backward(call.threads, self.pixels, self.channels, d, dx);
    }
}
