//! What can go wrong, all in one type.

use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why eyespot can't do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// It was asked for something that doesn't exist or doesn't go together.
    #[error("{0}")]
    Usage(String),
    /// A network that can't be built.
    #[error(transparent)]
    Graph(#[from] eyespot_graph::GraphError),
    /// A network that can't be run.
    #[error(transparent)]
    Device(#[from] eyespot_graph::DeviceError),
    /// Weights or a model that can't be read or written.
    #[error(transparent)]
    Format(#[from] eyespot_formats::FormatError),
    /// Data that can't be used.
    #[error(transparent)]
    Data(#[from] eyespot_data::DataError),
    /// Training that can't begin or go on.
    #[error(transparent)]
    Train(#[from] eyespot_train::TrainError),
    /// A figure that can't be drawn or written.
    #[error(transparent)]
    Figure(#[from] eyespot_figure::FigureError),
    /// Pictures that can't be used.
    #[error("{0}")]
    Picture(String),
    /// A file or folder.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
}

impl Error {
    /// Whether the call itself was wrong, not something on the way.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Usage(_) | Self::Train(eyespot_train::TrainError::Settings(_)))
    }

    pub(crate) fn file(path: &Path, reason: impl ToString) -> Self {
        Self::File { path: path.to_owned(), reason: reason.to_string() }
    }
}
