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

use crate::check;

/// The largest number of partial sums; a fixed number, so that results don't depend on the threads.
const MOST_PARTS: usize = 64;
/// Floats a part should at least have.
const PART: usize = 1 << 15;

/// How many pixels each partial sum covers.
fn part_pixels(pixels: usize, channels: usize) -> usize {
    let parts = (check::product([pixels, channels]) / PART).clamp(1, MOST_PARTS);
    pixels.div_ceil(parts).max(1)
}

/// How many `f64` of scratch space [`forward`] and the backward functions need for maps of `pixels` (over all
/// pictures) and `channels`.
pub fn scratch_len(pixels: usize, channels: usize) -> usize {
    check::product([pixels.div_ceil(part_pixels(pixels, channels)), 2, channels])
}

/// The number of channels, which every vector must have a number for.
fn same_channels<const N: usize>(vectors: [&[f32]; N]) -> usize {
    let channels = vectors[0].len();
    for vector in vectors {
        check::exactly("a batch norm's vector", vector.len(), channels);
    }
    channels
}

/// How many pixels are added up in `f32` before their sum goes into the `f64` one.
const RUN: usize = 64;

/// Channels whose `f32` sums are kept at once, so that they and the vectors they need stay in the nearest cache.
const TILE: usize = 512;

/// Numbers a row should at least have, for the inner loops to be worth their vectors.
const WIDE: usize = 128;

/// Vectors per channel as vectors per number of a row: as they are, or where a pixel is short, several times in a row
/// so that several pixels count as one.
#[inline(always)]
fn widen<'a, const N: usize>(vectors: [&'a [f32]; N], space: &'a mut [[f32; 2 * WIDE]; N]) -> [&'a [f32]; N] {
    let channels = vectors[0].len();
    if channels >= WIDE {
        return vectors;
    }
    let len = WIDE.div_ceil(channels) * channels;
    for (space, vector) in space.iter_mut().zip(vectors) {
        for part in space[..len].chunks_exact_mut(channels) {
            part.copy_from_slice(vector);
        }
    }
    let space = &*space;
    std::array::from_fn(|i| &space[i][..len])
}

/// Adds `sums`, which begin at channel `from` and may span several pixels, to the totals per channel.
#[inline(always)]
fn add_sums(sums: &[f32], from: usize, totals: &mut [f64]) {
    let channels = totals.len();
    let mut c = from;
    for &sum in sums {
        if c == channels {
            c = 0;
        }
        totals[c] += f64::from(sum);
        c += 1;
    }
}

/// Adds up the partial sums in their order: `(Σ of the first halves, Σ of the second halves)` of channel `c`.
fn total(parts: &[f64], channels: usize, c: usize) -> (f64, f64) {
    parts
        .chunks_exact(2 * channels)
        .fold((0.0, 0.0), |(first, second), part| (first + part[c], second + part[channels + c]))
}
