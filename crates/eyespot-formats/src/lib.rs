#![forbid(unsafe_code)]
//! Weights and models in and out.
//!
//! - [`WeightsFile`] lists what is in a safetensors file or a PyTorch checkpoint; [`WeightsFile::fit`] reads what a
//!   network needs of it and says what doesn't fit.
//! - [`ModelFile`] is a trained classifier in one file: network, weights, class names, transform.
//! - [`NpyWriter`] writes tables of numbers for NumPy.
//!
//! Every reader takes bytes from strangers: all sizes are checked against the bytes that are really there before
//! anything is allocated, nothing in a file is ever executed, and a damaged file gives an error.

mod bytes;
mod cause;
mod checksum;
mod element;
mod error;
mod fit;
mod foreign;
mod learned;
mod limits;
mod load;
mod misfit;
mod model_file;
mod npy;
mod parallel;
mod pytorch;
mod safetensors_file;
mod safetensors_write;
mod select;
mod shards;
mod source;
mod tensors;
mod weights;

pub use error::{FormatError, ReadError};
pub use fit::{Fitted, fit_weights};
pub use learned::{Fingerprint, MAX_FINGERPRINTS};
pub use misfit::{Misfit, Misshaped};
pub use model_file::{FORMAT_VERSION, ModelFile};
pub use npy::NpyWriter;
pub use safetensors_write::{safetensors_bytes, write_safetensors};
pub use weights::{NamedTensors, WeightsFile, read_safetensors, read_weights, weights_from_bytes};
