//! The three transforms of Winograd's convolution F(4×4, 3×3), vectors along the channels.
//!
//! `Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A` for a 6×6 patch `d` of the input, a 3×3 kernel `g` and a 4×4 patch `Y` of the
//! output, with the points 0, ±1, ±2, ∞. Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks"
//! (2015), <https://arxiv.org/abs/1509.09308>.

use crate::simd::Simd;

/// Rows and columns of a transformed patch.
pub(super) const PATCH: usize = 6;
/// Rows and columns of an output patch.
pub(super) const OUT: usize = 4;
/// Numbers of a transformed patch.
pub(super) const POINTS: usize = PATCH * PATCH;

/// `Bᵀ d`.
#[inline(always)]
unsafe fn input_1d<S: Simd>(d: [S::V; PATCH]) -> [S::V; PATCH] {
    // SAFETY: the caller's promise.
    unsafe {
        let (two, four, minus_four, minus_five) =
            (S::splat(2.0), S::splat(4.0), S::splat(-4.0), S::splat(-5.0));
        let a = S::fma(minus_four, d[2], d[4]);
        let b = S::fma(minus_four, d[1], d[3]);
        let c = S::sub(d[4], d[2]);
        let e = S::mul(two, S::sub(d[3], d[1]));
        [
            S::fma(four, d[0], S::fma(minus_five, d[2], d[4])),
            S::add(a, b),
            S::sub(a, b),
            S::add(c, e),
            S::sub(c, e),
            S::fma(four, d[1], S::fma(minus_five, d[3], d[5])),
        ]
    }
}

/// `Aᵀ m`.
#[inline(always)]
unsafe fn output_1d<S: Simd>(m: [S::V; PATCH]) -> [S::V; OUT] {
    // SAFETY: the caller's promise.
    unsafe {
        let (s, d) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        let (p, q) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        [
            S::add(m[0], S::add(s, p)),
            S::fma(S::splat(2.0), q, d),
            S::fma(S::splat(4.0), p, s),
            S::add(m[5], S::fma(S::splat(8.0), q, d)),
        ]
    }
}

/// `G g`.
#[inline(always)]
unsafe fn weight_1d<S: Simd>(g: [S::V; 3]) -> [S::V; PATCH] {
    // SAFETY: the caller's promise.
    unsafe {
        let sum = S::add(g[0], g[2]);
        let wide = S::fma(S::splat(4.0), g[2], g[0]);
        let (sixth, small) = (S::splat(-1.0 / 6.0), S::splat(1.0 / 24.0));
        let twice = S::add(g[1], g[1]);
        [
            S::mul(S::splat(0.25), g[0]),
            S::mul(sixth, S::add(sum, g[1])),
            S::mul(sixth, S::sub(sum, g[1])),
            S::mul(small, S::add(wide, twice)),
            S::mul(small, S::sub(wide, twice)),
            g[2],
        ]
    }
}

/// `A y`.
#[inline(always)]
unsafe fn output_gradient_1d<S: Simd>(y: [S::V; OUT]) -> [S::V; PATCH] {
    // SAFETY: the caller's promise.
    unsafe {
        let four = S::splat(4.0);
        let (a, b) = (S::add(y[0], y[2]), S::add(y[1], y[3]));
        let c = S::fma(four, y[2], y[0]);
        let d = S::fma(S::splat(8.0), y[3], S::add(y[1], y[1]));
        [y[0], S::add(a, b), S::sub(a, b), S::add(c, d), S::sub(c, d), y[3]]
    }
}

/// `Gᵀ m`.
#[inline(always)]
unsafe fn weight_gradient_1d<S: Simd>(m: [S::V; PATCH]) -> [S::V; 3] {
    // SAFETY: the caller's promise.
    unsafe {
        let sixth = S::splat(1.0 / 6.0);
        let (s, d) = (S::add(m[1], m[2]), S::sub(m[2], m[1]));
        let (p, q) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        let outer = S::fma(S::splat(0.25), m[0], S::mul(S::splat(1.0 / 24.0), p));
        [
            S::sub(outer, S::mul(sixth, s)),
            S::fma(S::splat(1.0 / 12.0), q, S::mul(sixth, d)),
            S::fma(sixth, S::sub(p, s), m[5]),
        ]
    }
}

/// Transforms the 6×6 pixels at `pixels` (row by row), `channels` floats each, into `out`, where the next number of
/// the patch is `stride` floats away. Writes whole vectors.
///
/// # Safety
/// The pointers lead to that many floats.
#[inline(always)]
pub(super) unsafe fn input<S: Simd>(
    pixels: &[*const f32; POINTS],
    channels: usize,
    out: *mut f32,
    stride: usize,
) {
    let mut c = 0;
    while c < channels {
        let lanes = S::LANES.min(channels - c);
        // SAFETY: the caller's promise.
        unsafe {
            let mut half = [[S::splat(0.0); PATCH]; PATCH];
            for j in 0..PATCH {
                let mut d = [S::splat(0.0); PATCH];
                for i in 0..PATCH {
                    let p = pixels[i * PATCH + j].add(c);
                    d[i] = if lanes == S::LANES { S::load(p) } else { S::load_partial(p, lanes) };
                }
                let t = input_1d::<S>(d);
                for i in 0..PATCH {
                    half[i][j] = t[i];
                }
            }
            for i in 0..PATCH {
                let t = input_1d::<S>(half[i]);
                for j in 0..PATCH {
                    S::store(out.add((i * PATCH + j) * stride + c), t[j]);
                }
            }
        }
        c += S::LANES;
    }
}

