//! Functions of maps: pooling, batch norm, and those that only move numbers.

use super::{Function, constant, threads};
use crate::size::Size;
use eyespot_kernels::batch_norm::{self, Followed, Follows, Gradients, Parameters, Statistics};
use eyespot_kernels::channels::{self, PadShortcut};
use eyespot_kernels::pool::{AdaptiveAvgPool2d, AvgPool2d, MaxPool2d, Windows};
use eyespot_kernels::product::Product;

/// Rows and columns of input and result, channels, kernel, stride, padding. There are two pictures.
const WINDOWS: [usize; 11] = [7, 5, 4, 3, 6, 3, 3, 2, 2, 1, 1];
const INPUT: Size = Size(2 * 7 * 5 * 6);
const OUTPUT: Size = Size(2 * 4 * 3 * 6);

fn windows(s: &[usize]) -> Windows {
    Windows {
        input: (s[0], s[1]),
        output: (s[2], s[3]),
        channels: s[4],
        kernel: (s[5], s[6]),
        stride: (s[7], s[8]),
        padding: (s[9], s[10]),
    }
}

fn input(s: &[Size]) -> Size {
    INPUT.max(s[0] * s[1] * s[4])
}

fn output(s: &[Size]) -> Size {
    OUTPUT.max(s[2] * s[3] * s[4])
}

fn pools() -> [Function; 7] {
    let function =
        |name, needs, call| Function { name, variant: "", sizes: &WINDOWS, memory: &[], needs, call };
    [
        function(
            "pool/max.rs::forward",
            |s| vec![input(s), output(s)],
            |s, slices| {
                let [x, y] = slices else { unreachable!() };
                MaxPool2d { windows: windows(s) }.forward(threads(), x, y);
            },
        ),
        function(
            "pool/max.rs::forward_training",
            |s| vec![input(s), output(s), output(s)],
            |s, slices| {
                let [x, y, winners] = slices else { unreachable!() };
                let pool = MaxPool2d { windows: windows(s) };
                pool.forward_training(threads(), x, y, winners.shorts());
            },
        ),
        function(
            "pool/max.rs::backward",
            |s| vec![output(s), output(s), input(s)],
            |s, slices| {
                let [winners, dy, dx] = slices else { unreachable!() };
                let pool = MaxPool2d { windows: windows(s) };
                pool.backward(threads(), winners.shorts(), dy, dx);
            },
        ),
        function(
            "pool/avg.rs::forward",
            |s| vec![input(s), output(s)],
            |s, slices| {
                let [x, y] = slices else { unreachable!() };
                AvgPool2d { windows: windows(s), count_include_pad: true }.forward(threads(), x, y);
            },
        ),
        function(
            "pool/avg.rs::backward",
            |s| vec![output(s), input(s)],
            |s, slices| {
                let [dy, dx] = slices else { unreachable!() };
                AvgPool2d { windows: windows(s), count_include_pad: true }.backward(threads(), dy, dx);
            },
        ),
        Function {
            sizes: &[7, 5, 4, 3, 6],
            ..function(
                "pool/adaptive_avg.rs::forward",
                |s| vec![input(s), output(s)],
                |s, slices| {
                    let [x, y] = slices else { unreachable!() };
                    adaptive(s).forward(threads(), x, y);
                },
            )
        },
        Function {
            sizes: &[7, 5, 4, 3, 6],
            ..function(
                "pool/adaptive_avg.rs::backward",
                |s| vec![output(s), input(s)],
                |s, slices| {
                    let [dy, dx] = slices else { unreachable!() };
                    adaptive(s).backward(threads(), dy, dx);
                },
            )
        },
    ]
}

fn adaptive(s: &[usize]) -> AdaptiveAvgPool2d {
    AdaptiveAvgPool2d { input: (s[0], s[1]), output: (s[2], s[3]), channels: s[4] }
}

const CHANNELS: u128 = 6;
const NUMBERS: u128 = 20 * CHANNELS;
/// Doubles for 20 pixels, which make one part.
const SCRATCH: u128 = 2 * 2 * CHANNELS;

