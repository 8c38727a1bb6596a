//! Batch norm.

use super::{Call, Kept, Operator, State};
use crate::memory::{Inputs, borrow};
use eyespot_compile as compile;
use eyespot_compile::training::{Norm, Then};
use eyespot_graph::{DeviceError, Params, Shape, ops};
use eyespot_kernels::batch_norm::{self, Followed, Follows, Gradients, Parameters, Statistics};

/// For inference, where it stands behind no convolution.
#[derive(Debug)]
pub(super) struct ScaleShift {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl ScaleShift {
    pub(super) fn new(op: &ops::BatchNorm2d, name: &str, params: &Params) -> Result<Self, DeviceError> {
        let (scale, shift) = compile::ScaleShift::new(name, op, params)?.rounded();
        Ok(Self { scale, shift })
    }
}

impl Operator for ScaleShift {
    fn algorithm(&self) -> &'static str {
        "scale_shift"
    }

    fn weight_bytes(&self) -> usize {
        (self.scale.len() + self.shift.len()) * size_of::<f32>()
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        batch_norm::scale_shift(call.threads, &self.scale, &self.shift, Follows::Nothing, inputs.get(0), y);
    }
}

/// For training, with what follows it.
#[derive(Debug)]
pub(super) struct Training {
    norm: Norm,
    sums_len: usize,
}

impl Training {
    pub(super) fn new(norm: Norm, input: Shape, batch: usize) -> Self {
        let len = |images| batch_norm::scratch_len(images * input.pixels(), input.channels());
        Self { norm, sums_len: (1..=batch).map(len).max().unwrap_or(0) }
    }

    fn parameters<'a>(&self, learned: &'a [f32]) -> Parameters<'a> {
        let Norm { weight, bias, eps, .. } = &self.norm;
        Parameters { weight: &learned[weight.clone()], bias: &learned[bias.clone()], eps: *eps }
    }

    /// What the kernel computes after it.
    fn follows<'a>(&self, inputs: Inputs<'a>) -> Follows<'a> {
        match self.norm.then {
            Then::Nothing => Follows::Nothing,
            Then::Relu => Follows::Relu,
            Then::Relu6 => Follows::Relu6,
            Then::AddRelu => Follows::AddRelu(inputs.get(1)),
        }
    }

    /// Its parameters, and the places of their gradients.
    fn gradients<'a>(&self, state: State<'a>) -> (Parameters<'a>, Gradients<'a>, &'a mut [f64]) {
        let [weight, bias] = borrow(state.gradients, [self.norm.weight.clone(), self.norm.bias.clone()]);
        let mean = &state.statistics[self.norm.mean.clone()];
        let inv_std = &state.statistics[self.norm.inv_std.clone()];
        (self.parameters(state.learned), Gradients { mean, inv_std, weight, bias }, state.sums)
    }
}

impl Operator for Training {
    fn algorithm(&self) -> &'static str {
        match self.norm.then {
            Then::Nothing => "batch_norm",
            Then::Relu | Then::Relu6 => "batch_norm+relu",
            Then::AddRelu => "batch_norm+add+relu",
        }
    }

    fn sums_len(&self) -> usize {
        self.sums_len
    }

    fn forward(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        let (state, norm) = (call.state, &self.norm);
        let [mean, inv_std] = borrow(state.statistics, [norm.mean.clone(), norm.inv_std.clone()]);
        let running = [norm.running_mean.clone(), norm.running_var.clone()];
        let [running_mean, running_var] = borrow(state.running, running);
        let statistics = Statistics { mean, inv_std, running_mean, running_var, momentum: norm.momentum };
        let (parameters, follows) = (self.parameters(state.learned), self.follows(inputs));
        batch_norm::forward(call.threads, parameters, statistics, follows, inputs.get(0), y, state.sums);
    }

    fn recompute(&self, call: Call, inputs: Inputs, y: &mut [f32]) {
        let state = call.state;
        let mean = &state.statistics[self.norm.mean.clone()];
        let inv_std = &state.statistics[self.norm.inv_std.clone()];
        let (parameters, follows) = (self.parameters(state.learned), self.follows(inputs));
        batch_norm::apply(call.threads, parameters, mean, inv_std, follows, inputs.get(0), y);
    }

    /// Behind a residual sum: `d` is left as the gradient at the other summand.
    fn backward_input(&self, call: Call, _index: usize, kept: Kept, d: &mut [f32], dx: &mut [f32]) {
        let (parameters, gradients, sums) = self.gradients(call.state);
        let x = kept.inputs.get(0);
        batch_norm::backward_add_relu(call.threads, parameters, gradients, x, kept.y, d, dx, sums);
    }

    fn backward_in_place(&self, call: Call, kept: Kept, d: &mut [f32]) {
        let followed = match self.norm.then {
            Then::Nothing => Followed::Nothing,
            Then::Relu => Followed::Relu,
            Then::Relu6 => Followed::Relu6,
            Then::AddRelu => unreachable!("the gradient of a residual sum is no task in place"),
        };
        let (parameters, gradients, sums) = self.gradients(call.state);
        batch_norm::backward(call.threads, parameters, followed, gradients, kept.inputs.get(0), d, sums);
    }
}
