//! 3×3 convolution with stride 1 by Winograd's F(4×4, 3×3): 36 products per 16 outputs instead of 144.
//!
//! Input patches are transformed, each of the 36 numbers of a patch gives a matrix product over the channels, and the
//! products are transformed back. Patches go through the three stages block by block, so that what lies between the
//! stages stays in the caches. Where there are enough blocks each thread takes whole ones; where there are few (small
//! maps, one image, many threads) all threads share each stage. Both ways compute the same bits.

use super::Conv2dShape;
use super::direct::{Operands, Order};
use super::winograd_transform::{self as transform, OUT, Output, PATCH, POINTS};
use crate::gemm::{Ahead, Block, Pixel, Tap, Tiles, View, blocks};
use crate::simd::{Isa, Op, Simd};
use crate::threads::Shared;
use crate::{Threads, check};

/// Patches of a block: no fewer, so that weights are used often; no more, so that a block stays in the cache.
const MIN_BLOCK: usize = 24;
const MAX_BLOCK: usize = 48;
/// Bytes of a thread's own block between the stages.
const BLOCK_BYTES: usize = 768 << 10;
/// Bytes of a block that all threads share.
const SHARED_BYTES: usize = 16 << 20;
/// Weights larger than this come from memory, so they are fetched once for all threads.
const LARGE_WEIGHTS: usize = 8 << 20;

/// A 3×3 convolution planned with Winograd's algorithm.
#[derive(Debug, Clone)]
pub(super) struct Winograd {
    isa: Isa,
    shape: Conv2dShape,
    /// Rows and columns of patches of an image.
    grid: (usize, usize),
    panels: Vec<Block>,
    /// Channels rounded up to whole vectors.
    in_c: usize,
    out_c: usize,
    zeros: Vec<f32>,
}

impl Winograd {
    /// Patches of the largest block that threads share: one of the 16 channels a side that the algorithm is for.
    const LARGEST: usize = SHARED_BYTES / (POINTS * 32 * 4);

    /// Whether the algorithm applies to the shape.
    pub(super) fn fits(s: &Conv2dShape) -> bool {
        s.kernel == (3, 3) && s.stride == (1, 1) && s.dilation == (1, 1) && s.groups == 1
    }

    /// Whether it should be faster than the direct way for a batch: both costs in cycles of one core. `packed` says
    /// whether the weights are ready; in training they are transformed at each step.
    pub(super) fn wins(s: &Conv2dShape, images: usize) -> bool {
        if !Self::fits(s) || s.in_c < 16 || s.out_c < 16 {
            return false;
        }
        let pairs = s.in_c as f64 * s.out_c as f64;
        let patches = images as f64 * (s.out_h.div_ceil(OUT) * s.out_w.div_ceil(OUT)) as f64;
        let outputs = images as f64 * (s.out_h * s.out_w) as f64;
        // 16 multiply-adds a cycle. A transform takes about 350 cycles for 16 channels of a patch. Weights that don't
        // fit the cache arrive with about 4 bytes a cycle, in the direct way while it computes.
        let direct = outputs * 9.0 * pairs / 16.0;
        let bytes = POINTS as f64 * pairs * 4.0;
        let fetch = if bytes > 4e6 { bytes / 4.0 } else { 0.0 };
        let winograd =
            patches * (POINTS as f64 * pairs / 16.0 + (s.in_c + s.out_c) as f64 / 16.0 * 350.0) + fetch;
        winograd < 0.9 * direct
    }

    pub(super) fn new(isa: Isa, shape: Conv2dShape) -> Self {
        let (in_c, out_c) =
            (shape.in_c.next_multiple_of(isa.lanes()), shape.out_c.next_multiple_of(isa.lanes()));
        Self {
            isa,
            shape,
            grid: (shape.out_h.div_ceil(OUT), shape.out_w.div_ceil(OUT)),
            // Padding channels are computed too: the transforms work on whole vectors.
            panels: blocks(isa, 0, out_c).collect(),
            in_c,
            out_c,
            zeros: vec![0.0; in_c.max(64)],
        }
    }

    /// The gradient of the input: a convolution with kernels turned by 180° and inputs and outputs exchanged. Only
    /// for padding up to 2.
    pub(super) fn backward_shape(s: &Conv2dShape) -> Option<Conv2dShape> {
        (Self::fits(s) && s.padding.0 <= 2 && s.padding.1 <= 2).then(|| Conv2dShape {
            in_h: s.out_h,
            in_w: s.out_w,
            in_c: s.out_c,
            out_h: s.in_h,
            out_w: s.in_w,
            out_c: s.in_c,
            padding: (2 - s.padding.0, 2 - s.padding.1),
            ..*s
        })
    }

