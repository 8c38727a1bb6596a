//! The gradient of a convolution's weights: for every tap a matrix product over all output pixels,
//! `dW[o, c, tap] = Σ_pixels dy[pixel, o] · x[pixel under tap, c]`.
//!
//! A task owns the sums of a block of output channels × a range of input channels × all taps, small enough for the
//! second-level cache, and runs through the pixels of its segment block by block. Segments give enough tasks where
//! the weights are few; their number depends on sizes only, and they are added in order, so the result does not
//! depend on the number of threads.

use super::Conv2dShape;
use super::direct::Geometry;
use crate::Threads;
use crate::gemm::{Block, blocks};
use crate::simd::{Isa, Op, Simd};
use crate::threads::Shared;

/// Pixels whose `dy` is held ready.
const PIXELS: usize = 96;
/// Input channels of a register tile.
const CHANNELS: usize = 6;
/// Bytes of the sums of a task.
const SUM_BYTES: usize = 192 << 10;
/// Tasks to aim for.
const TASKS: usize = 32;
/// Pixels that make a segment worth its extra pass.
const MIN_SEGMENT: usize = 512;

#[derive(Debug, Clone)]
pub(super) struct WeightGradient {
    isa: Isa,
    shape: Conv2dShape,
    geometry: Geometry,
    panels: Vec<Panel>,
    /// Floats of the sums of all panels.
    sums_len: usize,
    /// Input channels of a task, and how many such ranges there are.
    range: usize,
    ranges: usize,
    zeros: Vec<f32>,
}

#[derive(Debug, Clone, Copy)]
struct Panel {
    block: Block,
    group: usize,
    /// Where its sums start: rows tap × input channel, then one row for the bias.
    sums: usize,
}

impl WeightGradient {
    pub(super) fn new(isa: Isa, shape: Conv2dShape) -> Self {
        let geometry = Geometry::forward(&shape);
        let taps = geometry.taps.len();
        let width = isa.vectors() * isa.lanes();
        let (mut panels, mut sums_len) = (Vec::new(), 0);
        for group in 0..shape.groups {
            for block in blocks(isa, group * geometry.channels, geometry.channels) {
                panels.push(Panel { block, group, sums: sums_len });
                sums_len += (taps * geometry.len + 1) * block.vectors * isa.lanes();
            }
        }
        let ranges = (taps * geometry.len * width * 4).div_ceil(SUM_BYTES).clamp(1, geometry.len);
        let range = geometry.len.div_ceil(ranges).next_multiple_of(CHANNELS).min(geometry.len);
        let ranges = geometry.len.div_ceil(range);
        let zeros = vec![0.0; geometry.len];
        Self { isa, shape, geometry, panels, sums_len, range, ranges, zeros }
    }

    /// How many segments the pixels of a batch are cut into, and how long they are.
    fn segments(&self, images: usize) -> (usize, usize) {
        let pixels = images * self.shape.out_h * self.shape.out_w;
        let wanted = (TASKS / (self.panels.len() * self.ranges)).min(pixels / MIN_SEGMENT).max(1);
        let len = pixels.div_ceil(wanted).next_multiple_of(PIXELS);
        (pixels.div_ceil(len), len)
    }

    pub(super) fn scratch_len(&self, images: usize) -> usize {
        (1..=images).map(|n| self.segments(n).0).max().unwrap_or(1) * self.sums_len
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
        let pixels = images * s.out_h * s.out_w;
        let (segments, segment_len) = self.segments(images);
        assert!(
            x.len() >= images * s.input_len() && dy.len() >= images * s.output_len(),
            "convolution gradient"
        );
        let sums = &mut scratch[..segments * self.sums_len];

        let tasks = self.panels.len() * self.ranges;
        let shared = Shared(sums.as_mut_ptr());
        threads.run(segments * tasks, |task| {
            let (segment, rest) = (task / tasks, task % tasks);
            let (panel, range) = (&self.panels[rest / self.ranges], rest % self.ranges);
            let from = range * self.range;
            let task = Task {
                plan: self,
                panel,
                channels: (from, self.geometry.len.min(from + self.range)),
                pixels: (segment * segment_len, pixels.min((segment + 1) * segment_len)),
                x,
                dy,
                sums: shared.get().wrapping_add(segment * self.sums_len + panel.sums),
            };
            // SAFETY: lengths were compared above; every task has sums of its own.
            unsafe { self.isa.run(task) }
        });

        self.collect(threads, segments, sums, dw);
        if let Some(db) = db {
            for panel in &self.panels {
                let width = panel.block.vectors * self.isa.lanes();
                let row = panel.sums + self.geometry.taps.len() * self.geometry.len * width;
                for (o, db) in db[panel.block.start..][..panel.block.channels].iter_mut().enumerate() {
                    *db = (0..segments).map(|n| sums[n * self.sums_len + row + o]).sum();
                }
            }
        }
    }

