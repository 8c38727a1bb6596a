//! Convolution as a matrix product that reads its pixels in place.
//!
//! Output pixels of all images form one long list; a task computes a run of them for some blocks of output channels.
//! Nothing is copied: the register tile follows each pixel through the kernel's taps. The same plan computes the
//! gradient of the input, where output and input swap roles and, for a stride, each phase of the output grid has taps
//! of its own.

use super::Conv2dShape;
use crate::gemm::{Ahead, Block, PIXELS, Pixel, Tap, Tiles, View, blocks};
use crate::simd::Isa;
use crate::threads::Shared;
use crate::{Threads, check};

/// Output pixels of a task whose weights stay in the second-level cache: enough to use a block of weights often.
const TASK_PIXELS: usize = 16 * PIXELS;
/// Output pixels of a task at most.
pub(super) const MOST_PIXELS: usize = 512;

/// Weights over this many bytes come from memory for each task. Tasks then take more pixels,
const LARGE: usize = 5 << 19;
/// as many as leave this many bytes of their input in the second-level cache.
const INPUT_BYTES: usize = 1 << 20;

/// Bytes of packed weights, and input channels, that are used over and over before the next ones are fetched.
const PANEL_BYTES: usize = 320 << 10;
const PANEL_CHANNELS: usize = 512;

/// How the pixels of an output grid see an input map.
#[derive(Debug, Clone)]
pub(super) struct Geometry {
    /// Height and width of the input map.
    pub(super) input: (usize, usize),
    /// Floats from an input pixel to the next.
    pub(super) pixel: usize,
    /// Input pixels from a grid position to the next.
    pub(super) step: (usize, usize),
    /// Taps relative to a grid position, and the index of each in the kernel.
    pub(super) taps: Vec<(i32, i32, usize)>,
    /// Height and width of the grid.
    pub(super) grid: (usize, usize),
    /// Height and width of the output map.
    pub(super) output: (usize, usize),
    /// Output pixels from a grid position to the next, and the first one.
    pub(super) out_step: (usize, usize),
    pub(super) out_origin: (usize, usize),
    pub(super) groups: usize,
    /// Input floats per tap and output channels, both of a group.
    pub(super) len: usize,
    pub(super) channels: usize,
}

/// A block of output channels and where things lie for it.
#[derive(Debug, Clone, Copy)]
struct Panel {
    block: Block,
    /// The group's first input channel.
    input: usize,
    group: usize,
    /// Where its bias and weights start among the packed ones.
    packed: usize,
}

/// A convolution planned as an implicit matrix product.
#[derive(Debug, Clone)]
pub(super) struct Direct {
    isa: Isa,
    geometry: Geometry,
    taps: Vec<Tap>,
    panels: Vec<Panel>,
    /// Where the packed panels start, and where the last ends.
    bounds: Vec<usize>,
    /// Input channels whose weights are used together.
    chunk: usize,
    zeros: Vec<f32>,
}

/// Where weights lie: floats from a group, output channel and input channel to the next; taps are neighbours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) group: usize,
    pub(super) output: usize,
    pub(super) input: usize,
}

impl Order {
    /// OIHW as the forward pass sees it.
    pub(super) fn forward(s: &Conv2dShape) -> Self {
        let taps = s.kernel.0 * s.kernel.1;
        Self { group: s.group_out() * s.group_in() * taps, output: s.group_in() * taps, input: taps }
    }

    /// OIHW as the gradient of the input sees it: its outputs are the convolution's inputs.
    pub(super) fn backward(s: &Conv2dShape) -> Self {
        let Self { group, output, input } = Self::forward(s);
        Self { group, output: input, input: output }
    }
}

/// What a run reads and writes.
#[derive(Clone, Copy)]
pub(super) struct Operands<'a> {
    pub(super) images: usize,
    pub(super) input: &'a [f32],
    pub(super) packed: &'a [f32],
    pub(super) residual: Option<&'a [f32]>,
    /// Floats from an output pixel to the next.
    pub(super) out_stride: usize,
    /// Bounds of the result.
    pub(super) bounds: (f32, f32),
}

