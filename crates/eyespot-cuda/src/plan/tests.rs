//! Plans without a GPU: every call fits its kernel, and every place lies in its block.

use super::inference::{Inference, blocks};
use super::training::Training;
use super::{Argument, Block, Call, Constants, Launch, Place};
use crate::kernels::{Element, Parameter, signatures};
use eyespot_compile::{InferencePlan, Slots, TrainingPlan};
use eyespot_graph::{Graph, Shape, initialise, zoo};
use std::collections::HashMap;

/// Checks the calls against the kernels' signatures and the blocks' lengths in bytes.
fn check(name: &str, calls: &[Call], blocks: &HashMap<Block, usize>) {
    let signatures = signatures();
    let inside = |place: Place| {
        let len = *blocks.get(&place.block).unwrap_or_else(|| panic!("{name}: no block {:?}", place.block));
        assert!(place.offset < len, "{name}: {place:?} lies behind {len} bytes");
    };
    let launch = |launch: &Launch| {
        let parameters = &signatures[&launch.kernel];
        assert_eq!(parameters.len(), launch.arguments.len(), "{name}: {launch:?}");
        for (parameter, argument) in parameters.iter().zip(&launch.arguments) {
            let found = match argument {
                Argument::Place(place) => {
                    inside(*place);
                    Parameter::Pointer
                }
                Argument::Null => Parameter::Pointer,
                Argument::U32(_) => Parameter::U32,
                Argument::U64(_) => Parameter::U64,
                Argument::F32(_) => Parameter::F32,
            };
            assert_eq!(*parameter, found, "{name}: {launch:?}");
        }
        assert!(launch.grid.0 > 0 && launch.grid.1 > 0 && launch.grid.1 < 65_536, "{name}: {launch:?}");
        assert_eq!(launch.threads.0 * launch.threads.1, 256, "{name}: {launch:?}");
    };
    for call in calls {
        match call {
            Call::Launch(one) => launch(one),
            Call::Convolution(convolution) => {
                [convolution.x, convolution.w, convolution.y].into_iter().for_each(inside);
                launch(&convolution.instead);
                convolution.finish.iter().for_each(launch);
            }
        }
    }
}

fn graphs() -> Vec<(String, Graph)> {
    let small = |name: &str| {
        let shape = match name {
            "mlp" | "linear" => Shape::map(1, 8, 8),
            _ if name.starts_with("lenet5") => return zoo::build(name, 10, None).unwrap(),
            _ => Shape::map(3, 64, 64),
        };
        zoo::build(name, 10, Some(shape)).unwrap_or_else(|_| zoo::build(name, 10, None).unwrap())
    };
    // Those that only repeat more of the same blocks are left out.
    let repeats = ["vgg13", "vgg16", "vgg19", "resnet34", "resnet101", "resnet152"];
    let names = zoo::names().into_iter().filter(|name| !repeats.iter().any(|other| name.starts_with(other)));
    names.map(|name| (name.to_string(), small(name))).collect()
}

#[test]
fn networks_have_plans() {
    for (name, graph) in graphs() {
        let params = initialise(&graph, 0);
        for element in [Element::F32, Element::Bf16] {
            let batch = 3;
            let plan = InferencePlan::new(&graph, batch).unwrap();
            let layout = plan.planner.layout().unwrap();
            let planned = Inference { graph: &graph, plan: &plan, layout: &layout, element };
            let mut constants = Constants::default();
            let calls = planned.calls(&params, batch, &mut constants).unwrap();
            // What calls read of the weights doesn't depend on the number of images.
            let mut fewer = Constants::default();
            planned.calls(&params, 1, &mut fewer).unwrap();
            assert_eq!(constants.bytes, fewer.bytes, "{name}");
            let bytes = blocks(&graph, element, batch, &layout, planned.channels(), constants.bytes.len());
            check(&name, &calls, &bytes.into_iter().collect());

            let slots = Slots::new(&graph);
            let plan = TrainingPlan::new(&graph, &slots, batch).unwrap();
            let layout = plan.planner.layout().unwrap();
            let planned = Training::new(&graph, &plan, &layout, element).unwrap();
            let mut constants = Constants::default();
            let mut calls = planned.forward(batch, &mut constants).unwrap();
            calls.extend(planned.backward(batch, &mut constants).unwrap());
            let bytes = planned.blocks(&slots, batch, constants.bytes.len());
            check(&name, &calls, &bytes.into_iter().collect());
        }
    }
}

/// ResNet-18's plan: a convolution with all that follows it is one call.
#[test]
fn inference_has_a_call_for_each_convolution() {
    let graph = zoo::build("resnet18", 1000, None).unwrap();
    let plan = InferencePlan::new(&graph, 2).unwrap();
    let layout = plan.planner.layout().unwrap();
    let planned = Inference { graph: &graph, plan: &plan, layout: &layout, element: Element::Bf16 };
    let calls = planned.calls(&initialise(&graph, 0), 2, &mut Constants::default()).unwrap();
    let convolutions = calls.iter().filter(|call| matches!(call, Call::Convolution(_))).count();
    let others: Vec<&str> = calls
        .iter()
        .filter_map(|call| match call {
            Call::Launch(launch) => Some(launch.kernel.as_str()),
            Call::Convolution(_) => None,
        })
        .collect();
    assert_eq!(convolutions, 20);
    assert_eq!(others, ["take_images", "max_pool_v", "adaptive_avg_pool", "linear", "to_f32"]);
    assert_eq!(planned.channels(), 8);
}
