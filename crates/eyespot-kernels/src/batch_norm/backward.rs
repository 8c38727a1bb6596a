//! Gradients.

use super::forward::{Parameters, normalised};
use super::{part_pixels, run_pixels, scratch_len, total};
use crate::vectorised::{self, Kernel};
use crate::{BLOCK, Threads};

/// What [`forward`](super::forward) kept, and where the learned vectors' gradients go.
#[derive(Debug)]
pub struct Gradients<'a> {
    /// The batch's mean, from the forward pass.
    pub mean: &'a [f32],
    /// `1 / √(variance + eps)`, from the forward pass.
    pub inv_std: &'a [f32],
    /// Overwritten by the factor's gradient `Σ g · (x − mean) · inv_std`.
    pub weight: &'a mut [f32],
    /// Overwritten by the summand's gradient `Σ g`.
    pub bias: &'a mut [f32],
}

/// The function that follows the normalisation, as far as its gradient can be recomputed from `x`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// Nothing.
    Nothing,
    /// `max(·, 0)`.
    Relu,
    /// `min(max(·, 0), 6)`.
    Relu6,
}

/// Gradients of a batch norm and the function that follows it.
///
/// `d` comes as the gradient at the result and is overwritten by the gradient at `x`:
/// `weight · inv_std · (g − mean(g) − x̂ · mean(g · x̂))`, where `g` is the gradient behind the normalisation,
/// `x̂ = (x − mean) · inv_std`, and the means run over all pixels. `scratch` has
/// [`scratch_len`](super::scratch_len) numbers.
///
/// # Panics
/// When a slice has the wrong length.
pub fn backward(
    threads: &Threads,
    parameters: Parameters,
    followed: Followed,
    gradients: Gradients,
    x: &[f32],
    d: &mut [f32],
    scratch: &mut [f64],
) {
    assert_eq!(x.len(), d.len(), "input and gradient have one length");
    let channels = parameters.weight.len();
    let pixels = x.len() / channels;
    let part = part_pixels(pixels, channels) * channels;
    let scratch = &mut scratch[..scratch_len(pixels, channels)];
    let Gradients { mean, inv_std, weight, bias } = gradients;
    let norm = Norm { parameters, mean, inv_std, followed };
    threads.chunks(scratch, 2 * channels, |index, sums| {
        let range = index * part..x.len().min((index + 1) * part);
        sums.fill(0.0);
        vectorised::run(Sums { norm, x: &x[range.clone()], d: &d[range], sums });
    });
    add_up(scratch, weight, bias);
    let means = Means::of(norm, weight, bias, x.len());
    let block = (BLOCK / channels).max(1) * channels;
    threads.chunks(d, block, |index, d| {
        vectorised::run(InputGradient { norm, means, x: &x[index * block..][..d.len()], d });
    });
}

/// Gradients of `y = max(batch_norm(x) + residual, 0)`.
///
/// `d` comes as the gradient at `y` and is overwritten by the residual's gradient; `dx` is overwritten by the one at
/// `x`. The rest is as in [`backward`].
///
/// # Panics
/// When a slice has the wrong length.
#[allow(clippy::too_many_arguments)] // the maps of two operators
pub fn backward_add_relu(
    threads: &Threads,
    parameters: Parameters,
    gradients: Gradients,
    x: &[f32],
    y: &[f32],
    d: &mut [f32],
    dx: &mut [f32],
    scratch: &mut [f64],
) {
    assert!(x.len() == d.len() && y.len() == d.len() && dx.len() == d.len(), "all maps have one length");
    let channels = parameters.weight.len();
    let pixels = x.len() / channels;
    let part = part_pixels(pixels, channels) * channels;
    let scratch = &mut scratch[..scratch_len(pixels, channels)];
    let Gradients { mean, inv_std, weight, bias } = gradients;
    let norm = Norm { parameters, mean, inv_std, followed: Followed::Nothing };
    threads.chunks2((scratch, 2 * channels), (d, part), |index, sums, d| {
        let range = index * part..index * part + d.len();
        sums.fill(0.0);
        let run = run_pixels(channels) * channels;
        let pieces = d.chunks_mut(run).zip(y[range.clone()].chunks(run)).zip(x[range].chunks(run));
        for ((d, y), x) in pieces {
            crate::pointwise::mask_relu(y, d);
            vectorised::run(Sums { norm, x, d, sums });
        }
    });
    add_up(scratch, weight, bias);
    let means = Means::of(norm, weight, bias, x.len());
    let block = run_pixels(channels) * channels;
    threads.chunks(dx, block, |index, dx| {
        let range = index * block..index * block + dx.len();
        dx.copy_from_slice(&d[range.clone()]);
        vectorised::run(InputGradient { norm, means, x: &x[range], d: dx });
    });
}

/// Everything per channel that decides a normalised number.
#[derive(Clone, Copy)]
struct Norm<'a> {
    parameters: Parameters<'a>,
    mean: &'a [f32],
    inv_std: &'a [f32],
    followed: Followed,
}

/// The sums over all pixels, and over how many.
#[derive(Clone, Copy)]
struct Means<'a> {
    weight_gradient: &'a [f32],
    bias_gradient: &'a [f32],
    /// One over the number of pixels.
    share: f32,
}

