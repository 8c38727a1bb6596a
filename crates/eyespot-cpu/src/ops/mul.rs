//! The product of two results.

use super::{Call, Kept, Operator};
use crate::memory::Inputs;
use eyespot_graph::Shape;
use eyespot_kernels::product::Product;

#[derive(Debug)]
pub(super) struct Mul(Product);

impl Mul {
    pub(super) fn new(map: Shape, factors: Shape) -> Self {
        // Number by number, the whole map is one pixel.
        let whole = Product { pixels: 1, channels: map.elements() };
        let per_channel = Product { pixels: map.pixels(), channels: map.channels() };
        Self(if map == factors { whole } else { per_channel })
    }
}

impl Operator for Mul {
    fn algorithm(&self) -> &'static str {
        "mul"
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        self.0.forward(call.threads, inputs.get(0), inputs.get(1), y);
    }

    fn backward_input(&self, call: Call, index: usize, kept: Kept, d: &mut [f32], dx: &mut [f32]) {
        match index {
            0 => self.0.backward_map(call.threads, d, kept.inputs.get(1), dx),
            _ => self.0.backward_factors(call.threads, kept.inputs.get(0), d, dx),
        }
    }
}
