//! A table of pictures: `path,label[,split][,group]`.

use super::part::Part;
use super::{Found, Layout, Listing};
use crate::DataError;
use eyespot_system::{FileError, printable, printable_path};
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
    let mut table = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut table).map_err(|error| failed(error.into()))?;
    parse(path, &table)
}

/// Reads the table; `path` is where it stands.
pub(crate) fn parse(path: &Path, table: &[u8]) -> Result<Listing, DataError> {
    let error = |line: u64, reason: String| DataError::Csv { path: path.into(), line, reason };
    let broken = |cause: csv::Error| {
        let line = cause.position().map_or(1, |position| line(table, position));
        error(
            line,
            match cause.kind() {
                csv::ErrorKind::Utf8 { .. } => "is not UTF-8 text; save the table as UTF-8".into(),
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    format!(
                        "has {len} columns, the first line has {expected_len}; put text with commas into quotes"
                    )
                }
                _ => cause.to_string(),
            },
        )
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(table);
    let header = reader.headers().map_err(broken)?.clone();
    // Spreadsheets put a byte-order mark before the first name.
    let column = |name: &str| {
        header.iter().position(|title| title.trim_start_matches('\u{feff}').eq_ignore_ascii_case(name))
    };
    let (Some(path_column), Some(label_column)) = (column("path"), column("label")) else {
        let mut reason = "the first line must name the columns: path,label or path,label,split".to_owned();
        // As spreadsheets write it where the comma is the decimal point's, and as they copy it.
        for (other, called) in [(';', "semicolons"), ('\t', "tabs")] {
            if header.iter().any(|title| title.contains(other)) {
                reason += &format!("; columns are separated by commas, not by {called}");
            }
        }
        return Err(error(1, reason));
    };
    let (split_column, group_column) = (column("split"), column("group"));
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut classes = BTreeSet::new();
    let mut found = Vec::new();
    let mut missing = Missing::default();
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let line = || record.position().map_or(1, |position| line(table, position));
        let field = |column: usize| record.get(column).unwrap_or_default();
        let (picture, class) = (field(path_column), field(label_column));
        if picture.is_empty() || class.is_empty() {
            return Err(error(line(), "path or label is empty".into()));
        }
        let part = match split_column.map(field) {
            None | Some("") => None,
            Some(split) => Some(Part::named(split).ok_or_else(|| {
                error(
                    line(),
                    format!(
                        "the split is `{}`; write train, val or test, or leave it empty",
                        printable(split)
                    ),
                )
            })?),
        };
        classes.insert(class.to_string());
        let file = folder.join(picture);
        if !file.exists() {
            missing.add(line, picture);
        }
        let group = group_column.map(field).filter(|group| !group.is_empty()).map(Into::into);
        found.push(Found { path: file, class: class.into(), part, memory: None, group });
    }
    if found.is_empty() {
        return Err(error(2, "there are no pictures below the line with the column names".into()));
    }
    if missing.count == found.len() {
        return Err(error(missing.first, missing.text(folder)));
    }
    let notices = if missing.count > 0 { vec![missing.text(folder)] } else { Vec::new() };
    Ok(Listing { layout: Layout::Csv, classes: classes.into_iter().collect(), found, notices })
}

/// The line on which the record at `position` begins, counted from 1 as an editor does. The reader's own count leaves out
/// what stands between two records: empty lines, and the second half of a Windows line end.
fn line(table: &[u8], position: &csv::Position) -> u64 {
    let start = table.len().min(position.byte() as usize);
    let between = table[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let before = &table[..start + between];
    let line_feeds = before.iter().filter(|&&byte| byte == b'\n').count();
    // Files of the old Macintosh end lines with a carriage return alone.
    let ends = if line_feeds > 0 { line_feeds } else { before.iter().filter(|&&byte| byte == b'\r').count() };
    1 + ends as u64
}

/// Files named in the table that aren't there.
#[derive(Default)]
struct Missing {
    count: usize,
    /// The line of the first.
    first: u64,
    shown: Vec<String>,
    /// Whether one of them is written as on Windows.
    backslash: bool,
}

/// Missing files that are named.
const NAMED: usize = 3;

impl Missing {
    fn add(&mut self, line: impl Fn() -> u64, picture: &str) {
        if self.count == 0 {
            self.first = line();
        }
        self.count += 1;
        self.backslash |= picture.contains('\\');
        if self.shown.len() < NAMED {
            let line = line();
            self.shown.push(format!("{} (line {line})", printable(picture)));
        }
    }

    fn text(&self, folder: &Path) -> String {
        let more = match self.count - self.shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let advice = match self.backslash {
            true => "write paths with / in place of \\".to_owned(),
            false => {
                format!("paths count from the folder of the table, {}", printable_path(&folder.join("")))
            }
        };
        let files =
            if self.count == 1 { "file of the table is missing" } else { "files of the table are missing" };
        format!("{} {files}: {}{more}; {advice}", self.count, self.shown.join(", "))
    }
}
