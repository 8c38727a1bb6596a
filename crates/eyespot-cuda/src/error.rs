//! What can go wrong between the CPU and the GPU.

use thiserror::Error;

/// Why a GPU can't be used, or why it stopped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CudaError {
    /// A library isn't there, or is too old.
    #[error("{library} can't be used: {reason}")]
    Library {
        /// Its name, as its vendor writes it.
        library: &'static str,
        /// Why not.
        reason: String,
    },
    /// The GPU's memory doesn't suffice.
    #[error("the GPU has {free} bytes of memory left, {needed} are needed")]
    OutOfMemory {
        /// What one allocation asked for, in bytes.
        needed: usize,
        /// What was free then, in bytes.
        free: usize,
    },
    /// A call of the driver or of a library failed.
    #[error("{call}: {reason}")]
    Call {
        /// What was called.
        call: String,
        /// What it answered.
        reason: String,
    },
}