    /// Floats of the transformed weights for one of the 36 products.
    fn product_len(&self) -> usize {
        check::product([self.shape.in_c, self.out_c])
    }

    pub(super) fn packed_len(&self) -> usize {
        check::sum([self.out_c, check::product([POINTS, self.product_len()])])
    }

    /// Transforms and packs weights (and bias) for [`run`](Self::run); `turned` reads every kernel backwards.
    pub(super) fn pack(
        &self,
        threads: &Threads,
        weights: &[f32],
        order: Order,
        turned: bool,
        bias: Option<&[f32]>,
        packed: &mut [f32],
    ) {
        let (head, products) = packed[..self.packed_len()].split_at_mut(self.out_c);
        head.fill(0.0);
        if let Some(bias) = bias {
            head[..self.shape.out_c].copy_from_slice(bias);
        }
        let products = Shared(products.as_mut_ptr());
        let lanes = self.isa.lanes();
        threads.run(self.out_c / lanes, |vector| {
            let task = Pack { plan: self, weights, order, turned, vector, out: products.get() };
            // SAFETY: `Pack` indexes the weights as a slice; every task writes the vectors of its own channels.
            unsafe { self.isa.run(task) }
        });
    }

    /// Patches of a batch.
    fn patches(&self, images: usize) -> usize {
        check::product([images, self.grid.0, self.grid.1])
    }

    /// Patches of a block, and whether all threads share it.
    fn block(&self, threads: &Threads, images: usize) -> (usize, bool) {
        let patches = self.patches(images).max(1);
        let bytes = check::product([POINTS, check::sum([self.in_c, self.out_c]), 4]);
        let size = (BLOCK_BYTES / bytes).clamp(MIN_BLOCK, MAX_BLOCK);
        let blocks = patches.div_ceil(size).next_multiple_of(threads.count());
        let large = POINTS * self.product_len() > LARGE_WEIGHTS / 4;
        let alone = threads.count() == 1 && !large;
        if alone || (!large && patches / blocks >= MIN_BLOCK / 2) {
            return (patches.div_ceil(blocks), false);
        }
        let blocks = patches.div_ceil((SHARED_BYTES / bytes).max(MIN_BLOCK));
        (patches.div_ceil(blocks), true)
    }

    /// Floats between the stages for a block.
    fn stages_len(&self, block: usize) -> usize {
        check::product([POINTS, check::sum([stride(block, self.in_c), stride(block, self.out_c)])])
    }

    pub(super) fn scratch_len(&self, threads: &Threads, max_images: usize) -> usize {
        // From so many images on blocks are as large as they ever will be.
        let most = Self::LARGEST.pow(2).max(MAX_BLOCK.pow(2) * threads.count()).div_ceil(self.patches(1));
        (1..=max_images.min(most))
            .map(|images| {
                let (block, shared) = self.block(threads, images);
                check::product([self.stages_len(block), if shared { 1 } else { threads.count() }])
            })
            .max()
            .unwrap_or(0)
    }

    pub(super) fn run(&self, threads: &Threads, operands: Operands, output: &mut [f32], scratch: &mut [f32]) {
        let s = &self.shape;
        if operands.images == 0 {
            return;
        }
        let input_len = check::product([operands.images, s.input_len()]);
        check::at_least("convolution input", operands.input.len(), input_len);
        check::at_least("packed convolution weights", operands.packed.len(), self.packed_len());
        operands.check_output([operands.images, s.out_h, s.out_w], s.out_c, output);

        let patches = self.patches(operands.images);
        let (size, shared) = self.block(threads, operands.images);
        let stages_len = self.stages_len(size);
        let needed = check::product([stages_len, if shared { 1 } else { threads.count() }]);
        check::at_least("convolution scratch", scratch.len(), needed);
        let scratch = Shared(scratch.as_mut_ptr());
        let output = Shared(output.as_mut_ptr());
        let stage = |stage, from: usize, worker: usize| Stage {
            plan: self,
            operands,
            stage,
            from,
            count: size.min(patches - from),
            stride: (stride(size, self.in_c), stride(size, self.out_c)),
            stages: scratch.get().wrapping_add(worker * stages_len),
            output: output.get(),
        };
        let all = self.panels.len();
        let run = |part, from, worker| {
            // SAFETY: input, packed weights, output, residual and scratch were found as long as the shape says; tasks
            // at the same time write different patches or products, or have stages of their own; stages follow each
            // other.
            unsafe { self.isa.run(stage(part, from, worker)) }
        };
        if !shared {
            threads.run_on(patches.div_ceil(size), |worker, block| {
                let from = block * size;
                let count = size.min(patches - from);
                run(Part::Input(0, count), from, worker);
                run(Part::Products(0, POINTS * all), from, worker);
                run(Part::Output(0, count), from, worker);
            });
            return;
        }
        for from in (0..patches).step_by(size) {
            let count = size.min(patches - from);
            let cut = |n: usize| n.div_ceil(4 * threads.count()).max(1);
            let step = cut(count);
            threads.run(count.div_ceil(step), |i| {
                let part = Part::Input(i * step, count.min((i + 1) * step));
                run(part, from, 0);
            });
            let products = cut(POINTS * all);
            threads.run((POINTS * all).div_ceil(products), |i| {
                let part = Part::Products(i * products, (POINTS * all).min((i + 1) * products));
                run(part, from, 0);
            });
            threads.run(count.div_ceil(step), |i| {
                let part = Part::Output(i * step, count.min((i + 1) * step));
                run(part, from, 0);
            });
        }
    }
}

