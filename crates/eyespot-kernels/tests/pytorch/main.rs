//! Every operator and optimizer against PyTorch's numbers, which `scripts/reference/ops.py` wrote to
//! `tests/data/ops.json`.

mod case;
mod layers;
mod maps;
mod optimizers;
mod rows;

use case::{Case, Outputs};
use eyespot_kernels::Threads;

type Run = fn(&Threads, &Case) -> Outputs;

/// Runs all cases of an operator with one and with three threads: the same bits, and PyTorch's numbers.
fn check(op: &str, run: Run) {
    let cases = case::read(op);
    assert!(!cases.is_empty(), "no case for {op}");
    for case in cases {
        let outputs = run(&Threads::new(1), &case);
        case.check(&outputs);
        let again = run(&Threads::new(3), &case);
        for ((name, one), (_, three)) in outputs.iter().zip(&again) {
            let same = one.iter().zip(three).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{} {name}: other bits with three threads", case.name);
        }
    }
}

#[test]
fn conv2d() {
    check("conv2d", layers::conv2d);
}

#[test]
fn linear() {
    check("linear", layers::linear);
}

#[test]
fn gaussian() {
    check("gaussian", layers::gaussian);
}

#[test]
fn batch_norm() {
    check("batch_norm", maps::batch_norm);
    check("scale_shift", maps::scale_shift);
}

#[test]
fn local_response_norm() {
    check("local_response_norm", maps::local_response_norm);
}

#[test]
fn pools() {
    check("max_pool2d", maps::max_pool2d);
    check("avg_pool2d", maps::avg_pool2d);
    check("adaptive_avg_pool2d", maps::adaptive_avg_pool2d);
}

#[test]
fn pad_shortcut() {
    check("pad_shortcut", maps::pad_shortcut);
}

#[test]
fn product() {
    check("mul", maps::product);
}

#[test]
fn pointwise() {
    for function in [
        "relu",
        "relu6",
        "leaky_relu",
        "sigmoid",
        "tanh",
        "gelu",
        "gelu_tanh",
        "silu",
        "hard_swish",
        "hard_sigmoid",
    ] {
        check(function, rows::pointwise);
    }
}

#[test]
fn softmax() {
    check("softmax", rows::softmax);
    check("log_softmax", rows::log_softmax);
}

#[test]
fn optimizers() {
    check("sgd", optimizers::sgd);
    check("adam", optimizers::adam);
    check("adamw", optimizers::adam);
}