impl Operands<'_> {
    /// Panics unless `channels` floats of each pixel (images × rows × columns) fit into the output and the residual.
    pub(super) fn check_output(&self, pixels: [usize; 3], channels: usize, output: &[f32]) {
        let len = check::span(check::product(pixels), self.out_stride, channels);
        check::at_least("convolution output", output.len(), len);
        self.residual.inspect(|residual| check::at_least("convolution residual", residual.len(), len));
    }
}

impl Geometry {
    /// The forward pass.
    pub(super) fn forward(s: &Conv2dShape) -> Self {
        let mut taps = Vec::new();
        for u in 0..s.kernel.0 {
            for v in 0..s.kernel.1 {
                let dy = (u * s.dilation.0) as i32 - s.padding.0 as i32;
                let dx = (v * s.dilation.1) as i32 - s.padding.1 as i32;
                taps.push((dy, dx, u * s.kernel.1 + v));
            }
        }
        Self {
            input: (s.in_h, s.in_w),
            pixel: s.in_c,
            step: s.stride,
            taps,
            grid: (s.out_h, s.out_w),
            output: (s.out_h, s.out_w),
            out_step: (1, 1),
            out_origin: (0, 0),
            groups: s.groups,
            len: s.group_in(),
            channels: s.group_out(),
        }
    }

    /// The gradient of the input, a geometry for each phase of the stride: in phase (r, s) lie the input pixels
    /// (r, s), (r + stride, s), …, which were all seen by the same taps. A tap `u` saw row `y` for the output row
    /// `(y + padding − u·dilation) / stride`, where that is whole.
    pub(super) fn backward_input(s: &Conv2dShape) -> Vec<Self> {
        // The taps of one direction for a phase: distance in output pixels, and index in the kernel.
        let seen = |phase: usize, kernel: usize, stride: usize, dilation: usize, padding: usize| {
            (0..kernel).filter_map(move |u| {
                let d = (phase + padding) as i32 - (u * dilation) as i32;
                (d.rem_euclid(stride as i32) == 0).then_some((d.div_euclid(stride as i32), u))
            })
        };
        let mut phases = Vec::new();
        for r in 0..s.stride.0.min(s.in_h) {
            for q in 0..s.stride.1.min(s.in_w) {
                let mut taps = Vec::new();
                for (dy, u) in seen(r, s.kernel.0, s.stride.0, s.dilation.0, s.padding.0) {
                    for (dx, v) in seen(q, s.kernel.1, s.stride.1, s.dilation.1, s.padding.1) {
                        taps.push((dy, dx, u * s.kernel.1 + v));
                    }
                }
                phases.push(Self {
                    input: (s.out_h, s.out_w),
                    pixel: s.out_c,
                    step: (1, 1),
                    taps,
                    grid: ((s.in_h - r).div_ceil(s.stride.0), (s.in_w - q).div_ceil(s.stride.1)),
                    output: (s.in_h, s.in_w),
                    out_step: s.stride,
                    out_origin: (r, q),
                    groups: s.groups,
                    len: s.group_out(),
                    channels: s.group_in(),
                });
            }
        }
        phases
    }
}

impl Direct {
    pub(super) fn new(isa: Isa, geometry: Geometry) -> Self {
        let g = &geometry;
        let taps: Vec<Tap> = g
            .taps
            .iter()
            .map(|&(dy, dx, _)| Tap {
                dy,
                dx,
                offset: (dy as isize * g.input.1 as isize + dx as isize) * g.pixel as isize,
            })
            .collect();
        let lanes = isa.lanes();
        let (mut panels, mut bounds, mut packed) = (Vec::new(), vec![0], 0);
        for group in 0..g.groups {
            for block in blocks(isa, group * g.channels, g.channels) {
                panels.push(Panel { block, input: group * g.len, group, packed });
                let rows = check::sum([1, check::product([taps.len(), g.len])]);
                packed = check::sum([packed, check::product([rows, block.vectors, lanes])]);
                bounds.push(packed);
            }
        }
        let panel_bytes = check::product([taps.len(), g.len, isa.vectors(), lanes, 4]);
        let chunks = panel_bytes.div_ceil(PANEL_BYTES).max(g.len.div_ceil(PANEL_CHANNELS)).max(1);
        let chunk = g.len.div_ceil(chunks).next_multiple_of(16).min(g.len);
        Self { isa, taps, panels, bounds, chunk, zeros: vec![0.0; chunk], geometry }
    }

