//! Images that belong together: shots of one scene, crops of one photo, and what the data itself puts into a group. They stay
//! on one side of every split, because a model recognises what it has seen.

use super::part::Part;
use super::{Dataset, relative};
use crate::look::Look;
use crate::parallel::parallel;
use crate::{DataError, Limits, Sample, content_hashes};
use eyespot_system::{printable, printable_path};
use regex_lite::Regex;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Images that are compared with each other at most: the comparisons grow with the square of their number.
const MOST_COMPARED: usize = 50_000;
/// A scene of more than this share of the images is no burst: a camera that stands still sees the same in all of them.
const LARGEST_SCENE: f64 = 0.1;
/// A scene of so few images is always taken for a burst.
const SMALL_SCENE: usize = 10;

/// Gives each image the unit that it belongs to, and tells what was found.
pub(super) fn find(dataset: &mut Dataset, group_by: Option<&str>) -> Result<(), DataError> {
    let root = dataset.path.clone();
    if let Some(pattern) = group_by {
        group(dataset, &root, pattern)?;
    }
    let samples: Vec<(Part, &Sample)> = parts(dataset);
    let all: Vec<&Sample> = samples.iter().map(|(_, sample)| *sample).collect();
    let limits = Limits::default();
    let mut notices = Vec::new();

    let mut sets = Sets::new(all.len());
    let mut of_group: HashMap<&str, usize> = HashMap::new();
    for (index, sample) in all.iter().enumerate() {
        if let Some(group) = &sample.group {
            sets.join(index, *of_group.entry(group).or_insert(index));
        }
    }
    if !of_group.is_empty() {
        let grouped = all.iter().filter(|sample| sample.group.is_some()).count();
        notices.push(format!("{grouped} of {} images are in {} groups", all.len(), of_group.len()));
    }
    let alike = alike(&all, &limits, &mut notices);
    alike.iter().for_each(|&(a, b)| sets.join(a, b));

    let hashes = content_hashes(&all, 0, &limits);
    let mut units: HashMap<usize, [u8; 32]> = HashMap::new();
    for (index, (sample, hash)) in all.iter().zip(hashes).enumerate() {
        // A file that can't be read has no content to go by.
        let name = || *blake3::hash(relative(&root, &sample.path).as_os_str().as_encoded_bytes()).as_bytes();
        let key = match &sample.group {
            Some(group) => *blake3::hash(group.as_bytes()).as_bytes(),
            None => hash.unwrap_or_else(name),
        };
        let unit = units.entry(sets.of(index)).or_insert(key);
        *unit = key.min(*unit);
    }
    let of_each: Vec<[u8; 32]> = (0..all.len()).map(|index| units[&sets.of(index)]).collect();
    let parts: Vec<Part> = samples.iter().map(|(part, _)| *part).collect();
    notices.extend(across(&root, &all, &parts, &of_each));
    let mut of_each = of_each.into_iter();
    for part in [&mut dataset.train, &mut dataset.val, &mut dataset.test] {
        part.iter_mut().zip(&mut of_each).for_each(|(sample, unit)| sample.unit = unit);
    }
    dataset.notices.extend(notices);
    Ok(())
}

fn parts(dataset: &Dataset) -> Vec<(Part, &Sample)> {
    let parts = [(Part::Train, &dataset.train), (Part::Val, &dataset.val), (Part::Test, &dataset.test)];
    parts.into_iter().flat_map(|(part, samples)| samples.iter().map(move |sample| (part, sample))).collect()
}

