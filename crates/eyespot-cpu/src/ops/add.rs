//! The sum of two results. Its gradient is handed on or copied, for which the plan has tasks of its own.

use super::{Call, Operator};
use crate::memory::Inputs;
use eyespot_kernels::pointwise;

#[derive(Debug)]
pub(super) struct Add;

impl Operator for Add {
    fn algorithm(&self) -> &'static str {
        "add"
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        pointwise::add(call.threads, inputs.get(0), inputs.get(1), y);
    }
}
