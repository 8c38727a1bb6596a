//! Inference programs against the naive interpreter.

use crate::interpreter::{Mode, Tensors, assert_close, interpret, numbers, widen};
use crate::random::{graph, weights};
use eyespot_graph::ops::{
    AvgPool2d, BatchNorm2d, Conv2d, Gaussian, Linear, LocalResponseNorm, MaxPool2d, PadShortcut,
};
use eyespot_graph::{Builder, Device, DeviceError, Graph, Init, Op, Shape, initialise, zoo};

/// Checks one graph with random weights, in whole batches and in parts of one. Gives back the scores of a whole batch, so
/// that a device can compare them with those of its other settings.
pub fn compare(device: &dyn Device, graph: &Graph, seed: u32, what: &str) -> Vec<f32> {
    let params = weights(graph, seed);
    let elements = graph.input_shape().elements();
    let (batch, outputs) = (3, graph.output_shape().elements());
    let input = numbers(seed, batch * elements);
    let results = interpret(graph, &Tensors::new(&params), &widen(&input), batch, Mode::Inference);
    let expected = &results[graph.output().0];
    let mut program = device.inference(graph, &params, batch).unwrap();
    let found = program.run(&input, batch).unwrap().to_vec();
    assert_close(&found, expected, 2e-5, what);
    // Memory that an earlier run left behind changes nothing.
    let again = program.run(&input, batch).unwrap();
    assert_eq!(found, again, "{what}: second run");
    for images in 0..batch {
        let part = program.run(&input[..images * elements], images).unwrap();
        assert_close(part, &expected[..images * outputs], 2e-5, "part of a batch");
    }
    found
}

/// `count` random graphs with branches, residual sums and concatenations; their scores.
pub fn random_graphs(device: &dyn Device, count: u32) -> Vec<Vec<f32>> {
    let check =
        |seed| compare(device, &graph(seed, 3 + seed as usize % 17, 0.5), seed, &format!("seed {seed}"));
    (0..count).map(check).collect()
}

/// Each operator of the graph, at least once.
pub fn every_operator_alone(device: &dyn Device) {
    let map = Shape::map(3, 7, 8);
    let mut pool = AvgPool2d::new(3, 2);
    pool.padding = (1, 1);
    let operators = [
        (
            Op::Linear(Linear { in_features: 9, out_features: 5, bias: true, init: Init::Normal(0.5) }),
            Shape::Vector(9),
        ),
        (Op::Conv2d(Conv2d::new(3, 6, 3).stride(2).padding(1).dilation(2).groups(3)), map),
        (Op::Conv2d(Conv2d::new(3, 5, 1).no_bias()), map),
        (Op::BatchNorm2d(BatchNorm2d::new(3)), map),
        (Op::Relu, map),
        (Op::Relu6, map),
        (Op::LeakyRelu { slope: 0.2 }, map),
        (Op::Sigmoid, map),
        (Op::Tanh, map),
        (Op::Sgn, map),
        (Op::Gelu { tanh: false }, map),
        (Op::Gelu { tanh: true }, map),
        (Op::Silu, map),
        (Op::HardSwish, map),
        (Op::HardSigmoid, map),
        (Op::Softmax, map),
        (Op::LogSoftmax, map),
        (Op::MaxPool2d(MaxPool2d::new(3, 2).ceil_mode()), map),
        (Op::AvgPool2d(pool), map),
        (Op::AdaptiveAvgPool2d { height: 2, width: 3 }, map),
        (Op::Flatten, map),
        (Op::Dropout { p: 0.5 }, map),
        (Op::PadShortcut(PadShortcut { out_channels: 7, stride: 2 }), map),
        (
            Op::Gaussian(Gaussian { in_features: 9, out_features: 4, init: Init::Normal(0.5) }),
            Shape::Vector(9),
        ),
        (Op::LocalResponseNorm(LocalResponseNorm { alpha: 0.1, ..LocalResponseNorm::new(3) }), map),
    ];
    for (op, shape) in operators {
        assert!(has_a_case(&op));
        let mut b = Builder::new("one", shape);
        let x = b.input();
        b.add_op("layer", op.clone(), &[x]);
        compare(device, &b.finish().unwrap(), 1, op.kind());
    }
    // Those that join results: none has weights, so the input stands on both sides.
    for op in [Op::Add, Op::Mul, Op::Concat] {
        let mut b = Builder::new("two", map);
        let x = b.input();
        b.add_op("layer", op.clone(), &[x, x]);
        compare(device, &b.finish().unwrap(), 1, op.kind());
    }
}

/// Squeeze-and-excitation (Hu et al. 2018): channels by factors that their means decide.
pub fn squeezed(activation: Op, gate: Op) -> Graph {
    let mut b = Builder::new("squeezed", Shape::map(3, 6, 5));
    let x = b.input();
    let x = b.conv2d("conv", x, Conv2d::new(3, 8, 3).padding(1).no_bias());
    let x = b.batch_norm("bn", x);
    let x = b.add_op("act", activation, &[x]);
    let s = b.global_avg_pool("avgpool", x);
    let s = b.conv2d("fc1", s, Conv2d::new(8, 2, 1));
    let s = b.relu("relu", s);
    let s = b.conv2d("fc2", s, Conv2d::new(2, 8, 1));
    let s = b.add_op("gate", gate, &[s]);
    let x = b.mul("scale", x, s);
    let x = b.conv2d("project", x, Conv2d::new(8, 4, 1));
    let x = b.flatten("flatten", x);
    b.linear("fc", x, 2);
    b.finish().unwrap()
}

