//! A table of pictures: `path,label[,split]`.

use super::{Found, Layout, Listing, Part};
use crate::DataError;
use eyespot_system::FileError;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

/// The most bytes a table may have: 1 GiB, some ten million images.
const MAX_BYTES: u64 = 1 << 30;

pub(super) fn list(path: &Path) -> Result<Listing, DataError> {
    let failed = |error| DataError::file(path, error);
    let file = eyespot_system::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(|error| failed(error.into()))?.len();
    if bytes > MAX_BYTES {
        return Err(failed(FileError::TooLarge { bytes, limit: MAX_BYTES }));
    }
    parse(path, std::io::BufReader::new(file))
}

/// Reads the table; `path` is where it stands.
pub(crate) fn parse(path: &Path, table: impl Read) -> Result<Listing, DataError> {
    let error = |line: u64, reason: String| DataError::Csv { path: path.into(), line, reason };
    let broken = |cause: csv::Error| {
        let line = cause.position().map_or(1, csv::Position::line);
        error(line, cause.to_string())
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(table);
    let header = reader.headers().map_err(broken)?.clone();
    // Spreadsheets put a byte-order mark before the first name.
    let column = |name: &str| {
        header.iter().position(|title| title.trim_start_matches('\u{feff}').eq_ignore_ascii_case(name))
    };
    let (Some(path_column), Some(label_column)) = (column("path"), column("label")) else {
        return Err(error(1, "the first line must name the columns: path,label or path,label,split".into()));
    };
    let split_column = column("split");
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut classes = BTreeSet::new();
    let mut found = Vec::new();
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let line = record.position().map_or(0, csv::Position::line);
        let field = |column: usize| record.get(column).unwrap_or_default();
        let (picture, class) = (field(path_column), field(label_column));
        if picture.is_empty() || class.is_empty() {
            return Err(error(line, "path or label is empty".into()));
        }
        let part = match split_column.map(field) {
            None | Some("") => None,
            Some(split) => Some(Part::named(&split.to_lowercase()).ok_or_else(|| {
                error(line, format!("the split is `{split}`; write train, val or test, or leave it empty"))
            })?),
        };
        classes.insert(class.to_string());
        found.push(Found { path: folder.join(picture), class: class.into(), part, memory: None });
    }
    if found.is_empty() {
        return Err(error(2, "there are no pictures below the line with the column names".into()));
    }
    Ok(Listing { layout: Layout::Csv, classes: classes.into_iter().collect(), found, notices: Vec::new() })
}
