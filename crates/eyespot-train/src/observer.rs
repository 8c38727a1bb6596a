//! What training tells while it goes.

use serde::{Deserialize, Serialize};

/// After a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchDone {
    /// The epoch, counted from 1.
    pub epoch: u64,
    /// All epochs.
    pub epochs: u64,
    /// The batch, counted from 1.
    pub batch: u64,
    /// Batches in an epoch.
    pub batches: u64,
    /// Images in this batch.
    pub images: usize,
    /// The batch's loss.
    pub loss: f64,
    /// The learning rate of its step.
    pub learning_rate: f64,
    /// Seconds of this epoch so far in which images were waited for: reading them limits, not computing, where it is much
    /// of the time.
    pub waiting: f64,
}

/// After an epoch that is recorded; a line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch, counted from 1; 0 for starting weights that count.
    pub epoch: u64,
    /// The learning rate of its last step.
    pub learning_rate: f64,
    /// The mean loss over its images, before each step.
    pub loss: f64,
    /// The share of its images that were right, before each step.
    pub accuracy: f64,
    /// The loss over the validation images, without label smoothing and class weights.
    pub val_loss: Option<f64>,
    /// The share of the validation images that are right.
    pub val_accuracy: Option<f64>,
    /// Whether this is the best so far.
    pub best: bool,
    /// Seconds since training (or its resumption) began.
    pub seconds: f64,
}

/// Somebody who is told how training goes. All methods do nothing unless written.
pub trait Observer {
    /// Something the user should know, in a sentence.
    fn notice(&mut self, _text: &str) {}

    /// A batch is done. Not called where full batches lie in memory: such steps take microseconds.
    fn batch(&mut self, _done: &BatchDone) {}

    /// An epoch is done, validated and recorded.
    fn epoch(&mut self, _record: &EpochRecord) {}
}

/// Nobody.
impl Observer for () {}
