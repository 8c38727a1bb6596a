//! Sums of outer products of pixels: `dy` of a pixel times what the kernel saw of `x`.

use super::Segment;
use crate::check;
use crate::conv2d::Conv2dShape;
use crate::gemm::Outer;
use crate::simd::{Isa, Op, Simd};

/// Pixels whose `x` and `dy` are held ready: their part of `x` stays in the first-level cache while it meets all
/// output channels of the task.
const PIXELS: usize = 96;
/// Output channels of a task, at most.
const ROWS: usize = 256;
/// Panels of a task, at most.
const PANELS: usize = 8;

#[derive(Debug, Clone)]
pub(super) struct Products {
    shape: Conv2dShape,
    tasks: Vec<Task>,
    panels: Vec<Panel>,
    /// Floats from the `dy` of a pixel to the next one's.
    row_stride: usize,
    /// Floats of a panel of `x`.
    panel_len: usize,
    /// Floats of the sums of a task.
    sums_len: usize,
}

/// A block of output channels × some panels.
#[derive(Debug, Clone, Copy)]
struct Task {
    /// First output channel and how many.
    rows: (usize, usize),
    panels: (usize, usize),
    /// Whether it adds up the bias of its output channels, too.
    bias: bool,
}

/// Neighbouring columns of the sums (taps × input channels of a group), at most as many as the register tile is wide.
#[derive(Debug, Clone)]
struct Panel {
    first: usize,
    columns: usize,
    runs: Vec<Run>,
}

/// Columns that lie next to each other in the input, too: a part of a row of the kernel.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// Where the kernel's row begins, relative to the pixel, and how many pixels it has.
    dy: i32,
    dx: i32,
    pixels: usize,
    /// Floats from the row's beginning and how many.
    from: usize,
    len: usize,
    /// Where they go in the panel.
    at: usize,
}

impl Products {
    pub(super) fn new(isa: Isa, shape: Conv2dShape) -> Self {
        let s = &shape;
        let (len, taps) = (s.group_in(), s.kernel.0 * s.kernel.1);
        let lanes = isa.lanes();
        let columns = check::product([taps, len]);
        let vectors = columns.div_ceil(lanes);
        let count = vectors.div_ceil(isa.vectors());
        let mut panels = Vec::new();
        let mut first = 0;
        for i in 0..count {
            let width = (vectors / count + usize::from(i < vectors % count)) * lanes;
            let columns = width.min(columns - first);
            panels.push(Panel { first, columns, runs: runs(s, first, columns) });
            first += columns;
        }

        let per_group = s.group_out();
        let blocks = per_group.div_ceil(ROWS);
        let parts = count.div_ceil(PANELS);
        let mut tasks = Vec::new();
        for group in 0..s.groups {
            for block in 0..blocks {
                let from = check::part_start(per_group, blocks, block);
                let to = check::part_start(per_group, blocks, block + 1);
                for part in 0..parts {
                    tasks.push(Task {
                        rows: (group * per_group + from, to - from),
                        panels: (
                            check::part_start(count, parts, part),
                            check::part_start(count, parts, part + 1),
                        ),
                        bias: part == 0,
                    });
                }
            }
        }
        // An odd number of cache lines, so that the pixels don't fall on the same places of the cache.
        let lines = per_group.min(ROWS).div_ceil(16);
        let row_stride = 16 * (lines + usize::from(lines.is_multiple_of(2)));
        let width = isa.vectors() * lanes;
        let panel_len = PIXELS * width;
        let sums = tasks.iter().map(|t| t.rows.1 * (t.panels.1 - t.panels.0) * width);
        let sums_len = sums.max().unwrap_or(0);
        Self { shape, tasks, panels, row_stride, panel_len, sums_len }
    }

