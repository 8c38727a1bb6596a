//! Batch normalisation over the channels of NHWC maps, alone or fused with the ReLU and the residual sum that follow.
//!
//! `y = (x − mean) · inv_std · weight + bias`, `inv_std = 1 / √(variance + eps)`; as `torch.nn.BatchNorm2d`
//! (Ioffe & Szegedy 2015).
//!
//! Forward reads `x` twice, once for the statistics. Backward reads `x` and `dy` twice, once for the two sums that
//! every pixel's gradient needs; the ReLU's mask is recomputed from `x`, so that no intermediate map is stored.

mod backward;
mod forward;

pub use backward::{Followed, Gradients, backward, backward_add_relu};
pub use forward::{Follows, Parameters, Statistics, apply, forward, scale_shift};

/// The largest number of partial sums; a fixed number, so that results don't depend on the threads.
const MOST_PARTS: usize = 64;
/// Floats a part should at least have.
const PART: usize = 1 << 15;

/// How many pixels each partial sum covers.
fn part_pixels(pixels: usize, channels: usize) -> usize {
    let parts = (pixels * channels / PART).clamp(1, MOST_PARTS);
    pixels.div_ceil(parts).max(1)
}

/// How many `f64` of scratch space [`forward`] and the backward functions need for maps of `pixels` (over all
/// pictures) and `channels`.
pub fn scratch_len(pixels: usize, channels: usize) -> usize {
    pixels.div_ceil(part_pixels(pixels, channels)) * 2 * channels
}

/// How many pixels are added up in `f32` before their sum goes into the `f64` one: few where a pixel is long, so that
/// they are read as a handful of sequential streams.
fn run_pixels(channels: usize) -> usize {
    (8192 / channels.max(1)).clamp(8, 64)
}

/// Adds up the partial sums in their order: `(Σ of the first halves, Σ of the second halves)` of channel `c`.
fn total(parts: &[f64], channels: usize, c: usize) -> (f64, f64) {
    parts
        .chunks_exact(2 * channels)
        .fold((0.0, 0.0), |(first, second), part| (first + part[c], second + part[channels + c]))
}
