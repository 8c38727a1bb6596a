//! The CIFAR ResNets' shortcut.

use super::{Call, Kept, Operator};
use crate::memory::Inputs;
use eyespot_graph::{Shape, ops};
use eyespot_kernels::channels;

#[derive(Debug)]
pub(super) struct PadShortcut(channels::PadShortcut);

impl PadShortcut {
    pub(super) fn new(op: &ops::PadShortcut, input: Shape) -> Self {
        let (in_channels, height, width) = input.chw();
        let (out_channels, stride) = (op.out_channels, op.stride);
        Self(channels::PadShortcut { height, width, in_channels, out_channels, stride })
    }
}

impl Operator for PadShortcut {
    fn algorithm(&self) -> &'static str {
        "pad_shortcut"
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        self.0.forward(call.threads, inputs.get(0), y);
    }

    fn backward_input(&self, call: Call, _index: usize, _kept: Kept, d: &mut [f32], dx: &mut [f32]) {
        self.0.backward(call.threads, d, dx);
    }
}