    /// Floats of the packed weights and bias.
    pub(super) fn packed_len(&self) -> usize {
        self.bounds[self.panels.len()]
    }

    /// Packs the weights for [`run`](Self::run).
    pub(super) fn pack(
        &self,
        threads: &Threads,
        weights: &[f32],
        order: Order,
        bias: Option<&[f32]>,
        packed: &mut [f32],
    ) {
        /// Channels that are gathered together: they fill a cache line of the packed weights.
        const TOGETHER: usize = 16;
        let (lanes, taps) = (self.isa.lanes(), &self.geometry.taps);
        threads.split(packed, &self.bounds, |i, out| {
            let panel = &self.panels[i];
            let Block { start, channels, vectors } = panel.block;
            let width = vectors * lanes;
            let (head, mut rest) = out.split_at_mut(width);
            head.fill(0.0);
            if let Some(bias) = bias {
                head[..channels].copy_from_slice(&bias[start..][..channels]);
            }
            let first =
                order.group * panel.group + order.output * (start - panel.group * self.geometry.channels);
            for from in (0..self.geometry.len).step_by(self.chunk) {
                let len = self.chunk.min(self.geometry.len - from);
                let (now, later) = rest.split_at_mut(taps.len() * len * width);
                if channels < width {
                    now.fill(0.0);
                }
                for o in (0..channels).step_by(TOGETHER) {
                    let count = TOGETHER.min(channels - o);
                    for c in 0..len {
                        let source = &weights[first + order.output * o + order.input * (from + c)..];
                        for (t, &(_, _, tap)) in taps.iter().enumerate() {
                            let row = &mut now[(t * len + c) * width + o..][..count];
                            for (lane, w) in row.iter_mut().enumerate() {
                                *w = source[order.output * lane + tap];
                            }
                        }
                    }
                }
                rest = later;
            }
        });
    }

