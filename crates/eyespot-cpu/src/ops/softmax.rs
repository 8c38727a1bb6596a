//! Softmax over the channels, and its logarithm.

use super::{Call, Kept, Operator};
use crate::memory::Inputs;
use eyespot_kernels::softmax;

/// Over rows of `n`.
#[derive(Debug)]
pub(super) struct Softmax {
    pub(super) n: usize,
}

impl Operator for Softmax {
    fn algorithm(&self) -> &'static str {
        "softmax"
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        softmax::softmax(call.threads, self.n, inputs.get(0), y);
    }

    fn backward_input(&self, call: Call, _index: usize, kept: Kept, d: &mut [f32], dx: &mut [f32]) {
        softmax::softmax_backward(call.threads, self.n, kept.y, d, dx);
    }
}

/// Over rows of `n`.
#[derive(Debug)]
pub(super) struct LogSoftmax {
    pub(super) n: usize,
}

impl Operator for LogSoftmax {
    fn algorithm(&self) -> &'static str {
        "softmax"
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        softmax::log_softmax(call.threads, self.n, inputs.get(0), y);
    }

    fn backward_input(&self, call: Call, _index: usize, kept: Kept, d: &mut [f32], dx: &mut [f32]) {
        softmax::log_softmax_backward(call.threads, self.n, kept.y, d, dx);
    }
}
