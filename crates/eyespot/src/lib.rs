#![forbid(unsafe_code)]
//! Train, check and run image classifiers: what an application embeds.
//!
//! A [`Classifier`] names pictures:
//!
//! ```no_run
//! let classifier = eyespot::Classifier::load("model.safetensors")?;
//! let bee = classifier.predict_path("bee.jpg")?;
//! println!("{} ({:.2})", bee.prediction, bee.probability);
//! # Ok::<(), eyespot::Error>(())
//! ```
//!
//! A [`Training`] makes one from a folder of photos; [`Classifier::evaluate`] measures it. An [`Embedder`] describes
//! pictures by vectors for other tools; a [`Network`] shows what is inside.

mod bench;
mod bounds;
mod classes;
mod classifier;
mod comparison;
mod compute;
mod demo;
mod device;
mod embedder;
mod embedding_file;
mod error;
mod evaluation;
mod gpu;
mod judged;
mod labelled;
mod layer_figures;
mod network;
mod options;
mod path_text;
mod prediction;
mod range;
mod remarks;
mod robustness;
mod runner;
mod set_aside;
mod suggest;
mod training;
mod weights;

pub use bench::{Bench, BenchMode, BenchResult, LayerSpeed};
pub use bounds::Bounds;
pub use classifier::Classifier;
pub use comparison::{Answer, ComparedModel, Comparison, Difference, Disagreement, compare};
pub use demo::{Demo, DemoResult, Factors};
pub use device::{DeviceChoice, DeviceEntry, OpenDevice, Precision, Say, devices};
pub use embedder::{Embedder, PathEmbedding};
pub use embedding_file::EmbeddingFile;
pub use error::Error;
pub use evaluation::{ClassEvaluation, Evaluation, LeftOut, Mistake, Selective, Unreadable};
pub use eyespot_data::{Fit, PICTURE_THREAD, Transform};
pub use eyespot_figure::{check_png, overwrite_png, save_png};
pub use eyespot_graph::Device;
pub use eyespot_train::{BatchDone, ClassMetrics, EpochRecord, Metrics, wilson_interval};
pub use network::{Network, network, network_names, preset};
pub use options::{
    AugmentKind, Balance, BatchSize, Cache, FitKind, Freeze, Head, LearningRate, LossKind, OptimizerKind,
    ScheduleKind, TrainingOptions,
};
pub use prediction::{ClassScore, PathPrediction, Prediction};
pub use range::Range;
pub use robustness::{Group, Robustness, Variation, VariationAccuracy, robustness};
pub use suggest::closest;
pub use training::{Beginning, Listener, Phase, Solved, Trained, Training, Trial};