    /// All output channels of the pixels `from … from + count` of the grid, at most [`MOST_PIXELS`], with input offsets
    /// counted from `input` and output offsets from `output`.
    pub(super) fn task<'a>(
        &'a self,
        operands: Operands<'a>,
        input: *const f32,
        (from, count): (usize, usize),
        output: *mut f32,
    ) -> Task<'a> {
        Task { plan: self, operands, input, panels: &self.panels, next: None, from, count, output }
    }

    /// Computes all pixels of the grid for all output channels.
    pub(super) fn run(&self, threads: &Threads, operands: Operands, output: &mut [f32]) {
        let g = &self.geometry;
        let pixels = check::product([operands.images, g.grid.0, g.grid.1]);
        if pixels == 0 {
            return;
        }
        self.check(&operands, output);

        let Cut { run, panels } = self.cut(threads.count(), pixels);
        let (runs, groups) = (pixels.div_ceil(run), self.panels.len().div_ceil(panels));
        // A thread's next task should find in the cache what the last one left: the weights, or the pixels.
        let large = self.large();
        let place = |task| if large { (task % runs, task / runs) } else { (task / groups, task % groups) };
        let output = Shared(output.as_mut_ptr());
        threads.run(runs * groups, |task| {
            let (part, group) = place(task);
            let from = part * run;
            // The weights that this thread will probably need next.
            let (_, next) = place((task + 1).min(runs * groups - 1));
            let next = if next != group { self.panels.get(next * panels) } else { None };
            let panels = &self.panels[group * panels..self.panels.len().min((group + 1) * panels)];
            let task = Task {
                plan: self,
                operands,
                input: operands.input.as_ptr(),
                panels,
                next,
                from,
                count: run.min(pixels - from),
                output: output.get(),
            };
            // SAFETY: `check` found the slices as long as the geometry says; tasks write different pixels or channels.
            unsafe { task.run() }
        });
    }

    /// Whether the weights are too many for the second-level cache.
    fn large(&self) -> bool {
        self.packed_len() > LARGE / 4
    }

    /// Cuts the work into tasks, enough for all threads. The cut changes no sum, so it may depend on their number.
    fn cut(&self, threads: usize, pixels: usize) -> Cut {
        let g = &self.geometry;
        let wanted = if threads == 1 { 1 } else { 4 * threads };
        let large = self.large();
        let longest = if large {
            (INPUT_BYTES / (4 * self.chunk).saturating_mul(g.step.0).saturating_mul(g.step.1).max(1))
                .clamp(TASK_PIXELS, MOST_PIXELS)
        } else {
            TASK_PIXELS
        };
        let (mut runs, mut panels) = (pixels.div_ceil(longest), self.panels.len());
        let few = |runs, panels| runs * self.panels.len().div_ceil(panels) < wanted;
        // Tasks that share no pixels leave each thread's results in its own cache; tasks that share no weights fetch
        // large ones only once.
        while !large && few(runs, panels) && pixels / runs > 4 * PIXELS {
            runs *= 2;
        }
        while few(runs, panels) && panels > 1 {
            panels = panels.div_ceil(2);
        }
        while few(runs, panels) && pixels / runs > 2 * PIXELS {
            runs *= 2;
        }
        Cut { run: pixels.div_ceil(runs).min(MOST_PIXELS), panels }
    }

    /// Panics unless all that tasks read and write lies inside the slices.
    fn check(&self, operands: &Operands, output: &[f32]) {
        let g = &self.geometry;
        let images = operands.images;
        let input_len = check::product([images, g.input.0, g.input.1, g.pixel]);
        check::at_least("convolution input", operands.input.len(), input_len);
        check::at_least("packed convolution weights", operands.packed.len(), self.packed_len());
        assert!(g.pixel >= g.groups * g.len);
        let last = |n: usize, step: usize, origin: usize| (n - 1) * step + origin;
        assert!(last(g.grid.0, g.out_step.0, g.out_origin.0) < g.output.0);
        assert!(last(g.grid.1, g.out_step.1, g.out_origin.1) < g.output.1);
        operands.check_output([images, g.output.0, g.output.1], g.groups * g.channels, output);
    }
}

/// Output pixels and blocks of output channels of a task.
struct Cut {
    run: usize,
    panels: usize,
}

/// A run of output pixels for some blocks of output channels.
#[derive(Clone, Copy)]
pub(super) struct Task<'a> {
    plan: &'a Direct,
    operands: Operands<'a>,
    /// Where the input offsets of the pixels count from.
    input: *const f32,
    panels: &'a [Panel],
    /// The first block of the task that probably follows on this thread, where that is another one.
    next: Option<&'a Panel>,
    from: usize,
    count: usize,
    output: *mut f32,
}

impl Task<'_> {
    /// # Safety
    /// Input, output and packed weights are as long as the geometry says; other tasks write other outputs.
    pub(super) unsafe fn run(&self) {
        let &Task { plan, operands, input, panels, next, from, count, output } = self;
        let g = &plan.geometry;
        let mut pixels = [Pixel::default(); MOST_PIXELS];
        locate(g, operands.out_stride, from, &mut pixels[..count]);
        let (low, high) = operands.bounds;

        // The weights of a panel for input channels from `chunk` on, and how many floats.
        let weights = |panel: &Panel, chunk: usize| {
            let width = panel.block.vectors * plan.isa.lanes();
            let len = plan.chunk.min(g.len - chunk);
            let start = panel.packed + width * (1 + plan.taps.len() * chunk);
            (operands.packed.as_ptr().wrapping_add(start), plan.taps.len() * len * width)
        };
        for chunk in (0..g.len.max(1)).step_by(plan.chunk.max(1)) {
            let len = plan.chunk.min(g.len - chunk);
            let (first, last) = (chunk == 0, chunk + len == g.len);
            for (index, panel) in panels.iter().enumerate() {
                let ahead = match panels.get(index + 1) {
                    Some(panel) => Some(weights(panel, chunk)),
                    None if !last => Some(weights(&panels[0], chunk + len)),
                    None => next.map(|panel| weights(panel, 0)),
                };
                let view = View {
                    input: input.wrapping_add(panel.input + chunk),
                    height: g.input.0 as i32,
                    width: g.input.1 as i32,
                    taps: &plan.taps,
                    len,
                    zeros: plan.zeros.as_ptr(),
                    weights: weights(panel, chunk).0,
                    bias: if first {
                        operands.packed.as_ptr().wrapping_add(panel.packed)
                    } else {
                        std::ptr::null()
                    },
                    channels: panel.block.channels,
                    output: output.wrapping_add(panel.block.start),
                    residual: match operands.residual {
                        Some(r) if last => r.as_ptr().wrapping_add(panel.block.start),
                        _ => std::ptr::null(),
                    },
                    low: if last { low } else { f32::NEG_INFINITY },
                    high: if last { high } else { f32::INFINITY },
                    ahead: ahead.map_or(Ahead(operands.packed.as_ptr(), 0), |(at, len)| Ahead(at, len)),
                };
                let tiles = Tiles { view, pixels: &pixels[..count], vectors: panel.block.vectors };
                // SAFETY: the caller's promise.
                unsafe { plan.isa.run(tiles) };
            }
        }
    }
}

