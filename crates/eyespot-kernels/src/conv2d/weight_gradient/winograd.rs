//! The gradient of a 3×3 kernel with stride 1 by Winograd's algorithm: 36 products for each pair of channels and 4×4
//! patch of the output instead of 144.
//!
//! F(4×4, 3×3) computes `Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A`. It is linear in the kernel `g`, so its gradient is the
//! transpose: `dg = Gᵀ [Σ_patches (A dY Aᵀ) ⊙ (Bᵀ d B)] G`. The matrices are those of the forward pass, and so is the
//! size of the rounding errors.

use super::Segment;
use crate::check;
use crate::conv2d::Conv2dShape;
use crate::conv2d::winograd::Winograd;
use crate::conv2d::winograd_transform::{self as transform, OUT, PATCH, POINTS};
use crate::gemm::Outer;
use crate::simd::{Isa, Op, Simd};

/// Patches that are transformed together.
const PATCHES: usize = 48;
/// Channels of a task on both sides: the 36 matrices of sums and the transformed patches fit the second-level cache.
const CHANNELS: usize = 64;

#[derive(Debug, Clone)]
pub(super) struct WinogradGradient {
    shape: Conv2dShape,
    /// Rows and columns of patches of an image.
    grid: (usize, usize),
    /// Blocks of output and input channels: where they start and end.
    outputs: Vec<(usize, usize)>,
    inputs: Vec<(usize, usize)>,
    zeros: Vec<f32>,
}

impl WinogradGradient {
    /// Whether it should be faster than products over pixels.
    pub(super) fn wins(s: &Conv2dShape, images: usize) -> bool {
        if !Winograd::fits(s) || s.in_c < 16 || s.out_c < 16 {
            return false;
        }
        // A product costs alike in both ways; the transforms of patches and sums cost half as much again.
        let patches = images as f64 * (s.out_h.div_ceil(OUT) * s.out_w.div_ceil(OUT)) as f64;
        let products = (patches + 8.0) * POINTS as f64;
        3.0 * products < 2.0 * 9.0 * images as f64 * (s.out_h * s.out_w) as f64
    }

    pub(super) fn new(shape: Conv2dShape) -> Self {
        let blocks = |channels: usize| {
            let starts = (0..channels).step_by(CHANNELS);
            starts.map(|start| (start, channels.min(start + CHANNELS))).collect::<Vec<_>>()
        };
        Self {
            grid: (shape.out_h.div_ceil(OUT), shape.out_w.div_ceil(OUT)),
            outputs: blocks(shape.out_c),
            inputs: blocks(shape.in_c),
            zeros: vec![0.0; shape.in_c.max(shape.out_c)],
            shape,
        }
    }

    /// Patches of an image.
    pub(super) fn patches(&self) -> usize {
        check::product([self.grid.0, self.grid.1])
    }

    pub(super) fn tasks(&self) -> usize {
        self.outputs.len() * self.inputs.len()
    }

    pub(super) fn workspace_len(&self) -> usize {
        2 * POINTS * STRIDE + POINTS * CHANNELS * CHANNELS
    }

    /// # Safety
    /// The segment's slices are as long as the shape says; nobody else uses the task's sums or the workspace.
    pub(super) unsafe fn run(&self, isa: Isa, task: usize, segment: Segment) {
        let (output, input) = (task / self.inputs.len(), task % self.inputs.len());
        let work =
            Work { plan: self, isa, outputs: self.outputs[output], inputs: self.inputs[input], segment };
        // SAFETY: the caller's promise.
        unsafe { isa.run(work) }
    }
}

/// Floats from one of the 36 numbers of all patches to the next. A line more than needed keeps the 36 streams from
/// falling on the same places of the cache.
const STRIDE: usize = PATCHES * CHANNELS + 16;

struct Work<'a> {
    plan: &'a WinogradGradient,
    isa: Isa,
    outputs: (usize, usize),
    inputs: (usize, usize),
    segment: Segment<'a>,
}

