//! Layers with weights that mix all channels.

use crate::case::{Case, Outputs, outputs, to_nchw, to_nhwc};
use eyespot_kernels::conv2d::{Conv2dKernel, Conv2dShape, Conv2dTraining};
use eyespot_kernels::linear::{self, LinearKernel};
use eyespot_kernels::{Activation, Floats, Threads, gaussian};

pub fn conv2d(threads: &Threads, case: &Case) -> Outputs {
    let (input, output) = (case.input_shape("x"), case.output_shape());
    let shape = Conv2dShape {
        in_h: input[2],
        in_w: input[3],
        in_c: input[1],
        out_h: output[2],
        out_w: output[3],
        out_c: output[1],
        kernel: case.pair("kernel"),
        stride: case.pair("stride"),
        padding: case.pair("padding"),
        dilation: case.pair("dilation"),
        groups: case.size("groups"),
    };
    let images = input[0];
    let (x, w, b) = (to_nhwc(&input, &case.input("x")), case.input("w"), case.input("b"));
    let dy = to_nhwc(&output, &case.dy());

    let training = Conv2dTraining::new(shape, images);
    let mut scratch = vec![f32::NAN; training.scratch_len(threads)];
    let mut y = vec![f32::NAN; dy.len()];
    training.forward(threads, images, &x, &w, Some(&b), &mut y, &mut scratch);
    let mut dx = vec![f32::NAN; x.len()];
    training.backward_input(threads, images, &dy, &w, &mut dx, &mut scratch);
    let (mut dw, mut db) = (vec![f32::NAN; w.len()], vec![f32::NAN; b.len()]);
    training.backward_weights(threads, images, &x, &dy, &mut dw, Some(&mut db), &mut scratch);

    let kernel = Conv2dKernel::new(shape, images, &w, Some(&b), Activation::None);
    let mut scratch = vec![f32::NAN; kernel.scratch_len(threads)];
    let mut inferred = vec![f32::NAN; y.len()];
    kernel.run(threads, images, &x, None, &mut inferred, output[1], &mut scratch);
    case.check(&outputs([
        ("y", to_nchw(&output, &inferred)),
        ("dx", to_nchw(&input, &dx)),
        ("dw", dw.clone()),
        ("db", db.clone()),
    ]));
    outputs([("y", to_nchw(&output, &y)), ("dx", to_nchw(&input, &dx)), ("dw", dw), ("db", db)])
}

pub fn linear(threads: &Threads, case: &Case) -> Outputs {
    let (x, w, b, dy) = (case.input("x"), case.input("w"), case.input("b"), case.dy());
    let (images, sizes) = (case.input_shape("x")[0], (case.input_shape("x")[1], case.output_shape()[1]));
    let mut y = vec![f32::NAN; dy.len()];
    linear::forward(threads, sizes, images, &x, &w, Some(&b), &mut y);
    let mut inferred = vec![f32::NAN; dy.len()];
    LinearKernel::new(sizes.0, sizes.1, Floats::copied(&w), Some(&b), Activation::None).run(
        threads,
        images,
        &x,
        &mut inferred,
    );
    assert!(y.iter().zip(&inferred).all(|(a, b)| (a - b).abs() < 1e-4), "{}: inference differs", case.name);
    let (mut dx, mut dw, mut db) =
        (vec![f32::NAN; x.len()], vec![f32::NAN; w.len()], vec![f32::NAN; b.len()]);
    linear::backward_input(threads, sizes, images, &dy, &w, &mut dx);
    linear::backward_weights(threads, sizes, images, &x, &dy, &mut dw, Some(&mut db));
    outputs([("y", y), ("dx", dx), ("dw", dw), ("db", db)])
}

pub fn gaussian(threads: &Threads, case: &Case) -> Outputs {
    let (x, w, dy) = (case.input("x"), case.input("w"), case.dy());
    let inputs = case.input_shape("x")[1];
    let (mut y, mut dx, mut dw) =
        (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()], vec![f32::NAN; w.len()]);
    gaussian::forward(threads, inputs, &x, &w, &mut y);
    gaussian::backward_input(threads, inputs, &x, &w, &dy, &mut dx);
    gaussian::backward_weights(threads, inputs, &x, &w, &dy, &mut dw);
    outputs([("y", y), ("dx", dx), ("dw", dw)])
}
