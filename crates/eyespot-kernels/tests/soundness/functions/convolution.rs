//! Convolutions: every algorithm.

use super::{Function, threads};
use crate::fence::{Edge, Fenced};
use crate::size::Size;
use eyespot_kernels::Activation;
use eyespot_kernels::conv2d::{Conv2dKernel, Conv2dShape, Conv2dTraining, SeparableKernel};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Images, the fields of the shape in their order, and the stride of the output.
type Sizes = [usize; 17];

/// An input of `size` × `size`, `channels` in and out, a square `kernel` with `step` and `pad`.
const fn sizes(
    size: usize,
    (in_c, out_c): (usize, usize),
    kernel: usize,
    step: usize,
    pad: usize,
    dilation: usize,
    groups: usize,
) -> Sizes {
    let out = (size + 2 * pad - (kernel - 1) * dilation - 1) / step + 1;
    let (kernel, step, pad, dilation) = ([kernel; 2], [step; 2], [pad; 2], [dilation; 2]);
    [
        2,
        size,
        size,
        in_c,
        out,
        out,
        out_c,
        kernel[0],
        kernel[1],
        step[0],
        step[1],
        pad[0],
        pad[1],
        dilation[0],
        dilation[1],
        groups,
        out_c + 3,
    ]
}

const POINTWISE: Sizes = sizes(5, (20, 18), 1, 1, 0, 1, 1);
const DIRECT: Sizes = sizes(7, (12, 9), 3, 2, 1, 1, 1);
const GROUPS: Sizes = sizes(7, (10, 12), 3, 1, 1, 2, 2);
const FEW_CHANNELS: Sizes = sizes(9, (3, 5), 3, 2, 1, 1, 1);
const DEPTHWISE: Sizes = sizes(7, (20, 20), 3, 1, 1, 1, 20);
const DEPTHWISE_STRIDE: Sizes = sizes(9, (20, 20), 5, 2, 2, 1, 20);
const DEPTHWISE_DILATED: Sizes = sizes(9, (5, 5), 3, 1, 1, 2, 5);
const WINOGRAD: Sizes = sizes(24, (32, 48), 3, 1, 1, 1, 1);

fn shape(s: &[usize]) -> Conv2dShape {
    Conv2dShape {
        in_h: s[1],
        in_w: s[2],
        in_c: s[3],
        out_h: s[4],
        out_w: s[5],
        out_c: s[6],
        kernel: (s[7], s[8]),
        stride: (s[9], s[10]),
        padding: (s[11], s[12]),
        dilation: (s[13], s[14]),
        groups: s[15],
    }
}

fn input(s: &[Size]) -> Size {
    s[0] * s[1] * s[2] * s[3]
}

fn dense_output(s: &[Size]) -> Size {
    s[0] * s[4] * s[5] * s[6]
}

fn weights(s: &[Size]) -> Size {
    s[6] * (s[3] / s[15]) * s[7] * s[8]
}

fn output(s: &[Size]) -> Size {
    (s[0] * s[4] * s[5] - 1) * s[16] + s[6]
}

/// Exactly as much as is asked for.
fn scratch(len: usize) -> Fenced {
    Fenced::new(len, Edge::End)
}

fn infer(s: &[usize], slices: &mut [Fenced]) {
    let [x, w, b, residual, y] = slices else { unreachable!() };
    let threads = threads();
    let kernel = Conv2dKernel::new(shape(s), s[0], w, Some(b), Activation::Relu);
    let mut scratch = scratch(kernel.scratch_len(threads));
    kernel.run(threads, s[0], x, Some(residual), y, s[16], &mut scratch);
}

fn infer_needs(s: &[Size]) -> Vec<Size> {
    vec![input(s), weights(s), s[6], output(s), output(s)]
}

fn inference(variant: &'static str, sizes: &'static Sizes) -> Function {
    Function {
        name: "conv2d/inference.rs::run",
        variant,
        sizes,
        memory: &[],
        needs: infer_needs,
        call: infer,
    }
}

/// A kernel compiled for two images, run with any number.
fn infer_more(s: &[usize], slices: &mut [Fenced]) {
    let [x, w, b, residual, y] = slices else { unreachable!() };
    let threads = threads();
    let kernel = Conv2dKernel::new(shape(&DIRECT), 2, w, Some(b), Activation::Relu);
    kernel.run(threads, s[0], x, Some(residual), y, s[1], &mut []);
}

fn infer_more_needs(s: &[Size]) -> Vec<Size> {
    let mut all = DIRECT.map(|size| Size(size as u128));
    (all[0], all[16]) = (s[0], s[1]);
    infer_needs(&all)
}