/// Floats from one of the 36 numbers to the next, for a block of patches. A line more than needed keeps the 36 streams
/// from falling on the same places of the cache.
fn stride(block: usize, channels: usize) -> usize {
    check::sum([check::product([block, channels]), 16])
}

/// Transforms the weights of a vector of output channels.
struct Pack<'a> {
    plan: &'a Winograd,
    weights: &'a [f32],
    order: Order,
    turned: bool,
    vector: usize,
    out: *mut f32,
}

impl Op for Pack<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Pack { plan, weights, order, turned, vector, out } = self;
        let first = vector * S::LANES;
        let count = S::LANES.min(plan.shape.out_c - first);
        // The panel that holds the vector, and where its rows start.
        let panel = &plan.panels[plan.panels.partition_point(|panel| panel.start <= first) - 1];
        let width = panel.vectors * S::LANES;
        let start = panel.start * plan.shape.in_c + first - panel.start;
        let mut lanes = [[0.0f32; 16]; 9];
        for c in 0..plan.shape.in_c {
            for lane in 0..count {
                let from = order.output * (first + lane) + order.input * c;
                let kernel = &weights[from..from + 9];
                for tap in 0..9 {
                    lanes[tap][lane] = kernel[if turned { 8 - tap } else { tap }];
                }
            }
            // SAFETY: `lanes` holds 16 floats per tap, the widest vector; the packed weights have a place for each
            // vector of each input channel.
            unsafe {
                let mut kernels = [S::splat(0.0); 9];
                for tap in 0..9 {
                    kernels[tap] = S::load(lanes[tap].as_ptr());
                }
                transform::weights::<S>(&kernels, out.add(start + c * width), plan.product_len());
            }
        }
    }
}

/// What of a block a task computes.
#[derive(Clone, Copy)]
enum Part {
    /// Transforms of input patches from … to.
    Input(usize, usize),
    /// Products from … to, numbered by number of the patch, then panel.
    Products(usize, usize),
    /// Output patches from … to.
    Output(usize, usize),
}

/// A part of one stage for a block of patches.
struct Stage<'a> {
    plan: &'a Winograd,
    operands: Operands<'a>,
    stage: Part,
    /// The block's first patch, and how many it holds.
    from: usize,
    count: usize,
    /// Floats from one of the 36 numbers to the next, transformed inputs and products.
    stride: (usize, usize),
    stages: *mut f32,
    output: *mut f32,
}

impl Op for Stage<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.stage {
                Part::Input(from, to) => self.input::<S>(from, to),
                Part::Products(from, to) => self.products(from, to),
                Part::Output(from, to) => self.outputs::<S>(from, to),
            }
        }
    }
}

