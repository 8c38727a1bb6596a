//! Starting weights against the formulas of `torch.nn.init`.

use eyespot_graph::ops::Conv2d;
use eyespot_graph::{Builder, Init, Params, Shape, initialise, zoo};

/// A 3×3 convolution from 64 to 128 channels in 2 groups: fan_in 32·9 = 288, fan_out 128·9 = 1152.
fn conv(init: Init) -> Params {
    let mut b = Builder::new("one", Shape::map(64, 8, 8));
    let x = b.input();
    b.conv2d("conv", x, Conv2d::new(64, 128, 3).groups(2).init(init));
    initialise(&b.finish().unwrap(), 7)
}

/// Largest magnitude, mean, standard deviation.
fn statistics(params: &Params, name: &str) -> (f64, f64, f64) {
    let values: Vec<f64> = params.get(name).unwrap().iter().map(|&w| f64::from(w)).collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|w| (w - mean) * (w - mean)).sum::<f64>() / count;
    (values.iter().fold(0.0, |m, w| w.abs().max(m)), mean, variance.sqrt())
}

#[test]
fn uniform_starts_fill_their_interval() {
    for (init, bound) in
        [(Init::Default, 1.0 / 288f64.sqrt()), (Init::KaimingUniformFanIn, (6.0 / 288f64).sqrt())]
    {
        let (largest, mean, std) = statistics(&conv(init), "conv.weight");
        assert!(largest <= bound * 1.000_001 && largest > 0.999 * bound, "{init:?}: {largest} of {bound}");
        // 36,864 numbers: the mean's standard error is bound / √3 / 192.
        assert!(mean.abs() < 4.0 * bound / 3f64.sqrt() / 192.0, "{init:?}: {mean}");
        assert!((std / (bound / 3f64.sqrt()) - 1.0).abs() < 0.02, "{init:?}: {std}");
    }
}

#[test]
fn normal_starts_have_their_deviation() {
    for (init, expected) in [(Init::KaimingNormalFanOut, (2.0 / 1152f64).sqrt()), (Init::Normal(0.01), 0.01)]
    {
        let (largest, mean, std) = statistics(&conv(init), "conv.weight");
        assert!((std / expected - 1.0).abs() < 0.02, "{init:?}: {std}");
        assert!(mean.abs() < 4.0 * expected / 192.0, "{init:?}: {mean}");
        assert!(largest > 3.5 * expected && largest < 6.5 * expected, "{init:?}: tails of {largest}");
    }
}

#[test]
fn biases_start_at_zero_but_for_pytorchs_default() {
    for init in
        [Init::KaimingNormalFanOut, Init::KaimingUniformFanIn, Init::Normal(0.01), Init::Constant(1.0)]
    {
        assert_eq!(statistics(&conv(init), "conv.bias").0, 0.0, "{init:?}");
    }
    let (largest, ..) = statistics(&conv(Init::Default), "conv.bias");
    assert!(largest > 0.9 / 288f64.sqrt() && largest <= 1.000_001 / 288f64.sqrt());
}

#[test]
fn batch_norm_starts_as_the_identity() {
    let params = initialise(&zoo::build("resnet18", 2, None).unwrap(), 0);
    for (name, value) in [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)] {
        assert!(params.get(&format!("layer1.0.bn1.{name}")).unwrap().iter().all(|&w| w == value), "{name}");
    }
}

#[test]
fn the_seed_decides() {
    let graph = zoo::build("small_cnn", 2, None).unwrap();
    assert_eq!(initialise(&graph, 3), initialise(&graph, 3));
    assert_ne!(initialise(&graph, 3), initialise(&graph, 4));
}