/// With so much less scratch memory than asked for.
fn infer_scratch(base: &Sizes, short: usize) {
    let threads = threads();
    let (shape, images) = (shape(base), base[0]);
    let kernel = Conv2dKernel::new(shape, images, &vec![0.5; shape.weights_len()], None, Activation::None);
    let mut scratch = scratch(kernel.scratch_len(threads).checked_sub(short).unwrap());
    let (x, mut y) = (vec![0.5; images * shape.input_len()], vec![0.5; images * shape.output_len()]);
    kernel.run(threads, images, &x, None, &mut y, shape.out_c, &mut scratch);
}

fn train_forward(s: &[usize], slices: &mut [Fenced]) {
    let [x, w, b, y] = slices else { unreachable!() };
    let threads = threads();
    let plan = Conv2dTraining::new(shape(s), s[0]);
    let mut scratch = scratch(plan.scratch_len(threads));
    plan.forward(threads, s[0], x, w, Some(b), y, &mut scratch);
}

fn train_backward_input(s: &[usize], slices: &mut [Fenced]) {
    let [dy, w, dx] = slices else { unreachable!() };
    let threads = threads();
    let plan = Conv2dTraining::new(shape(s), s[0]);
    let mut scratch = scratch(plan.scratch_len(threads));
    plan.backward_input(threads, s[0], dy, w, dx, &mut scratch);
}

fn train_backward_weights(s: &[usize], slices: &mut [Fenced]) {
    let [x, dy, dw, db] = slices else { unreachable!() };
    let threads = threads();
    let plan = Conv2dTraining::new(shape(s), s[0]);
    let mut scratch = scratch(plan.scratch_len(threads));
    plan.backward_weights(threads, s[0], x, dy, dw, Some(db), &mut scratch);
}

/// The three passes. A plan has blocks of channels, taps, and a part for each phase of the stride over the input.
fn training(variant: &'static str, sizes: &'static Sizes) -> [Function; 3] {
    let function =
        |name, needs, call| Function { name, variant, sizes, memory: &[1, 2, 3, 6, 7, 8, 15], needs, call };
    [
        function(
            "conv2d/training.rs::forward",
            |s| vec![input(s), weights(s), s[6], dense_output(s)],
            train_forward,
        ),
        function(
            "conv2d/training.rs::backward_input",
            |s| vec![dense_output(s), weights(s), input(s)],
            train_backward_input,
        ),
        function(
            "conv2d/training.rs::backward_weights",
            |s| vec![input(s), dense_output(s), weights(s), s[6]],
            train_backward_weights,
        ),
    ]
}

/// All passes with a fraction of the scratch memory asked for.
fn training_scratch(base: &Sizes, parts: usize) {
    let threads = threads();
    let (shape, images) = (shape(base), base[0]);
    let plan = Conv2dTraining::new(shape, images);
    let mut scratch = scratch(plan.scratch_len(threads) / parts);
    let (x, mut y) = (vec![0.5; images * shape.input_len()], vec![0.5; images * shape.output_len()]);
    let (mut w, mut dx) = (vec![0.5; shape.weights_len()], vec![0.5; images * shape.input_len()]);
    // They need different amounts; the one that needs most has to notice.
    let passes = [
        catch_unwind(AssertUnwindSafe(|| plan.forward(threads, images, &x, &w, None, &mut y, &mut scratch))),
        catch_unwind(AssertUnwindSafe(|| {
            plan.backward_input(threads, images, &y, &w, &mut dx, &mut scratch)
        })),
        catch_unwind(AssertUnwindSafe(|| {
            plan.backward_weights(threads, images, &x, &y, &mut w, None, &mut scratch);
        })),
    ];
    assert!(passes.iter().all(Result::is_ok));
}

/// The only size says how much scratch memory is missing, which must be nothing: the slice that would be needed
/// otherwise isn't there.
fn scratch_function(
    name: &'static str,
    variant: &'static str,
    call: fn(&[usize], &mut [Fenced]),
) -> Function {
    Function { name, variant, sizes: &[0], memory: &[], needs: |s| vec![s[0]], call }
}

const EXPAND: Sizes = sizes(40, (3, 80), 1, 1, 0, 1, 1);
const BETWEEN: Sizes = sizes(40, (80, 80), 3, 1, 1, 1, 80);
const PROJECT: Sizes = sizes(40, (80, 6), 1, 1, 0, 1, 1);

/// Images and stride; rows and columns of the input and of the three results; missing scratch memory.
const SEPARABLE: [usize; 11] = [1, 9, 40, 40, 40, 40, 40, 40, 40, 40, 0];