/// Where a patch of the output goes and what is added on the way.
#[derive(Clone, Copy)]
pub(super) struct Output {
    /// The patch's first pixel.
    pub(super) pixel: *mut f32,
    /// The same in the residual, or null.
    pub(super) residual: *const f32,
    pub(super) bias: *const f32,
    /// Floats from a pixel to the next, and from a row to the next.
    pub(super) stride: (usize, usize),
    /// Rows and columns inside the map.
    pub(super) size: (usize, usize),
    pub(super) bounds: (f32, f32),
}

/// Transforms a patch of products, numbers `stride` floats apart, into output pixels of `channels` floats.
///
/// # Safety
/// The pointers lead to that many floats, those of products and bias to whole vectors.
#[inline(always)]
pub(super) unsafe fn output<S: Simd>(products: *const f32, stride: usize, channels: usize, to: &Output) {
    let mut c = 0;
    while c < channels {
        let lanes = S::LANES.min(channels - c);
        // SAFETY: the caller's promise.
        unsafe {
            let mut half = [[S::splat(0.0); PATCH]; OUT];
            for j in 0..PATCH {
                let mut m = [S::splat(0.0); PATCH];
                for i in 0..PATCH {
                    m[i] = S::load(products.add((i * PATCH + j) * stride + c));
                }
                let t = output_1d::<S>(m);
                for i in 0..OUT {
                    half[i][j] = t[i];
                }
            }
            let bias = S::load(to.bias.add(c));
            let (low, high) = (S::splat(to.bounds.0), S::splat(to.bounds.1));
            for i in 0..OUT {
                let t = output_1d::<S>(half[i]);
                for j in 0..OUT {
                    if i < to.size.0 && j < to.size.1 {
                        let at = i * to.stride.1 + j * to.stride.0 + c;
                        let mut v = S::add(t[j], bias);
                        if !to.residual.is_null() {
                            v = S::add(v, S::load_partial(to.residual.add(at), lanes));
                        }
                        v = S::clamp(v, low, high);
                        if lanes == S::LANES {
                            S::store(to.pixel.add(at), v);
                        } else {
                            S::store_partial(to.pixel.add(at), lanes, v);
                        }
                    }
                }
            }
        }
        c += S::LANES;
    }
}

/// Transforms a vector of 3×3 kernels, tap by tap in `kernels`, into `out`, numbers `stride` floats apart.
///
/// # Safety
/// The pointers lead to whole vectors.
#[inline(always)]
pub(super) unsafe fn weights<S: Simd>(kernels: &[S::V; 9], out: *mut f32, stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut half = [[S::splat(0.0); 3]; PATCH];
        for j in 0..3 {
            let t = weight_1d::<S>([kernels[j], kernels[3 + j], kernels[6 + j]]);
            for i in 0..PATCH {
                half[i][j] = t[i];
            }
        }
        for i in 0..PATCH {
            let t = weight_1d::<S>(half[i]);
            for j in 0..PATCH {
                S::store(out.add((i * PATCH + j) * stride), t[j]);
            }
        }
    }
}

/// Transforms the gradients at the 4×4 pixels of a patch of the output: the transpose of [`output`]. Otherwise as
/// [`input`].
///
/// # Safety
/// The pointers lead to that many floats.
#[inline(always)]
pub(super) unsafe fn output_gradient<S: Simd>(
    pixels: &[*const f32; OUT * OUT],
    channels: usize,
    out: *mut f32,
    stride: usize,
) {
    let mut c = 0;
    while c < channels {
        let lanes = S::LANES.min(channels - c);
        // SAFETY: the caller's promise.
        unsafe {
            let mut half = [[S::splat(0.0); OUT]; PATCH];
            for j in 0..OUT {
                let mut y = [S::splat(0.0); OUT];
                for i in 0..OUT {
                    let p = pixels[i * OUT + j].add(c);
                    y[i] = if lanes == S::LANES { S::load(p) } else { S::load_partial(p, lanes) };
                }
                let t = output_gradient_1d::<S>(y);
                for i in 0..PATCH {
                    half[i][j] = t[i];
                }
            }
            for i in 0..PATCH {
                let t = output_gradient_1d::<S>(half[i]);
                for j in 0..PATCH {
                    S::store(out.add((i * PATCH + j) * stride + c), t[j]);
                }
            }
        }
        c += S::LANES;
    }
}

/// Transforms the gradients at a vector of transformed kernels, numbers `stride` floats apart, into those at the 3×3
/// kernels, tap by tap: the transpose of [`weights`].
///
/// # Safety
/// The pointer leads to whole vectors.
#[inline(always)]
pub(super) unsafe fn weights_gradient<S: Simd>(sums: *const f32, stride: usize) -> [S::V; 9] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut half = [[S::splat(0.0); PATCH]; 3];
        for j in 0..PATCH {
            let mut m = [S::splat(0.0); PATCH];
            for i in 0..PATCH {
                m[i] = S::load(sums.add((i * PATCH + j) * stride));
            }
            let t = weight_gradient_1d::<S>(m);
            for i in 0..3 {
                half[i][j] = t[i];
            }
        }
        let mut kernels = [S::splat(0.0); 9];
        for i in 0..3 {
            let t = weight_gradient_1d::<S>(half[i]);
            for j in 0..3 {
                kernels[3 * i + j] = t[j];
            }
        }
        kernels
    }
}
