//! What can go wrong while training.

use eyespot_graph::DeviceError;
use std::path::PathBuf;
use thiserror::Error;

/// Why training can't start or go on.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The device can't compile or run the network.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Settings or data that don't go together.
    #[error("{0}")]
    Settings(String),
    /// The data can't be had.
    #[error("{0}")]
    Data(String),
    /// The loss is no longer a number. The last good checkpoint stays.
    #[error("the loss became {loss} in epoch {epoch}, batch {batch} of {batches}: {cause}")]
    NotFinite {
        /// `NaN` or `inf`.
        loss: f64,
        /// The epoch, counted from 1.
        epoch: u64,
        /// The batch, counted from 1.
        batch: u64,
        /// Batches in an epoch.
        batches: u64,
        /// The likely cause and what to do.
        cause: String,
    },
    /// A file can't be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong and what to do.
        reason: String,
    },
}

impl TrainError {
    pub(crate) fn file(path: &std::path::Path, reason: impl ToString) -> Self {
        Self::File { path: path.to_owned(), reason: reason.to_string() }
    }
}
