//! The register tiles of linear layers.

use crate::simd::{Op, Simd};

/// Images whose sums are kept while a slice of the weights passes.
const IMAGES: usize = 16;

/// Inputs of a slice, a multiple of all vectors' lanes: six outputs' weights stay in the first-level cache.
const SLICE: usize = 512;

/// How far ahead weights are fetched, in floats.
const AHEAD: usize = 512;

/// Rows of weights that `dx` takes up at once: no more streams than the processor fetches ahead.
const ROWS: usize = 16;

/// Outputs `from..to` of all images, by dot products: vectors run along the inputs, which lie together in both.
pub(super) struct Forward<'a> {
    pub(super) sizes: (usize, usize),
    pub(super) images: usize,
    pub(super) x: &'a [f32],
    pub(super) weights: &'a [f32],
    pub(super) bias: Option<&'a [f32]>,
    pub(super) bounds: (f32, f32),
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) y: *mut f32,
}

impl Op for Forward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let mut o = self.from;
        // SAFETY: the caller's promise; tiles end at `to` and at the last image.
        unsafe {
            while o < self.to {
                let left = self.to - o;
                if left >= 6 {
                    self.images::<S, 6>(o);
                    o += 6;
                } else if left >= 2 {
                    self.images::<S, 2>(o);
                    o += 2;
                } else {
                    self.images::<S, 1>(o);
                    o += 1;
                }
            }
        }
    }
}

impl Forward<'_> {
    /// Outputs `o … o + O` of all images. Weights are read once: a slice of them serves all images while the sums wait
    /// in memory.
    #[inline(always)]
    unsafe fn images<S: Simd, const O: usize>(&self, o: usize) {
        // SAFETY: as above.
        unsafe {
            let mut image = 0;
            while image < self.images {
                let count = (self.images - image).min(IMAGES);
                let mut sums = [[[S::splat(0.0); O]; 4]; IMAGES / 4];
                let mut k = 0;
                loop {
                    let end = (k + SLICE).min(self.sizes.0);
                    let mut i = 0;
                    while i + 4 <= count {
                        self.tile::<S, 4, O>(image + i, o, (k, end), &mut sums[i / 4]);
                        i += 4;
                    }
                    while i < count {
                        let sums: &mut [[S::V; O]; 4] = &mut sums[i / 4];
                        let mut one = [sums[i % 4]];
                        self.tile::<S, 1, O>(image + i, o, (k, end), &mut one);
                        sums[i % 4] = one[0];
                        i += 1;
                    }
                    k = end;
                    if k == self.sizes.0 {
                        break;
                    }
                }
                for i in 0..count {
                    for n in 0..O {
                        let v = S::sum(sums[i / 4][i % 4][n]) + self.bias.map_or(0.0, |b| b[o + n]);
                        // Comparisons leave NaN as it is.
                        let v = if v < self.bounds.0 { self.bounds.0 } else { v };
                        let v = if v > self.bounds.1 { self.bounds.1 } else { v };
                        *self.y.add((image + i) * self.sizes.1 + o + n) = v;
                    }
                }
                image += count;
            }
        }
    }

    /// Adds the products of inputs `from..to` to the sums of `I` images and `O` outputs.
    #[inline(always)]
    unsafe fn tile<S: Simd, const I: usize, const O: usize>(
        &self,
        image: usize,
        o: usize,
        (from, to): (usize, usize),
        all: &mut [[S::V; O]; I],
    ) {
        let inputs = self.sizes.0;
        let x = self.x.as_ptr().wrapping_add(image * inputs);
        let w = self.weights.as_ptr().wrapping_add(o * inputs);
        // SAFETY: rows image … image + I and o … o + O exist, each of `inputs` floats.
        unsafe {
            let mut sums = *all;
            let mut k = from;
            while k + S::LANES <= to {
                let mut a = [S::splat(0.0); I];
                for i in 0..I {
                    a[i] = S::load(x.add(i * inputs + k));
                }
                for n in 0..O {
                    let p = w.add(n * inputs + k);
                    if image == 0 {
                        S::prefetch(p.wrapping_add(AHEAD));
                    }
                    let b = S::load(p);
                    for i in 0..I {
                        sums[i][n] = S::fma(a[i], b, sums[i][n]);
                    }
                }
                k += S::LANES;
            }
            if k < to {
                let left = to - k;
                for n in 0..O {
                    let b = S::load_partial(w.add(n * inputs + k), left);
                    for i in 0..I {
                        let a = S::load_partial(x.add(i * inputs + k), left);
                        sums[i][n] = S::fma(a, b, sums[i][n]);
                    }
                }
            }
            *all = sums;
        }
    }
}

/// Columns `from..to` of `dx`, for all images: vectors run along the inputs, sums over outputs.
pub(super) struct BackwardInput<'a> {
    pub(super) sizes: (usize, usize),
    pub(super) images: usize,
    pub(super) dy: &'a [f32],
    pub(super) weights: &'a [f32],
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) dx: *mut f32,
}

