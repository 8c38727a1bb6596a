//! One part of a concatenation along the channels.

use super::{Call, Kept, Operator};
use crate::memory::Inputs;
use eyespot_kernels::channels;

/// Pixels of `channels` floats into wider ones of `total`, from `offset` on.
#[derive(Debug)]
pub(super) struct Insert {
    pub(super) channels: usize,
    pub(super) total: usize,
    pub(super) offset: usize,
}

impl Operator for Insert {
    fn algorithm(&self) -> &'static str {
        "copy"
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        channels::insert(call.threads, self.channels, inputs.get(0), self.total, self.offset, y);
    }

    fn backward_input(&self, call: Call, _index: usize, _kept: Kept, d: &mut [f32], dx: &mut [f32]) {
        channels::extract(call.threads, self.channels, dx, self.total, self.offset, d);
    }
}