/// Batch norms know all sizes from their slices.
fn batch_norms() -> [Function; 6] {
    let function = |name, needs, call| Function { name, variant: "", sizes: &[], memory: &[], needs, call };
    [
        Function {
            sizes: &[20, 6],
            ..function(
                "batch_norm.rs::scratch_len",
                // Pixels and channels whose number can't be counted have no length that would be right.
                |s| vec![if s[0] * s[1] > Size(usize::MAX as u128) { Size(u128::MAX) } else { Size(0) }],
                |s, _| assert!(batch_norm::scratch_len(s[0], s[1]) >= s[1].min(s[0])),
            )
        },
        function(
            "batch_norm/forward.rs::forward",
            |_| {
                let (c, n) = (CHANNELS, NUMBERS);
                constant(&[c, c, c, c, c, c, n, n, n, SCRATCH])
            },
            |_, slices| {
                let [weight, bias, mean, inv_std, running_mean, running_var, residual, x, y, scratch] =
                    slices
                else {
                    unreachable!()
                };
                let statistics = Statistics { mean, inv_std, running_mean, running_var, momentum: 0.1 };
                batch_norm::forward(
                    threads(),
                    Parameters { weight, bias, eps: 1e-5 },
                    statistics,
                    Follows::AddRelu(residual),
                    x,
                    y,
                    scratch.doubles(),
                );
            },
        ),
        function(
            "batch_norm/forward.rs::apply",
            |_| constant(&[CHANNELS, CHANNELS, CHANNELS, CHANNELS, NUMBERS, NUMBERS, NUMBERS]),
            |_, slices| {
                let [weight, bias, mean, inv_std, residual, x, y] = slices else { unreachable!() };
                let parameters = Parameters { weight, bias, eps: 1e-5 };
                let follows = Follows::AddRelu(residual);
                batch_norm::apply(threads(), parameters, mean, inv_std, follows, x, y);
            },
        ),
        function(
            "batch_norm/forward.rs::scale_shift",
            |_| constant(&[CHANNELS, CHANNELS, NUMBERS, NUMBERS, NUMBERS]),
            |_, slices| {
                let [scale, shift, residual, x, y] = slices else { unreachable!() };
                batch_norm::scale_shift(threads(), scale, shift, Follows::AddRelu(residual), x, y);
            },
        ),
        function(
            "batch_norm/backward.rs::backward",
            |_| {
                constant(&[
                    CHANNELS, CHANNELS, CHANNELS, CHANNELS, CHANNELS, CHANNELS, NUMBERS, NUMBERS, SCRATCH,
                ])
            },
            |_, slices| {
                let [weight, bias, mean, inv_std, dw, db, x, d, scratch] = slices else { unreachable!() };
                batch_norm::backward(
                    threads(),
                    Parameters { weight, bias, eps: 1e-5 },
                    Followed::Relu,
                    Gradients { mean, inv_std, weight: dw, bias: db },
                    x,
                    d,
                    scratch.doubles(),
                );
            },
        ),
        function(
            "batch_norm/backward.rs::backward_add_relu",
            |_| {
                let (c, n) = (CHANNELS, NUMBERS);
                constant(&[c, c, c, c, c, c, n, n, n, n, SCRATCH])
            },
            |_, slices| {
                let [weight, bias, mean, inv_std, dw, db, x, y, d, dx, scratch] = slices else {
                    unreachable!()
                };
                batch_norm::backward_add_relu(
                    threads(),
                    Parameters { weight, bias, eps: 1e-5 },
                    Gradients { mean, inv_std, weight: dw, bias: db },
                    x,
                    y,
                    d,
                    dx,
                    scratch.doubles(),
                );
            },
        ),
    ]
}

/// Channels, of how many, from where on; five pixels.
fn whole(s: &[Size]) -> Size {
    let fits = if s[2] + s[0] > s[1] { Size(u128::MAX) } else { Size(0) };
    Size(40).max(s[1]).max(fits)
}

fn shortcut(s: &[usize]) -> PadShortcut {
    PadShortcut { height: s[0], width: s[1], in_channels: s[2], out_channels: s[3], stride: s[4] }
}

