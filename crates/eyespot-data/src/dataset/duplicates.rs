//! Images that are there more than once, found by content.

use super::part::Part;
use super::{Dataset, folder_of, relative};
use crate::sample::content_hashes;
use crate::{Limits, Sample};
use eyespot_system::printable_path;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// An image that isn't used because another has the same content: it is another copy, or the same file reached through
/// a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The image.
    pub path: PathBuf,
    /// The other one.
    pub of: PathBuf,
    /// Whether the two have different labels. Then neither is used: one of the labels must be wrong.
    pub contradicts: bool,
    pub(super) part: Part,
    pub(super) of_part: Part,
}

/// Uses each content once, in the part that measures: a copy in the test part counts before one in the validation part,
/// and that before one for training. A model would otherwise be measured on what it learned from.
///
/// Only files of equal size can be equal, so that few of them have to be read.
pub(super) fn remove(dataset: &mut Dataset, limits: &Limits) {
    let parts = [(Part::Test, &dataset.test), (Part::Val, &dataset.val), (Part::Train, &dataset.train)];
    let samples: Vec<(Part, &Sample)> =
        parts.iter().flat_map(|(part, samples)| samples.iter().map(|sample| (*part, sample))).collect();
    let sizes: Vec<u64> = samples.iter().map(|(_, sample)| sample.size().unwrap_or(0)).collect();
    let mut of_size: HashMap<u64, usize> = HashMap::new();
    sizes.iter().for_each(|size| *of_size.entry(*size).or_default() += 1);
    // What is empty or can't be read is told when it is loaded.
    let candidates: Vec<usize> =
        (0..samples.len()).filter(|&i| sizes[i] > 0 && of_size[&sizes[i]] > 1).collect();
    let read: Vec<&Sample> = candidates.iter().map(|&i| samples[i].1).collect();
    let mut groups: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
    for (&index, hash) in candidates.iter().zip(content_hashes(&read, 0, limits)) {
        if let Some(hash) = hash {
            groups.entry(hash).or_default().push(index);
        }
    }
    let mut unused = vec![false; samples.len()];
    let mut duplicates: Vec<(usize, Duplicate)> = Vec::new();
    let mut leave_out = |index: usize, of: usize, contradicts: bool| {
        unused[index] = true;
        let (part, path) = (samples[index].0, samples[index].1.path.clone());
        let (of_part, of) = (samples[of].0, samples[of].1.path.clone());
        duplicates.push((index, Duplicate { path, of, contradicts, part, of_part }));
    };
    for mut group in groups.into_values().filter(|group| group.len() > 1) {
        let label = |index: usize| samples[index].1.label;
        let unlike = |group: &[usize]| group.iter().copied().find(|&index| label(index) != label(group[0]));
        if unlike(&group).is_some() {
            let links = links(&dataset.path, &samples, &group);
            links.iter().for_each(|(link, place)| leave_out(*link, *place, false));
            group.retain(|index| !links.contains_key(index));
        }
        let (first, other) = (group[0], unlike(&group));
        for &index in &group {
            match other {
                Some(other) if label(index) == label(first) => leave_out(index, other, true),
                Some(_) => leave_out(index, first, true),
                None if index != first => leave_out(index, first, false),
                None => {}
            }
        }
    }
    // Groups come in no order of their own.
    duplicates.sort_by_key(|(index, _)| *index);
    let mut unused = unused.into_iter();
    for part in [&mut dataset.test, &mut dataset.val, &mut dataset.train] {
        part.retain(|_| !unused.next().unwrap_or(false));
    }
    dataset.duplicates = duplicates.into_iter().map(|(_, duplicate)| duplicate).collect();
    let notices = notices(dataset);
    dataset.notices.extend(notices);
}

/// The images of a group that are links to others of it, with the place of each. A link in a folder of another class,
/// such as one that leads back to the whole data set, says nothing against the class of the image's own folder.
fn links(root: &Path, samples: &[(Part, &Sample)], group: &[usize]) -> HashMap<usize, usize> {
    let Ok(folder) = folder_of(root).canonicalize() else { return HashMap::new() };
    let path = |index: usize| samples[index].1.path.as_path();
    let real: Vec<Option<PathBuf>> = group.iter().map(|&index| path(index).canonicalize().ok()).collect();
    let in_place: Vec<bool> = group
        .iter()
        .zip(&real)
        .map(|(&index, real)| real.as_deref() == Some(folder.join(relative(root, path(index))).as_path()))
        .collect();
    let places: HashMap<&Path, usize> = (0..group.len())
        .filter(|&n| in_place[n])
        .filter_map(|n| Some((real[n].as_deref()?, group[n])))
        .collect();
    let link = |n: usize| Some((group[n], *places.get(real[n].as_deref()?)?));
    (0..group.len()).filter(|&n| !in_place[n]).filter_map(link).collect()
}

/// Files of each kind that are named.
const NAMED: usize = 3;

fn notices(dataset: &Dataset) -> Vec<String> {
    let tell = |what: &str, kind: &dyn Fn(&Duplicate) -> bool| {
        let found: Vec<&Duplicate> = dataset.duplicates.iter().filter(|duplicate| kind(duplicate)).collect();
        let name = |path: &Path| printable_path(relative(&dataset.path, path));
        let pair = |d: &&Duplicate| format!("{} (the same as {})", name(&d.path), name(&d.of));
        let mut shown: Vec<String> = found.iter().take(NAMED).map(pair).collect();
        if found.len() > NAMED {
            shown.push(format!("{} more", found.len() - NAMED));
        }
        (!found.is_empty()).then(|| format!("images {what}: {} ({})", found.len(), shown.join(", ")))
    };
    let apart = |d: &Duplicate| d.part != d.of_part;
    [
        tell("left out because the same image has another label, so one of the two is wrong", &|d| {
            d.contradicts
        }),
        tell("left out because they are there more than once; each is used once", &|d| {
            !d.contradicts && !apart(d)
        }),
        tell("left out of training because validation or testing has them too", &|d| {
            !d.contradicts && apart(d) && d.part == Part::Train
        }),
        tell("left out of validation because testing has them too", &|d| {
            !d.contradicts && apart(d) && d.part == Part::Val
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}
