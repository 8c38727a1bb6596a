//! The gradient of a depthwise convolution's weights: `dW[c, tap] = Σ_pixels dy[pixel, c] · x[pixel under tap, c]`.
//!
//! Each image (or group of images, in large batches) has sums of its own, added in order at the end.

use super::Conv2dShape;
use crate::simd::{Isa, Op, Simd};
use crate::threads::Shared;
use crate::{Threads, check};

/// Output pixels of a tile.
const OUTPUTS: usize = 8;
/// Width of the widest kernel computed tap by tap in registers.
const MAX_KERNEL: usize = 5;
/// Groups of images, at most.
const MAX_PARTS: usize = 32;

#[derive(Debug, Clone)]
pub(super) struct DepthwiseGradient {
    isa: Isa,
    shape: Conv2dShape,
    zeros: Vec<f32>,
}

impl DepthwiseGradient {
    pub(super) fn new(isa: Isa, shape: Conv2dShape) -> Self {
        Self { isa, shape, zeros: vec![0.0; shape.in_c] }
    }

    /// Rows of sums: one per tap and one for the bias.
    fn sums_len(&self) -> usize {
        let rows = check::sum([1, check::product([self.shape.kernel.0, self.shape.kernel.1])]);
        check::product([rows, self.shape.in_c])
    }

    pub(super) fn scratch_len(&self, images: usize) -> usize {
        check::product([images.min(MAX_PARTS), self.sums_len()])
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn run(
        &self,
        threads: &Threads,
        images: usize,
        x: &[f32],
        dy: &[f32],
        dw: &mut [f32],
        db: Option<&mut [f32]>,
        scratch: &mut [f32],
    ) {
        let s = &self.shape;
        check::at_least("convolution input", x.len(), check::product([images, s.input_len()]));
        check::at_least("convolution output's gradient", dy.len(), check::product([images, s.output_len()]));
        let per_part = images.div_ceil(MAX_PARTS).max(1);
        let parts = images.div_ceil(per_part);
        let sums_len = self.sums_len();
        let sums = &mut scratch[..parts * sums_len];
        let shared = Shared(sums.as_mut_ptr());
        threads.run(parts, |part| {
            let images = part * per_part..images.min((part + 1) * per_part);
            let sums = shared.get().wrapping_add(part * sums_len);
            // SAFETY: x and dy were found to hold all images; the scratch, cut to that length above, has sums for
            // every part.
            unsafe { self.isa.run(Task { plan: self, images, x, dy, sums }) }
        });

        let (taps, channels) = (s.kernel.0 * s.kernel.1, s.in_c);
        let total = |at: usize| (0..parts).map(|part| sums[part * sums_len + at]).sum::<f32>();
        for (i, dw) in dw.iter_mut().enumerate() {
            *dw = total(i % taps * channels + i / taps);
        }
        if let Some(db) = db {
            db.iter_mut().enumerate().for_each(|(c, db)| *db = total(taps * channels + c));
        }
    }
}

struct Task<'a> {
    plan: &'a DepthwiseGradient,
    images: std::ops::Range<usize>,
    x: &'a [f32],
    dy: &'a [f32],
    sums: *mut f32,
}

impl Op for Task<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let s = &self.plan.shape;
        // SAFETY: the caller's promise.
        unsafe {
            for i in 0..self.plan.sums_len() {
                *self.sums.add(i) = 0.0;
            }
            match s.kernel.1 {
                3 => self.rows::<S, 3>(),
                5 => self.rows::<S, MAX_KERNEL>(),
                _ => self.rows::<S, 1>(),
            }
        }
    }
}

impl Task<'_> {
    /// All rows of the part's images, `K` taps of a kernel row at a time.
    #[inline(always)]
    unsafe fn rows<S: Simd, const K: usize>(&self) {
        let s = &self.plan.shape;
        for row in self.images.start * s.out_h..self.images.end * s.out_h {
            for at in (0..s.out_w).step_by(OUTPUTS) {
                for u in 0..s.kernel.0 {
                    for v in (0..s.kernel.1).step_by(K) {
                        // SAFETY: the caller's promise.
                        unsafe { self.tile::<S, K>(row, at, u, v) }
                    }
                }
                // SAFETY: the caller's promise.
                unsafe { self.bias::<S>(row, at) }
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<S: Simd, const K: usize>(&self, row: usize, at: usize, u: usize, v: usize) {
        let s = &self.plan.shape;
        let channels = s.in_c;
        let (image, line) = (row / s.out_h, row % s.out_h);
        let y = (line * s.stride.0 + u * s.dilation.0).wrapping_sub(s.padding.0);
        if y >= s.in_h {
            return;
        }
        let count = OUTPUTS.min(s.out_w - at);
        let mut inputs = [[self.plan.zeros.as_ptr(); K]; OUTPUTS];
        for (i, taps) in inputs.iter_mut().enumerate().take(count) {
            for (k, pointer) in taps.iter_mut().enumerate() {
                let x = ((at + i) * s.stride.1 + (v + k) * s.dilation.1).wrapping_sub(s.padding.1);
                if x < s.in_w {
                    let pixel = (image * s.in_h + y) * s.in_w + x;
                    *pointer = self.x.as_ptr().wrapping_add(pixel * channels);
                }
            }
        }
        let mut c = 0;
        while c < channels {
            let lanes = S::LANES.min(channels - c);
            // SAFETY: pointers lead to pixels of `channels` floats; the sums have a row for each tap.
            unsafe {
                let mut sums = [S::splat(0.0); K];
                let rows = self.sums.add((u * s.kernel.1 + v) * channels + c);
                for k in 0..K {
                    sums[k] = load::<S>(rows.add(k * channels), lanes);
                }
                for i in 0..count {
                    let d = load::<S>(self.dy.as_ptr().add((row * s.out_w + at + i) * channels + c), lanes);
                    for k in 0..K {
                        sums[k] = S::fma(d, load::<S>(inputs[i][k].add(c), lanes), sums[k]);
                    }
                }
                for k in 0..K {
                    store::<S>(rows.add(k * channels), lanes, sums[k]);
                }
            }
            c += S::LANES;
        }
    }

    #[inline(always)]
    unsafe fn bias<S: Simd>(&self, row: usize, at: usize) {
        let s = &self.plan.shape;
        let channels = s.in_c;
        let mut c = 0;
        while c < channels {
            let lanes = S::LANES.min(channels - c);
            // SAFETY: as above; the last row of sums is the bias's.
            unsafe {
                let out = self.sums.add(s.kernel.0 * s.kernel.1 * channels + c);
                let mut sum = load::<S>(out, lanes);
                for i in 0..OUTPUTS.min(s.out_w - at) {
                    let pixel = row * s.out_w + at + i;
                    sum = S::add(sum, load::<S>(self.dy.as_ptr().add(pixel * channels + c), lanes));
                }
                store::<S>(out, lanes, sum);
            }
            c += S::LANES;
        }
    }
}

#[inline(always)]
unsafe fn load<S: Simd>(p: *const f32, lanes: usize) -> S::V {
    // SAFETY: the caller's promise.
    unsafe { if lanes == S::LANES { S::load(p) } else { S::load_partial(p, lanes) } }
}

#[inline(always)]
unsafe fn store<S: Simd>(p: *mut f32, lanes: usize, v: S::V) {
    // SAFETY: the caller's promise.
    unsafe { if lanes == S::LANES { S::store(p, v) } else { S::store_partial(p, lanes, v) } }
}
