//! What is said about files, one by one while they are few.

use eyespot_system::printable_path;
use std::path::Path;

/// Files named one by one; of more only the number is told.
const NAMED: usize = 10;

/// A line for each file, `what_became: FILE remark`, and one for those that are too many: `what_became: 7 more photos
/// which`.
pub(crate) fn lines<'a>(
    remarks: impl ExactSizeIterator<Item = (&'a Path, &'a str)>,
    what_became: &str,
    which: &str,
) -> Vec<String> {
    let more = remarks.len().saturating_sub(NAMED);
    let mut lines: Vec<String> = remarks
        .take(NAMED)
        .map(|(path, remark)| format!("{what_became}: {} {remark}", printable_path(path)))
        .collect();
    if more > 0 {
        lines.push(format!("{what_became}: {more} more photos {which}"));
    }
    lines
}

/// [`lines`] for files that were read although there is something to say about them.
pub(crate) fn noted<'a>(notes: impl ExactSizeIterator<Item = (&'a Path, &'a str)>) -> Vec<String> {
    lines(notes, "read all the same", "about which there is something to say")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_files_ten_are_named_and_the_rest_is_counted() {
        let remarks = [(Path::new("a.png"), "is cut off"); 12];
        let lines = lines(remarks.into_iter(), "left out", "that can't be read");
        assert_eq!(lines.len(), 11);
        assert_eq!(lines[9], "left out: a.png is cut off");
        assert_eq!(lines[10], "left out: 2 more photos that can't be read");
    }
}
