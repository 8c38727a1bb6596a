//! AlexNet's normalisation across channels.

use super::{Call, Kept, Operator};
use crate::memory::Inputs;
use eyespot_graph::{Shape, ops};
use eyespot_kernels::local_response_norm as kernels;

#[derive(Debug)]
pub(super) struct LocalResponseNorm(kernels::LocalResponseNorm);

impl LocalResponseNorm {
    pub(super) fn new(op: &ops::LocalResponseNorm, input: Shape) -> Self {
        let &ops::LocalResponseNorm { size, alpha, beta, k } = op;
        Self(kernels::LocalResponseNorm { channels: input.channels(), size, alpha, beta, k })
    }
}

impl Operator for LocalResponseNorm {
    fn algorithm(&self) -> &'static str {
        "local_response_norm"
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        self.0.forward(call.threads, inputs.get(0), y);
    }

    fn backward_input(&self, call: Call, _index: usize, kept: Kept, d: &mut [f32], dx: &mut [f32]) {
        self.0.backward(call.threads, kept.inputs.get(0), d, dx);
    }
}