impl Op for Work<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (rows, columns) = (self.outputs.1 - self.outputs.0, self.inputs.1 - self.inputs.0);
        let row_width = rows.next_multiple_of(S::LANES);
        let width = columns.next_multiple_of(S::LANES);
        let dy = self.segment.workspace;
        let x = dy.wrapping_add(POINTS * STRIDE);
        let sums = x.wrapping_add(POINTS * STRIDE);

        let patches = self.segment.items.1 - self.segment.items.0;
        let blocks = patches.div_ceil(PATCHES);
        for block in 0..blocks {
            let from = self.segment.items.0 + check::part_start(patches, blocks, block);
            let count = self.segment.items.0 + check::part_start(patches, blocks, block + 1) - from;
            // SAFETY: the patches lie inside x and dy as the caller promises; the workspace holds PATCHES patches of
            // CHANNELS channels of both and the sums.
            unsafe {
                for p in 0..count {
                    self.patch::<S>(from + p, dy.add(p * row_width), x.add(p * width));
                }
                let panel = S::VECTORS * S::LANES;
                for i in 0..POINTS * width.div_ceil(panel) {
                    let (point, first) = (i % POINTS, i / POINTS * panel);
                    self.isa.run(Outer {
                        a: dy.add(point * STRIDE),
                        a_stride: row_width,
                        b: x.add(point * STRIDE + first),
                        b_stride: width,
                        count,
                        out: sums.add(point * CHANNELS * CHANNELS + first),
                        out_stride: width,
                        rows,
                        columns: panel.min(width - first),
                        add: block > 0,
                    });
                }
                if self.inputs.0 == 0 {
                    self.bias(dy, row_width, count, block > 0);
                }
            }
        }
        // SAFETY: the sums are complete, and the segment's are this task's.
        unsafe { self.finish::<S>(sums, width) }
    }
}

impl Work<'_> {
    /// Transforms a patch of `dy` and the part of `x` that it was computed from.
    #[inline(always)]
    unsafe fn patch<S: Simd>(&self, patch: usize, dy: *mut f32, x: *mut f32) {
        let (plan, s) = (self.plan, &self.plan.shape);
        let (row, column) = (patch / plan.grid.1, patch % plan.grid.1);
        let (image, top, left) = (row / plan.grid.0, row % plan.grid.0 * OUT, column * OUT);

        let mut pixels = [plan.zeros.as_ptr(); POINTS];
        for i in 0..PATCH {
            let y = (top + i).wrapping_sub(s.padding.0);
            for j in 0..PATCH {
                let x = (left + j).wrapping_sub(s.padding.1);
                if y < s.in_h && x < s.in_w {
                    let at = ((image * s.in_h + y) * s.in_w + x) * s.in_c + self.inputs.0;
                    pixels[i * PATCH + j] = self.segment.x.as_ptr().wrapping_add(at);
                }
            }
        }
        let mut gradients = [plan.zeros.as_ptr(); OUT * OUT];
        for i in 0..OUT.min(s.out_h - top) {
            for j in 0..OUT.min(s.out_w - left) {
                let at = ((image * s.out_h + top + i) * s.out_w + left + j) * s.out_c + self.outputs.0;
                gradients[i * OUT + j] = self.segment.dy.as_ptr().wrapping_add(at);
            }
        }
        // SAFETY: the caller's promise.
        unsafe {
            transform::input::<S>(&pixels, self.inputs.1 - self.inputs.0, x, STRIDE);
            transform::output_gradient::<S>(&gradients, self.outputs.1 - self.outputs.0, dy, STRIDE);
        }
    }

    /// The bias' gradient: the transformed number of the point 1 (in both directions) is the patch's sum.
    #[inline(always)]
    unsafe fn bias(&self, dy: *const f32, width: usize, count: usize, add: bool) {
        const ONE: usize = PATCH + 1;
        for o in 0..self.outputs.1 - self.outputs.0 {
            // SAFETY: the caller's promise.
            unsafe {
                let bias = self.segment.bias.add(self.outputs.0 + o);
                let mut sum = if add { *bias } else { 0.0 };
                for p in 0..count {
                    sum += *dy.add(ONE * STRIDE + p * width + o);
                }
                *bias = sum;
            }
        }
    }

    /// Transforms the sums to kernels.
    #[inline(always)]
    unsafe fn finish<S: Simd>(&self, sums: *const f32, width: usize) {
        let in_c = self.plan.shape.in_c;
        let columns = self.inputs.1 - self.inputs.0;
        for o in 0..self.outputs.1 - self.outputs.0 {
            for c in (0..columns).step_by(S::LANES) {
                let at = (self.outputs.0 + o) * 9 * in_c + self.inputs.0 + c;
                // SAFETY: the sums have whole vectors; the result's rows have nine taps of `in_c` channels.
                unsafe {
                    let kernel =
                        transform::weights_gradient::<S>(sums.add(o * width + c), CHANNELS * CHANNELS);
                    for (tap, v) in kernel.into_iter().enumerate() {
                        let out = self.segment.sums.add(at + tap * in_c);
                        S::store_partial(out, S::LANES.min(columns - c), v);
                    }
                }
            }
        }
    }
}