    /// Adds the segments and turns tap × input × output channels into OIHW.
    fn collect(&self, threads: &Threads, segments: usize, sums: &[f32], dw: &mut [f32]) {
        let (taps, len, lanes) = (self.geometry.taps.len(), self.geometry.len, self.isa.lanes());
        let filter = taps * len;
        let bounds: Vec<usize> =
            self.panels.iter().map(|p| p.block.start * filter).chain([dw.len()]).collect();
        threads.split(dw, &bounds, |i, dw| {
            let panel = &self.panels[i];
            let width = panel.block.vectors * lanes;
            // A few filters at a time, so that their lines of `dw` stay in the first-level cache.
            for (part, filters) in dw.chunks_mut(16 * filter).enumerate() {
                let count = filters.len() / filter;
                for c in 0..len {
                    for tap in 0..taps {
                        let at = panel.sums + (tap * len + c) * width + part * 16;
                        let mut total = [0.0f32; 16];
                        for segment in 0..segments {
                            let row = &sums[segment * self.sums_len + at..][..count];
                            total.iter_mut().zip(row).for_each(|(t, v)| *t += v);
                        }
                        for (o, t) in total[..count].iter().enumerate() {
                            filters[o * filter + c * taps + tap] = *t;
                        }
                    }
                }
            }
        });
    }
}

/// The sums of a block of output channels × a range of input channels over a segment of the pixels.
struct Task<'a> {
    plan: &'a WeightGradient,
    panel: &'a Panel,
    channels: (usize, usize),
    pixels: (usize, usize),
    x: &'a [f32],
    dy: &'a [f32],
    sums: *mut f32,
}

impl Op for Task<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Task { plan, panel, channels, pixels, x, dy, sums } = self;
        let (s, g) = (&plan.shape, &plan.geometry);
        let vectors = panel.block.vectors;
        let width = vectors * S::LANES;
        let last = panel.block.channels - (vectors - 1) * S::LANES;
        let mut ready = [const { std::mem::MaybeUninit::<f32>::uninit() }; PIXELS * 64];
        let ready = ready.as_mut_ptr().cast::<f32>();
        let mut rows = [plan.zeros.as_ptr(); PIXELS];
        let mut places = [(0usize, 0i32, 0i32); PIXELS];
        let tiles = (channels.1 - channels.0).div_ceil(CHANNELS);
        let input = x.as_ptr().wrapping_add(panel.group * g.len);

        let mut from = pixels.0;
        while from < pixels.1 {
            let count = PIXELS.min(pixels.1 - from);
            let first = from == pixels.0;
            // SAFETY: pixels and channels lie inside x and dy, whose lengths the caller compared; `ready` holds
            // PIXELS rows of at most 64 floats; the sums of this range belong to this task.
            unsafe {
                for p in 0..count {
                    let row = dy.as_ptr().add((from + p) * s.out_c + panel.block.start);
                    for n in 0..vectors {
                        let lanes = if n + 1 < vectors { S::LANES } else { last };
                        let v = S::load_partial(row.add(n * S::LANES), lanes);
                        S::store(ready.add(p * width + n * S::LANES), v);
                    }
                    let (line, column) = ((from + p) / s.out_w, (from + p) % s.out_w);
                    let (image, line) = (line / s.out_h, line % s.out_h);
                    let (y, x) = (line * s.stride.0, column * s.stride.1);
                    places[p] = (((image * s.in_h + y) * s.in_w + x) * s.in_c, y as i32, x as i32);
                }
                if channels.0 == 0 {
                    let bias = sums.add(g.taps.len() * g.len * width);
                    for n in 0..vectors {
                        let at = bias.add(n * S::LANES);
                        let mut sum = if first { S::splat(0.0) } else { S::load(at) };
                        for p in 0..count {
                            sum = S::add(sum, S::load(ready.add(p * width + n * S::LANES)));
                        }
                        S::store(at, sum);
                    }
                }
                for (tap, &(dy, dx, _)) in g.taps.iter().enumerate() {
                    let offset = (dy as isize * s.in_w as isize + dx as isize) * s.in_c as isize;
                    for p in 0..count {
                        let (at, y, x) = places[p];
                        let inside = ((y + dy) as u32) < s.in_h as u32 && ((x + dx) as u32) < s.in_w as u32;
                        rows[p] = if inside {
                            input.wrapping_add(at).wrapping_offset(offset)
                        } else {
                            plan.zeros.as_ptr()
                        };
                    }
                    let all = channels.1 - channels.0;
                    let mut c = channels.0;
                    for tile in 0..tiles {
                        let size = all / tiles + usize::from(tile < all % tiles);
                        let out = sums.add((tap * g.len + c) * width);
                        multiply::<S>(&rows[..count], c, ready, out, first, size, vectors);
                        c += size;
                    }
                }
            }
            from += count;
        }
    }
}

