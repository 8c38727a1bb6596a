//! Every vectorised loop on every instruction set of the machine: the same bits, also with NaN and infinity inside
//! and for lengths that are no multiple of a vector.

use crate::batch_norm::{self, Followed, Follows, Gradients, Parameters, Statistics};
use crate::optimizer::{self, Adam, Sgd, Step};
use crate::pointwise::{self, Pointwise};
use crate::pool::{AdaptiveAvgPool2d, MaxPool2d, Windows};
use crate::vectorised::same_on_every_instruction_set;
use crate::{Threads, softmax};

fn numbers(count: usize, salt: u32) -> Vec<f32> {
    let number =
        |i: u32| (i.wrapping_mul(0x9e37_79b9) ^ salt).wrapping_mul(0x85eb_ca6b) as i32 as f32 / 2.7e8;
    (0..count as u32).map(number).collect()
}

/// Some of the numbers replaced by special ones.
fn with_specials(mut x: Vec<f32>) -> Vec<f32> {
    for (i, special) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-40].into_iter().enumerate() {
        x[i * 7 + 3] = special;
    }
    x
}

#[test]
fn pointwise_and_softmax() {
    let threads = Threads::new(1);
    let functions = [
        Pointwise::Relu,
        Pointwise::Relu6,
        Pointwise::LeakyRelu(0.1),
        Pointwise::Sigmoid,
        Pointwise::Tanh,
        Pointwise::Sgn,
        Pointwise::Gelu,
        Pointwise::GeluTanh,
        Pointwise::Silu,
        Pointwise::HardSwish,
        Pointwise::HardSigmoid,
    ];
    let (x, dy) = (with_specials(numbers(5000, 1)), numbers(5000, 2));
    for function in functions {
        same_on_every_instruction_set(|| {
            let (mut y, mut dx) = (vec![0.0; 5000], vec![0.0; 5000]);
            pointwise::forward(&threads, function, &x, &mut y);
            let kept = if function.reads_input() { &x } else { &y };
            pointwise::backward(&threads, function, kept, &dy, &mut dx);
            [without_nan_payload(y), without_nan_payload(dx)].concat()
        });
    }
    same_on_every_instruction_set(|| {
        let (mut y, mut z) = (vec![0.0; 500], vec![0.0; 500]);
        softmax::softmax(&threads, 25, &dy[..500], &mut y);
        softmax::log_softmax(&threads, 25, &dy[..500], &mut z);
        [y, z].concat()
    });
}

/// A NaN's sign and payload are not specified.
fn without_nan_payload(mut x: Vec<f32>) -> Vec<f32> {
    x.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = f32::NAN);
    x
}

#[test]
fn batch_norms() {
    let threads = Threads::new(1);
    for channels in [3, 16, 24, 40, 67, 200] {
        let len = channels * 137;
        let (x, r, dy) = (numbers(len, 1), numbers(len, 2), numbers(len, 3));
        let (weight, bias) = (numbers(channels, 4), numbers(channels, 5));
        let parameters = Parameters { weight: &weight, bias: &bias, eps: 1e-5 };
        let followers = [
            (Follows::Nothing, Followed::Nothing),
            (Follows::Relu, Followed::Relu),
            (Follows::Relu6, Followed::Relu6),
            (Follows::AddRelu(&r), Followed::Nothing),
        ];
        for (follows, followed) in followers {
            same_on_every_instruction_set(|| {
                let mut scratch = vec![0.0; batch_norm::scratch_len(137, channels)];
                let [mut mean, mut inv_std, mut running_mean, mut running_var, mut dw, mut db] =
                    std::array::from_fn(|_| vec![0.5; channels]);
                let statistics = Statistics {
                    mean: &mut mean,
                    inv_std: &mut inv_std,
                    running_mean: &mut running_mean,
                    running_var: &mut running_var,
                    momentum: 0.1,
                };
                let mut y = vec![0.0; len];
                batch_norm::forward(&threads, parameters, statistics, follows, &x, &mut y, &mut scratch);
                let gradients = Gradients { mean: &mean, inv_std: &inv_std, weight: &mut dw, bias: &mut db };
                let (mut d, mut dx) = (dy.clone(), vec![0.0; len]);
                if matches!(follows, Follows::AddRelu(_)) {
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
                } else {
                    batch_norm::backward(&threads, parameters, followed, gradients, &x, &mut d, &mut scratch);
                }
                [y, d, dx, dw, db, mean, inv_std, running_mean, running_var].concat()
            });
        }
    }
}

#[test]
fn pools() {
    let threads = Threads::new(1);
    for channels in [1, 8, 19, 64] {
        let windows = Windows {
            input: (9, 8),
            output: (5, 4),
            channels,
            kernel: (3, 3),
            stride: (2, 2),
            padding: (1, 1),
        };
        let x = with_specials(numbers(2 * 72 * channels, 1));
        let dy = numbers(2 * 20 * channels, 2);
        same_on_every_instruction_set(|| {
            let (mut y, mut dx, mut winners) = (vec![0.0; dy.len()], vec![0.0; x.len()], vec![0; dy.len()]);
            let pool = MaxPool2d { windows };
            pool.forward_training(&threads, &x, &mut y, &mut winners);
            pool.backward(&threads, &winners, &dy, &mut dx);
            let mut mean = vec![0.0; 12 * channels];
            let pool = AdaptiveAvgPool2d { input: (9, 8), output: (2, 3), channels };
            pool.forward(&threads, &x, &mut mean);
            [without_nan_payload(y), dx, without_nan_payload(mean)].concat()
        });
    }
}

#[test]
fn optimizers() {
    let threads = Threads::new(1);
    let (w, g) = (numbers(1003, 1), numbers(1003, 2));
    let step = Step { learning_rate: 0.1, weight_decay: 0.01, gradient_scale: 0.5, step: 3, ema_decay: 0.9 };
    same_on_every_instruction_set(|| {
        let (mut a, mut v, mut average) = (w.clone(), g.clone(), w.clone());
        let rule = Sgd { momentum: 0.9, nesterov: true };
        optimizer::sgd(&threads, rule, step, &g, &mut a, &mut v, &mut average);
        let (mut b, mut m, mut s) = (w.clone(), g.clone(), vec![0.1; 1003]);
        let rule = Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, decoupled: false };
        optimizer::adam(&threads, rule, step, &g, &mut b, &mut m, &mut s, &mut []);
        let norm = optimizer::squared_norm(&threads, &g) as f32;
        [a, v, average, b, m, s, vec![norm]].concat()
    });
}
