//! Files, folders and globs to a stream of pictures.

use super::Failure;
use crate::dataset::folder::{Walk, is_picture};
use crate::{DataError, DecodeError, Sample};
use std::path::{Component, Path, PathBuf};

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

/// What a pattern with `**` stands for, which `glob` would look for along every link, also those that lead in circles.
fn below_pattern(path: PathBuf, text: &str) -> Paths {
    let pattern = match glob::Pattern::new(text) {
        Ok(pattern) => pattern,
        Err(error) => return one(Err(failure(path, error.to_string()))),
    };
    let plain = |part: &Component| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    let start: PathBuf = path.components().take_while(plain).collect();
    let start = if start.as_os_str().is_empty() { PathBuf::from(".") } else { start };
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    let all = path.ends_with("**");
    let matches = move |file: &Path| {
        let named = file.strip_prefix(".").unwrap_or(file);
        pattern.matches_path_with(named, options) && (!all || is_picture(file))
    };
    let mut files =
        Walk::new(start).filter(move |file| file.as_ref().map_or(true, |f| matches(f))).peekable();
    if files.peek().is_none() {
        return one(Err(failure(path, "nothing matches it".into())));
    }
    Box::new(files.map(move |file| file.map_err(|error| failure(path.clone(), error.to_string()))))
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
    if text.contains("**") {
        return below_pattern(path, &text);
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
