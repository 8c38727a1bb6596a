//! Functions of single numbers and of rows.

use crate::case::{Case, Outputs, outputs, times};
use eyespot_kernels::Threads;
use eyespot_kernels::pointwise::{self, Pointwise};
use eyespot_kernels::softmax as rows;

/// The derivative with respect to the unstretched input has the stretch as a factor.
fn stretched(case: &Case) -> (f32, Vec<f32>) {
    let stretch = case.number("stretch").unwrap();
    (stretch, times(stretch, &case.input("x")))
}

pub fn pointwise(threads: &Threads, case: &Case) -> Outputs {
    let function = match case.op() {
        "relu" => Pointwise::Relu,
        "relu6" => Pointwise::Relu6,
        "leaky_relu" => Pointwise::LeakyRelu(0.125),
        "sigmoid" => Pointwise::Sigmoid,
        "gelu" => Pointwise::Gelu,
        "gelu_tanh" => Pointwise::GeluTanh,
        "silu" => Pointwise::Silu,
        "hard_swish" => Pointwise::HardSwish,
        "hard_sigmoid" => Pointwise::HardSigmoid,
        _ => Pointwise::Tanh,
    };
    let (stretch, x) = stretched(case);
    let dy = case.dy();
    let (mut y, mut dx) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
    pointwise::forward(threads, function, &x, &mut y);
    let kept = if function.reads_input() { x.clone() } else { y.clone() };
    pointwise::backward(threads, function, &kept, &dy, &mut dx);
    let (mut in_place, mut d) = (x, dy);
    pointwise::forward_in_place(threads, function, &mut in_place);
    pointwise::backward_in_place(threads, function, &kept, &mut d);
    assert_eq!((&y, &dx), (&in_place, &d));
    outputs([("y", y), ("dx", times(stretch, &dx))])
}

pub fn softmax(threads: &Threads, case: &Case) -> Outputs {
    let ((stretch, x), n) = (stretched(case), case.input_shape("x")[1]);
    let (mut y, mut dx) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
    rows::softmax(threads, n, &x, &mut y);
    rows::softmax_backward(threads, n, &y, &case.dy(), &mut dx);
    outputs([("y", y), ("dx", times(stretch, &dx))])
}

pub fn log_softmax(threads: &Threads, case: &Case) -> Outputs {
    let ((stretch, x), n) = (stretched(case), case.input_shape("x")[1]);
    let (mut y, mut dx) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
    rows::log_softmax(threads, n, &x, &mut y);
    rows::log_softmax_backward(threads, n, &y, &case.dy(), &mut dx);
    outputs([("y", y), ("dx", times(stretch, &dx))])
}
