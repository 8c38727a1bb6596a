//! Gradients.

use super::forward::{Parameters, normalised};
use super::{RUN, TILE, WIDE, add_sums, part_pixels, same_channels, scratch_len, total, widen};
use crate::vectorised::{self, Kernel};
use crate::{BLOCK, Threads, check};

/// Floats that are masked and then summed while they are in the nearest caches.
const PIECE: usize = 1 << 13;

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

impl Gradients<'_> {
    /// What no pixel adds to.
    fn of_nothing(self) {
        self.weight.fill(0.0);
        self.bias.fill(0.0);
    }
}

/// Channels and pixels, where all vectors and the map go together.
fn sizes(parameters: Parameters, gradients: &Gradients, x: &[f32]) -> (usize, usize) {
    let Gradients { mean, inv_std, weight, bias } = gradients;
    let channels = same_channels([parameters.weight, parameters.bias, mean, inv_std, weight, bias]);
    (channels, check::pieces("batch norm's map", x.len(), channels))
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
    let (channels, pixels) = sizes(parameters, &gradients, x);
    if pixels == 0 {
        return gradients.of_nothing();
    }
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
    let (channels, pixels) = sizes(parameters, &gradients, x);
    if pixels == 0 {
        return gradients.of_nothing();
    }
    let part = part_pixels(pixels, channels) * channels;
    let scratch = &mut scratch[..scratch_len(pixels, channels)];
    let Gradients { mean, inv_std, weight, bias } = gradients;
    let norm = Norm { parameters, mean, inv_std, followed: Followed::Nothing };
    threads.chunks2((scratch, 2 * channels), (d, part), |index, sums, d| {
        let range = index * part..index * part + d.len();
        sums.fill(0.0);
        let run = (PIECE / channels).max(1) * channels;
        let pieces = d.chunks_mut(run).zip(y[range.clone()].chunks(run)).zip(x[range].chunks(run));
        for ((d, y), x) in pieces {
            crate::pointwise::mask_relu(y, d);
            vectorised::run(Sums { norm, x, d, sums });
        }
    });
    add_up(scratch, weight, bias);
    let means = Means::of(norm, weight, bias, x.len());
    let block = (BLOCK / channels).max(1) * channels;
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
    let (first, second) = sums.split_at_mut(norm.mean.len());
    let mut space = [[0.0; 2 * WIDE]; 4];
    let Parameters { weight, bias, .. } = norm.parameters;
    let [mean, inv_std, weight, bias] = widen([norm.mean, norm.inv_std, weight, bias], &mut space);
    let n = mean.len();
    for (x, d) in x.chunks(RUN * n).zip(d.chunks(RUN * n)) {
        for from in (0..n).step_by(TILE) {
            let to = n.min(from + TILE);
            let (mean, inv_std) = (&mean[from..to], &inv_std[from..to]);
            let (weight, bias) = (&weight[from..to], &bias[from..to]);
            let (mut sum, mut products) = ([0.0f32; TILE], [0.0f32; TILE]);
            for (x, d) in x.chunks(n).zip(d.chunks(n)) {
                // The last row may be short where it stands for several pixels.
                let part = from.min(x.len())..to.min(x.len());
                let (x, d) = (&x[part.clone()], &d[part]);
                let len = x.len();
                let (mean, inv_std, weight, bias) =
                    (&mean[..len], &inv_std[..len], &weight[..len], &bias[..len]);
                let (sum, products, d) = (&mut sum[..len], &mut products[..len], &d[..len]);
                for c in 0..len {
                    let g = mask(normalised(x[c], mean[c], inv_std[c], weight[c], bias[c]), d[c]);
                    sum[c] += g;
                    products[c] += g * ((x[c] - mean[c]) * inv_std[c]);
                }
            }
            add_sums(&sum[..to - from], from, first);
            add_sums(&products[..to - from], from, second);
        }
    }
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
    let Parameters { weight, bias, .. } = norm.parameters;
    let vectors = [norm.mean, norm.inv_std, weight, bias, means.weight_gradient, means.bias_gradient];
    let mut space = [[0.0; 2 * WIDE]; 6];
    let [mean, inv_std, weight, bias, weight_gradient, bias_gradient] = widen(vectors, &mut space);
    let n = mean.len();
    for (x, d) in x.chunks(n).zip(d.chunks_mut(n)) {
        let len = x.len().min(n);
        let (mean, inv_std, weight, bias) = (&mean[..len], &inv_std[..len], &weight[..len], &bias[..len]);
        let (weight_gradient, bias_gradient) = (&weight_gradient[..len], &bias_gradient[..len]);
        let (x, d) = (&x[..len], &mut d[..len]);
        for c in 0..len {
            let g = mask(normalised(x[c], mean[c], inv_std[c], weight[c], bias[c]), d[c]);
            let x_hat = (x[c] - mean[c]) * inv_std[c];
            let common = (bias_gradient[c] + x_hat * weight_gradient[c]) * means.share;
            d[c] = (g - common) * (weight[c] * inv_std[c]);
        }
    }
}
