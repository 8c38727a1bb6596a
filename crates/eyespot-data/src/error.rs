//! What can go wrong with data, and with one picture.

use eyespot_system::{FileError, OverBudget, printable_path};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why one picture can't be read. The text names the cause, not the file: whoever reports it knows the path.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// The file can't be opened or read.
    #[error("can't be read: {0}")]
    Io(#[from] std::io::Error),
    /// No regular file, or a larger one than allowed.
    #[error(transparent)]
    File(FileError),
    /// More memory than the process may take.
    #[error(transparent)]
    Memory(#[from] OverBudget),
    /// Zero bytes.
    #[error("is empty (0 bytes)")]
    Empty,
    /// The first bytes belong to no picture format known here.
    #[error("is not a picture in a known format (JPEG, PNG, WebP, BMP, TIFF, GIF, PNM); it begins with {0}")]
    UnknownFormat(String),
    /// Larger than [`crate::Limits`] allow; nothing was decoded.
    #[error("is larger than allowed: {0}")]
    TooLarge(String),
    /// The content contradicts its format, or ends early.
    #[error("is a damaged {format} file: {cause}")]
    Damaged {
        /// The format its first bytes announce.
        format: &'static str,
        /// What the decoder found.
        cause: String,
    },
    /// A sound file that uses a part of its format the decoder lacks.
    #[error("uses a part of {format} that can't be read: {cause}")]
    Unsupported {
        /// The format its first bytes announce.
        format: &'static str,
        /// What the decoder lacks.
        cause: String,
    },
    /// A sound picture that the transform can't handle.
    #[error("can't be transformed: {0}")]
    Transform(String),
}

/// Why a data set, a transform or a loader can't be made or can't go on.
#[derive(Debug, Error)]
pub enum DataError {
    /// Nothing at this path.
    #[error("{} does not exist; give a folder with one sub-folder per class, or a CSV with `path,label` columns", printable_path(.0))]
    NotFound(PathBuf),
    /// A single file that is no CSV.
    #[error("{} is a single file; give the folder that holds one sub-folder per class, or a CSV with `path,label` columns", printable_path(.0))]
    IsAFile(PathBuf),
    /// A file that can't be read, isn't a regular one or is too large.
    #[error("{} {source}", printable_path(path))]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
    /// A folder or file that can't be read.
    #[error("{} can't be read: {source}", printable_path(path))]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A folder without class folders.
    #[error(
        "{} has no class folders: {found}; put the pictures of each class into a folder of its own, such as {}/cats/1.jpg",
        printable_path(path),
        printable_path(path)
    )]
    NoClasses {
        /// The folder.
        path: PathBuf,
        /// What was found in it.
        found: String,
    },
    /// Folders of which it isn't clear which are splits and which are classes.
    #[error("{} {found}; {advice}", printable_path(path))]
    Layout {
        /// The folder.
        path: PathBuf,
        /// What it looks like.
        found: String,
        /// What to do.
        advice: String,
    },
    /// Class folders, but no pictures in them.
    #[error(
        "{} has class folders ({classes}) but no pictures in them; picture files end in {endings}",
        printable_path(path)
    )]
    NoPictures {
        /// The folder.
        path: PathBuf,
        /// The class folders' names.
        classes: String,
        /// The endings that count.
        endings: String,
    },
    /// None of the classes is among those the model knows.
    #[error(
        "none of the classes in {} ({found}) is known to the model ({known}); rename the folders or use another model",
        printable_path(path)
    )]
    UnknownClasses {
        /// The folder or CSV.
        path: PathBuf,
        /// The classes found.
        found: String,
        /// The classes wanted.
        known: String,
    },
    /// A CSV line that can't be understood.
    #[error("{}, line {line}: {reason}", printable_path(path))]
    Csv {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong and what to write.
        reason: String,
    },
    /// An IDX file that contradicts itself.
    #[error("{} is not a sound IDX file: {reason}", printable_path(path))]
    Idx {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A setting out of its range.
    #[error("{0}")]
    Setting(String),
    /// A picture that can't be read, where unreadable pictures are not tolerated.
    #[error("{} {cause}", printable_path(path))]
    Picture {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: DecodeError,
    },
}

impl DataError {
    pub(crate) fn file(path: &Path, source: FileError) -> Self {
        match source {
            FileError::Io(source) => Self::Io { path: path.into(), source },
            source => Self::File { path: path.into(), source },
        }
    }
}

impl From<FileError> for DecodeError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io(error) => Self::Io(error),
            error => Self::File(error),
        }
    }
}
