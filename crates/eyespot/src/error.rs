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
    /// A GPU that can't be used.
    #[error("no GPU can be used: {0}")]
    Gpu(String),
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
    /// A file in the way of one that is to be written.
    #[error("{} exists; choose another name, or replace it with --overwrite", eyespot_system::printable_path(.0))]
    Exists(PathBuf),
    /// A folder that eyespot can't call its own.
    #[error(transparent)]
    Folder(#[from] eyespot_system::FolderError),
    /// Pictures that can't be used.
    #[error("{0}")]
    Picture(String),
    /// A file or folder.
    #[error("{}: {reason}", eyespot_system::printable_path(path))]
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
        use eyespot_figure::FigureError;
        use eyespot_formats::{FormatError, ReadError};
        use eyespot_system::FolderError;
        use eyespot_train::TrainError;
        matches!(
            self,
            Self::Usage(_)
                | Self::Exists(_)
                | Self::Train(TrainError::Settings(_))
                // A sound file that needs other flags.
                | Self::Format(FormatError::File { source: ReadError::NotAModel, .. })
                | Self::Figure(FigureError::Exists(_))
                | Self::Folder(FolderError::NotOurs(_) | FolderError::OtherPurpose { .. })
        )
    }

    /// Why a file can't be written.
    pub fn writing(path: &Path, error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::AlreadyExists => Self::Exists(path.to_owned()),
            _ => Self::file(path, format!("can't be written: {error}")),
        }
    }

    pub(crate) fn file(path: &Path, reason: impl ToString) -> Self {
        Self::File { path: path.to_owned(), reason: reason.to_string() }
    }
}
