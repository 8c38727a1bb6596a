//! Operators whose speed is the memory's: `cargo bench -p eyespot-kernels --bench memory_bound`.
//!
//! Each reports bytes per second, counting every number that has to be read or written at least once per pass;
//! `copy` is the measure to hold them against. Sizes are ResNet-50's at batch 16: its first maps (112 × 112 × 64) and
//! one of the middle (28 × 28 × 512).

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use eyespot_kernels::batch_norm::{self, Followed, Follows, Gradients, Parameters, Statistics};
use eyespot_kernels::optimizer::{self, Adam, Sgd, Step};
use eyespot_kernels::pointwise::{self, Pointwise};
use eyespot_kernels::pool::{AdaptiveAvgPool2d, MaxPool2d, Windows};
use eyespot_kernels::{Threads, dropout::Dropout};

const THREADS: [usize; 2] = [1, 2];
/// Floats of 16 maps of 56 × 56 × 256.
const FLOATS: usize = 16 * 56 * 56 * 256;

fn main() {
    divan::main();
}

fn map(len: usize) -> Vec<f32> {
    (0..len as u32).map(|i| i.wrapping_mul(0x9e37_79b9) as i32 as f32 / 2e9).collect()
}

fn floats(count: usize) -> BytesCount {
    BytesCount::new(count * 4)
}

#[divan::bench(args = THREADS)]
fn copy(bencher: Bencher, threads: usize) {
    let threads = Threads::new(threads);
    let (x, mut y) = (map(FLOATS), map(FLOATS));
    bencher.counter(floats(2 * FLOATS)).bench_local(|| {
        threads.chunks(&mut y, 1 << 14, |i, y| y.copy_from_slice(&x[i << 14..][..y.len()]));
        black_box(&mut y);
    });
}

#[divan::bench(args = THREADS)]
fn relu_forward(bencher: Bencher, threads: usize) {
    let threads = Threads::new(threads);
    let (x, mut y) = (map(FLOATS), map(FLOATS));
    bencher
        .counter(floats(2 * FLOATS))
        .bench_local(|| pointwise::forward(&threads, Pointwise::Relu, &x, black_box(&mut y)));
}

#[divan::bench(args = THREADS)]
fn sigmoid_forward(bencher: Bencher, threads: usize) {
    let threads = Threads::new(threads);
    let (x, mut y) = (map(FLOATS), map(FLOATS));
    bencher
        .counter(floats(2 * FLOATS))
        .bench_local(|| pointwise::forward(&threads, Pointwise::Sigmoid, &x, black_box(&mut y)));
}

#[divan::bench(args = THREADS)]
fn relu_backward_in_place(bencher: Bencher, threads: usize) {
    let threads = Threads::new(threads);
    let (x, mut d) = (map(FLOATS), map(FLOATS));
    bencher
        .counter(floats(3 * FLOATS))
        .bench_local(|| pointwise::backward_in_place(&threads, Pointwise::Relu, &x, black_box(&mut d)));
}

#[divan::bench(args = THREADS)]
fn dropout(bencher: Bencher, threads: usize) {
    let threads = Threads::new(threads);
    let (x, mut y) = (map(FLOATS), map(FLOATS));
    let dropout = Dropout { p: 0.5, seed: 1, step: 2, layer: 3 };
    bencher.counter(floats(2 * FLOATS)).bench_local(|| dropout.apply(&threads, &x, black_box(&mut y)));
}

#[divan::bench(args = [(1, 16), (1, 64), (1, 96), (1, 512), (2, 16), (2, 64), (2, 512)])]
fn batch_norm_relu_forward(bencher: Bencher, (threads, channels): (usize, usize)) {
    let threads = Threads::new(threads);
    let len = FLOATS / channels * channels;
    let (x, mut y) = (map(len), map(len));
    let mut vectors: [Vec<f32>; 6] = std::array::from_fn(|_| vec![1.0; channels]);
    let mut scratch = vec![0.0; batch_norm::scratch_len(len / channels, channels)];
    bencher.counter(floats(3 * len)).bench_local(|| {
        let [weight, bias, mean, inv_std, running_mean, running_var] = &mut vectors;
        let parameters = Parameters { weight, bias, eps: 1e-5 };
        let statistics = Statistics { mean, inv_std, running_mean, running_var, momentum: 0.1 };
        batch_norm::forward(&threads, parameters, statistics, Follows::Relu, &x, &mut y, &mut scratch);
        black_box(&mut y);
    });
}

