//! What can go wrong with a file.

use crate::Misfit;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A file that can't be read or written, or that doesn't fit.
#[derive(Debug, Error)]
pub enum FormatError {
    /// The disk said no.
    #[error("can't {action} `{}`: {source}", eyespot_system::printable_path(path))]
    Io {
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What stands in the file can't be used.
    #[error("`{}`: {source}", eyespot_system::printable_path(path))]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ReadError,
    },
    /// Several sets of weights, and none that is clearly meant.
    #[error("{0}")]
    Choice(String),
    /// Weights of another network.
    #[error("{0}")]
    DoesNotFit(Box<Misfit>),
    /// A model that can't be written down.
    #[error("the model can't be saved: {0}")]
    CannotSave(String),
}

impl FormatError {
    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}

/// Why a file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The file is truncated, altered or contradicts itself.
    #[error("the file is damaged: {0}; fetch or write it again")]
    Damaged(String),
    /// The system says no, or it is no regular file.
    #[error("{0}")]
    File(String),
    /// Numbers that no network can compute with.
    #[error("{0}; training may have diverged, or the file is damaged: take another")]
    Numbers(String),
    /// Weights without their network, where a model is wanted.
    #[error(
        "it is no eyespot model but a plain file of weights; give it with --weights and name the network with --model"
    )]
    NotAModel,
    /// The file holds what eyespot doesn't read.
    #[error("{0}")]
    Unsupported(String),
    /// The file asks for more than any real one needs.
    #[error("{0}; this is more than eyespot reads from one file")]
    TooMuch(String),
}

pub(crate) fn damaged(reason: impl Into<String>) -> ReadError {
    ReadError::Damaged(reason.into())
}

pub(crate) fn unsupported(reason: impl Into<String>) -> ReadError {
    ReadError::Unsupported(reason.into())
}

pub(crate) fn too_much(reason: impl Into<String>) -> ReadError {
    ReadError::TooMuch(reason.into())
}

/// A name from a file, cut and without control characters, so that a message stays readable.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", eyespot_system::printable(name))
}
