//! Early layers on a few pictures at a time.
//!
//! The maps of a network's first layers are large and their weights few. With a whole batch every map travels to memory
//! and back; with few pictures it is still in the cache when the next layer reads it. Late layers are the other way
//! round: their weights are many, and a whole batch shares the reading of them.

use crate::step::Step;
use eyespot_compile::{BufferId, Planner};

/// What a chunk's maps may take: small enough for the last cache of common machines.
const CACHE_BYTES: usize = 8 << 20;

/// Where the first part of a program ends and how many pictures it takes at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunks {
    /// Steps of the first part.
    pub(crate) split: usize,
    /// Pictures in a chunk.
    pub(crate) images: usize,
    /// The one result of the first part that the second reads.
    pub(crate) crossing: BufferId,
}

impl Chunks {
    /// The split that saves the most traffic: each step of the first part saves a batch's maps and costs one reading
    /// of its weights per chunk.
    ///
    /// The number of threads plays no part: a result must not depend on it.
    pub(crate) fn plan(steps: &[Step], planner: &Planner, batch: usize) -> Option<Self> {
        let map_bytes = |step: &Step| 4 * step.spans().map(|span| span.per_image).sum::<usize>();
        let largest = steps.iter().map(map_bytes).max()?;
        let images = (CACHE_BYTES / largest.max(1)).max(1);
        if images >= batch {
            return None;
        }
        let mut saved = 0.0;
        let mut best = None;
        for (index, step) in steps.iter().enumerate() {
            saved += map_bytes(step) as f64 - step.kernel.operator().weight_bytes() as f64 / images as f64;
            let best_saved = best.map_or(0.0, |(saved, _)| saved);
            if saved > best_saved
                && let Some(crossing) = planner.only_crossing(index + 1)
            {
                best = Some((saved, Self { split: index + 1, images, crossing }));
            }
        }
        best.map(|(_, chunks)| chunks)
    }
}
