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
    /// The loss, the weights or the scores are no longer numbers. The last good checkpoint stays.
    #[error("{what} in epoch {epoch}, batch {batch} of {batches}: {cause}")]
    NotFinite {
        /// What is no longer a number, such as `the loss became NaN`.
        what: String,
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
    #[error("{}: {reason}", eyespot_system::printable_path(path))]
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