/// Networks with squeeze-and-excitation as MobileNetV3 and EfficientNet have it.
pub fn squeeze_and_excitation(device: &dyn Device) {
    compare(device, &squeezed(Op::HardSwish, Op::HardSigmoid), 1, "hard-swish and hard-sigmoid");
    compare(device, &squeezed(Op::Silu, Op::Sigmoid), 2, "SiLU and sigmoid");
    compare(device, &squeezed(Op::Relu, Op::Sigmoid), 3, "ReLU and sigmoid");
}

/// Doesn't compile when an operator was added: it needs a case above.
fn has_a_case(op: &Op) -> bool {
    match op {
        Op::Input => false,
        Op::Linear(_) | Op::Conv2d(_) | Op::BatchNorm2d(_) | Op::Gaussian(_) | Op::LocalResponseNorm(_) => {
            true
        }
        Op::Relu | Op::Relu6 | Op::LeakyRelu { .. } | Op::Sigmoid | Op::Tanh | Op::Sgn => true,
        Op::Gelu { .. } | Op::Silu | Op::HardSwish | Op::HardSigmoid => true,
        Op::Softmax | Op::LogSoftmax | Op::Flatten | Op::Dropout { .. } => true,
        Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::AdaptiveAvgPool2d { .. } => true,
        Op::Add | Op::Mul | Op::Concat | Op::PadShortcut(_) => true,
    }
}

/// A graph whose convolutions, batch norms, sums and ReLUs can be one step each, and whose concatenation needs none.
pub fn fused() -> Graph {
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
    b.finish().unwrap()
}

/// What can be fused gives what its parts give.
pub fn fusion(device: &dyn Device) {
    compare(device, &fused(), 5, "fused");
}

/// A convolution takes a sum with it only if the other summand is there; a concatenation is when its last part is.
pub fn a_sum_waits_for_all_of_a_concatenation(device: &dyn Device) {
    let mut b = Builder::new("waiting", Shape::map(4, 6, 6));
    let x = b.input();
    let first = b.conv2d("first", x, Conv2d::new(4, 2, 3).padding(1));
    let alone = b.conv2d("alone", x, Conv2d::new(4, 5, 3).padding(1));
    let second = b.conv2d("second", x, Conv2d::new(4, 3, 1));
    let joined = b.concat("join", &[first, second]);
    b.add("sum", alone, joined);
    compare(device, &b.finish().unwrap(), 3, "a sum with a concatenation");
}

/// A program that was given other weights is the one that is compiled with them.
pub fn weights_can_be_replaced(device: &dyn Device) {
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
    let mut program = device.inference(&graph, &first, 2).unwrap();
    let before = program.run(&input, 2).unwrap().to_vec();
    program.set_params(&second).unwrap();
    let after = program.run(&input, 2).unwrap().to_vec();
    let anew = device.inference(&graph, &second, 2).unwrap().run(&input, 2).unwrap().to_vec();
    assert_eq!(after, anew);
    assert_ne!(after, before);

    // Weights that don't fit are refused, and those that are there stay.
    let mut incomplete = first.clone();
    incomplete.remove("fc.bias");
    let refused = program.set_params(&incomplete);
    assert_eq!(refused, Err(DeviceError::MissingTensor("fc.bias".to_owned())));
    assert_eq!(program.run(&input, 2).unwrap(), after);
}

/// Calls with too much or too little data, tensors that are missing or have another shape, absurd batches.
pub fn wrong_calls_are_errors(device: &dyn Device) {
    let mut b = Builder::new("tiny", Shape::Vector(2));
    let x = b.input();
    b.linear("fc", x, 3);
    let graph = b.finish().unwrap();
    let mut params = initialise(&graph, 0);
    let mut program = device.inference(&graph, &params, 2).unwrap();
    assert!(matches!(program.run(&[0.0; 6], 3), Err(DeviceError::Call(_))));
    assert!(matches!(program.run(&[0.0; 3], 1), Err(DeviceError::Call(_))));
    assert_eq!(program.run(&[], 0).unwrap(), &[] as &[f32]);
    assert!(device.inference(&graph, &params, 0).is_err());
    assert!(device.inference(&graph, &params, usize::MAX / 2).is_err());
    let weight = params.remove("fc.weight").unwrap();
    let missing = device.inference(&graph, &params, 1).err().unwrap();
    assert_eq!(missing, DeviceError::MissingTensor("fc.weight".to_owned()));
    params.insert("fc.weight", weight.into_shape_with_order(vec![2, 3]).unwrap());
    assert!(matches!(device.inference(&graph, &params, 1), Err(DeviceError::TensorShape { .. })));

    let large = zoo::build("squeezenet1_1", 10, None).unwrap();
    let absurd = device.inference(&large, &initialise(&large, 0), 1 << 30);
    assert!(matches!(absurd, Err(DeviceError::Unsupported { .. })));
}

/// Dropout alone, which inference leaves out.
pub fn a_network_that_changes_nothing(device: &dyn Device) {
    let mut b = Builder::new("same", Shape::Vector(4));
    let x = b.input();
    b.dropout("drop", x, 0.5);
    compare(device, &b.finish().unwrap(), 0, "nothing");
}
