//! Depthwise convolution: every channel has a kernel of its own, so vectors run along the channels.
//!
//! A tile is a few neighbouring output pixels of a row. Where its pixels lie is worked out once and used for all
//! channels; each input vector is loaded once for all the tile's outputs.

use super::Conv2dShape;
use super::direct::Operands;
use crate::simd::{Isa, Op, Simd};
use crate::threads::Shared;
use crate::{Threads, check};

/// Output pixels of a tile.
const OUTPUTS: usize = 6;
/// Taps of the largest kernel with a path of its own, in one direction.
const MAX_KERNEL: usize = 5;
/// Input pixels under a row of a tile, at most: stride 2.
const MAX_INPUTS: usize = (OUTPUTS - 1) * 2 + MAX_KERNEL;

/// A depthwise convolution: the forward pass, or the gradient of the input.
#[derive(Debug, Clone)]
pub(super) struct Depthwise {
    isa: Isa,
    shape: Conv2dShape,
    /// Whether it maps outputs back to inputs.
    transposed: bool,
    zeros: Vec<f32>,
}

impl Depthwise {
    /// Whether the shape is depthwise with as many outputs as inputs.
    pub(super) fn fits(s: &Conv2dShape) -> bool {
        s.groups > 1 && s.groups == s.in_c && s.groups == s.out_c
    }

    pub(super) fn forward(isa: Isa, shape: Conv2dShape) -> Self {
        Self { isa, shape, transposed: false, zeros: vec![0.0; shape.in_c] }
    }

    /// With stride 1 the gradient of the input is a convolution with the kernel turned by 180°.
    pub(super) fn backward_input(isa: Isa, s: Conv2dShape) -> Self {
        let zeros = vec![0.0; s.in_c];
        let reach = |k: usize, d: usize| (k - 1) * d;
        let (reach_h, reach_w) = (reach(s.kernel.0, s.dilation.0), reach(s.kernel.1, s.dilation.1));
        if s.stride != (1, 1) || s.padding.0 > reach_h || s.padding.1 > reach_w {
            return Self { isa, shape: s, transposed: true, zeros };
        }
        let padding = (reach_h - s.padding.0, reach_w - s.padding.1);
        let turned = Conv2dShape { in_h: s.out_h, in_w: s.out_w, out_h: s.in_h, out_w: s.in_w, padding, ..s };
        Self { isa, shape: turned, transposed: false, zeros }
    }

    pub(super) fn packed_len(&self) -> usize {
        let rows = check::sum([1, check::product([self.shape.kernel.0, self.shape.kernel.1])]);
        check::product([rows, self.shape.in_c])
    }

    /// Packs bias and weights as rows of channels; `turned` for a gradient (see above).
    pub(super) fn pack(&self, weights: &[f32], bias: Option<&[f32]>, turned: bool, packed: &mut [f32]) {
        let (taps, channels) = (self.shape.kernel.0 * self.shape.kernel.1, self.shape.in_c);
        let (head, rows) = packed[..self.packed_len()].split_at_mut(channels);
        match bias {
            Some(bias) => head.copy_from_slice(bias),
            None => head.fill(0.0),
        }
        let turned = turned && !self.transposed;
        for (tap, row) in rows.chunks_exact_mut(channels).enumerate() {
            let from = if turned { taps - 1 - tap } else { tap };
            for (c, w) in row.iter_mut().enumerate() {
                *w = weights[c * taps + from];
            }
        }
    }

    /// Floats of the maps it reads and writes: height and width of each.
    fn maps(&self) -> [(usize, usize); 2] {
        let s = &self.shape;
        let maps = [(s.in_h, s.in_w), (s.out_h, s.out_w)];
        if self.transposed { [maps[1], maps[0]] } else { maps }
    }

