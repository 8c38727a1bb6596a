//! One block of memory for all intermediate results, shared by those that are never needed at the same time.
//!
//! It is planned in numbers, not bytes: how wide a number is, and where the block lies, is the device's business.

use eyespot_graph::DeviceError;
use std::ops::Range;

/// Buffers begin at multiples of this many numbers: in `f32` 64 bytes, a cache line and the widest vector.
pub const ALIGNMENT: usize = 16;

/// A planned buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferId(usize);

/// Where a result lies: a whole buffer, or the channels from `skip` on of a wider map's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The buffer.
    pub buffer: BufferId,
    /// Numbers before the first one.
    pub skip: usize,
    /// Numbers of one picture in the whole buffer.
    pub per_image: usize,
}

/// Where a step reads: the caller's pictures or the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The caller's pictures.
    Input,
    /// The arena.
    Arena(Span),
}

impl Source {
    /// The place in the arena, if it is there.
    pub fn span(self) -> Option<Span> {
        match self {
            Self::Input => None,
            Self::Arena(span) => Some(span),
        }
    }
}

#[derive(Debug, Clone)]
struct Buffer {
    len: usize,
    /// First and last point in time at which it is in use.
    life: Option<(usize, usize)>,
}

/// Collects buffers and when they are used, then gives each its place.
#[derive(Debug, Clone, Default)]
pub struct Planner {
    buffers: Vec<Buffer>,
}

impl Planner {
    /// A buffer for `batch` pictures of `per_image` numbers.
    pub fn buffer(&mut self, per_image: usize, batch: usize) -> Span {
        // `check` bounded the product.
        self.buffers.push(Buffer { len: per_image.saturating_mul(batch), life: None });
        Span { buffer: BufferId(self.buffers.len() - 1), skip: 0, per_image }
    }

    /// The one buffer that is in use both before and from `time` on, if it is only one.
    pub fn only_crossing(&self, time: usize) -> Option<BufferId> {
        let crosses = |b: &Buffer| b.life.is_some_and(|(first, last)| first < time && time <= last);
        let mut found = (0..self.buffers.len()).filter(|&i| crosses(&self.buffers[i]));
        let buffer = found.next()?;
        found.next().is_none().then_some(BufferId(buffer))
    }

    /// Says that the steps before `split` run on `chunk` of `batch` pictures at a time: what only they use shrinks;
    /// `crossing`, which collects their result, is in use from the first chunk on.
    pub fn chunked(&mut self, split: usize, chunk: usize, batch: usize, crossing: BufferId) {
        for (index, buffer) in self.buffers.iter_mut().enumerate() {
            if index == crossing.0 {
                buffer.life = buffer.life.map(|(_, last)| (0, last));
            } else if buffer.life.is_some_and(|(_, last)| last < split) {
                buffer.len = buffer.len / batch.max(1) * chunk;
            }
        }
    }

    /// Forgets when buffers are in use.
    pub fn forget(&mut self) {
        self.buffers.iter_mut().for_each(|buffer| buffer.life = None);
    }

    /// Says that a buffer is in use at this time.
    pub fn touch(&mut self, span: Span, time: usize) {
        let life = &mut self.buffers[span.buffer.0].life;
        let (first, last) = life.unwrap_or((time, time));
        *life = Some((first.min(time), last.max(time)));
    }

    /// Gives every buffer its place: the largest first, each at the lowest place that is free during its life.
    ///
    /// # Errors
    /// More than any memory could hold.
    pub fn layout(&self) -> Result<Layout, DeviceError> {
        let mut order: Vec<usize> = (0..self.buffers.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(self.buffers[i].len));
        let mut starts = vec![0; self.buffers.len()];
        let mut placed: Vec<usize> = Vec::new();
        let mut total = 0usize;
        for i in order {
            let Some((first, last)) = self.buffers[i].life else { continue };
            let len = self.buffers[i].len.next_multiple_of(ALIGNMENT);
            let mut start = 0usize;
            // `placed` is sorted by place, so the first gap that is wide enough is the lowest.
            for &other in &placed {
                let (other_first, other_last) = self.buffers[other].life.unwrap_or((1, 0));
                if other_first > last || other_last < first {
                    continue;
                }
                if starts[other] >= start + len {
                    break;
                }
                start = start.max(starts[other] + self.buffers[other].len.next_multiple_of(ALIGNMENT));
            }
            let end = start.checked_add(len).filter(|end| *end <= isize::MAX as usize / 8);
            total = total.max(end.ok_or_else(|| {
                DeviceError::Call("the network's results don't fit into any memory".to_owned())
            })?);
            starts[i] = start;
            placed.insert(placed.partition_point(|&p| starts[p] <= start), i);
        }
        Ok(Layout { starts, total, shifted: None })
    }
}

/// The place of every buffer.
#[derive(Debug, Clone)]
pub struct Layout {
    starts: Vec<usize>,
    /// Numbers in all.
    pub total: usize,
    /// The buffer whose first pictures are already done while a later chunk is computed, and how many these are.
    pub shifted: Option<(BufferId, usize)>,
}

impl Layout {
    /// Where the results of `images` pictures lie in the arena.
    pub fn range(&self, span: Span, images: usize) -> Range<usize> {
        let done = match self.shifted {
            Some((buffer, done)) if buffer == span.buffer => done,
            _ => 0,
        };
        let start = self.starts[span.buffer.0] + done * span.per_image;
        start + span.skip..start + images * span.per_image
    }

    /// As [`range`](Self::range); empty for no span, and empty ranges are disjoint from all others.
    pub fn range_or_empty(&self, span: Option<Span>, images: usize) -> Range<usize> {
        span.map_or(0..0, |span| self.range(span, images))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_that_overlap_get_places_that_do_not() {
        let mut state = 1u32;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        };
        for _ in 0..200 {
            let mut planner = Planner::default();
            let spans: Vec<Span> = (0..20)
                .map(|_| {
                    let span = planner.buffer(1 + random(100) as usize, 2);
                    let first = random(30) as usize;
                    planner.touch(span, first);
                    planner.touch(span, first + random(6) as usize);
                    span
                })
                .collect();
            let layout = planner.layout().unwrap();
            for (i, a) in spans.iter().enumerate() {
                let ra = layout.range(*a, 2);
                assert!(ra.start.is_multiple_of(ALIGNMENT) && ra.end <= layout.total);
                for b in &spans[..i] {
                    let (la, lb) = (
                        planner.buffers[a.buffer.0].life.unwrap(),
                        planner.buffers[b.buffer.0].life.unwrap(),
                    );
                    let rb = layout.range(*b, 2);
                    let at_once = la.0 <= lb.1 && lb.0 <= la.1;
                    assert!(!at_once || ra.end <= rb.start || rb.end <= ra.start);
                }
            }
        }
    }

    #[test]
    fn memory_is_reused() {
        let mut planner = Planner::default();
        for time in 0..10 {
            let span = planner.buffer(1600, 1);
            planner.touch(span, time);
            planner.touch(span, time + 1);
        }
        assert_eq!(planner.layout().unwrap().total, 3200);
    }
}
