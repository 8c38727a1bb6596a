//! Gradients against central differences in `f64` of formulas written out plainly here.

use eyespot_kernels::batch_norm::{self, Followed, Follows, Gradients, Parameters, Statistics};
use eyespot_kernels::conv2d::{Conv2dShape, Conv2dTraining};
use eyespot_kernels::local_response_norm::LocalResponseNorm;
use eyespot_kernels::pointwise::{self, Pointwise};
use eyespot_kernels::pool::{AdaptiveAvgPool2d, AvgPool2d, MaxPool2d, Windows};
use eyespot_kernels::product::Product;
use eyespot_kernels::{Threads, gaussian, softmax};

/// Numbers in [−2, 2) no two of which are close to each other or to 0, so that no kink is within a difference's reach.
fn numbers(count: usize, salt: usize) -> Vec<f32> {
    let spread = |i: usize| ((i * 7919 + salt * 104_729) % 10_007) as f32 / 10_007.0;
    (0..count).map(|i| 4.0 * spread(i + 1) - 2.0 + 1e-4).collect()
}

/// Compares `gradient` with the central differences of `Σ dy · forward(x)`.
fn check(what: &str, forward: impl Fn(&[f64]) -> Vec<f64>, x: &[f32], dy: &[f32], gradient: &[f32]) {
    const STEP: f64 = 1e-5;
    let mut x: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
    let loss = |x: &[f64]| -> f64 {
        let y = forward(x);
        assert_eq!(y.len(), dy.len());
        y.iter().zip(dy).map(|(y, &dy)| y * f64::from(dy)).sum()
    };
    assert_eq!(gradient.len(), x.len());
    for (i, &found) in gradient.iter().enumerate() {
        let before = x[i];
        x[i] = before + STEP;
        let above = loss(&x);
        x[i] = before - STEP;
        let slope = (above - loss(&x)) / (2.0 * STEP);
        x[i] = before;
        let tolerance = 2e-5 * (1.0 + slope.abs());
        assert!((f64::from(found) - slope).abs() < tolerance, "{what}[{i}]: {found}, not {slope}");
    }
}

