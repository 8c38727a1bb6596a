//! Functions of rows of numbers: linear and Gaussian layers, softmax, local response norm.

use super::{Function, threads};
use crate::fence::Fenced;
use crate::size::Size;
use eyespot_kernels::local_response_norm::LocalResponseNorm;
use eyespot_kernels::{Activation, Floats, gaussian, linear, softmax};

/// Inputs, outputs, images.
const LINEAR: [usize; 3] = [37, 11, 5];

fn linear_function(
    name: &'static str,
    needs: fn(&[Size]) -> Vec<Size>,
    call: fn(&[usize], &mut [Fenced]),
) -> Function {
    Function { name, variant: "", sizes: &LINEAR, memory: &[], needs, call }
}

fn linear_functions() -> Vec<Function> {
    let kernel = |name| {
        linear_function(
            name,
            |s| vec![s[2] * s[0], s[0] * s[1], s[1], s[2] * s[1]],
            |s, slices| {
                let [x, w, b, y] = slices else { unreachable!() };
                let kernel =
                    linear::LinearKernel::new(s[0], s[1], Floats::copied(w), Some(b), Activation::Relu);
                kernel.run(threads(), s[2], x, y);
            },
        )
    };
    vec![
        kernel("linear/mod.rs::new"),
        kernel("linear/mod.rs::run"),
        linear_function(
            "linear/mod.rs::forward",
            |s| vec![s[2] * s[0], s[0] * s[1], s[1], s[2] * s[1]],
            |s, slices| {
                let [x, w, b, y] = slices else { unreachable!() };
                linear::forward(threads(), (s[0], s[1]), s[2], x, w, Some(b), y);
            },
        ),
        // The bias's length must not be all that keeps it from reaching too far.
        Function {
            variant: "without bias",
            ..linear_function(
                "linear/mod.rs::forward",
                |s| vec![s[2] * s[0], s[0] * s[1], s[2] * s[1]],
                |s, slices| {
                    let [x, w, y] = slices else { unreachable!() };
                    linear::forward(threads(), (s[0], s[1]), s[2], x, w, None, y);
                },
            )
        },
        linear_function(
            "linear/mod.rs::backward_input",
            |s| vec![s[2] * s[1], s[0] * s[1], s[2] * s[0]],
            |s, slices| {
                let [dy, w, dx] = slices else { unreachable!() };
                linear::backward_input(threads(), (s[0], s[1]), s[2], dy, w, dx);
            },
        ),
        linear_function(
            "linear/mod.rs::backward_weights",
            |s| vec![s[2] * s[0], s[2] * s[1], s[0] * s[1], s[1]],
            |s, slices| {
                let [x, dy, dw, db] = slices else { unreachable!() };
                linear::backward_weights(threads(), (s[0], s[1]), s[2], x, dy, dw, Some(db));
            },
        ),
    ]
}

/// Rows of 10 numbers, three of them.
fn row_function(name: &'static str, slices: usize, call: fn(&[usize], &mut [Fenced])) -> Function {
    let needs: fn(&[Size]) -> Vec<Size> =
        if slices == 2 { |s| vec![Size(30).max(s[0]); 2] } else { |s| vec![Size(30).max(s[0]); 3] };
    Function { name, variant: "", sizes: &[10], memory: &[], needs, call }
}

fn softmax_functions() -> [Function; 4] {
    [
        row_function("softmax.rs::softmax", 2, |s, slices| {
            let [x, y] = slices else { unreachable!() };
            softmax::softmax(threads(), s[0], x, y);
        }),
        row_function("softmax.rs::log_softmax", 2, |s, slices| {
            let [x, y] = slices else { unreachable!() };
            softmax::log_softmax(threads(), s[0], x, y);
        }),
        row_function("softmax.rs::softmax_backward", 3, |s, slices| {
            let [y, dy, dx] = slices else { unreachable!() };
            softmax::softmax_backward(threads(), s[0], y, dy, dx);
        }),
        row_function("softmax.rs::log_softmax_backward", 3, |s, slices| {
            let [y, dy, dx] = slices else { unreachable!() };
            softmax::log_softmax_backward(threads(), s[0], y, dy, dx);
        }),
    ]
}

/// Vectors of 4 inputs: two of them, and three units.
fn gaussian_functions() -> [Function; 3] {
    let function = |name, needs, call| Function { name, variant: "", sizes: &[4], memory: &[], needs, call };
    [
        function(
            "gaussian.rs::forward",
            |s| vec![Size(8).max(s[0]), Size(12).max(s[0]), Size(6)],
            |s, slices| {
                let [x, w, y] = slices else { unreachable!() };
                gaussian::forward(threads(), s[0], x, w, y);
            },
        ),
        function(
            "gaussian.rs::backward_input",
            |s| vec![Size(8).max(s[0]), Size(12).max(s[0]), Size(6), Size(8).max(s[0])],
            |s, slices| {
                let [x, w, dy, dx] = slices else { unreachable!() };
                gaussian::backward_input(threads(), s[0], x, w, dy, dx);
            },
        ),
        function(
            "gaussian.rs::backward_weights",
            |s| vec![Size(8).max(s[0]), Size(12).max(s[0]), Size(6), Size(12).max(s[0])],
            |s, slices| {
                let [x, w, dy, dw] = slices else { unreachable!() };
                gaussian::backward_weights(threads(), s[0], x, w, dy, dw);
            },
        ),
    ]
}

/// Channels and the sum's size; two pixels.
fn local_response_functions() -> [Function; 2] {
    let function =
        |name, needs, call| Function { name, variant: "", sizes: &[9, 5], memory: &[], needs, call };
    [
        function(
            "local_response_norm.rs::forward",
            |s| vec![Size(18).max(s[0]); 2],
            |s, slices| {
                let [x, y] = slices else { unreachable!() };
                norm(s).forward(threads(), x, y);
            },
        ),
        function(
            "local_response_norm.rs::backward",
            |s| vec![Size(18).max(s[0]); 3],
            |s, slices| {
                let [x, dy, dx] = slices else { unreachable!() };
                norm(s).backward(threads(), x, dy, dx);
            },
        ),
    ]
}

fn norm(s: &[usize]) -> LocalResponseNorm {
    LocalResponseNorm { channels: s[0], size: s[1], alpha: 1e-4, beta: 0.75, k: 2.0 }
}

pub fn functions() -> Vec<Function> {
    let mut all = linear_functions();
    all.extend(softmax_functions());
    all.extend(gaussian_functions());
    all.extend(local_response_functions());
    all
}
