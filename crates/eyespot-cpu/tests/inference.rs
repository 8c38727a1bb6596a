//! Inference programs against the naive interpreter.

mod common;

use common::random::{graph, weights};
use common::{Mode, Tensors, assert_close, interpret, numbers, widen};
use eyespot_cpu::Cpu;
use eyespot_graph::ops::{Conv2d, MaxPool2d};
use eyespot_graph::{Builder, DeviceError, Graph, Inference, Op, Shape, initialise, zoo};

fn compare(graph: &Graph, seed: u32, what: &str) {
    let params = weights(graph, seed);
    let elements = graph.input_shape().elements();
    let (batch, outputs) = (3, graph.output_shape().elements());
    let input = numbers(seed, batch * elements);
    let results = interpret(graph, &Tensors::new(&params), &widen(&input), batch, Mode::Inference);
    let expected = &results[graph.output().0];
    let mut bits: Option<Vec<u32>> = None;
    for threads in 1..=3 {
        let mut program = Cpu::new(threads).compile_inference(graph, &params, batch).unwrap();
        let found = program.run(&input, batch).unwrap().to_vec();
        assert_close(&found, expected, 2e-5, what);
        // Memory that an earlier run left behind changes nothing, nor does the number of threads.
        let again = program.run(&input, batch).unwrap();
        assert_eq!(found, again, "{what}: second run");
        let now: Vec<u32> = found.iter().map(|v| v.to_bits()).collect();
        assert_eq!(*bits.get_or_insert_with(|| now.clone()), now, "{what}: {threads} threads");
        for images in 0..batch {
            let found = program.run(&input[..images * elements], images).unwrap();
            assert_close(found, &expected[..images * outputs], 2e-5, "part of a batch");
        }
    }
}

#[test]
fn random_graphs() {
    for seed in 0..150 {
        let graph = graph(seed, 3 + seed as usize % 17, 0.5);
        compare(&graph, seed, &format!("seed {seed}"));
    }
}

#[test]
fn every_operator_alone() {
    for op in [
        Op::Relu,
        Op::Relu6,
        Op::LeakyRelu { slope: 0.2 },
        Op::Sigmoid,
        Op::Tanh,
        Op::Sgn,
        Op::Softmax,
        Op::LogSoftmax,
        Op::Dropout { p: 0.5 },
        Op::Flatten,
        Op::AdaptiveAvgPool2d { height: 2, width: 3 },
        Op::MaxPool2d(MaxPool2d::new(3, 2).ceil_mode()),
        Op::Conv2d(Conv2d::new(3, 6, 3).stride(2).padding(1).dilation(2).groups(3)),
        Op::BatchNorm2d(eyespot_graph::ops::BatchNorm2d::new(3)),
    ] {
        let mut b = Builder::new("one", Shape::map(3, 7, 8));
        let x = b.input();
        b.add_op("layer", op.clone(), &[x]);
        compare(&b.finish().unwrap(), 1, op.kind());
    }
}

/// Convolution, batch norm, sum and ReLU are one step; both parts of a concatenation are written in place.
#[test]
fn fusion_leaves_few_steps() {
    let mut b = Builder::new("fused", Shape::map(4, 6, 6));
    let x = b.input();
    let a = b.conv2d("a", x, Conv2d::new(4, 4, 3).padding(1).no_bias());
    let a = b.batch_norm("bn", a);
    let a = b.add("sum", a, x);
    let a = b.relu("relu", a);
    let left = b.conv2d("left", a, Conv2d::new(4, 2, 1));
    let left = b.relu("left_relu", left);
    let right = b.conv2d("right", a, Conv2d::new(4, 3, 3).padding(1));
    let right = b.relu("right_relu", right);
    let joined = b.concat("join", &[left, right]);
    let dropped = b.dropout("drop", joined, 0.5);
    let flat = b.flatten("flatten", dropped);
    b.linear("fc", flat, 2);
    let graph = b.finish().unwrap();
    compare(&graph, 5, "fused");
    let params = weights(&graph, 5);
    let mut program = Cpu::new(1).compile_inference(&graph, &params, 1).unwrap();
    let steps = program.profile(&numbers(0, 144), 1).unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["a+BatchNorm2d+Add+ReLU", "left+ReLU", "right+ReLU", "fc"]);
    assert_eq!(steps[0].multiply_adds, 36 * 4 * 4 * 9);

    // Weights that are given away are packed to the same program.
    let scores = program.run(&numbers(0, 144), 1).unwrap().to_vec();
    let mut owned = Cpu::new(1).compile_inference_owned(&graph, params, 1).unwrap();
    assert_eq!(owned.run(&numbers(0, 144), 1).unwrap(), scores);
}