fn f64s(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

#[test]
fn functions_of_single_numbers() {
    let threads = Threads::new(1);
    type Exact = fn(f64) -> f64;
    let functions: [(Pointwise, Exact); 9] = [
        (Pointwise::Relu, |x| x.max(0.0)),
        (Pointwise::Relu6, |x| x.clamp(0.0, 6.0)),
        (Pointwise::LeakyRelu(0.25), |x| if x > 0.0 { x } else { 0.25 * x }),
        (Pointwise::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
        (Pointwise::Tanh, f64::tanh),
        (Pointwise::GeluTanh, |x| {
            0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
        }),
        (Pointwise::Silu, |x| x / (1.0 + (-x).exp())),
        (Pointwise::HardSwish, |x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0),
        (Pointwise::HardSigmoid, |x| (x + 3.0).clamp(0.0, 6.0) / 6.0),
    ];
    let x: Vec<f32> = numbers(61, 1).iter().map(|x| 4.0 * x).collect();
    let dy = numbers(61, 2);
    for (function, exact) in functions {
        let (mut y, mut dx) = (vec![0.0; 61], vec![0.0; 61]);
        pointwise::forward(&threads, function, &x, &mut y);
        let kept = if function.reads_input() { &x } else { &y };
        pointwise::backward(&threads, function, kept, &dy, &mut dx);
        check(&format!("{function:?}"), |x| x.iter().map(|&x| exact(x)).collect(), &x, &dy, &dx);
    }
    let mut dx = vec![f32::NAN; 61];
    pointwise::backward(&threads, Pointwise::Sgn, &x, &dy, &mut dx);
    assert!(dx.iter().all(|&dx| dx == 0.0));
}

#[test]
fn rows() {
    let (threads, n) = (Threads::new(1), 7);
    let (x, dy) = (numbers(3 * n, 3), numbers(3 * n, 4));
    let shares = |row: &[f64]| -> Vec<f64> {
        let sum: f64 = row.iter().map(|x| x.exp()).sum();
        row.iter().map(|x| x.exp() / sum).collect()
    };
    let (mut y, mut dx) = (vec![0.0; 3 * n], vec![0.0; 3 * n]);
    softmax::softmax(&threads, n, &x, &mut y);
    softmax::softmax_backward(&threads, n, &y, &dy, &mut dx);
    check("softmax", |x| x.chunks(n).flat_map(shares).collect(), &x, &dy, &dx);
    softmax::log_softmax(&threads, n, &x, &mut y);
    softmax::log_softmax_backward(&threads, n, &y, &dy, &mut dx);
    let logarithms = |x: &[f64]| x.chunks(n).flat_map(shares).map(f64::ln).collect();
    check("log_softmax", logarithms, &x, &dy, &dx);
}

#[test]
fn gaussian_units() {
    let (threads, inputs, units, images) = (Threads::new(1), 5, 3, 2);
    let (x, w, dy) = (numbers(images * inputs, 5), numbers(units * inputs, 6), numbers(images * units, 7));
    let forward = |x: &[f64], w: &[f64]| -> Vec<f64> {
        let score = |x: &[f64], w: &[f64]| -> f64 {
            -0.5 * x.iter().zip(w).map(|(x, w)| (x - w) * (x - w)).sum::<f64>()
        };
        x.chunks(inputs).flat_map(|x| w.chunks(inputs).map(move |w| score(x, w))).collect()
    };
    let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    gaussian::backward_input(&threads, inputs, &x, &w, &dy, &mut dx);
    gaussian::backward_weights(&threads, inputs, &x, &w, &dy, &mut dw);
    check("gaussian dx", |x| forward(x, &f64s(&w)), &x, &dy, &dx);
    check("gaussian dw", |w| forward(&f64s(&x), w), &w, &dy, &dw);
}

#[test]
fn local_response_norm() {
    let (threads, channels, size) = (Threads::new(1), 6, 4);
    for beta in [0.75f32, 0.5] {
        let norm = LocalResponseNorm { channels, size, alpha: 0.5, beta, k: 2.0 };
        let (x, dy) = (numbers(3 * channels, 8), numbers(3 * channels, 9));
        let mut dx = vec![0.0; x.len()];
        norm.backward(&threads, &x, &dy, &mut dx);
        let pixel = |x: &[f64]| -> Vec<f64> {
            let value = |c: usize| {
                let near = (0..channels).filter(|&j| j + size / 2 >= c && j <= c + (size - 1) / 2);
                let squares: f64 = near.map(|j| x[j] * x[j]).sum();
                x[c] / (2.0 + 0.5 / size as f64 * squares).powf(f64::from(beta))
            };
            (0..channels).map(value).collect()
        };
        check("local response norm", |x| x.chunks(channels).flat_map(pixel).collect(), &x, &dy, &dx);
    }
}

/// The mean or the largest value of the part of each window inside a map of one picture.
fn pooled(w: &Windows, x: &[f64], largest: bool) -> Vec<f64> {
    let mut y = vec![];
    for oy in 0..w.output.0 {
        for ox in 0..w.output.1 {
            for c in 0..w.channels {
                let mut seen = vec![];
                for (iy, ix) in (0..w.input.0).flat_map(|iy| (0..w.input.1).map(move |ix| (iy, ix))) {
                    let (ky, kx) = (iy + w.padding.0, ix + w.padding.1);
                    let (top, left) = (oy * w.stride.0, ox * w.stride.1);
                    if (top..top + w.kernel.0).contains(&ky) && (left..left + w.kernel.1).contains(&kx) {
                        seen.push(x[(iy * w.input.1 + ix) * w.channels + c]);
                    }
                }
                let mean = seen.iter().sum::<f64>() / seen.len() as f64;
                y.push(if largest { seen.into_iter().fold(f64::NEG_INFINITY, f64::max) } else { mean });
            }
        }
    }
    y
}

#[test]
fn pools() {
    let threads = Threads::new(1);
    let windows = Windows {
        input: (6, 5),
        output: (3, 3),
        channels: 9,
        kernel: (3, 3),
        stride: (2, 2),
        padding: (1, 1),
    };
    let (x, dy) = (numbers(6 * 5 * 9, 10), numbers(3 * 3 * 9, 11));
    let (mut y, mut winners, mut dx) = (vec![0.0; dy.len()], vec![0; dy.len()], vec![0.0; x.len()]);
    let pool = MaxPool2d { windows };
    pool.forward_training(&threads, &x, &mut y, &mut winners);
    pool.backward(&threads, &winners, &dy, &mut dx);
    check("max pool", |x| pooled(&windows, x, true), &x, &dy, &dx);
    AvgPool2d { windows, count_include_pad: false }.backward(&threads, &dy, &mut dx);
    check("mean pool", |x| pooled(&windows, x, false), &x, &dy, &dx);
    // Three windows over six rows don't overlap; they are those of a plain pool.
    let plain = Windows { output: (3, 1), kernel: (2, 5), stride: (2, 5), padding: (0, 0), ..windows };
    AdaptiveAvgPool2d { input: (6, 5), output: (3, 1), channels: 9 }.backward(&threads, &dy[..27], &mut dx);
    check("adaptive mean pool", |x| pooled(&plain, x, false), &x, &dy[..27], &dx);
}

#[test]
fn max_pool_special_values() {
    let windows = Windows {
        input: (1, 4),
        output: (1, 2),
        channels: 1,
        kernel: (1, 2),
        stride: (1, 2),
        padding: (0, 0),
    };
    let pool = MaxPool2d { windows };
    let (mut y, mut winners) = ([0.0; 2], [9; 2]);
    let x = [f32::NAN, 1.0, f32::NEG_INFINITY, f32::NEG_INFINITY];
    pool.forward_training(&Threads::new(1), &x, &mut y, &mut winners);
    assert!(y[0].is_nan() && y[1] == f32::NEG_INFINITY);
    assert_eq!(winners, [0, 0]);
}

#[test]
fn batch_norms() {
    let (threads, channels, pixels) = (Threads::new(1), 3, 6);
    let len = channels * pixels;
    let (x, r, dy) = (numbers(len, 12), numbers(len, 13), numbers(len, 14));
    let (w, b) = (numbers(channels, 15), numbers(channels, 16));
    let norm = |x: &[f64], w: &[f64], b: &[f64], relu: bool, r: Option<&[f64]>| -> Vec<f64> {
        let at = |c: usize| (0..pixels).map(move |p| p * channels + c);
        let mut y = vec![0.0; len];
        for c in 0..channels {
            let mean = at(c).map(|i| x[i]).sum::<f64>() / pixels as f64;
            let variance = at(c).map(|i| (x[i] - mean).powi(2)).sum::<f64>() / pixels as f64;
            for i in at(c) {
                let value = (x[i] - mean) / (variance + 1e-5).sqrt() * w[c] + b[c] + r.map_or(0.0, |r| r[i]);
                y[i] = if relu { value.max(0.0) } else { value };
            }
        }
        y
    };
    for (relu, residual) in [(false, false), (true, false), (true, true)] {
        let parameters = Parameters { weight: &w, bias: &b, eps: 1e-5 };
        let [mut mean, mut inv_std, mut running_mean, mut running_var, mut dw, mut db] =
            std::array::from_fn(|_| vec![0.0; channels]);
        let statistics = Statistics {
            mean: &mut mean,
            inv_std: &mut inv_std,
            running_mean: &mut running_mean,
            running_var: &mut running_var,
            momentum: 0.1,
        };
        let (follows, followed) = match (relu, residual) {
            (false, _) => (Follows::Nothing, Followed::Nothing),
            (true, false) => (Follows::Relu, Followed::Relu),
            (true, true) => (Follows::AddRelu(&r), Followed::Nothing),
        };
        let (mut y, mut d, mut dx) = (vec![0.0; len], dy.clone(), vec![0.0; len]);
        let mut scratch = vec![0.0; batch_norm::scratch_len(pixels, channels)];
        batch_norm::forward(&threads, parameters, statistics, follows, &x, &mut y, &mut scratch);
        let gradients = Gradients { mean: &mean, inv_std: &inv_std, weight: &mut dw, bias: &mut db };
        let (x64, w64, b64, r64) = (f64s(&x), f64s(&w), f64s(&b), f64s(&r));
        let r64 = residual.then_some(&r64[..]);
        if residual {
            batch_norm::backward_add_relu(
                &threads,
                parameters,
                gradients,
                &x,
                &y,
                &mut d,
                &mut dx,
                &mut scratch,
            );
            check("residual", |r| norm(&x64, &w64, &b64, relu, Some(r)), &r, &dy, &d);
        } else {
            batch_norm::backward(&threads, parameters, followed, gradients, &x, &mut d, &mut scratch);
            dx = d;
        }
        check("batch norm dx", |x| norm(x, &w64, &b64, relu, r64), &x, &dy, &dx);
        check("batch norm dw", |w| norm(&x64, w, &b64, relu, r64), &w, &dy, &dw);
        check("batch norm db", |b| norm(&x64, &w64, b, relu, r64), &b, &dy, &db);
    }
}

#[test]
fn convolution() {
    let threads = Threads::new(1);
    let s = Conv2dShape {
        in_h: 5,
        in_w: 4,
        in_c: 4,
        out_h: 3,
        out_w: 2,
        out_c: 6,
        kernel: (3, 3),
        stride: (2, 2),
        padding: (1, 1),
        dilation: (1, 1),
        groups: 2,
    };
    let (x, w, dy) = (numbers(5 * 4 * 4, 17), numbers(6 * 2 * 9, 18), numbers(3 * 2 * 6, 19));
    let forward = |x: &[f64], w: &[f64]| -> Vec<f64> {
        let mut y = vec![];
        for (oy, ox, o) in (0..3 * 2 * 6).map(|i| (i / 12, i / 6 % 2, i % 6)) {
            let mut sum = 0.0;
            for (c, ky, kx) in (0..2 * 9).map(|i| (i / 9, i / 3 % 3, i % 3)) {
                let (iy, ix) = (oy * 2 + ky, ox * 2 + kx);
                if (1..=5).contains(&iy) && (1..=4).contains(&ix) {
                    let input = ((iy - 1) * 4 + ix - 1) * 4 + o / 3 * 2 + c;
                    sum += x[input] * w[((o * 2 + c) * 3 + ky) * 3 + kx];
                }
            }
            y.push(sum);
        }
        y
    };
    let training = Conv2dTraining::new(s, 1);
    let mut scratch = vec![0.0; training.scratch_len(&threads)];
    let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    training.backward_input(&threads, 1, &dy, &w, &mut dx, &mut scratch);
    training.backward_weights(&threads, 1, &x, &dy, &mut dw, None, &mut scratch);
    check("convolution dx", |x| forward(x, &f64s(&w)), &x, &dy, &dx);
    check("convolution dw", |w| forward(&f64s(&x), w), &w, &dy, &dw);
}

#[test]
fn products() {
    let threads = Threads::new(1);
    let product = Product { pixels: 6, channels: 5 };
    let (x, s, dy) = (numbers(60, 20), numbers(10, 21), numbers(60, 22));
    let forward = |x: &[f64], s: &[f64]| -> Vec<f64> {
        x.iter().enumerate().map(|(i, x)| x * s[i / 30 * 5 + i % 5]).collect()
    };
    let [mut y, mut dx, mut ds] = [60, 60, 10].map(|len| vec![f32::NAN; len]);
    product.forward(&threads, &x, &s, &mut y);
    for (y, expected) in y.iter().zip(forward(&f64s(&x), &f64s(&s))) {
        assert!((f64::from(*y) - expected).abs() < 1e-6);
    }
    product.backward_map(&threads, &dy, &s, &mut dx);
    product.backward_factors(&threads, &x, &dy, &mut ds);
    check("product dx", |x| forward(x, &f64s(&s)), &x, &dy, &dx);
    check("product ds", |s| forward(&f64s(&x), s), &s, &dy, &ds);
}
