//! Did you mean …?

/// The known name closest to `name`, where one is close enough to be a slip of the fingers.
///
/// ```
/// assert_eq!(eyespot::closest("resnet-50", ["resnet50", "vgg16"]), Some("resnet50"));
/// assert_eq!(eyespot::closest("banana", ["resnet50", "vgg16"]), None);
/// ```
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', '.', ' '], "");
    let asked = plain(name);
    let best = known.into_iter().map(|k| (edits(&asked, &plain(k)), k)).min_by_key(|(edits, _)| *edits)?;
    (best.0 <= 1 + asked.chars().count() / 4).then_some(best.1)
}

/// Levenshtein's distance: single letters inserted, deleted or replaced.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
