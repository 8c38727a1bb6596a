//! From a graph's plan to the steps of an inference program: each gets its kernel, with its weights packed.

use crate::ops;
use crate::step::Step;
use eyespot_compile::{InferencePlan, Planner, Span, inference};
use eyespot_graph::{DeviceError, Graph, Params};
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
        let kernel = ops::inference(graph, &params, batch, &step)?;
        if let Cow::Owned(params) = &mut params {
            params.remove(&format!("{}.weight", graph.nodes[step.node].name));
        }
        let inference::Step { name, inputs, y, multiply_adds, work, .. } = step;
        steps.push(Step { name, kernel, inputs, y, multiply_adds, work });
    }
    let mut lowered = Lowered { steps, planner: plan.planner, output: plan.output };
    lowered.fuse_separable();
    Ok(lowered)
}
