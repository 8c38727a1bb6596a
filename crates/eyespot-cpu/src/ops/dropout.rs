//! Numbers dropped at random, in training; inference leaves it out.

use super::{Call, Draw, Kept, Operator};
use crate::memory::Inputs;
use eyespot_kernels::dropout;

/// `layer` tells its mask from other layers'.
#[derive(Debug)]
pub(super) struct Dropout {
    pub(super) p: f32,
    pub(super) layer: u64,
}

impl Dropout {
    /// One mask for both passes.
    fn mask(&self, draw: Draw) -> dropout::Dropout {
        dropout::Dropout { p: self.p, seed: draw.seed, step: draw.step, layer: self.layer }
    }
}

impl Operator for Dropout {
    fn algorithm(&self) -> &'static str {
        "dropout"
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        self.mask(call.state.draw).apply(call.threads, inputs.get(0), y);
    }

    fn forward_in_place(&self, call: Call, y: &mut [f32]) {
        self.mask(call.state.draw).apply_in_place(call.threads, y);
    }

    fn backward_in_place(&self, call: Call, _kept: Kept, d: &mut [f32]) {
        self.mask(call.state.draw).apply_in_place(call.threads, d);
    }
}
