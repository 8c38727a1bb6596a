//! The register tile: a few pixels × a block of output channels, all their sums held in registers.

use crate::simd::{Op, Simd};

/// Pixels of a full tile.
pub(crate) const PIXELS: usize = 6;

/// Where a kernel's tap looks, relative to the pixel's own position in the input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tap {
    /// Rows down.
    pub(crate) dy: i32,
    /// Columns right.
    pub(crate) dx: i32,
    /// The same in floats.
    pub(crate) offset: isize,
}

/// The map that pixels are read from, and the packed weights: equal for all tiles of a task.
///
/// For each tap inside the map `len` floats are read from the pixel's position plus the tap's offset, for a tap
/// outside from `zeros`. The weights of a tap are `len` rows of `vectors` vectors; taps follow each other.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    /// Where the pixels' input offsets count from.
    pub(crate) input: *const f32,
    pub(crate) height: i32,
    pub(crate) width: i32,
    pub(crate) taps: &'a [Tap],
    pub(crate) len: usize,
    pub(crate) zeros: *const f32,
    pub(crate) weights: *const f32,
    /// Whole vectors of bias; null continues the sums that lie in the output.
    pub(crate) bias: *const f32,
    /// Output channels.
    pub(crate) channels: usize,
    /// Where the pixels' output offsets count from.
    pub(crate) output: *mut f32,
    /// Added before the activation, at the output's offsets; may be null.
    pub(crate) residual: *const f32,
    /// The activation's bounds.
    pub(crate) low: f32,
    pub(crate) high: f32,
    /// What is needed next and is fetched into the cache meanwhile.
    pub(crate) ahead: Ahead,
}

/// Memory that will be needed: where, and how many floats. Any address will do.
#[derive(Clone, Copy)]
pub(crate) struct Ahead(pub(crate) *const f32, pub(crate) usize);

/// One output pixel.
#[derive(Clone, Copy, Default)]
pub(crate) struct Pixel {
    /// Offset of the input pixel under tap (0, 0), which may itself lie outside the map.
    pub(crate) input: isize,
    /// That input pixel's row and column.
    pub(crate) y: i32,
    pub(crate) x: i32,
    /// Offset of the pixel's first output channel.
    pub(crate) output: usize,
}

/// All the tiles of a list of pixels × a block of output channels.
///
/// A kernel of its own, entered once per block, so that the tile's code exists once per instruction set.
///
/// # Safety
/// To run it, all reads and writes that view and pixels describe must lie inside their allocations, and nobody else
/// may touch the outputs meanwhile.
pub(crate) struct Tiles<'a> {
    pub(crate) view: View<'a>,
    pub(crate) pixels: &'a [Pixel],
    pub(crate) vectors: usize,
}

impl Op for Tiles<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.vectors {
                1 => self.with_vectors::<S, 1>(),
                2 => self.with_vectors::<S, 2>(),
                3 => self.with_vectors::<S, 3>(),
                _ => self.with_vectors::<S, 4>(),
            }
        }
    }
}

