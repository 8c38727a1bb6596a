//! The gradient of a convolution's weights, `dW[o, c, tap] = Σ_pixels dy[pixel, o] · x[pixel under tap, c]`, and of its
//! bias.
//!
//! A task owns the sums of a block of output channels × a block of input channels and taps, small enough for the
//! second-level cache, and runs through the pixels of its segment. Segments give enough tasks where the weights are
//! few; their number depends on sizes only, and they are added in order, so the result does not depend on the number
//! of threads.

mod products;
mod winograd;

use super::Conv2dShape;
use crate::simd::Isa;
use crate::threads::Shared;
use crate::{Threads, check};
use products::Products;
use winograd::WinogradGradient;

/// Tasks to aim for.
const TASKS: usize = 32;

#[derive(Debug, Clone)]
pub(super) struct WeightGradient {
    isa: Isa,
    shape: Conv2dShape,
    way: Way,
}

/// How the sums of a segment are computed.
#[derive(Debug, Clone)]
enum Way {
    /// As matrix products over pixels.
    Products(Products),
    /// By Winograd's algorithm, over patches of the output.
    Winograd(WinogradGradient),
}

/// What a task reads, and where its segment's sums go.
#[derive(Clone, Copy)]
struct Segment<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    /// First and last item (pixel or patch).
    items: (usize, usize),
    /// A row for each output channel: taps × input channels of a group.
    sums: *mut f32,
    /// One number for each output channel.
    bias: *mut f32,
    /// Memory of the thread.
    workspace: *mut f32,
}

impl WeightGradient {
    /// Plans for batches of about `images`.
    pub(super) fn new(isa: Isa, shape: Conv2dShape, images: usize) -> Self {
        let way = if WinogradGradient::wins(&shape, images) {
            Way::Winograd(WinogradGradient::new(shape))
        } else {
            Way::Products(Products::new(isa, shape))
        };
        Self { isa, shape, way }
    }

    /// Items of an image, the fewest that make a segment worth its extra pass, and tasks of a segment.
    fn work(&self) -> (usize, usize, usize) {
        match &self.way {
            Way::Products(way) => (check::product([self.shape.out_h, self.shape.out_w]), 1024, way.tasks()),
            Way::Winograd(way) => (way.patches(), 128, way.tasks()),
        }
    }

    /// How many segments the items of a batch are cut into, and how long they are.
    fn segments(&self, images: usize) -> (usize, usize) {
        let (items, least, tasks) = self.work();
        let items = check::product([images, items]);
        let wanted = TASKS.div_ceil(tasks).min(items / least).max(1);
        let len = items.div_ceil(wanted).max(1);
        (items.div_ceil(len), len)
    }

    fn taps(&self) -> usize {
        self.shape.kernel.0 * self.shape.kernel.1
    }

    /// Floats of a segment's sums, those of the bias included, which begin at whole cache lines.
    fn segment_len(&self) -> usize {
        check::sum([self.shape.weights_len(), self.shape.out_c, 15]) / 16 * 16
    }

    /// Floats that a thread needs for itself.
    fn workspace_len(&self) -> usize {
        match &self.way {
            Way::Products(way) => way.workspace_len(),
            Way::Winograd(way) => way.workspace_len(),
        }
    }

