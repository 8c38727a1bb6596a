//! Statistics and normalisation.

use super::{RUN, TILE, WIDE, add_sums, part_pixels, same_channels, scratch_len, total, widen};
use crate::vectorised::{self, Kernel};
use crate::{BLOCK, Threads, check};

/// A batch norm's learned vectors and settings. Vectors have one number per channel.
#[derive(Debug, Clone, Copy)]
pub struct Parameters<'a> {
    /// Learned factor.
    pub weight: &'a [f32],
    /// Learned summand.
    pub bias: &'a [f32],
    /// Added to the variance.
    pub eps: f32,
}

/// What a training step computes from the batch. Vectors have one number per channel.
#[derive(Debug)]
pub struct Statistics<'a> {
    /// Overwritten by the batch's mean; `backward` needs it.
    pub mean: &'a mut [f32],
    /// Overwritten by `1 / √(variance + eps)` with the batch's biased variance; `backward` needs it.
    pub inv_std: &'a mut [f32],
    /// Moves towards the batch's mean.
    pub running_mean: &'a mut [f32],
    /// Moves towards the batch's unbiased variance.
    pub running_var: &'a mut [f32],
    /// Share of the batch in the running statistics.
    pub momentum: f32,
}

/// What is computed in the same pass behind the normalisation.
#[derive(Debug, Clone, Copy)]
pub enum Follows<'a> {
    /// Nothing.
    Nothing,
    /// `max(·, 0)`.
    Relu,
    /// `min(max(·, 0), 6)`.
    Relu6,
    /// `max(· + residual, 0)`; the residual is a map like `x`.
    AddRelu(&'a [f32]),
}

/// Training: normalises `x` (pixels × channels) by its own statistics and moves the running ones.
///
/// `scratch` has [`scratch_len`] numbers. A batch of a single pixel has no unbiased variance: PyTorch refuses it;
/// here the running variance then moves towards the biased one.
///
/// # Panics
/// When a slice has the wrong length.
pub fn forward(
    threads: &Threads,
    parameters: Parameters,
    statistics: Statistics,
    follows: Follows,
    x: &[f32],
    y: &mut [f32],
    scratch: &mut [f64],
) {
    let Parameters { weight, bias, .. } = parameters;
    let Statistics { mean, inv_std, running_mean, running_var, .. } = &statistics;
    let channels = same_channels([weight, bias, mean, inv_std, running_mean, running_var]);
    let pixels = check::pieces("batch norm's map", x.len(), channels);
    check_maps(x, follows, y);
    if pixels == 0 {
        return;
    }
    measure(threads, channels, x, scratch);

    let Statistics { mean, inv_std, running_mean, running_var, momentum } = statistics;
    let parts = &scratch[..scratch_len(pixels, channels)];
    let count = pixels as f64;
    let move_to = |running: &mut f32, now: f64| {
        *running = (f64::from(*running) * (1.0 - f64::from(momentum)) + f64::from(momentum) * now) as f32;
    };
    for c in 0..channels {
        // The sums are of distances from the first pixel, which keeps them small where the mean is large.
        let (sum, squares) = total(parts, channels, c);
        let distance = sum / count;
        let variance = (squares / count - distance * distance).max(0.0);
        let batch_mean = f64::from(x[c]) + distance;
        mean[c] = batch_mean as f32;
        inv_std[c] = (1.0 / (variance + f64::from(parameters.eps)).sqrt()) as f32;
        move_to(&mut running_mean[c], batch_mean);
        move_to(&mut running_var[c], variance * (count / (count - 1.0).max(1.0)));
    }
    apply(threads, parameters, mean, inv_std, follows, x, y);
}

/// Panics unless all maps have one length.
fn check_maps(x: &[f32], follows: Follows, y: &[f32]) {
    check::exactly("batch norm's result", y.len(), x.len());
    if let Follows::AddRelu(residual) = follows {
        check::exactly("the residual", residual.len(), x.len());
    }
}

/// Partial sums of `x − x₀` and `(x − x₀)²` per channel, where `x₀` is the first pixel.
fn measure(threads: &Threads, channels: usize, x: &[f32], scratch: &mut [f64]) {
    let pixels = x.len() / channels;
    let part = part_pixels(pixels, channels) * channels;
    let scratch = &mut scratch[..scratch_len(pixels, channels)];
    threads.chunks(scratch, 2 * channels, |index, sums| {
        let from = index * part;
        let x_part = &x[from..x.len().min(from + part)];
        vectorised::run(Sums { origin: &x[..channels], x: x_part, sums });
    });
}

/// Normalises `x` with the mean and standard deviation that [`forward`] kept, and does what follows: the same bits
/// again as there, so a result need not be kept for the backward pass.
///
/// # Panics
/// When a slice has the wrong length.
pub fn apply(
    threads: &Threads,
    parameters: Parameters,
    mean: &[f32],
    inv_std: &[f32],
    follows: Follows,
    x: &[f32],
    y: &mut [f32],
) {
    let Parameters { weight, bias, .. } = parameters;
    let channels = same_channels([mean, inv_std, weight, bias]);
    check_maps(x, follows, y);
    if check::pieces("batch norm's map", x.len(), channels) == 0 {
        return;
    }
    let block = (BLOCK / channels).max(1) * channels;
    threads.chunks(y, block, |index, y| {
        let range = index * block..index * block + y.len();
        let follows = match follows {
            Follows::AddRelu(residual) => Follows::AddRelu(&residual[range.clone()]),
            other => other,
        };
        vectorised::run(Normalise { mean, inv_std, weight, bias, follows, x: &x[range], y });
    });
}