impl Stage<'_> {
    /// Image, first output row and first output column of a patch.
    #[inline(always)]
    fn place(&self, patch: usize) -> (usize, usize, usize) {
        let (rows, columns) = self.plan.grid;
        let (row, column) = (patch / columns, patch % columns);
        (row / rows, row % rows * OUT, column * OUT)
    }

    #[inline(always)]
    unsafe fn input<S: Simd>(&self, from: usize, to: usize) {
        let s = &self.plan.shape;
        for patch in from..to {
            let (image, top, left) = self.place(self.from + patch);
            let mut pixels = [self.plan.zeros.as_ptr(); POINTS];
            for i in 0..PATCH {
                let y = (top + i).wrapping_sub(s.padding.0);
                if y >= s.in_h {
                    continue;
                }
                for j in 0..PATCH {
                    let x = (left + j).wrapping_sub(s.padding.1);
                    if x < s.in_w {
                        let pixel = (image * s.in_h + y) * s.in_w + x;
                        pixels[i * PATCH + j] = self.operands.input.as_ptr().wrapping_add(pixel * s.in_c);
                    }
                }
            }
            // SAFETY: the pixels lie in the map; the stage holds whole vectors for each patch.
            unsafe {
                let out = self.stages.add(patch * self.plan.in_c);
                transform::input::<S>(&pixels, s.in_c, out, self.stride.0);
            }
        }
    }

    unsafe fn products(&self, from: usize, to: usize) {
        let plan = self.plan;
        let taps = [Tap { dy: 0, dx: 0, offset: 0 }];
        let products = self.stages.wrapping_add(POINTS * self.stride.0);
        for part in from..to {
            let (point, panel) = (part / plan.panels.len(), &plan.panels[part % plan.panels.len()]);
            let weights = plan.out_c + point * plan.product_len() + panel.start * plan.shape.in_c;
            let weights = self.operands.packed.as_ptr().wrapping_add(weights);
            // The next product's weights follow; large ones come from memory.
            let len = panel.channels * plan.shape.in_c;
            let view = View {
                input: self.stages.wrapping_add(point * self.stride.0),
                height: 1,
                width: 1,
                taps: &taps,
                len: plan.shape.in_c,
                zeros: plan.zeros.as_ptr(),
                weights,
                bias: plan.zeros.as_ptr(),
                channels: panel.channels,
                output: products.wrapping_add(point * self.stride.1 + panel.start),
                residual: std::ptr::null(),
                low: f32::NEG_INFINITY,
                high: f32::INFINITY,
                ahead: Ahead(weights.wrapping_add(len), len),
            };
            for at in (0..self.count).step_by(MAX_BLOCK) {
                let count = MAX_BLOCK.min(self.count - at);
                let mut pixels = [Pixel::default(); MAX_BLOCK];
                for (i, pixel) in pixels.iter_mut().enumerate().take(count) {
                    pixel.input = ((at + i) * plan.in_c) as isize;
                    pixel.output = (at + i) * plan.out_c;
                }
                // SAFETY: the stage holds `count` patches of whole vectors on both sides.
                unsafe { plan.isa.run(Tiles { view, pixels: &pixels[..count], vectors: panel.vectors }) };
            }
        }
    }

    #[inline(always)]
    unsafe fn outputs<S: Simd>(&self, from: usize, to: usize) {
        let s = &self.plan.shape;
        let products = self.stages.wrapping_add(POINTS * self.stride.0);
        for patch in from..to {
            let (image, top, left) = self.place(self.from + patch);
            let at = ((image * s.out_h + top) * s.out_w + left) * self.operands.out_stride;
            let output = Output {
                pixel: self.output.wrapping_add(at),
                residual: self.operands.residual.map_or(std::ptr::null(), |r| r.as_ptr().wrapping_add(at)),
                bias: self.operands.packed.as_ptr(),
                stride: (self.operands.out_stride, self.operands.out_stride * s.out_w),
                size: (OUT.min(s.out_h - top), OUT.min(s.out_w - left)),
                bounds: self.operands.bounds,
            };
            // SAFETY: the patch's pixels lie in the output as far as its size; bias and products are whole vectors.
            unsafe {
                let from = products.add(patch * self.plan.out_c);
                transform::output::<S>(from, self.stride.1, s.out_c, &output);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest number over all batches is looked for among the first ones only.
    #[test]
    fn scratch_is_enough_for_every_batch() {
        for (size, channels) in [(4, 16), (7, 48), (13, 512)] {
            let shape = Conv2dShape {
                in_h: size,
                in_w: size,
                in_c: channels,
                out_h: size,
                out_w: size,
                out_c: channels,
                kernel: (3, 3),
                stride: (1, 1),
                padding: (1, 1),
                dilation: (1, 1),
                groups: 1,
            };
            let plan = Winograd::new(Isa::Portable, shape);
            for threads in [1, 2, 3, 16].map(Threads::new) {
                let mut most = 0;
                for images in 1..=60_000 {
                    let (block, shared) = plan.block(&threads, images);
                    most = most.max(plan.stages_len(block) * if shared { 1 } else { threads.count() });
                    if images < 40 || images % 997 == 0 {
                        assert_eq!(plan.scratch_len(&threads, images), most, "{shape:?} {images}");
                    }
                }
            }
        }
    }
}
