//! From a graph's plan to the steps of an inference program: each gets its kernel, with its weights packed.

use crate::plain::Plain;
use crate::shapes;
use crate::step::{Kind, Step};
use eyespot_compile::{
    InferencePlan, Planner, ScaleShift, Span, columns_in_memory_order, conv2d_weights, in_and_out, inference,
    tensor,
};
use eyespot_graph::{DeviceError, Graph, Op, Params, Shape};
use eyespot_kernels::Floats;
use eyespot_kernels::conv2d::Conv2dKernel;
use eyespot_kernels::linear::LinearKernel;
use std::borrow::Cow;

/// The steps, the buffers they use, and where the result lies.
pub(crate) struct Lowered {
    pub(crate) steps: Vec<Step>,
    pub(crate) planner: Planner,
    pub(crate) output: Span,
}

/// Lowers a checked graph with checked weights, which are let go of one by one where they are owned, as soon as they
/// are packed.
pub(crate) fn lower(graph: &Graph, mut params: Cow<Params>, batch: usize) -> Result<Lowered, DeviceError> {
    let plan = InferencePlan::new(graph, batch)?;
    let mut steps = Vec::with_capacity(plan.steps.len());
    for step in plan.steps {
        let kind = kernel(graph, &params, batch, &step)?;
        if let Cow::Owned(params) = &mut params {
            params.remove(&format!("{}.weight", graph.nodes[step.node].name));
        }
        let inference::Step { name, x, other, y, multiply_adds, work, .. } = step;
        steps.push(Step { name, kind, x, other, y, multiply_adds, work });
    }
    let mut lowered = Lowered { steps, planner: plan.planner, output: plan.output };
    lowered.fuse_separable();
    Ok(lowered)
}

/// What computes a step.
fn kernel(graph: &Graph, params: &Params, batch: usize, step: &inference::Step) -> Result<Kind, DeviceError> {
    let name = &graph.nodes[step.node].name;
    let op = &graph.nodes[step.node].op;
    Ok(match (&step.kind, op) {
        (inference::Kind::Conv2d { norms, activation, out_stride }, Op::Conv2d(op)) => {
            let shape = shapes::conv2d(op, in_and_out(graph, step.node));
            let (weights, bias) = conv2d_weights(graph, params, step.node, norms)?;
            let activation = shapes::activation(*activation);
            let kernel = Conv2dKernel::new(shape, batch, &weights, bias.as_deref(), activation);
            Kind::Conv { kernel: Box::new(kernel), out_stride: *out_stride }
        }
        (inference::Kind::Linear { map, activation }, Op::Linear(op)) => {
            let weights = columns(params, name, *map)?;
            let bias = if op.bias { Some(tensor(params, &format!("{name}.bias"))?) } else { None };
            let activation = shapes::activation(*activation);
            let (inputs, outputs) = (op.in_features, op.out_features);
            Kind::Linear(LinearKernel::new(inputs, outputs, weights, bias.as_deref(), activation))
        }
        (inference::Kind::ScaleShift, Op::BatchNorm2d(op)) => {
            let (scale, shift) = ScaleShift::new(name, op, params)?.rounded();
            Kind::ScaleShift { scale, shift }
        }
        (inference::Kind::Gaussian { map }, Op::Gaussian(op)) => {
            Kind::Gaussian { inputs: op.in_features, centres: columns(params, name, *map)? }
        }
        (inference::Kind::MaxPool2d, Op::MaxPool2d(op)) => {
            Kind::MaxPool2d(shapes::max_pool2d(op, in_and_out(graph, step.node)))
        }
        (&inference::Kind::Insert { channels, total, offset }, _) => {
            Kind::Plain(Plain::Insert { channels, total, offset })
        }
        (inference::Kind::Pointwise(function), _) => {
            Kind::Plain(Plain::Pointwise(shapes::pointwise(*function)))
        }
        (inference::Kind::Copy, _) => Kind::Plain(Plain::Copy),
        _ => Kind::Plain(Plain::of(graph, step.node)),
    })
}

/// A layer's weights, their columns in the order in which its input lies in memory.
fn columns(params: &Params, layer: &str, map: Option<Shape>) -> Result<Floats, DeviceError> {
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