fn separable(s: &[usize], slices: &mut [Fenced]) {
    let [x, residual, y] = slices else { unreachable!() };
    let threads = threads();
    let kernel = |base: &Sizes, input: (usize, usize), output: (usize, usize)| {
        let mut base = *base;
        (base[1], base[2], base[4], base[5]) = (input.0, input.1, output.0, output.1);
        let shape = shape(&base);
        Conv2dKernel::new(shape, 1, &vec![0.5; shape.weights_len()], None, Activation::None)
    };
    // Each takes what the one before it gives; only the last one's own result may be something else.
    let expand = kernel(&EXPAND, (s[2], s[3]), (s[4], s[5]));
    let depthwise = kernel(&BETWEEN, (s[4], s[5]), (s[6], s[7]));
    let project = kernel(&PROJECT, (s[6], s[7]), (s[8], s[9]));
    assert!(SeparableKernel::fits(Some(&expand), &depthwise, &project));
    let fused = SeparableKernel::new(Some(expand), depthwise, project);
    let mut scratch = scratch(fused.scratch_len(threads).checked_sub(s[10]).unwrap());
    fused.run(threads, s[0], x, Some(residual), y, s[1], &mut scratch);
}

fn separable_needs(s: &[Size]) -> Vec<Size> {
    let output = (s[0] * s[6] * s[7] - 1) * s[1] + Size(6);
    // No slice makes up for missing scratch memory.
    let missing = s[0] * s[10] * Size(u128::MAX);
    vec![(s[0] * s[2] * s[3] * Size(3)).max(missing), output, output]
}

/// The lengths of a shape, which must be what they are called or panic.
fn shape_lens(s: &[usize], slices: &mut [Fenced]) {
    let shape = shape(s);
    let lens = [shape.input_len(), shape.output_len(), shape.weights_len()];
    assert!(lens.iter().zip(slices).all(|(&len, slice)| len <= slice.len()));
    let _ = shape.multiply_adds();
}

fn shape_function(name: &'static str) -> Function {
    Function {
        name,
        variant: "",
        sizes: &DIRECT,
        memory: &[],
        needs: |s| vec![s[1] * s[2] * s[3], s[4] * s[5] * s[6], weights(s)],
        call: shape_lens,
    }
}

pub fn functions() -> Vec<Function> {
    let mut all = vec![
        inference("pointwise", &POINTWISE),
        inference("direct", &DIRECT),
        inference("groups", &GROUPS),
        // It copies the rows that a task sees, as wide as the windows reach.
        Function { memory: &[4, 5, 7, 8, 9, 10, 13, 14], ..inference("few channels", &FEW_CHANNELS) },
        inference("depthwise", &DEPTHWISE),
        inference("depthwise, stride 2", &DEPTHWISE_STRIDE),
        inference("depthwise, dilated", &DEPTHWISE_DILATED),
        inference("Winograd", &WINOGRAD),
        Function {
            variant: "more images than compiled for",
            sizes: &[2, DIRECT[16]],
            needs: infer_more_needs,
            call: infer_more,
            ..inference("", &DIRECT)
        },
        Function { name: "conv2d/inference.rs::new", ..inference("direct", &DIRECT) },
        scratch_function("conv2d/inference.rs::scratch_len", "Winograd", |s, _| {
            infer_scratch(&WINOGRAD, s[0])
        }),
        scratch_function("conv2d/inference.rs::scratch_len", "few channels", |s, _| {
            infer_scratch(&FEW_CHANNELS, s[0]);
        }),
        scratch_function("conv2d/training.rs::scratch_len", "direct", |s, _| {
            training_scratch(&DIRECT, 1 + s[0])
        }),
        scratch_function("conv2d/training.rs::scratch_len", "Winograd", |s, _| {
            training_scratch(&WINOGRAD, 1 + s[0]);
        }),
        scratch_function("conv2d/training.rs::scratch_len", "depthwise", |s, _| {
            training_scratch(&DEPTHWISE, 1 + s[0]);
        }),
        shape_function("conv2d/mod.rs::input_len"),
        shape_function("conv2d/mod.rs::output_len"),
        shape_function("conv2d/mod.rs::weights_len"),
        shape_function("conv2d/mod.rs::multiply_adds"),
    ];
    for name in [
        "conv2d/separable.rs::fits",
        "conv2d/separable.rs::new",
        "conv2d/separable.rs::run",
        "conv2d/separable.rs::scratch_len",
    ] {
        let (sizes, needs, call) = (&SEPARABLE, separable_needs, separable);
        all.push(Function { name, variant: "", sizes, memory: &[], needs, call });
    }
    for (variant, sizes) in [
        ("pointwise", &POINTWISE),
        ("direct", &DIRECT),
        ("groups", &GROUPS),
        ("few channels", &FEW_CHANNELS),
        ("depthwise", &DEPTHWISE),
        ("depthwise, stride 2", &DEPTHWISE_STRIDE),
        ("Winograd", &WINOGRAD),
    ] {
        all.extend(training(variant, sizes));
    }
    all.push(Function {
        name: "conv2d/training.rs::new",
        ..training("direct", &DIRECT).into_iter().next().unwrap()
    });
    all
}
