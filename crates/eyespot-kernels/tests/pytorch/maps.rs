//! Operators over maps, channel by channel.

use crate::case::{Case, Outputs, outputs, times, to_nchw, to_nhwc};
use eyespot_kernels::Threads;
use eyespot_kernels::batch_norm::{self, Followed, Follows, Gradients, Parameters, Statistics};
use eyespot_kernels::channels::PadShortcut;
use eyespot_kernels::local_response_norm::LocalResponseNorm;
use eyespot_kernels::pool::{AdaptiveAvgPool2d, AvgPool2d, MaxPool2d, Windows};
use eyespot_kernels::product::Product;

pub fn batch_norm(threads: &Threads, case: &Case) -> Outputs {
    let shape = case.input_shape("x");
    let channels = shape[1];
    let stretch = case.number("stretch").unwrap();
    let (x, weight, bias) =
        (to_nhwc(&shape, &case.input("x")), times(stretch, &case.input("w")), case.input("b"));
    let parameters = Parameters { weight: &weight, bias: &bias, eps: 1e-5 };
    let (mut mean, mut inv_std) = (vec![f32::NAN; channels], vec![f32::NAN; channels]);
    let (mut running_mean, mut running_var) =
        (case.numbers("running_mean", channels), case.numbers("running_var", channels));
    let mut scratch = vec![f64::NAN; batch_norm::scratch_len(x.len() / channels, channels)];
    let residual = case.text("follows") == "add_relu";
    let residual = if residual { to_nhwc(&shape, &case.input("r")) } else { vec![] };
    let (follows, followed) = match case.text("follows") {
        "nothing" => (Follows::Nothing, Followed::Nothing),
        "relu" => (Follows::Relu, Followed::Relu),
        "relu6" => (Follows::Relu6, Followed::Relu6),
        _ => (Follows::AddRelu(&residual), Followed::Nothing),
    };
    let statistics = Statistics {
        mean: &mut mean,
        inv_std: &mut inv_std,
        running_mean: &mut running_mean,
        running_var: &mut running_var,
        momentum: 0.1,
    };
    let mut y = vec![f32::NAN; x.len()];
    batch_norm::forward(threads, parameters, statistics, follows, &x, &mut y, &mut scratch);

    let mut d = to_nhwc(&shape, &case.dy());
    let (mut dw, mut db) = (vec![f32::NAN; channels], vec![f32::NAN; channels]);
    let gradients = Gradients { mean: &mean, inv_std: &inv_std, weight: &mut dw, bias: &mut db };
    let mut list = vec![];
    if residual.is_empty() {
        batch_norm::backward(threads, parameters, followed, gradients, &x, &mut d, &mut scratch);
        list.push(("dx", to_nchw(&shape, &d)));
    } else {
        let mut dx = vec![f32::NAN; x.len()];
        batch_norm::backward_add_relu(threads, parameters, gradients, &x, &y, &mut d, &mut dx, &mut scratch);
        list.push(("dx", to_nchw(&shape, &dx)));
        list.push(("dr", to_nchw(&shape, &d)));
    }
    list.extend([("y", to_nchw(&shape, &y)), ("dw", times(stretch, &dw)), ("db", db)]);
    list.extend([("running_mean", running_mean), ("running_var", running_var)]);
    list.into_iter().map(|(name, values)| (name.to_owned(), values)).collect()
}

/// The inference form, which has no gradient.
pub fn scale_shift(threads: &Threads, case: &Case) -> Outputs {
    let shape = case.input_shape("x");
    let [x, w, b, m, v] = ["x", "w", "b", "m", "v"].map(|name| case.input(name));
    let scale: Vec<f32> = w.iter().zip(&v).map(|(w, v)| w / (v.abs() + 0.1 + 1e-5).sqrt()).collect();
    let shift: Vec<f32> = b.iter().zip(&m).zip(&scale).map(|((b, m), scale)| b - m * scale).collect();
    let x = to_nhwc(&shape, &x);
    let mut y = vec![f32::NAN; x.len()];
    batch_norm::scale_shift(threads, &scale, &shift, Follows::Nothing, &x, &mut y);
    outputs([("y", to_nchw(&shape, &y))])
}

