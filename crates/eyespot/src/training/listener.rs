//! Who is told how a run goes.

use super::Context;
use eyespot_train::{BatchDone, EpochRecord, Observer};
use std::path::PathBuf;

/// What a run begins with.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// The run folder.
    pub folder: PathBuf,
    /// The network's name.
    pub model: String,
    /// Traditional features that take the photos' place, and how many numbers they are per photo.
    pub features: Option<(String, usize)>,
    /// Learned numbers in all.
    pub parameters: u64,
    /// Learned numbers that change in this run.
    pub learning: u64,
    /// Whether the weights were trained before.
    pub pretrained: bool,
    /// The classes.
    pub classes: Vec<String>,
    /// Training photos, validation photos, and photos of a test part, which training leaves alone.
    pub images: [usize; 3],
    /// Whether the photos judge by cross-validation, in place of validation photos.
    pub cross_validates: bool,
    /// Passes over the photos.
    pub epochs: u64,
    /// How many threads compute.
    pub threads: usize,
}

impl Beginning {
    pub(super) fn new(run: &Context<'_>, folder: PathBuf) -> Self {
        let learning = run.plan.graph.parameter_count();
        let frozen = run.plan.frozen.as_ref().map_or(0, |frozen| frozen.graph.parameter_count());
        Self {
            folder,
            model: run.options.model.clone().unwrap_or_default(),
            features: run.options.features.clone().map(|names| (names, run.plan.transform.len())),
            parameters: learning + frozen,
            learning,
            pretrained: run.options.weights.is_some(),
            classes: run.dataset.classes.clone(),
            images: [run.dataset.train.len(), run.dataset.val.len(), run.dataset.test.len()],
            cross_validates: run.dataset.val.is_empty()
                && (run.options.folds.is_some() || run.options.epochs.is_none()),
            epochs: run.options.epochs.unwrap_or(0),
            threads: run.compute.threads(),
        }
    }
}

/// A part of a run that learns in several ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phase<'a> {
    /// Which, from 1.
    pub number: u64,
    /// How many there are.
    pub of: u64,
    /// What learns.
    pub what: &'a str,
    /// Passes over the photos, each of which is told; 0 where they aren't.
    pub epochs: u64,
    /// About how many seconds it will take, where that was measured.
    pub seconds: Option<f64>,
}

/// Somebody who is told how a run goes. All methods do nothing unless written.
pub trait Listener {
    /// The run is about to begin.
    fn begin(&mut self, _beginning: &Beginning) {}

    /// Something the user should know, in a sentence.
    fn notice(&mut self, _text: &str) {}

    /// Something that was found out, in a few words.
    fn told(&mut self, _text: &str) {}

    /// A phase of a run with several is about to begin.
    fn phase(&mut self, _phase: &Phase<'_>) {}

    /// Of `all` photos of a kind ("training photos") whose frozen features aren't known yet, `done` are computed.
    fn features(&mut self, _what: &str, _done: usize, _all: usize) {}

    /// A batch is done.
    fn batch(&mut self, _done: &BatchDone) {}

    /// An epoch is done, validated and recorded.
    fn epoch(&mut self, _record: &EpochRecord) {}
}

/// Nobody.
impl Listener for () {}

/// The training loop talks to a listener through this.
pub(super) struct Through<'a>(pub &'a mut dyn Listener);

impl Observer for Through<'_> {
    fn notice(&mut self, text: &str) {
        self.0.notice(text);
    }

    fn batch(&mut self, done: &BatchDone) {
        self.0.batch(done);
    }

    fn epoch(&mut self, record: &EpochRecord) {
        self.0.epoch(record);
    }
}