    pub(super) fn run(&self, threads: &Threads, operands: Operands, output: &mut [f32]) {
        let channels = self.shape.in_c;
        let [(in_h, in_w), (out_h, out_w)] = self.maps();
        let rows = check::product([operands.images, out_h]);
        if rows == 0 {
            return;
        }
        let input_len = check::product([operands.images, in_h, in_w, channels]);
        check::at_least("convolution input", operands.input.len(), input_len);
        check::at_least("packed convolution weights", operands.packed.len(), self.packed_len());
        operands.check_output([operands.images, out_h, out_w], channels, output);

        // A few rows per task: neighbouring rows share their input.
        let per_task = rows.div_ceil(4 * threads.count()).clamp(1, 8);
        let output = Shared(output.as_mut_ptr());
        threads.run(rows.div_ceil(per_task), |task| {
            let rows = task * per_task..rows.min((task + 1) * per_task);
            let input = operands.input.as_ptr();
            // SAFETY: the input was found to hold all rows of all images, output and residual all of theirs; tasks
            // write different rows.
            unsafe { self.rows(operands, input, (rows.start, rows.end), output.get()) }
        });
    }

    /// Output rows from … to, with input and output offsets counted from the pointers.
    ///
    /// # Safety
    /// The rows of the input that they see and those of the output exist; nobody else touches the latter meanwhile.
    pub(super) unsafe fn rows(
        &self,
        operands: Operands,
        input: *const f32,
        (from, to): (usize, usize),
        output: *mut f32,
    ) {
        for row in from..to {
            let task = Row { plan: self, operands, input, row, output };
            // SAFETY: the caller's promise.
            unsafe { self.isa.run(task) }
        }
    }
}

/// One row of the output.
struct Row<'a> {
    plan: &'a Depthwise,
    operands: Operands<'a>,
    input: *const f32,
    row: usize,
    output: *mut f32,
}

impl Op for Row<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let s = &self.plan.shape;
        // SAFETY: the caller's promise.
        unsafe {
            if self.plan.transposed || s.dilation != (1, 1) || s.kernel.0 > MAX_KERNEL {
                return self.any::<S>();
            }
            match (s.kernel.1, s.stride.1) {
                (3, 1) => self.tiles::<S, 3, 1>(),
                (3, 2) => self.tiles::<S, 3, 2>(),
                (5, 1) => self.tiles::<S, 5, 1>(),
                (5, 2) => self.tiles::<S, 5, 2>(),
                _ => self.any::<S>(),
            }
        }
    }
}

