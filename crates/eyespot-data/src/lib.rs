#![forbid(unsafe_code)]
//! Pictures to tensors.
//!
//! [`Dataset::open`] finds the labelled pictures of a folder, a CSV or MNIST's files; [`decode`] reads one picture;
//! a [`Transform`] makes it the tensor a network wants; [`Augment`] varies it in training; a [`Loader`] does all of
//! this on several threads and hands out whole batches in order.
//!
//! Pictures are [`image::RgbImage`], also grey ones (three equal channels). Tensors are `f32`, `[height, width,
//! channels]` in memory (NHWC for a batch).

mod augment;
mod dataset;
mod decode;
pub mod drawn;
mod error;
pub mod features;
mod jpeg;
mod loader;
mod look;
mod opened;
mod parallel;
mod random;
mod range;
mod resize;
mod sample;
mod strips;
mod transform;
pub mod vary;

pub use augment::{Augment, Blur, ColorJitter, Erasing, Perspective, ResizedCrop};
pub use dataset::{Dataset, Duplicate, Layout, SplitOptions};
pub use decode::{DecodeOptions, Decoded, Limits, Note, decode, decode_bytes};
pub use error::{DataError, DecodeError};
pub use loader::{Batch, Failure, Loader, LoaderOptions, Noted, PICTURE_THREAD, pictures};
pub use random::shuffled;
pub use range::measure_range;
pub use sample::{Sample, content_hashes};
pub use transform::{Fit, Transform};