pub fn local_response_norm(threads: &Threads, case: &Case) -> Outputs {
    let shape = case.input_shape("x");
    let number = |key| case.number(key).unwrap();
    let (size, alpha, beta, k) = (case.size("size"), number("alpha"), number("beta"), number("k"));
    let norm = LocalResponseNorm { channels: shape[1], size, alpha, beta, k };
    let (x, dy) = (to_nhwc(&shape, &case.input("x")), to_nhwc(&shape, &case.dy()));
    let (mut y, mut dx) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
    norm.forward(threads, &x, &mut y);
    norm.backward(threads, &x, &dy, &mut dx);
    outputs([("y", to_nchw(&shape, &y)), ("dx", to_nchw(&shape, &dx))])
}

/// Runs a pool forward and backward on the case's maps.
fn over_maps(
    case: &Case,
    forward: impl FnOnce(&[f32], &mut [f32]),
    backward: impl FnOnce(&[f32], &mut [f32]),
) -> Outputs {
    let (input, output) = (case.input_shape("x"), case.output_shape());
    let (x, dy) = (to_nhwc(&input, &case.input("x")), to_nhwc(&output, &case.dy()));
    let (mut y, mut dx) = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()]);
    forward(&x, &mut y);
    backward(&dy, &mut dx);
    outputs([("y", to_nchw(&output, &y)), ("dx", to_nchw(&input, &dx))])
}

fn windows(case: &Case) -> Windows {
    let (input, output) = (case.input_shape("x"), case.output_shape());
    Windows {
        input: (input[2], input[3]),
        output: (output[2], output[3]),
        channels: input[1],
        kernel: case.pair("kernel"),
        stride: case.pair("stride"),
        padding: case.pair("padding"),
    }
}

pub fn max_pool2d(threads: &Threads, case: &Case) -> Outputs {
    let pool = MaxPool2d { windows: windows(case) };
    let (input, output) = (case.input_shape("x"), case.output_shape());
    let (x, dy) = (to_nhwc(&input, &case.input("x")), to_nhwc(&output, &case.dy()));
    let (mut y, mut dx) = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()]);
    let mut winners = vec![u16::MAX; dy.len()];
    pool.forward_training(threads, &x, &mut y, &mut winners);
    pool.backward(threads, &winners, &dy, &mut dx);
    let mut inferred = vec![f32::NAN; dy.len()];
    pool.forward(threads, &x, &mut inferred);
    assert_eq!(y, inferred);
    outputs([("y", to_nchw(&output, &y)), ("dx", to_nchw(&input, &dx))])
}

pub fn avg_pool2d(threads: &Threads, case: &Case) -> Outputs {
    let pool = AvgPool2d { windows: windows(case), count_include_pad: case.flag("count_include_pad") };
    over_maps(case, |x, y| pool.forward(threads, x, y), |dy, dx| pool.backward(threads, dy, dx))
}

pub fn adaptive_avg_pool2d(threads: &Threads, case: &Case) -> Outputs {
    let (input, output) = (case.input_shape("x"), case.output_shape());
    let pool =
        AdaptiveAvgPool2d { input: (input[2], input[3]), output: (output[2], output[3]), channels: input[1] };
    over_maps(case, |x, y| pool.forward(threads, x, y), |dy, dx| pool.backward(threads, dy, dx))
}

pub fn product(threads: &Threads, case: &Case) -> Outputs {
    let (input, factors) = (case.input_shape("x"), case.input_shape("s"));
    let product = if input == factors {
        Product { pixels: 1, channels: input[1] * input[2] * input[3] }
    } else {
        Product { pixels: input[2] * input[3], channels: input[1] }
    };
    let [x, dy] = [case.input("x"), case.dy()].map(|map| to_nhwc(&input, &map));
    let s = to_nhwc(&factors, &case.input("s"));
    let [mut y, mut dx, mut ds] = [x.len(), x.len(), s.len()].map(|len| vec![f32::NAN; len]);
    product.forward(threads, &x, &s, &mut y);
    product.backward_map(threads, &dy, &s, &mut dx);
    product.backward_factors(threads, &x, &dy, &mut ds);
    outputs([("y", to_nchw(&input, &y)), ("dx", to_nchw(&input, &dx)), ("ds", to_nchw(&factors, &ds))])
}

pub fn pad_shortcut(threads: &Threads, case: &Case) -> Outputs {
    let input = case.input_shape("x");
    let (height, width, in_channels) = (input[2], input[3], input[1]);
    let (out_channels, stride) = (case.size("out_channels"), case.size("stride"));
    let shortcut = PadShortcut { height, width, in_channels, out_channels, stride };
    over_maps(case, |x, y| shortcut.forward(threads, x, y), |dy, dx| shortcut.backward(threads, dy, dx))
}
