#![forbid(unsafe_code)]
//! Train, check and run image classifiers.

mod bench;
mod classes;
mod classifier;
mod demo;
mod error;
mod evaluation;
mod network;
mod options;
mod prediction;
mod suggest;
mod training;

pub use bench::{Bench, BenchMode, BenchResult, LayerSpeed};
pub use classifier::Classifier;
pub use demo::{Demo, DemoResult, Factors};
pub use error::Error;
pub use evaluation::{ClassEvaluation, Evaluation, Mistake, Unreadable};
pub use eyespot_data::{Fit, Transform};
pub use eyespot_train::{BatchDone, EpochRecord};
pub use network::{network, preset};
pub use options::{
    AugmentKind, Balance, BatchSize, Cache, FitKind, Freeze, Head, LossKind, OptimizerKind, ScheduleKind,
    TrainingOptions,
};
pub use prediction::{ClassScore, PathPrediction, Prediction};
pub use suggest::closest;
pub use training::{Beginning, Listener, Trained, Training};