/// A convolution takes a sum with it only if the other summand is there; a concatenation is when its last part is.
#[test]
fn a_sum_waits_for_all_of_a_concatenation() {
    let mut b = Builder::new("waiting", Shape::map(4, 6, 6));
    let x = b.input();
    let first = b.conv2d("first", x, Conv2d::new(4, 2, 3).padding(1));
    let alone = b.conv2d("alone", x, Conv2d::new(4, 5, 3).padding(1));
    let second = b.conv2d("second", x, Conv2d::new(4, 3, 1));
    let joined = b.concat("join", &[first, second]);
    b.add("sum", alone, joined);
    compare(&b.finish().unwrap(), 3, "a sum with a concatenation");
}

/// A program that was given other weights is the one that is compiled with them.
#[test]
fn weights_can_be_replaced() {
    let mut b = Builder::new("replaced", Shape::map(3, 8, 8));
    let x = b.input();
    let x = b.batch_norm("bn0", x);
    let x = b.conv2d("expand", x, Conv2d::new(3, 12, 1).no_bias());
    let x = b.batch_norm("bn1", x);
    let x = b.add_op("relu1", Op::Relu6, &[x]);
    let x = b.conv2d("depthwise", x, Conv2d::new(12, 12, 3).padding(1).groups(12).no_bias());
    let x = b.batch_norm("bn2", x);
    let x = b.add_op("relu2", Op::Relu6, &[x]);
    let x = b.conv2d("project", x, Conv2d::new(12, 4, 1));
    let x = b.flatten("flatten", x);
    b.linear("fc", x, 5);
    let graph = b.finish().unwrap();
    let (first, second) = (weights(&graph, 1), weights(&graph, 2));
    let input = numbers(3, 2 * 192);
    let cpu = Cpu::new(2);
    let mut program = cpu.compile_inference(&graph, &first, 2).unwrap();
    let before = program.run(&input, 2).unwrap().to_vec();
    program.set_params(&second).unwrap();
    let after = program.run(&input, 2).unwrap().to_vec();
    let anew = cpu.compile_inference(&graph, &second, 2).unwrap().run(&input, 2).unwrap().to_vec();
    assert_eq!(after, anew);
    assert_ne!(after, before);

    // Weights that don't fit are refused, and those that are there stay.
    let mut incomplete = first.clone();
    incomplete.remove("fc.bias");
    let refused = program.set_params(&incomplete);
    assert_eq!(refused, Err(DeviceError::MissingTensor("fc.bias".to_owned())));
    assert_eq!(program.run(&input, 2).unwrap(), after);
}

#[test]
fn wrong_calls_are_errors() {
    let mut b = Builder::new("tiny", Shape::Vector(2));
    let x = b.input();
    b.linear("fc", x, 3);
    let graph = b.finish().unwrap();
    let mut params = initialise(&graph, 0);
    let cpu = Cpu::new(1);
    let mut program = cpu.compile_inference(&graph, &params, 2).unwrap();
    assert!(matches!(program.run(&[0.0; 6], 3), Err(DeviceError::Call(_))));
    assert!(matches!(program.run(&[0.0; 3], 1), Err(DeviceError::Call(_))));
    assert!(program.profile(&[0.0; 3], 1).is_err());
    assert_eq!(program.run(&[], 0).unwrap(), &[] as &[f32]);
    assert!(cpu.compile_inference(&graph, &params, 0).is_err());
    assert!(cpu.compile_inference(&graph, &params, usize::MAX / 2).is_err());
    let weight = params.remove("fc.weight").unwrap();
    let missing = cpu.compile_inference(&graph, &params, 1).unwrap_err();
    assert_eq!(missing, DeviceError::MissingTensor("fc.weight".to_owned()));
    params.insert("fc.weight", weight.into_shape_with_order(vec![2, 3]).unwrap());
    assert!(matches!(cpu.compile_inference(&graph, &params, 1), Err(DeviceError::TensorShape { .. })));

    let large = zoo::build("squeezenet1_1", 10, None).unwrap();
    let absurd = cpu.compile_inference(&large, &initialise(&large, 0), 1 << 30);
    assert!(matches!(absurd, Err(DeviceError::Unsupported { .. })));
}

#[test]
fn a_network_that_changes_nothing() {
    let mut b = Builder::new("same", Shape::Vector(4));
    let x = b.input();
    b.dropout("drop", x, 0.5);
    compare(&b.finish().unwrap(), 0, "nothing");
}