/// Puts images into the groups that a pattern finds in their paths.
fn group(dataset: &mut Dataset, root: &Path, pattern: &str) -> Result<(), DataError> {
    let wrong = |cause: String| DataError::Setting(format!("group-by `{}` {cause}", printable(pattern)));
    let regex = Regex::new(pattern).map_err(|error| wrong(format!("is no regular expression: {error}")))?;
    let mut found = 0;
    let mut first = None;
    for sample in dataset.train.iter_mut().chain(&mut dataset.val).chain(&mut dataset.test) {
        let path = relative(root, &sample.path).to_string_lossy().replace('\\', "/");
        if let Some(captures) = regex.captures(&path) {
            let group = captures.get(1).or(captures.get(0)).map_or("", |group| group.as_str());
            sample.group = Some(group.into());
            found += 1;
        }
        first.get_or_insert(path);
    }
    match (found, first) {
        (0, Some(path)) => Err(wrong(format!(
            "matches none of the paths, such as {}; the group is what stands in its first parentheses",
            printable(&path)
        ))),
        _ => Ok(()),
    }
}

/// Pairs of images that look alike, unless nearly all do.
fn alike(all: &[&Sample], limits: &Limits, notices: &mut Vec<String>) -> Vec<(usize, usize)> {
    if all.len() > MOST_COMPARED {
        notices.push(format!(
            "{} images are too many to be compared with each other; if some are shots of one scene, name the scenes by \
             --group-by or a column `group`",
            all.len()
        ));
        return Vec::new();
    }
    let looks = parallel(all.len(), 0, |index| Look::of(all[index], limits));
    let like = |index: usize| {
        let Some(look) = &looks[index] else { return Vec::new() };
        let is_like = |other: &usize| looks[*other].as_ref().is_some_and(|other| look.is_like(other));
        (index + 1..all.len()).filter(is_like).map(|other| (index, other)).collect::<Vec<_>>()
    };
    let pairs: Vec<(usize, usize)> = parallel(all.len(), 0, like).into_iter().flatten().collect();
    let mut scenes = Sets::new(all.len());
    pairs.iter().for_each(|&(a, b)| scenes.join(a, b));
    let mut sizes: HashMap<usize, usize> = HashMap::new();
    (0..all.len()).for_each(|index| *sizes.entry(scenes.of(index)).or_default() += 1);
    sizes.retain(|_, size| *size > 1);
    let largest = sizes.values().copied().max().unwrap_or(0);
    if largest > SMALL_SCENE && largest as f64 > LARGEST_SCENE * all.len() as f64 {
        notices.push(format!(
            "{largest} of {} images look like shots of one scene, as by a camera that stands still, so they are divided one \
             by one; if some show the same thing, name the things by --group-by or a column `group`",
            all.len()
        ));
        return Vec::new();
    }
    if !sizes.is_empty() {
        notices.push(format!(
            "{} images look like shots of {} scenes (bursts, crops of one photo); those of a scene stay on one side of a \
             split",
            sizes.values().sum::<usize>(),
            sizes.len()
        ));
    }
    pairs
}

/// That the data's own parts share what belongs together.
fn across(root: &Path, all: &[&Sample], parts: &[Part], units: &[[u8; 32]]) -> Option<String> {
    let train: HashMap<&[u8; 32], usize> =
        (0..all.len()).filter(|&i| parts[i] == Part::Train).map(|i| (&units[i], i)).collect();
    let seen: Vec<usize> =
        (0..all.len()).filter(|&i| parts[i] != Part::Train && train.contains_key(&units[i])).collect();
    let &first = seen.first()?;
    let name = |index: usize| printable_path(relative(root, &all[index].path));
    let scenes: HashSet<&[u8; 32]> = seen.iter().map(|&i| &units[i]).collect();
    Some(format!(
        "{} images for validation or testing belong to {} groups or scenes that training has images of, such as {} and {}; \
         they say little about new images",
        seen.len(),
        scenes.len(),
        name(first),
        name(train[&units[first]])
    ))
}

/// Disjoint sets (union-find).
struct Sets(Vec<usize>);

impl Sets {
    fn new(count: usize) -> Self {
        Sets((0..count).collect())
    }

    /// The smallest index of the set.
    fn of(&mut self, mut index: usize) -> usize {
        while self.0[index] != index {
            self.0[index] = self.0[self.0[index]];
            index = self.0[index];
        }
        index
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a.max(b)] = a.min(b);
    }
}