/// Inference: `y = x · scale + shift` per channel, and what follows; `x` is pixels × channels. A batch norm gives
/// `scale = weight / √(running_var + eps)` and `shift = bias − running_mean · scale`.
pub fn scale_shift(
    threads: &Threads,
    scale: &[f32],
    shift: &[f32],
    follows: Follows,
    x: &[f32],
    y: &mut [f32],
) {
    let channels = same_channels([scale, shift]);
    check_maps(x, follows, y);
    if check::pieces("batch norm's map", x.len(), channels) == 0 {
        return;
    }
    let block = (BLOCK / channels).max(1) * channels;
    threads.chunks(y, block, |index, y| {
        let range = index * block..index * block + y.len();
        let follows = match follows {
            Follows::AddRelu(residual) => Follows::AddRelu(&residual[range.clone()]),
            other => other,
        };
        vectorised::run(ScaleShift { scale, shift, follows, x: &x[range], y });
    });
}

/// The normalised number before what follows. Forward and backward must compute the very same bits, or a ReLU's mask
/// would differ between them.
#[inline(always)]
pub(super) fn normalised(x: f32, mean: f32, inv_std: f32, weight: f32, bias: f32) -> f32 {
    (x - mean) * inv_std * weight + bias
}

#[inline(always)]
fn relu(x: f32) -> f32 {
    // This way round keeps NaN.
    if x < 0.0 { 0.0 } else { x }
}

#[inline(always)]
fn relu6(x: f32) -> f32 {
    let x = relu(x);
    if x > 6.0 { 6.0 } else { x }
}

struct Sums<'a> {
    origin: &'a [f32],
    x: &'a [f32],
    sums: &'a mut [f64],
}

impl Kernel for Sums<'_> {
    #[inline(always)]
    fn run(self) {
        let Sums { origin, x, sums } = self;
        let (first, second) = sums.split_at_mut(origin.len());
        first.fill(0.0);
        second.fill(0.0);
        let mut space = [[0.0; 2 * WIDE]; 1];
        let [origin] = widen([origin], &mut space);
        let n = origin.len();
        for run in x.chunks(RUN * n) {
            for from in (0..n).step_by(TILE) {
                let origin = &origin[from..n.min(from + TILE)];
                let (mut sum, mut squares) = ([0.0f32; TILE], [0.0f32; TILE]);
                for row in run.chunks(n) {
                    // The last row may be short where it stands for several pixels.
                    let row = &row[from.min(row.len())..row.len().min(from + TILE)];
                    let all = row.iter().zip(origin).zip(sum.iter_mut().zip(&mut squares));
                    for ((x, origin), (sum, squares)) in all {
                        let distance = x - origin;
                        *sum += distance;
                        *squares += distance * distance;
                    }
                }
                add_sums(&sum[..origin.len()], from, first);
                add_sums(&squares[..origin.len()], from, second);
            }
        }
    }
}

struct Normalise<'a> {
    mean: &'a [f32],
    inv_std: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    follows: Follows<'a>,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Normalise<'_> {
    #[inline(always)]
    fn run(self) {
        let Normalise { mean, inv_std, weight, bias, follows, x, y } = self;
        let mut space = [[0.0; 2 * WIDE]; 4];
        let [mean, inv_std, weight, bias] = widen([mean, inv_std, weight, bias], &mut space);
        let n = mean.len();
        let (inv_std, weight, bias) = (&inv_std[..n], &weight[..n], &bias[..n]);
        let value = |c: usize, x: f32| normalised(x, mean[c], inv_std[c], weight[c], bias[c]);
        match follows {
            Follows::Nothing => each_pixel(n, x, y, value),
            Follows::Relu => each_pixel(n, x, y, |c, x| relu(value(c, x))),
            Follows::Relu6 => each_pixel(n, x, y, |c, x| relu6(value(c, x))),
            Follows::AddRelu(residual) => {
                each_pixel_with(n, x, residual, y, |c, x, r| relu(value(c, x) + r));
            }
        }
    }
}

struct ScaleShift<'a> {
    scale: &'a [f32],
    shift: &'a [f32],
    follows: Follows<'a>,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for ScaleShift<'_> {
    #[inline(always)]
    fn run(self) {
        let ScaleShift { scale, shift, follows, x, y } = self;
        let mut space = [[0.0; 2 * WIDE]; 2];
        let [scale, shift] = widen([scale, shift], &mut space);
        let n = scale.len();
        let shift = &shift[..n];
        let value = |c: usize, x: f32| x * scale[c] + shift[c];
        match follows {
            Follows::Nothing => each_pixel(n, x, y, value),
            Follows::Relu => each_pixel(n, x, y, |c, x| relu(value(c, x))),
            Follows::Relu6 => each_pixel(n, x, y, |c, x| relu6(value(c, x))),
            Follows::AddRelu(residual) => {
                each_pixel_with(n, x, residual, y, |c, x, r| relu(value(c, x) + r));
            }
        }
    }
}

#[inline(always)]
fn each_pixel(n: usize, x: &[f32], y: &mut [f32], f: impl Fn(usize, f32) -> f32) {
    for (x, y) in x.chunks(n).zip(y.chunks_mut(n)) {
        for (c, (x, y)) in x.iter().zip(y).enumerate().take(n) {
            *y = f(c, *x);
        }
    }
}

#[inline(always)]
fn each_pixel_with(n: usize, x: &[f32], other: &[f32], y: &mut [f32], f: impl Fn(usize, f32, f32) -> f32) {
    for ((x, other), y) in x.chunks(n).zip(other.chunks(n)).zip(y.chunks_mut(n)) {
        for (c, ((x, other), y)) in x.iter().zip(other).zip(y).enumerate().take(n) {
            *y = f(c, *x, *other);
        }
    }
}
