//! The layer table: multiply-adds as published, memory by hand.

use eyespot_graph::ops::{Conv2d, MaxPool2d};
use eyespot_graph::{Builder, Optimizer, Shape, zoo};

#[test]
fn multiply_adds_are_the_published_ones() {
    // Billions for one 224×224 picture, from torchvision's table of classification weights ("GFLOPS").
    for (name, billions) in [
        ("alexnet", 0.71),
        ("vgg11", 7.61),
        ("vgg16", 15.47),
        ("vgg16_bn", 15.47),
        ("vgg19", 19.63),
        ("resnet18", 1.81),
        ("resnet34", 3.66),
        ("resnet50", 4.09),
        ("resnet101", 7.80),
        ("resnet152", 11.51),
        ("squeezenet1_0", 0.82),
        ("squeezenet1_1", 0.35),
        ("mobilenet_v2", 0.30),
    ] {
        let work = zoo::build(name, 1000, None).unwrap().summary(1).multiply_adds as f64 / 1e9;
        assert!((work - billions).abs() < 0.0051, "{name}: {work} against {billions}");
    }
}

/// conv 3→8 on 4×4, ReLU, 2×2 pooling, residual 1×1 convolution, mean, linear 8→2.
fn small() -> eyespot_graph::Graph {
    let mut b = Builder::new("small", Shape::map(3, 4, 4));
    let x = b.input();
    let x = b.conv2d("conv", x, Conv2d::new(3, 8, 3).padding(1));
    let x = b.relu("relu", x);
    let x = b.max_pool2d("pool", x, MaxPool2d::new(2, 2));
    let y = b.conv2d("side", x, Conv2d::new(8, 8, 1));
    let x = b.add("add", x, y);
    let x = b.global_avg_pool("mean", x);
    let x = b.flatten("flatten", x);
    b.linear("fc", x, 2);
    b.finish().unwrap()
}

#[test]
fn memory_follows_lifetimes() {
    let graph = small();
    let numbers = |n: u64| 4 * n;
    let weights = (3 * 8 * 9 + 8) + (8 * 8 + 8) + (8 * 2 + 2);
    let batch = 5;

    let inference = graph.inference_memory(batch);
    assert_eq!(inference.weights, numbers(weights));
    // Fullest at the first convolution or at pooling: 48 + 128 against 128 + 32.
    assert_eq!(inference.activations, numbers(5 * (48 + 128)));
    assert_eq!((inference.gradients, inference.optimizer), (0, 0));

    let training = graph.training_memory(batch, &Optimizer::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8 });
    // Input, conv, pool, side, add, mean, fc; ReLU and flatten write over their inputs.
    assert_eq!(training.activations, numbers(5 * (48 + 128 + 32 + 32 + 32 + 8 + 2)));
    // Fullest where the pooling's gradient (32) turns into the ReLU's (128).
    assert_eq!(training.gradients, numbers(weights) + numbers(5 * (32 + 128)));
    assert_eq!(training.optimizer, numbers(2 * weights));
    let plain = graph.training_memory(batch, &Optimizer::Sgd { momentum: 0.0, nesterov: false });
    assert_eq!(plain.optimizer, 0);
    assert_eq!(plain.total() + numbers(2 * weights), training.total());
}

#[test]
fn the_table_is_aligned_and_complete() {
    let graph = small();
    let text = graph.summary(2).to_string();
    let table: Vec<&str> = text.lines().skip(1).take_while(|line| !line.is_empty()).collect();
    assert_eq!(table.len(), graph.nodes.len() + 1);
    let width = table[0].chars().count();
    assert!(table.iter().all(|line| line.chars().count() == width), "{text}");
    for word in ["Conv2d", "8×4×4", "224", "3,456", "314 parameters", "memory for 2 pictures"] {
        assert!(text.contains(word), "{word} is missing:\n{text}");
    }
}

#[test]
fn all_networks_have_a_summary() {
    for name in zoo::names() {
        let summary = zoo::build(name, 10, None).unwrap().summary(16);
        assert!(summary.training.total() > summary.inference.total(), "{name}");
        assert_eq!(summary.layers.iter().map(|layer| layer.parameters).sum::<u64>(), summary.parameters);
    }
}
