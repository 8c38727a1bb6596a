//! Linear layers.

use super::{Call, Kept, Operator};
use crate::memory::{Inputs, borrow};
use eyespot_compile::{Activation, columns_in_memory_order, tensor};
use eyespot_graph::{DeviceError, Params, Shape, ops};
use eyespot_kernels::Floats;
use eyespot_kernels::linear::{self, LinearKernel};
use std::ops::Range;

/// For inference, with what follows.
#[derive(Debug)]
pub(super) struct Linear(LinearKernel);

impl Linear {
    /// Where `map` is given, the input is such a map as it lies in memory.
    pub(super) fn new(
        op: &ops::Linear,
        name: &str,
        params: &Params,
        map: Option<Shape>,
        activation: Activation,
    ) -> Result<Self, DeviceError> {
        let weights = columns(params, name, map)?;
        let bias = if op.bias { Some(tensor(params, &format!("{name}.bias"))?) } else { None };
        let (inputs, outputs) = (op.in_features, op.out_features);
        let activation = super::conv2d::activation(activation);
        Ok(Self(LinearKernel::new(inputs, outputs, weights, bias.as_deref(), activation)))
    }
}

impl Operator for Linear {
    fn algorithm(&self) -> &'static str {
        "linear"
    }

    fn weight_bytes(&self) -> usize {
        self.0.memory_bytes()
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        self.0.run(call.threads, call.images, inputs.get(0), y);
    }
}

/// A layer's weights, their columns in the order in which its input lies in memory.
pub(super) fn columns(params: &Params, layer: &str, map: Option<Shape>) -> Result<Floats, DeviceError> {
    let weights = tensor(params, &format!("{layer}.weight"))?;
    Ok(match map {
        Some(map) => {
            let mut reordered = Floats::zeroed(weights.len());
            columns_in_memory_order(&weights, map, &mut reordered);
            reordered
        }
        None => Floats::copied(&weights),
    })
}

/// For training.
#[derive(Debug)]
pub(super) struct Training {
    /// Inputs and outputs.
    sizes: (usize, usize),
    weight: Range<usize>,
    bias: Option<Range<usize>>,
}

impl Training {
    pub(super) fn new(op: &ops::Linear, tensors: &[Range<usize>]) -> Self {
        let sizes = (op.in_features, op.out_features);
        Self { sizes, weight: tensors[0].clone(), bias: tensors.get(1).cloned() }
    }
}

impl Operator for Training {
    fn algorithm(&self) -> &'static str {
        "linear"
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        let part = |range: &Range<usize>| &call.state.learned[range.clone()];
        let (weight, bias) = (part(&self.weight), self.bias.as_ref().map(part));
        linear::forward(call.threads, self.sizes, call.images, inputs.get(0), weight, bias, y);
    }

    fn backward_weights(&self, call: Call, inputs: Inputs, d: &[f32]) {
        let bias = self.bias.clone();
        let [dw, db] = borrow(call.state.gradients, [self.weight.clone(), bias.clone().unwrap_or(0..0)]);
        let db = bias.is_some().then_some(db);
        linear::backward_weights(call.threads, self.sizes, call.images, inputs.get(0), d, dw, db);
    }

    fn backward_input(&self, call: Call, _index: usize, _kept: Kept, d: &mut [f32], dx: &mut [f32]) {
        let weight = &call.state.learned[self.weight.clone()];
        linear::backward_input(call.threads, self.sizes, call.images, d, weight, dx);
    }
}