    pub(super) fn tasks(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn workspace_len(&self) -> usize {
        self.panel_len + PIXELS * self.row_stride + self.sums_len
    }

    /// # Safety
    /// The segment's slices are as long as the shape says; nobody else uses the task's sums or the workspace.
    pub(super) unsafe fn run(&self, isa: Isa, task: usize, segment: Segment) {
        let work = Work { plan: self, isa, task: self.tasks[task], segment };
        // SAFETY: the caller's promise.
        unsafe { isa.run(work) }
    }
}

/// The runs of `count` columns from `first` on.
fn runs(s: &Conv2dShape, first: usize, count: usize) -> Vec<Run> {
    let len = s.group_in();
    // A row of the kernel is contiguous in the input where its taps are neighbours and all channels are seen.
    let together = if s.groups == 1 && s.dilation.1 == 1 { s.kernel.1 } else { 1 };
    let row = together * len;
    let mut runs = Vec::new();
    let mut column = first;
    while column < first + count {
        let (tap, from) = (column / row * together, column % row);
        let (u, v) = (tap / s.kernel.1, tap % s.kernel.1);
        let len = (row - from).min(first + count - column);
        runs.push(Run {
            dy: (u * s.dilation.0) as i32 - s.padding.0 as i32,
            dx: (v * s.dilation.1) as i32 - s.padding.1 as i32,
            pixels: together,
            from,
            len,
            at: column - first,
        });
        column += len;
    }
    runs
}

/// An output pixel's place in the input.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Floats from the beginning of the input to the pixel under the kernel's middle, were there no padding.
    at: isize,
    y: i32,
    x: i32,
}

struct Work<'a> {
    plan: &'a Products,
    isa: Isa,
    task: Task,
    segment: Segment<'a>,
}

impl Op for Work<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Work { plan, isa, task, segment } = self;
        let s = &plan.shape;
        let (first, rows) = task.rows;
        let columns = s.group_in() * s.kernel.0 * s.kernel.1;
        let (panel, ready) = (segment.workspace, segment.workspace.wrapping_add(plan.panel_len));
        let sums = ready.wrapping_add(PIXELS * plan.row_stride);
        // Floats of a panel's sums.
        let panel_sums = rows * S::VECTORS * S::LANES;
        let input = segment.x.as_ptr().wrapping_add(first / s.group_out() * s.group_in());
        let mut places = [Place::default(); PIXELS];

        let pixels = segment.items.1 - segment.items.0;
        let blocks = pixels.div_ceil(PIXELS);
        for block in 0..blocks {
            let from = segment.items.0 + check::part_start(pixels, blocks, block);
            let count = segment.items.0 + check::part_start(pixels, blocks, block + 1) - from;
            locate(s, from, &mut places[..count]);
            // SAFETY: pixels and channels lie inside x and dy, and the workspace holds PIXELS rows of both, as the
            // caller promises.
            unsafe {
                for p in 0..count {
                    let row = segment.dy.as_ptr().add((from + p) * s.out_c + first);
                    copy::<S>(row, rows, ready.add(p * plan.row_stride));
                }
                if task.bias {
                    let bias = segment.bias.add(first);
                    add_rows::<S>(ready, plan.row_stride, count, bias, rows, block > 0);
                }
                for (i, p) in (task.panels.0..task.panels.1).enumerate() {
                    let Panel { columns: width, ref runs, .. } = plan.panels[p];
                    pack::<S>(s, runs, width, input, &places[..count], panel);
                    isa.run(Outer {
                        a: ready,
                        a_stride: plan.row_stride,
                        b: panel,
                        b_stride: width.next_multiple_of(S::LANES),
                        count,
                        out: sums.add(i * panel_sums),
                        out_stride: width.next_multiple_of(S::LANES),
                        rows,
                        columns: width.next_multiple_of(S::LANES),
                        add: block > 0,
                    });
                }
            }
        }
        for (i, p) in (task.panels.0..task.panels.1).enumerate() {
            let Panel { first: column, columns: width, .. } = plan.panels[p];
            for row in 0..rows {
                // SAFETY: the sums are this task's, and the rows of the segment are as wide as all panels.
                unsafe {
                    let from = sums.add(i * panel_sums + row * width.next_multiple_of(S::LANES));
                    copy::<S>(from, width, segment.sums.add((first + row) * columns + column));
                }
            }
        }
    }
}

