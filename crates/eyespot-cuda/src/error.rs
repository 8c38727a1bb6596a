//! What can go wrong between the CPU and the GPU.

use eyespot_graph::DeviceError;
use thiserror::Error;

/// Why a GPU can't be used, or why it stopped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CudaError {
    /// A library isn't there.
    #[error("{library} isn't there; {cure}")]
    MissingLibrary {
        /// Its name, as its vendor writes it.
        library: &'static str,
        /// Where to get it.
        cure: &'static str,
    },
    /// There is no GPU of this number.
    #[error("there is no GPU {index}; the driver finds {count}")]
    NoDevice {
        /// The number asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// The GPU's memory doesn't suffice.
    #[error("{} MiB of the GPU's memory are needed, {} MiB are free", .needed >> 20, .free >> 20)]
    OutOfMemory {
        /// What was asked for, in bytes.
        needed: usize,
        /// What was free then, in bytes.
        free: usize,
    },
    /// A call of the driver or of a library failed.
    #[error("{call}: {reason}")]
    Call {
        /// What was called.
        call: &'static str,
        /// What it answered.
        reason: String,
    },
}

impl From<CudaError> for DeviceError {
    fn from(error: CudaError) -> Self {
        match error {
            CudaError::OutOfMemory { needed, free } => {
                Self::OutOfMemory { needed, free, fitting_batch: None }
            }
            other => Self::Device(other.to_string()),
        }
    }
}
