//! Weights from files, put into networks.

use crate::Error;
use eyespot_formats::{Fitted, FormatError, WeightsFile};
use eyespot_graph::Graph;
use std::path::Path;

/// Opens a file of weights.
pub(crate) fn open(path: &Path) -> Result<WeightsFile<'static>, Error> {
    Ok(WeightsFile::open(path)?)
}

/// What `graph` takes from a file; errors say which file it was.
pub(crate) fn fit(weights: &WeightsFile<'_>, graph: &Graph, replace_head: bool) -> Result<Fitted, Error> {
    weights.fit(graph, replace_head).map_err(|error| named(weights, error))
}

/// How many classes a file's classifier tells apart.
pub(crate) fn classes(weights: &WeightsFile<'_>, graph: &Graph) -> Result<Option<usize>, Error> {
    weights.classes(graph).map_err(|error| named(weights, error))
}

fn named(weights: &WeightsFile<'_>, error: FormatError) -> Error {
    match error {
        FormatError::DoesNotFit(_) | FormatError::Choice(_) => Error::file(weights.path(), error),
        says_which => says_which.into(),
    }
}
