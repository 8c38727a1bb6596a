//! Gaussian units.

use super::linear::columns;
use super::{Call, Kept, Operator};
use crate::memory::Inputs;
use eyespot_graph::{DeviceError, Params, Shape, ops};
use eyespot_kernels::{Floats, gaussian};
use std::ops::Range;

/// For inference.
#[derive(Debug)]
pub(super) struct Gaussian {
    inputs: usize,
    centres: Floats,
}

impl Gaussian {
    /// `map` as for a linear layer.
    pub(super) fn new(
        op: &ops::Gaussian,
        name: &str,
        params: &Params,
        map: Option<Shape>,
    ) -> Result<Self, DeviceError> {
        Ok(Self { inputs: op.in_features, centres: columns(params, name, map)? })
    }
}

impl Operator for Gaussian {
    fn algorithm(&self) -> &'static str {
        "gaussian"
    }

    fn weight_bytes(&self) -> usize {
        self.centres.len() * size_of::<f32>()
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        gaussian::forward(call.threads, self.inputs, inputs.get(0), &self.centres, y);
    }
}

/// For training.
#[derive(Debug)]
pub(super) struct Training {
    inputs: usize,
    centres: Range<usize>,
}

impl Training {
    pub(super) fn new(op: &ops::Gaussian, tensors: &[Range<usize>]) -> Self {
        Self { inputs: op.in_features, centres: tensors[0].clone() }
    }
}

impl Operator for Training {
    fn algorithm(&self) -> &'static str {
        "gaussian"
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        let centres = &call.state.learned[self.centres.clone()];
        gaussian::forward(call.threads, self.inputs, inputs.get(0), centres, y);
    }

    fn backward_weights(&self, call: Call, inputs: Inputs, d: &[f32]) {
        let centres = &call.state.learned[self.centres.clone()];
        let gradient = &mut call.state.gradients[self.centres.clone()];
        gaussian::backward_weights(call.threads, self.inputs, inputs.get(0), centres, d, gradient);
    }

    fn backward_input(&self, call: Call, _index: usize, kept: Kept, d: &mut [f32], dx: &mut [f32]) {
        let centres = &call.state.learned[self.centres.clone()];
        gaussian::backward_input(call.threads, self.inputs, kept.inputs.get(0), centres, d, dx);
    }
}