    pub(super) fn scratch_len(&self, threads: &Threads, images: usize) -> usize {
        // From so many images on there are as many segments as there ever will be.
        let (items, least, tasks) = self.work();
        let most = (least * TASKS.div_ceil(tasks)).div_ceil(items);
        let segments = (1..=images.min(most)).map(|n| self.segments(n).0).max().unwrap_or(1);
        check::sum([
            check::product([segments, self.segment_len()]),
            check::product([threads.count(), self.workspace_len()]),
        ])
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
        check::at_least("convolution input", x.len(), check::product([images, s.input_len()]));
        check::at_least("convolution output's gradient", dy.len(), check::product([images, s.output_len()]));
        check::exactly("convolution weights", dw.len(), s.weights_len());
        if images == 0 {
            dw.fill(0.0);
            db.into_iter().for_each(|db| db.fill(0.0));
            return;
        }
        let (items, _, tasks) = self.work();
        let items = check::product([images, items]);
        let (segments, len) = self.segments(images);
        let segment_len = self.segment_len();
        let workspace_len = self.workspace_len();
        let sums_len = check::product([segments, segment_len]);
        let needed = check::sum([sums_len, check::product([threads.count(), workspace_len])]);
        check::at_least("convolution scratch", scratch.len(), needed);
        let (sums, workspaces) = scratch.split_at_mut(sums_len);

        let (sums_shared, workspaces) = (Shared(sums.as_mut_ptr()), Shared(workspaces.as_mut_ptr()));
        let dw_shared = Shared(dw.as_mut_ptr());
        threads.run_on(segments * tasks, |worker, task| {
            let (segment, task) = (task / tasks, task % tasks);
            let own = sums_shared.get().wrapping_add(segment * segment_len);
            let segment = Segment {
                x,
                dy,
                items: (segment * len, items.min((segment + 1) * len)),
                // With one tap the sums lie as the weights do, so the first segment's are made in place.
                sums: if segment == 0 && self.taps() == 1 { dw_shared.get() } else { own },
                bias: own.wrapping_add(s.weights_len()),
                workspace: workspaces.get().wrapping_add(worker * workspace_len),
            };
            // SAFETY: x and dy were found to hold all images, the scratch sums for every segment and a workspace for
            // every thread; tasks of a segment write different sums.
            unsafe {
                match &self.way {
                    Way::Products(way) => way.run(self.isa, task, segment),
                    Way::Winograd(way) => way.run(self.isa, task, segment),
                }
            }
        });

        self.collect(threads, sums, dw);
        if let Some(db) = db {
            for (o, db) in db.iter_mut().enumerate() {
                *db = sums.chunks_exact(segment_len).map(|sums| sums[s.weights_len() + o]).sum();
            }
        }
    }

    /// Adds the segments and turns taps × input channels of each row into input channels × taps.
    fn collect(&self, threads: &Threads, sums: &mut [f32], dw: &mut [f32]) {
        let (taps, segment_len) = (self.taps(), self.segment_len());
        let (first, others) = sums.split_at_mut(segment_len);
        let add_others = |from: usize, total: &mut [f32]| {
            for other in others.chunks_exact(segment_len) {
                let other = &other[from..from + total.len()];
                total.iter_mut().zip(other).for_each(|(total, v)| *total += v);
            }
        };
        let row = taps * self.shape.group_in();
        let chunk = row * (crate::BLOCK / row).max(1);
        if taps == 1 {
            if !others.is_empty() {
                threads.chunks(dw, chunk, |i, dw| add_others(i * chunk, dw));
            }
            return;
        }
        let first = &mut first[..dw.len()];
        threads.chunks2((first, chunk), (dw, chunk), |i, sums, dw| {
            add_others(i * chunk, sums);
            for (sums, dw) in sums.chunks_exact(row).zip(dw.chunks_exact_mut(row)) {
                for (c, dw) in dw.chunks_exact_mut(taps).enumerate() {
                    for (tap, dw) in dw.iter_mut().enumerate() {
                        *dw = sums[tap * (row / taps) + c];
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest number over all batches is looked for among the first ones only.
    #[test]
    fn scratch_is_enough_for_every_batch() {
        for (size, channels) in [(1, 40), (4, 16), (7, 300), (56, 64)] {
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
            let plan = WeightGradient::new(Isa::Portable, shape, 16);
            let threads = Threads::new(2);
            let mut most = 0;
            for images in 1..=60_000 {
                most = most.max(plan.segments(images).0);
                if images < 40 || images % 997 == 0 {
                    let len = most * plan.segment_len() + 2 * plan.workspace_len();
                    assert_eq!(plan.scratch_len(&threads, images), len, "{shape:?} {images}");
                }
            }
        }
    }
}