impl<'a> Means<'a> {
    fn of(norm: Norm, weight_gradient: &'a [f32], bias_gradient: &'a [f32], numbers: usize) -> Self {
        let pixels = numbers / norm.mean.len();
        Self { weight_gradient, bias_gradient, share: (1.0 / pixels as f64) as f32 }
    }
}

fn add_up(parts: &[f64], weight: &mut [f32], bias: &mut [f32]) {
    let channels = weight.len();
    for c in 0..channels {
        let (sum, products) = total(parts, channels, c);
        bias[c] = sum as f32;
        weight[c] = products as f32;
    }
}

/// Adds `Σ g` and `Σ g · x̂` per channel to `sums`.
struct Sums<'a> {
    norm: Norm<'a>,
    x: &'a [f32],
    d: &'a [f32],
    sums: &'a mut [f64],
}

impl Kernel for Sums<'_> {
    #[inline(always)]
    fn run(self) {
        let Sums { norm, x, d, sums } = self;
        match norm.followed {
            Followed::Nothing => all_sums(norm, x, d, sums, |_, d| d),
            Followed::Relu => all_sums(norm, x, d, sums, behind_relu),
            Followed::Relu6 => all_sums(norm, x, d, sums, behind_relu6),
        }
    }
}

#[inline(always)]
fn behind_relu(value: f32, d: f32) -> f32 {
    if value <= 0.0 { 0.0 } else { d }
}

#[inline(always)]
fn behind_relu6(value: f32, d: f32) -> f32 {
    if value <= 0.0 || value >= 6.0 { 0.0 } else { d }
}

#[inline(always)]
fn all_sums(norm: Norm, x: &[f32], d: &[f32], sums: &mut [f64], mask: impl Fn(f32, f32) -> f32) {
    let channels = norm.mean.len();
    let (first, second) = sums.split_at_mut(channels);
    let run = run_pixels(channels) * channels;
    for (x, d) in x.chunks(run).zip(d.chunks(run)) {
        let mut c = 0;
        while c < channels {
            c += match channels - c {
                32.. => sums_of::<32>(c, norm, x, d, first, second, &mask),
                16.. => sums_of::<16>(c, norm, x, d, first, second, &mask),
                8.. => sums_of::<8>(c, norm, x, d, first, second, &mask),
                _ => sums_of::<1>(c, norm, x, d, first, second, &mask),
            };
        }
    }
}

/// Adds the sums of `N` channels from `c` on, which stay in registers meanwhile; returns `N`.
#[inline(always)]
fn sums_of<const N: usize>(
    c: usize,
    norm: Norm,
    x: &[f32],
    d: &[f32],
    first: &mut [f64],
    second: &mut [f64],
    mask: &impl Fn(f32, f32) -> f32,
) -> usize {
    let channels = norm.mean.len();
    let take = |from: &[f32]| -> [f32; N] { std::array::from_fn(|i| from[c + i]) };
    let (mean, inv_std) = (take(norm.mean), take(norm.inv_std));
    let (weight, bias) = (take(norm.parameters.weight), take(norm.parameters.bias));
    let mut sum = [0.0f32; N];
    let mut products = [0.0f32; N];
    for (x, d) in x.chunks_exact(channels).zip(d.chunks_exact(channels)) {
        let (x, d) = (&x[c..c + N], &d[c..c + N]);
        for i in 0..N {
            let g = mask(normalised(x[i], mean[i], inv_std[i], weight[i], bias[i]), d[i]);
            sum[i] += g;
            products[i] += g * ((x[i] - mean[i]) * inv_std[i]);
        }
    }
    for i in 0..N {
        first[c + i] += f64::from(sum[i]);
        second[c + i] += f64::from(products[i]);
    }
    N
}

/// Overwrites the gradient behind everything by the one at `x`.
struct InputGradient<'a> {
    norm: Norm<'a>,
    means: Means<'a>,
    x: &'a [f32],
    d: &'a mut [f32],
}

impl Kernel for InputGradient<'_> {
    #[inline(always)]
    fn run(self) {
        let InputGradient { norm, means, x, d } = self;
        match norm.followed {
            Followed::Nothing => all_gradients(norm, means, x, d, |_, d| d),
            Followed::Relu => all_gradients(norm, means, x, d, behind_relu),
            Followed::Relu6 => all_gradients(norm, means, x, d, behind_relu6),
        }
    }
}

#[inline(always)]
fn all_gradients(norm: Norm, means: Means, x: &[f32], d: &mut [f32], mask: impl Fn(f32, f32) -> f32) {
    let n = norm.mean.len();
    let (mean, inv_std) = (norm.mean, &norm.inv_std[..n]);
    let (weight, bias) = (&norm.parameters.weight[..n], &norm.parameters.bias[..n]);
    let (weight_gradient, bias_gradient) = (&means.weight_gradient[..n], &means.bias_gradient[..n]);
    for (x, d) in x.chunks_exact(n).zip(d.chunks_exact_mut(n)) {
        for c in 0..n {
            let g = mask(normalised(x[c], mean[c], inv_std[c], weight[c], bias[c]), d[c]);
            let x_hat = (x[c] - mean[c]) * inv_std[c];
            let common = (bias_gradient[c] + x_hat * weight_gradient[c]) * means.share;
            d[c] = (g - common) * (weight[c] * inv_std[c]);
        }
    }
}