/// `sums[m, :] += Σ_p rows[p][c + m] · dy[p, :]` for `size` input channels; `first` starts from zero.
#[inline(always)]
unsafe fn multiply<S: Simd>(
    rows: &[*const f32],
    c: usize,
    dy: *const f32,
    sums: *mut f32,
    first: bool,
    size: usize,
    vectors: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match vectors {
            1 => with_size::<S, 1>(rows, c, dy, sums, first, size),
            2 => with_size::<S, 2>(rows, c, dy, sums, first, size),
            3 => with_size::<S, 3>(rows, c, dy, sums, first, size),
            _ => with_size::<S, 4>(rows, c, dy, sums, first, size),
        }
    }
}

#[inline(always)]
unsafe fn with_size<S: Simd, const N: usize>(
    rows: &[*const f32],
    c: usize,
    dy: *const f32,
    sums: *mut f32,
    first: bool,
    size: usize,
) {
    if N > S::VECTORS {
        return;
    }
    // SAFETY: the caller's promise.
    unsafe {
        match size {
            1 => sized::<S, 1, N>(rows, c, dy, sums, first),
            2 => sized::<S, 2, N>(rows, c, dy, sums, first),
            3 => sized::<S, 3, N>(rows, c, dy, sums, first),
            4 => sized::<S, 4, N>(rows, c, dy, sums, first),
            5 => sized::<S, 5, N>(rows, c, dy, sums, first),
            _ => sized::<S, CHANNELS, N>(rows, c, dy, sums, first),
        }
    }
}

#[inline(always)]
unsafe fn sized<S: Simd, const M: usize, const N: usize>(
    rows: &[*const f32],
    c: usize,
    mut dy: *const f32,
    out: *mut f32,
    first: bool,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[S::splat(0.0); N]; M];
        if !first {
            for m in 0..M {
                for n in 0..N {
                    sums[m][n] = S::load(out.add((m * N + n) * S::LANES));
                }
            }
        }
        for row in rows {
            let row = row.add(c);
            let mut d = [S::splat(0.0); N];
            for n in 0..N {
                d[n] = S::load(dy.add(n * S::LANES));
            }
            for m in 0..M {
                let a = S::splat(*row.add(m));
                for n in 0..N {
                    sums[m][n] = S::fma(a, d[n], sums[m][n]);
                }
            }
            dy = dy.add(N * S::LANES);
        }
        for m in 0..M {
            for n in 0..N {
                S::store(out.add((m * N + n) * S::LANES), sums[m][n]);
            }
        }
    }
}
