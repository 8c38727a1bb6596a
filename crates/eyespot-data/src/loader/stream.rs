//! Files, folders and globs to a stream of pictures.

use super::Failure;
use crate::dataset::folder::{Walk, is_picture};
use crate::{DataError, DecodeError, Sample};
use std::path::PathBuf;

/// The pictures that paths name, found as they are asked for: a file is itself (whatever its ending); a folder stands
/// for the picture files in it and below, in the order of names; a path with `*`, `?` or `[` that isn't a file stands for
/// what matches it. Labels are 0.
///
/// A path that leads nowhere is a failure in the stream; the rest goes on.
pub fn pictures(paths: Vec<PathBuf>) -> impl Iterator<Item = Result<Sample, Failure>> + Send + 'static {
    let files = paths.into_iter().flat_map(expand).flat_map(|path| match path {
        Ok(path) if path.is_dir() => files_below(path),
        other => one(other),
    });
    files.map(|file| file.map(|file| Sample::file(file, 0)))
}

type Paths = Box<dyn Iterator<Item = Result<PathBuf, Failure>> + Send>;

fn one(path: Result<PathBuf, Failure>) -> Paths {
    Box::new(std::iter::once(path))
}

fn files_below(folder: PathBuf) -> Paths {
    Box::new(Walk::new(folder.clone()).filter_map(move |file| match file {
        Ok(file) => is_picture(&file).then_some(Ok(file)),
        Err(DataError::Io { path, source }) => Some(Err(Failure { path, cause: DecodeError::Io(source) })),
        Err(other) => Some(Err(failure(folder.clone(), other.to_string()))),
    }))
}

fn failure(path: PathBuf, reason: String) -> Failure {
    Failure { path, cause: DecodeError::Io(std::io::Error::other(reason)) }
}

/// What a path with wildcards stands for; other paths stand for themselves.
fn expand(path: PathBuf) -> Paths {
    let text = path.to_string_lossy().into_owned();
    if path.exists() || !text.contains(['*', '?', '[']) {
        return one(Ok(path));
    }
    let mut matches = match glob::glob(&text) {
        Ok(matches) => matches.peekable(),
        Err(error) => return one(Err(failure(path, error.to_string()))),
    };
    if matches.peek().is_none() {
        return one(Err(failure(path, "nothing matches it".into())));
    }
    Box::new(
        matches.map(|found| found.map_err(|error| failure(error.path().to_path_buf(), error.to_string()))),
    )
}