/// Finds the output pixels number `from`, `from + 1`, …
fn locate(s: &Conv2dShape, from: usize, places: &mut [Place]) {
    let (mut row, mut column) = (from / s.out_w, from % s.out_w);
    let (mut image, mut line) = (row / s.out_h, row % s.out_h);
    for place in places {
        let (y, x) = (line * s.stride.0, column * s.stride.1);
        let at = ((image * s.in_h + y) * s.in_w + x) * s.in_c;
        *place = Place { at: at as isize, y: y as i32, x: x as i32 };
        column += 1;
        if column == s.out_w {
            (row, column) = (row + 1, 0);
            (image, line) = (row / s.out_h, row % s.out_h);
        }
    }
}

/// Gathers a panel's columns for each pixel, zeros where the kernel hangs over the edge; rows of whole vectors.
#[inline(always)]
unsafe fn pack<S: Simd>(
    s: &Conv2dShape,
    runs: &[Run],
    columns: usize,
    input: *const f32,
    places: &[Place],
    panel: *mut f32,
) {
    let width = columns.next_multiple_of(S::LANES);
    // SAFETY: the caller's promise: what lies inside the map lies inside the input.
    unsafe {
        if width > columns {
            for p in 0..places.len() {
                S::store(panel.add((p + 1) * width - S::LANES), S::splat(0.0));
            }
        }
        for run in runs {
            let offset = (run.dy as isize * s.in_w as isize + run.dx as isize) * s.in_c as isize;
            for (p, place) in places.iter().enumerate() {
                let to = panel.add(p * width + run.at);
                let (y, x) = (place.y + run.dy, place.x + run.dx);
                let row = input.wrapping_offset(place.at + offset);
                if y < 0 || y >= s.in_h as i32 {
                    zero::<S>(run.len, to);
                } else if x >= 0 && x + run.pixels as i32 <= s.in_w as i32 {
                    copy::<S>(row.wrapping_add(run.from), run.len, to);
                } else {
                    // The pixels of the row that are inside, and of these the floats of the run.
                    let pixel = if run.pixels == 1 { s.group_in() } else { s.in_c };
                    let inside = |x: i32| x.clamp(0, run.pixels as i32) as usize * pixel;
                    let (lo, hi) = (inside(-x), inside(s.in_w as i32 - x));
                    let end = run.from + run.len;
                    let (lo, hi) = (lo.clamp(run.from, end), hi.clamp(run.from, end));
                    zero::<S>(run.len, to);
                    if lo < hi {
                        copy::<S>(row.wrapping_add(lo), hi - lo, to.add(lo - run.from));
                    }
                }
            }
        }
    }
}

/// `out[i] (+)= Σ rows[.][i]`.
#[inline(always)]
unsafe fn add_rows<S: Simd>(
    rows: *const f32,
    stride: usize,
    count: usize,
    out: *mut f32,
    len: usize,
    add: bool,
) {
    for i in (0..len).step_by(S::LANES) {
        let lanes = S::LANES.min(len - i);
        // SAFETY: the caller's promise.
        unsafe {
            let mut sum = if add { S::load_partial(out.add(i), lanes) } else { S::splat(0.0) };
            for row in 0..count {
                sum = S::add(sum, S::load_partial(rows.add(row * stride + i), lanes));
            }
            S::store_partial(out.add(i), lanes, sum);
        }
    }
}

#[inline(always)]
unsafe fn copy<S: Simd>(from: *const f32, len: usize, to: *mut f32) {
    let mut i = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while i + S::LANES <= len {
            S::store(to.add(i), S::load(from.add(i)));
            i += S::LANES;
        }
        if i < len {
            S::store_partial(to.add(i), len - i, S::load_partial(from.add(i), len - i));
        }
    }
}

#[inline(always)]
unsafe fn zero<S: Simd>(len: usize, to: *mut f32) {
    let mut i = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while i < len {
            S::store_partial(to.add(i), S::LANES.min(len - i), S::splat(0.0));
            i += S::LANES;
        }
    }
}
