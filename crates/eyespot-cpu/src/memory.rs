//! The memory of a program: blocks of floats, reserved before they are taken.

use eyespot_compile::{ALIGNMENT, Layout, Source};
use eyespot_graph::DeviceError;
use eyespot_system::{Budget, OverBudget, Reserved};
use std::ops::Range;

/// Reserves `floats` for a program that computes `batch` pictures at once.
pub(crate) fn reserve(
    floats: usize,
    batch: usize,
    hold: fn(&'static Budget, u64) -> Result<Reserved<'static>, OverBudget>,
) -> Result<Reserved<'static>, DeviceError> {
    hold(Budget::process(), floats as u64 * 4).map_err(|error| {
        let many = if batch > 1 {
            ", or compute fewer pictures at once with --batch (in training: --batch-size)"
        } else {
            ""
        };
        DeviceError::Call(format!("the network, for {batch} pictures at once, {error}{many}"))
    })
}

/// A block of floats that begins on a 64-byte boundary, all zero at first.
#[derive(Debug)]
pub(crate) struct Floats(eyespot_kernels::Floats);

impl Floats {
    /// `len` zeros, or an error where the machine doesn't have the memory.
    pub(crate) fn zeroed(len: usize) -> Result<Self, DeviceError> {
        // Asked for first, because only this way a refusal is an error; then taken as memory that the system hands
        // out zeroed, page by page, when it is first used.
        if Vec::<f32>::new().try_reserve_exact(len.saturating_add(ALIGNMENT)).is_err() {
            let megabytes = len / (1 << 18);
            return Err(DeviceError::Call(format!(
                "the program needs {megabytes} MiB, more than this machine gives; take a smaller batch or picture"
            )));
        }
        Ok(Self(eyespot_kernels::Floats::zeroed(len)))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.len() * size_of::<f32>()
    }
}

impl std::ops::Deref for Floats {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl std::ops::DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

/// Borrows several places of a slice that the plan keeps apart.
///
/// # Panics
/// When they overlap, which would be a mistake in the plan.
pub(crate) fn borrow<const N: usize>(memory: &mut [f32], ranges: [Range<usize>; N]) -> [&mut [f32]; N] {
    memory.get_disjoint_mut(ranges).expect("the plan keeps results apart that are used at once")
}

/// What a step may read: the caller's images, and the arena but for what the step writes.
pub(crate) struct Readable<'a> {
    layout: &'a Layout,
    images: usize,
    input: &'a [f32],
    /// What lies before, between and behind the written ranges, each with the place where it begins.
    parts: [(usize, &'a [f32]); 3],
}

impl<'a> Readable<'a> {
    /// Takes out of the arena what a step writes; empty ranges take nothing.
    ///
    /// # Panics
    /// When the ranges overlap, which would be a mistake in the plan.
    pub(crate) fn split(
        arena: &'a mut [f32],
        written: [Range<usize>; 2],
        layout: &'a Layout,
        images: usize,
        input: &'a [f32],
    ) -> ([&'a mut [f32]; 2], Self) {
        let [a, b] = &written;
        let swapped = (a.start, a.end) > (b.start, b.end);
        let (first, second) = if swapped { (b, a) } else { (a, b) };
        assert!(first.end <= second.start, "the plan keeps results apart that are written at once");
        let (before, rest) = arena.split_at_mut(first.start);
        let (one, rest) = rest.split_at_mut(first.len());
        let (between, rest) = rest.split_at_mut(second.start - first.end);
        let (two, behind) = rest.split_at_mut(second.len());
        let parts = [(0, &*before), (first.end, &*between), (second.end, &*behind)];
        let written = if swapped { [two, one] } else { [one, two] };
        (written, Self { layout, images, input, parts })
    }

    /// What lies at a place.
    ///
    /// # Panics
    /// When the step writes there, which would be a mistake in the plan.
    pub(crate) fn at(&self, source: Source) -> &'a [f32] {
        let Source::Arena(span) = source else { return self.input };
        let range = self.layout.range(span, self.images);
        let found = self.parts.iter().find_map(|&(start, part)| {
            let from = range.start.checked_sub(start)?;
            part.get(from..from + range.len())
        });
        found.expect("the plan keeps apart what is read and what is written at once")
    }
}

/// The results that a step reads, in its operator's order.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    readable: &'a Readable<'a>,
    sources: &'a [Source],
}

impl<'a> Inputs<'a> {
    pub(crate) fn new(readable: &'a Readable<'a>, sources: &'a [Source]) -> Self {
        Self { readable, sources }
    }

    /// Input number `index`.
    pub(crate) fn get(&self, index: usize) -> &'a [f32] {
        self.readable.at(self.sources[index])
    }

    /// The second input, where there is one.
    pub(crate) fn second(&self) -> Option<&'a [f32]> {
        self.sources.get(1).map(|&source| self.readable.at(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyespot_compile::Planner;

    #[test]
    fn what_is_written_is_taken_out_of_what_can_be_read() {
        let mut planner = Planner::default();
        let spans = [1, 2, 3].map(|len| planner.buffer(len, 1));
        spans.iter().for_each(|&span| planner.touch(span, 0));
        let layout = planner.layout().unwrap();
        let ranges = spans.map(|span| layout.range(span, 1));
        let mut arena: Vec<f32> = (0..layout.total).map(|i| i as f32).collect();
        for (written, read) in [([0, 1], 2), ([1, 0], 2), ([2, 0], 1), ([1, 2], 0)] {
            let parts = written.map(|i| ranges[i].clone());
            let (found, readable) = Readable::split(&mut arena, parts, &layout, 1, &[]);
            for (slice, &span) in found.iter().zip(&written) {
                assert_eq!((slice[0] as usize, slice.len()), (ranges[span].start, span + 1));
            }
            let slice = readable.at(Source::Arena(spans[read]));
            assert_eq!((slice[0] as usize, slice.len()), (ranges[read].start, read + 1));
        }
        let (_, readable) = Readable::split(&mut arena, [0..0, ranges[1].clone()], &layout, 1, &[7.0]);
        assert_eq!(readable.at(Source::Input), [7.0]);
        assert_eq!(readable.at(Source::Arena(spans[0])).len(), 1);
    }

    #[test]
    fn blocks_are_aligned_and_absurd_ones_an_error() {
        let block = Floats::zeroed(5).unwrap();
        assert_eq!((block.len(), block.as_ptr() as usize % 64), (5, 0));
        assert!(Floats::zeroed(usize::MAX / 4).is_err());
    }
}