fn movers() -> [Function; 7] {
    let function = |name, sizes, needs, call| Function { name, variant: "", sizes, memory: &[], needs, call };
    const PART: &[usize] = &[3, 8, 2];
    const PICTURE: &[usize] = &[12, 5];
    const SHORTCUT: &[usize] = &[5, 7, 4, 8, 2];
    fn shortcut_input(s: &[Size]) -> Size {
        Size(2 * 5 * 7 * 4).max(s[0] * s[1] * s[2])
    }
    fn shortcut_output(s: &[Size]) -> Size {
        let side = |n: Size| (n + s[4] - 1) / s[4];
        let fits = if s[2] > s[3] { Size(u128::MAX) } else { Size(0) };
        Size(2 * 3 * 4 * 8).max(side(s[0]) * side(s[1]) * s[3]).max(fits)
    }
    [
        function(
            "channels.rs::insert",
            PART,
            |s| vec![Size(15).max(s[0]), whole(s)],
            |s, slices| {
                let [x, y] = slices else { unreachable!() };
                channels::insert(threads(), s[0], x, s[1], s[2], y);
            },
        ),
        function(
            "channels.rs::extract",
            PART,
            |s| vec![Size(15).max(s[0]), whole(s)],
            |s, slices| {
                let [dx, dy] = slices else { unreachable!() };
                channels::extract(threads(), s[0], dx, s[1], s[2], dy);
            },
        ),
        function(
            "channels.rs::flatten",
            PICTURE,
            |s| vec![Size(120).max(s[0] * s[1]); 2],
            |s, slices| {
                let [x, y] = slices else { unreachable!() };
                channels::flatten(threads(), s[0], s[1], x, y);
            },
        ),
        function(
            "channels.rs::flatten_backward",
            PICTURE,
            |s| vec![Size(120).max(s[0] * s[1]); 2],
            |s, slices| {
                let [dy, dx] = slices else { unreachable!() };
                channels::flatten_backward(threads(), s[0], s[1], dy, dx);
            },
        ),
        function(
            "channels.rs::forward",
            SHORTCUT,
            |s| vec![shortcut_input(s), shortcut_output(s)],
            |s, slices| {
                let [x, y] = slices else { unreachable!() };
                shortcut(s).forward(threads(), x, y);
            },
        ),
        function(
            "channels.rs::backward",
            SHORTCUT,
            |s| vec![shortcut_output(s), shortcut_input(s)],
            |s, slices| {
                let [dy, dx] = slices else { unreachable!() };
                shortcut(s).backward(threads(), dy, dx);
            },
        ),
        function(
            "channels.rs::output_len",
            SHORTCUT,
            |s| vec![shortcut_output(s)],
            |s, slices| assert!(slices[0].len() == 192 && shortcut(s).output_len() <= 192),
        ),
    ]
}

/// Pixels and channels; two pictures.
fn products() -> [Function; 3] {
    let function =
        |name, needs, call| Function { name, variant: "", sizes: &[12, 5], memory: &[], needs, call };
    fn map(s: &[Size]) -> Size {
        Size(120).max(s[0] * s[1])
    }
    fn factors(s: &[Size]) -> Size {
        Size(10).max(s[1])
    }
    fn product(s: &[usize]) -> Product {
        Product { pixels: s[0], channels: s[1] }
    }
    [
        function(
            "product.rs::forward",
            |s| vec![map(s), factors(s), map(s)],
            |s, slices| {
                let [x, factors, y] = slices else { unreachable!() };
                product(s).forward(threads(), x, factors, y);
            },
        ),
        function(
            "product.rs::backward_map",
            |s| vec![map(s), factors(s), map(s)],
            |s, slices| {
                let [dy, factors, dx] = slices else { unreachable!() };
                product(s).backward_map(threads(), dy, factors, dx);
            },
        ),
        function(
            "product.rs::backward_factors",
            |s| vec![map(s), map(s), factors(s)],
            |s, slices| {
                let [x, dy, ds] = slices else { unreachable!() };
                product(s).backward_factors(threads(), x, dy, ds);
            },
        ),
    ]
}

pub fn functions() -> Vec<Function> {
    let mut all = Vec::new();
    all.extend(pools());
    all.extend(batch_norms());
    all.extend(movers());
    all.extend(products());
    all
}