impl Op for BackwardInput<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { sizes: (inputs, outputs), images, dy, weights, from, to, dx } = self;
        // SAFETY: rows and columns lie inside the slices, whose lengths the caller compared.
        unsafe {
            // Without outputs there is no first block of rows to start from zero.
            if outputs == 0 {
                for image in 0..images {
                    std::ptr::write_bytes(dx.add(image * inputs + from), 0, to - from);
                }
            }
            for o in (0..outputs).step_by(ROWS) {
                let rows = Rows {
                    a: dy.as_ptr().add(o),
                    a_step: (outputs, 1),
                    b: weights.as_ptr().add(o * inputs),
                    b_step: inputs,
                    count: ROWS.min(outputs - o),
                    out: dx,
                    out_step: inputs,
                    add: o > 0,
                };
                rows.all::<S>(images, from, to);
            }
        }
    }
}

/// Rows `from..to` of `dW`: vectors run along the inputs, sums over images.
pub(super) struct BackwardWeights<'a> {
    pub(super) sizes: (usize, usize),
    pub(super) images: usize,
    pub(super) x: &'a [f32],
    pub(super) dy: &'a [f32],
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) dw: *mut f32,
}

impl Op for BackwardWeights<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { sizes: (inputs, outputs), images, x, dy, from, to, dw } = self;
        // SAFETY: rows and columns lie inside the slices, whose lengths the caller compared.
        unsafe {
            let rows = Rows {
                a: dy.as_ptr().add(from),
                a_step: (1, outputs),
                b: x.as_ptr(),
                b_step: inputs,
                count: images,
                out: dw.add(from * inputs),
                out_step: inputs,
                add: false,
            };
            rows.all::<S>(to - from, 0, inputs);
        }
    }
}

/// `out[m, k] (+)= Σ_r a[m, r] · b[r, k]` for `count` rows `r`; `a`'s steps are for `m` and `r`.
struct Rows {
    a: *const f32,
    a_step: (usize, usize),
    b: *const f32,
    b_step: usize,
    count: usize,
    out: *mut f32,
    out_step: usize,
    add: bool,
}

impl Rows {
    /// `size` rows of the output, columns `from..to`.
    #[inline(always)]
    unsafe fn all<S: Simd>(&self, size: usize, from: usize, to: usize) {
        let mut k = from;
        // SAFETY: the caller's promise; tiles end at `size` and `to`.
        unsafe {
            while k + S::VECTORS * S::LANES <= to {
                let mut m = 0;
                while m + 6 <= size {
                    self.wide::<S, 6>(m, k);
                    m += 6;
                }
                match size - m {
                    0 => {}
                    1 => self.wide::<S, 1>(m, k),
                    2 => self.wide::<S, 2>(m, k),
                    3 => self.wide::<S, 3>(m, k),
                    4 => self.wide::<S, 4>(m, k),
                    _ => self.wide::<S, 5>(m, k),
                }
                k += S::VECTORS * S::LANES;
            }
            while k < to {
                let lanes = S::LANES.min(to - k);
                let mut m = 0;
                while m + 4 <= size {
                    self.narrow::<S, 4>(m, k, lanes);
                    m += 4;
                }
                while m < size {
                    self.narrow::<S, 1>(m, k, lanes);
                    m += 1;
                }
                k += lanes;
            }
        }
    }

    #[inline(always)]
    unsafe fn wide<S: Simd, const M: usize>(&self, m: usize, k: usize) {
        // A block's vectors, of which narrow instruction sets use only the first.
        const MAX: usize = 4;
        let out = self.out.wrapping_add(m * self.out_step + k);
        let a = self.a.wrapping_add(m * self.a_step.0);
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[S::splat(0.0); MAX]; M];
            if self.add {
                for i in 0..M {
                    for n in 0..S::VECTORS {
                        sums[i][n] = S::load(out.add(i * self.out_step + n * S::LANES));
                    }
                }
            }
            for r in 0..self.count {
                let row = self.b.add(r * self.b_step + k);
                let mut b = [S::splat(0.0); MAX];
                for n in 0..S::VECTORS {
                    b[n] = S::load(row.add(n * S::LANES));
                }
                for i in 0..M {
                    let a = S::splat(*a.add(i * self.a_step.0 + r * self.a_step.1));
                    for n in 0..S::VECTORS {
                        sums[i][n] = S::fma(a, b[n], sums[i][n]);
                    }
                }
            }
            for i in 0..M {
                for n in 0..S::VECTORS {
                    S::store(out.add(i * self.out_step + n * S::LANES), sums[i][n]);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn narrow<S: Simd, const M: usize>(&self, m: usize, k: usize, lanes: usize) {
        let out = self.out.wrapping_add(m * self.out_step + k);
        let a = self.a.wrapping_add(m * self.a_step.0);
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [S::splat(0.0); M];
            if self.add {
                for i in 0..M {
                    sums[i] = S::load_partial(out.add(i * self.out_step), lanes);
                }
            }
            for r in 0..self.count {
                let b = S::load_partial(self.b.add(r * self.b_step + k), lanes);
                for i in 0..M {
                    let a = S::splat(*a.add(i * self.a_step.0 + r * self.a_step.1));
                    sums[i] = S::fma(a, b, sums[i]);
                }
            }
            for i in 0..M {
                S::store_partial(out.add(i * self.out_step), lanes, sums[i]);
            }
        }
    }
}