/// Finds the grid's pixels number `from`, `from + 1`, …
fn locate(g: &Geometry, out_stride: usize, from: usize, pixels: &mut [Pixel]) {
    let (mut row, mut column) = (from / g.grid.1, from % g.grid.1);
    let (mut image, mut line) = (row / g.grid.0, row % g.grid.0);
    for pixel in pixels {
        let (y, x) = (line * g.step.0, column * g.step.1);
        let out_y = line * g.out_step.0 + g.out_origin.0;
        let out_x = column * g.out_step.1 + g.out_origin.1;
        *pixel = Pixel {
            input: (((image * g.input.0 + y) * g.input.1 + x) * g.pixel) as isize,
            y: y as i32,
            x: x as i32,
            output: ((image * g.output.0 + out_y) * g.output.1 + out_x) * out_stride,
        };
        column += 1;
        if column == g.grid.1 {
            (row, column) = (row + 1, 0);
            (image, line) = (row / g.grid.0, row % g.grid.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ResNet-50's layers that run this way with one picture: map, channels, kernel, stride.
    const LAYERS: [(usize, (usize, usize), usize, usize); 14] = [
        (56, (64, 64), 1, 1),
        (56, (64, 256), 1, 1),
        (56, (256, 128), 1, 1),
        (56, (128, 128), 3, 2),
        (56, (256, 512), 1, 2),
        (28, (128, 512), 1, 1),
        (28, (512, 128), 1, 1),
        (28, (256, 256), 3, 2),
        (14, (256, 1024), 1, 1),
        (14, (1024, 256), 1, 1),
        (14, (512, 512), 3, 2),
        (7, (512, 512), 3, 1),
        (7, (512, 2048), 1, 1),
        (7, (2048, 512), 1, 1),
    ];

    #[test]
    fn one_picture_keeps_many_threads_busy() {
        for count in [2, 16, 32, 64] {
            for (size, (in_c, out_c), kernel, stride) in LAYERS {
                let out = size.div_ceil(stride);
                let shape = Conv2dShape {
                    in_h: size,
                    in_w: size,
                    in_c,
                    out_h: out,
                    out_w: out,
                    out_c,
                    kernel: (kernel, kernel),
                    stride: (stride, stride),
                    padding: (kernel / 2, kernel / 2),
                    dilation: (1, 1),
                    groups: 1,
                };
                let plan = Direct::new(Isa::best(), Geometry::forward(&shape));
                let Cut { run, panels } = plan.cut(count, out * out);
                let (runs, groups) = ((out * out).div_ceil(run), plan.panels.len().div_ceil(panels));
                // As many as a 7 × 7 map with 512 channels has on the widest vectors.
                let least = count.min(32);
                assert!(runs * groups >= least, "{count} threads, {shape:?}: {runs} runs × {groups} groups");
            }
        }
    }
}