#[divan::bench(args = [(1, 16), (1, 64), (1, 96), (1, 512), (2, 16), (2, 64), (2, 512)])]
fn batch_norm_relu_backward(bencher: Bencher, (threads, channels): (usize, usize)) {
    let threads = Threads::new(threads);
    let len = FLOATS / channels * channels;
    let (x, mut d) = (map(len), map(len));
    let vectors: [Vec<f32>; 4] = std::array::from_fn(|_| vec![0.5; channels]);
    let [weight, bias, mean, inv_std] = &vectors;
    let parameters = Parameters { weight, bias, eps: 1e-5 };
    let (mut dw, mut db) = (vec![0.0; channels], vec![0.0; channels]);
    let mut scratch = vec![0.0; batch_norm::scratch_len(len / channels, channels)];
    bencher.counter(floats(5 * len)).bench_local(|| {
        let gradients = Gradients { mean, inv_std, weight: &mut dw, bias: &mut db };
        batch_norm::backward(&threads, parameters, Followed::Relu, gradients, &x, &mut d, &mut scratch);
        black_box(&mut d);
    });
}

fn first_pool() -> (MaxPool2d, usize, usize) {
    let (input, output, channels) = ((112, 112), (56, 56), 64);
    let windows = Windows { input, output, channels, kernel: (3, 3), stride: (2, 2), padding: (1, 1) };
    (MaxPool2d { windows }, 16 * 112 * 112 * 64, 16 * 56 * 56 * 64)
}

#[divan::bench(args = THREADS)]
fn max_pool_forward(bencher: Bencher, threads: usize) {
    let threads = Threads::new(threads);
    let (pool, inputs, outputs) = first_pool();
    let (x, mut y, mut winners) = (map(inputs), map(outputs), vec![0; outputs]);
    let count = floats(inputs + outputs + outputs / 2);
    bencher
        .counter(count)
        .bench_local(|| pool.forward_training(&threads, &x, black_box(&mut y), &mut winners));
}

#[divan::bench(args = THREADS)]
fn max_pool_backward(bencher: Bencher, threads: usize) {
    let threads = Threads::new(threads);
    let (pool, inputs, outputs) = first_pool();
    let (dy, mut dx) = (map(outputs), map(inputs));
    let winners: Vec<u16> =
        (0..outputs as u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 16) as u16 % 9).collect();
    let count = floats(inputs + outputs + outputs / 2);
    bencher.counter(count).bench_local(|| pool.backward(&threads, &winners, &dy, black_box(&mut dx)));
}

#[divan::bench(args = THREADS)]
fn global_mean(bencher: Bencher, threads: usize) {
    let threads = Threads::new(threads);
    let pool = AdaptiveAvgPool2d { input: (7, 7), output: (1, 1), channels: 2048 };
    let (x, mut y) = (map(16 * 49 * 2048), map(16 * 2048));
    bencher.counter(floats(x.len())).bench_local(|| pool.forward(&threads, &x, black_box(&mut y)));
}

const STEP: Step =
    Step { learning_rate: 1e-9, weight_decay: 0.01, gradient_scale: 1.0, step: 1, ema_decay: 0.9 };

#[divan::bench(args = THREADS)]
fn sgd_with_momentum(bencher: Bencher, threads: usize) {
    let threads = Threads::new(threads);
    let (g, mut w, mut v) = (map(FLOATS), map(FLOATS), map(FLOATS));
    let rule = Sgd { momentum: 0.9, nesterov: false };
    bencher
        .counter(floats(5 * FLOATS))
        .bench_local(|| optimizer::sgd(&threads, rule, STEP, &g, black_box(&mut w), &mut v, &mut []));
}

#[divan::bench(args = THREADS)]
fn adamw(bencher: Bencher, threads: usize) {
    let threads = Threads::new(threads);
    let (g, mut w, mut m, mut v) = (map(FLOATS), map(FLOATS), map(FLOATS), vec![1.0; FLOATS]);
    let rule = Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, decoupled: true };
    bencher.counter(floats(7 * FLOATS)).bench_local(|| {
        optimizer::adam(&threads, rule, STEP, &g, black_box(&mut w), &mut m, &mut v, &mut []);
    });
}

#[divan::bench(args = THREADS)]
fn gradient_norm(bencher: Bencher, threads: usize) {
    let threads = Threads::new(threads);
    let g = map(FLOATS);
    bencher.counter(floats(FLOATS)).bench_local(|| optimizer::squared_norm(&threads, black_box(&g)));
}