impl Row<'_> {
    /// A row cut into tiles, for kernels `K` wide with stride `T`.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const K: usize, const T: usize>(&self) {
        let out_w = self.plan.shape.out_w;
        let mut at = 0;
        // SAFETY: the caller's promise; tiles end inside the row.
        unsafe {
            while at < out_w {
                let left = out_w - at;
                if left >= OUTPUTS {
                    self.tile::<S, K, T, OUTPUTS>(at);
                    at += OUTPUTS;
                } else if left >= 3 {
                    self.tile::<S, K, T, 3>(at);
                    at += 3;
                } else {
                    self.tile::<S, K, T, 1>(at);
                    at += 1;
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<S: Simd, const K: usize, const T: usize, const N: usize>(&self, at: usize) {
        let Row { plan, operands, input, row, output } = self;
        let s = &plan.shape;
        let channels = s.in_c;
        let (image, line) = (row / s.out_h, row % s.out_h);
        let inputs = (N - 1) * T + K;

        // Where the inputs of each kernel row lie; rows and columns outside the map read zeros.
        let mut rows = [[plan.zeros.as_ptr(); MAX_INPUTS]; MAX_KERNEL];
        for (u, pointers) in rows.iter_mut().enumerate().take(s.kernel.0) {
            let y = (line * s.stride.0 + u).wrapping_sub(s.padding.0);
            if y >= s.in_h {
                continue;
            }
            for (i, pointer) in pointers.iter_mut().enumerate().take(inputs) {
                let x = (at * T + i).wrapping_sub(s.padding.1);
                if x < s.in_w {
                    *pointer = input.wrapping_add(((image * s.in_h + y) * s.in_w + x) * channels);
                }
            }
        }

        let offset = (row * s.out_w + at) * operands.out_stride;
        let mut c = 0;
        // SAFETY: pointers lead to pixels of `channels` floats; outputs lie inside the row.
        unsafe {
            while c < channels {
                let lanes = S::LANES.min(channels - c);
                let whole = lanes == S::LANES;
                let packed = operands.packed.as_ptr().add(c);
                let mut sums = [S::splat(0.0); N];
                let bias = load::<S>(packed, lanes, whole);
                for sum in sums.iter_mut() {
                    *sum = bias;
                }
                for u in 0..s.kernel.0 {
                    let mut w = [S::splat(0.0); K];
                    for v in 0..K {
                        w[v] = load::<S>(packed.add((1 + u * K + v) * channels), lanes, whole);
                    }
                    for i in 0..inputs {
                        let x = load::<S>(rows[u][i].add(c), lanes, whole);
                        for n in 0..N {
                            // The output's tap over this input, where it has one.
                            let v = i.wrapping_sub(n * T);
                            if v < K {
                                sums[n] = S::fma(x, w[v], sums[n]);
                            }
                        }
                    }
                }
                for n in 0..N {
                    self.finish::<S>(sums[n], output, offset + n * operands.out_stride + c, lanes);
                }
                c += S::LANES;
            }
        }
    }

    /// A row pixel by pixel, for any kernel, stride and dilation, in both directions.
    #[inline(always)]
    unsafe fn any<S: Simd>(&self) {
        let Row { plan, operands, input, row, output } = self;
        let s = &plan.shape;
        let channels = s.in_c;
        let [(in_h, in_w), (out_h, out_w)] = plan.maps();
        let (image, line) = (row / out_h, row % out_h);
        for column in 0..out_w {
            let offset = (row * out_w + column) * operands.out_stride;
            let mut c = 0;
            while c < channels {
                let lanes = S::LANES.min(channels - c);
                let whole = lanes == S::LANES;
                // SAFETY: `seen` gives pixels inside the map; `c + lanes ≤ channels`.
                unsafe {
                    let packed = operands.packed.as_ptr().add(c);
                    let mut sum = load::<S>(packed, lanes, whole);
                    for u in 0..s.kernel.0 {
                        let y = self.seen(line, u, s.stride.0, s.dilation.0, s.padding.0);
                        if y >= in_h {
                            continue;
                        }
                        for v in 0..s.kernel.1 {
                            let x = self.seen(column, v, s.stride.1, s.dilation.1, s.padding.1);
                            if x >= in_w {
                                continue;
                            }
                            let pixel = ((image * in_h + y) * in_w + x) * channels + c;
                            let a = load::<S>(input.add(pixel), lanes, whole);
                            let w = load::<S>(packed.add((1 + u * s.kernel.1 + v) * channels), lanes, whole);
                            sum = S::fma(a, w, sum);
                        }
                    }
                    self.finish::<S>(sum, output, offset + c, lanes);
                }
                c += S::LANES;
            }
        }
    }

    /// The row (or column) that output `at` reads at tap `u`; too large where there is none.
    #[inline(always)]
    fn seen(&self, at: usize, u: usize, stride: usize, dilation: usize, padding: usize) -> usize {
        if !self.plan.transposed {
            return (at * stride + u * dilation).wrapping_sub(padding);
        }
        match (at + padding).checked_sub(u * dilation) {
            Some(d) if d.is_multiple_of(stride) => d / stride,
            _ => usize::MAX,
        }
    }

    #[inline(always)]
    unsafe fn finish<S: Simd>(&self, sum: S::V, output: &*mut f32, at: usize, lanes: usize) {
        let (low, high) = self.operands.bounds;
        // SAFETY: the caller's promise.
        unsafe {
            let mut v = sum;
            if let Some(residual) = self.operands.residual {
                v = S::add(v, S::load_partial(residual.as_ptr().add(at), lanes));
            }
            v = S::clamp(v, S::splat(low), S::splat(high));
            if lanes == S::LANES {
                S::store(output.add(at), v);
            } else {
                S::store_partial(output.add(at), lanes, v);
            }
        }
    }
}

#[inline(always)]
unsafe fn load<S: Simd>(p: *const f32, lanes: usize, whole: bool) -> S::V {
    // SAFETY: the caller's promise: `lanes` floats, and `whole` where that is a full vector.
    unsafe { if whole { S::load(p) } else { S::load_partial(p, lanes) } }
}
