//! Element-wise functions.

use super::{Call, Kept, Operator};
use crate::memory::Inputs;
use eyespot_kernels::pointwise;

#[derive(Debug)]
pub(super) struct Pointwise(pub(super) pointwise::Pointwise);

impl Operator for Pointwise {
    fn algorithm(&self) -> &'static str {
        "pointwise"
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        pointwise::forward(call.threads, self.0, inputs.get(0), y);
    }

    fn forward_in_place(&self, call: Call, y: &mut [f32]) {
        pointwise::forward_in_place(call.threads, self.0, y);
    }

    fn backward_in_place(&self, call: Call, kept: Kept, d: &mut [f32]) {
        let kept = if self.0.reads_input() { kept.inputs.get(0) } else { kept.y };
        pointwise::backward_in_place(call.threads, self.0, kept, d);
    }
}
