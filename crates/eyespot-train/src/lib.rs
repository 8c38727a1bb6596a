#![forbid(unsafe_code)]
//! Training: losses, schedules, metrics, the loop, checkpoints, the feature cache.
//!
//! [`train`] drives a program of any [`eyespot_graph::Device`]: batch in, loss and its gradient at the scores,
//! backward, optimizer step. The same seed and data give the same weights, bit for bit, also after a kill and
//! [resumption](RunFolder). Nothing is printed; an [`Observer`] is told.

mod balanced;
mod cache;
mod cache_file;
mod checkpoint;
mod confidence;
mod error;
mod frozen;
mod head;
mod imbalance;
mod interval;
mod k_means;
mod log_loss;
mod loss;
mod metrics;
mod observer;
mod order;
mod paired;
mod range_test;
mod schedule;
mod settings;
mod source;
mod step;
mod trainer;

pub use balanced::balanced_accuracy;
pub use cache::{Digest, FeatureCache, Features, Frozen, hash_file};
pub use checkpoint::RunFolder;
pub use confidence::Confidence;
pub use error::TrainError;
pub use frozen::FrozenSource;
pub use head::{
    Choice, HEAD_TOLERANCE, HeadBalance, HeadRows, HeadSettings, LARGE_HEAD_TOLERANCE, SolvedHead, Unseen,
    solve_head,
};
pub use interval::wilson_interval;
pub use k_means::k_means;
pub use log_loss::log_loss;
pub use loss::{Loss, Targets};
pub use metrics::{ClassMetrics, Metrics, roc_auc};
pub use observer::{BatchDone, EpochRecord, Observer};
pub use paired::Paired;
pub use range_test::range_test;
pub use schedule::{Schedule, Steps};
pub use settings::{Balance, BatchSize, Settings};
pub use source::{Batch, InMemory, Source, Visit};
pub use trainer::{Job, Outcome, Start, evaluate, train};
