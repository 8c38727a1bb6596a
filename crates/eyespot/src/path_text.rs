//! Paths in JSON.

use serde::Serializer;
use serde::ser::SerializeSeq;
use std::path::{Path, PathBuf};

/// As text, with `�` for bytes that aren't Unicode: one file of such a name must not cost a whole report.
pub(crate) fn one<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// [`one`] for each of several.
pub(crate) fn several<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(paths.len()))?;
    paths.iter().try_for_each(|path| list.serialize_element(&path.to_string_lossy()))?;
    list.end()
}
