#![forbid(unsafe_code)]
//! Weights and models in and out.
//!
//! - [`read_weights`] reads safetensors files and PyTorch checkpoints; [`fit_weights`] puts what was read into a
//!   network and says what doesn't fit.
//! - [`ModelFile`] is a trained classifier in one file: network, weights, class names, transform.
//! - [`NpyWriter`] writes tables of numbers for NumPy.
//!
//! Every reader takes bytes from strangers: all sizes are checked against the bytes that are really there before
//! anything is allocated, nothing in a file is ever executed, and a damaged file gives an error.

mod bytes;
mod cause;
mod element;
mod error;
mod fit;
mod learned;
mod limits;
mod misfit;
mod model_file;
mod names;
mod npy;
mod pytorch;
mod safetensors_file;
mod weights;

pub use error::{FormatError, ReadError};
pub use fit::{Fitted, fit_weights};
pub use learned::{Fingerprint, MAX_FINGERPRINTS};
pub use misfit::{Misfit, Misshaped};
pub use model_file::{FORMAT_VERSION, ModelFile};
pub use npy::NpyWriter;
pub use safetensors_file::{safetensors_bytes, write_safetensors};
pub use weights::{read_weights, weights_from_bytes};