impl Tiles<'_> {
    #[inline(always)]
    unsafe fn with_vectors<S: Simd, const N: usize>(&self) {
        // Widths an instruction set never uses are not compiled for it.
        if N > S::VECTORS {
            return;
        }
        let (view, count) = (&self.view, self.pixels.len());
        // Narrow blocks take more pixels, up to as many sums.
        let full = (PIXELS * S::VECTORS / N).min(2 * PIXELS);
        let large = if full > PIXELS { count / full } else { 0 };
        // Tiles of nearly equal size: a lonely last pixel would cost as much as six.
        let rest = count - large * full;
        let small = rest.div_ceil(PIXELS);
        // Each multiply-add row of each tile fetches a little of what comes next, up to two lines: one from each half.
        let rows = (view.taps.len() * view.len).max(1);
        let tiles = (large + small).max(1);
        let Ahead(mut ahead, len) = view.ahead;
        let (half, step) = (len / 2, (len / 2).div_ceil(tiles * rows));
        let mut at = 0;
        for tile in 0..large + small {
            // SAFETY: the caller's promise; the tiles' sizes add up to `count`.
            unsafe {
                let pixels = self.pixels.as_ptr().add(at);
                if tile < large {
                    match full {
                        8 => sized::<S, 8, N>(view, pixels, ahead, half, step),
                        _ => sized::<S, 12, N>(view, pixels, ahead, half, step),
                    }
                    at += full;
                    ahead = ahead.wrapping_add(step * rows);
                    continue;
                }
                let tile = tile - large;
                let size = rest / small + usize::from(tile < rest % small);
                match size {
                    1 => sized::<S, 1, N>(view, pixels, ahead, half, step),
                    2 => sized::<S, 2, N>(view, pixels, ahead, half, step),
                    3 => sized::<S, 3, N>(view, pixels, ahead, half, step),
                    4 => sized::<S, 4, N>(view, pixels, ahead, half, step),
                    5 => sized::<S, 5, N>(view, pixels, ahead, half, step),
                    _ => sized::<S, PIXELS, N>(view, pixels, ahead, half, step),
                }
                at += size;
                ahead = ahead.wrapping_add(step * rows);
            }
        }
    }
}

#[inline(always)]
unsafe fn sized<S: Simd, const M: usize, const N: usize>(
    view: &View,
    pixels: *const Pixel,
    mut ahead: *const f32,
    half: usize,
    step: usize,
) {
    // Sizes that need more registers than there are are never asked for.
    if M > PIXELS && M * N > PIXELS * S::VECTORS {
        return;
    }
    let lanes = S::LANES;
    let last = view.channels - (N - 1) * lanes;
    // SAFETY: the caller's promise; the last vector is loaded and stored only as far as there are channels.
    unsafe {
        let pixels = &*pixels.cast::<[Pixel; M]>();
        let mut sums = [[S::splat(0.0); N]; M];
        for m in 0..M {
            let out = view.output.add(pixels[m].output);
            for n in 0..N {
                sums[m][n] = if !view.bias.is_null() {
                    S::load(view.bias.add(n * lanes))
                } else if n + 1 < N {
                    S::load(out.add(n * lanes))
                } else {
                    S::load_partial(out.add(n * lanes), last)
                };
            }
        }

        if !view.residual.is_null() {
            for m in 0..M {
                for n in 0..N {
                    S::prefetch(view.residual.wrapping_add(pixels[m].output + n * lanes));
                }
            }
        }

        let mut weights = view.weights;
        for tap in view.taps {
            let mut rows = [view.zeros; M];
            for m in 0..M {
                let (y, x) = (pixels[m].y + tap.dy, pixels[m].x + tap.dx);
                // As unsigned numbers, negative ones are too large as well.
                if ((y as u32) < view.height as u32) & ((x as u32) < view.width as u32) {
                    rows[m] = view.input.wrapping_offset(pixels[m].input + tap.offset);
                }
            }
            for c in 0..view.len {
                S::prefetch_later(ahead);
                S::prefetch_later(ahead.wrapping_add(half));
                ahead = ahead.wrapping_add(step);
                let mut w = [S::splat(0.0); N];
                for n in 0..N {
                    w[n] = S::load(weights.add(n * lanes));
                }
                for m in 0..M {
                    let a = S::splat(*rows[m].add(c));
                    for n in 0..N {
                        sums[m][n] = S::fma(a, w[n], sums[m][n]);
                    }
                }
                weights = weights.add(N * lanes);
            }
        }

        let (low, high) = (S::splat(view.low), S::splat(view.high));
        for m in 0..M {
            let out = view.output.add(pixels[m].output);
            for n in 0..N {
                let mut v = sums[m][n];
                let count = if n + 1 < N { lanes } else { last };
                if !view.residual.is_null() {
                    v = S::add(v, S::load_partial(view.residual.add(pixels[m].output + n * lanes), count));
                }
                v = S::clamp(v, low, high);
                if n + 1 < N || last == lanes {
                    S::store(out.add(n * lanes), v);
                } else {
                    S::store_partial(out.add(n * lanes), last, v);
                }
            }
        }
    }
}
