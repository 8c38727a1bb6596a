//! Which images a run learned from, by content.

use super::Context;
use crate::labelled::fingerprint;
use crate::{Error, weights};
use eyespot_data::{Dataset, Limits, Sample, content_hashes};
use eyespot_formats::{Fingerprint, MAX_FINGERPRINTS};
use std::collections::BTreeSet;

/// The content hash of each training image; `None` for one that can't be read.
pub(super) fn hashes(dataset: &Dataset, threads: usize) -> Vec<Option<[u8; 32]>> {
    let samples: Vec<&Sample> = dataset.train.iter().collect();
    content_hashes(&samples, threads, &Limits::default())
}

impl Context<'_> {
    /// The training images that could be read, and those of the model that the run began with; nothing where they are
    /// too many to be remembered.
    ///
    /// # Errors
    /// Weights that have become unreadable.
    pub fn learned_from(&self) -> Result<BTreeSet<Fingerprint>, Error> {
        let unreadable = self.unreadable.lock().unwrap_or_else(|e| e.into_inner());
        let samples = self.dataset.train.iter().zip(&self.train_hashes);
        let read = samples.filter(|(sample, _)| !unreadable.contains_key(&sample.path));
        let mut learned_from: BTreeSet<Fingerprint> =
            read.filter_map(|(_, hash)| hash.map(fingerprint)).collect();
        if let Some(weights) = &self.options.weights {
            learned_from.extend(weights::open(weights)?.learned_from()?);
        }
        Ok(if learned_from.len() > MAX_FINGERPRINTS { BTreeSet::new() } else { learned_from })
    }
}
