//! Sums of outer products: both factors lie row by row along the dimension that is summed over, as activations and
//! their gradients do for the gradient of weights.

use crate::simd::{Op, Simd};

/// Rows of a tile beside the widest block of columns.
const ROWS: usize = 6;
/// Rows of a tile beside narrow blocks, which leave registers free.
const TALL: usize = 12;

/// `out[m, n] (+)= Σ_k a[k, m] · b[k, n]`.
///
/// A kernel of its own, so that the tiles' code exists once per instruction set.
///
/// # Safety
/// To run it, the pointers must lead to as many floats as the fields say, and nobody else may use the result meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Outer {
    /// `count` rows, each `a_stride` floats after the one before it.
    pub(crate) a: *const f32,
    pub(crate) a_stride: usize,
    /// `count` rows of whole vectors, each `b_stride` floats after the one before it.
    pub(crate) b: *const f32,
    pub(crate) b_stride: usize,
    /// Terms of the sum.
    pub(crate) count: usize,
    pub(crate) out: *mut f32,
    pub(crate) out_stride: usize,
    /// Rows of the result.
    pub(crate) rows: usize,
    /// Columns of the result, which fill at most `VECTORS` vectors.
    pub(crate) columns: usize,
    /// Whether to continue the sums in `out`.
    pub(crate) add: bool,
}

impl Op for Outer {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        debug_assert!(self.columns > 0 && self.columns <= S::VECTORS * S::LANES);
        // SAFETY: the caller's promise.
        unsafe {
            match self.columns.div_ceil(S::LANES) {
                1 => self.all::<S, 1>(),
                2 => self.all::<S, 2>(),
                3 => self.all::<S, 3>(),
                _ => self.all::<S, 4>(),
            }
        }
    }
}

impl Outer {
    #[inline(always)]
    unsafe fn all<S: Simd, const N: usize>(&self) {
        // Widths an instruction set never uses are not compiled for it.
        if N > S::VECTORS {
            return;
        }
        let mut row = 0;
        // SAFETY: the caller's promise; tiles end at `rows`.
        unsafe {
            if 2 * N <= S::VECTORS {
                while row + TALL <= self.rows {
                    self.tile::<S, TALL, N>(row);
                    row += TALL;
                }
            }
            // Tiles of nearly equal size: a lonely last row would cost as much as six.
            let rest = self.rows - row;
            let tiles = rest.div_ceil(ROWS);
            for tile in 0..tiles {
                let size = rest / tiles + usize::from(tile < rest % tiles);
                match size {
                    1 => self.tile::<S, 1, N>(row),
                    2 => self.tile::<S, 2, N>(row),
                    3 => self.tile::<S, 3, N>(row),
                    4 => self.tile::<S, 4, N>(row),
                    5 => self.tile::<S, 5, N>(row),
                    _ => self.tile::<S, ROWS, N>(row),
                }
                row += size;
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<S: Simd, const M: usize, const N: usize>(&self, row: usize) {
        let last = self.columns - (N - 1) * S::LANES;
        let out = self.out.wrapping_add(row * self.out_stride);
        // SAFETY: the caller's promise; the last vector is loaded and stored only as far as there are columns.
        unsafe {
            let mut sums = [[S::splat(0.0); N]; M];
            if self.add {
                for m in 0..M {
                    let out = out.add(m * self.out_stride);
                    for n in 0..N {
                        sums[m][n] = if n + 1 < N || last == S::LANES {
                            S::load(out.add(n * S::LANES))
                        } else {
                            S::load_partial(out.add(n * S::LANES), last)
                        };
                    }
                }
            }
            let (mut a, mut b) = (self.a.add(row), self.b);
            for _ in 0..self.count {
                let mut columns = [S::splat(0.0); N];
                for n in 0..N {
                    columns[n] = S::load(b.add(n * S::LANES));
                }
                for m in 0..M {
                    let factor = S::splat(*a.add(m));
                    for n in 0..N {
                        sums[m][n] = S::fma(factor, columns[n], sums[m][n]);
                    }
                }
                a = a.wrapping_add(self.a_stride);
                b = b.wrapping_add(self.b_stride);
            }
            for m in 0..M {
                let out = out.add(m * self.out_stride);
                for n in 0..N {
                    if n + 1 < N || last == S::LANES {
                        S::store(out.add(n * S::LANES), sums[m][n]);
                    } else {
                        S::store_partial(out.add(n * S::LANES), last, sums[m][n]);
                    }
                }
            }
        }
    }
}
