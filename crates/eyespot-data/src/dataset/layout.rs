//! Which of a folder's folders are splits and which are classes.

use super::part::Part;
use super::some_of;
use super::tree::Tree;
use crate::DataError;
use eyespot_system::{printable, printable_path};
use std::collections::BTreeSet;
use std::path::Path;

/// That `parts`, the folders named after splits, can be told from classes and hold class folders. `true` where they
/// are the splits of this data set, `false` where they are classes like the `others` beside them.
pub(super) fn divided(root: &Path, parts: &[(Part, Tree)], others: &[Tree]) -> Result<bool, DataError> {
    let others: Vec<&Tree> = others.iter().filter(|tree| tree.has_pictures()).collect();
    let with_classes = |(_, tree): &&(Part, Tree)| !tree.picture_folders().is_empty();
    let splits: Vec<&(Part, Tree)> = parts.iter().filter(with_classes).collect();
    let train = splits.iter().find(|(part, _)| *part == Part::Train);
    if splits.is_empty() && others.is_empty() && parts.iter().any(|(_, tree)| tree.has_pictures()) {
        return Err(flat(root, parts));
    }
    // `test` may well be a class. Splits are train and what is beside it, or folders that are all named after splits.
    if splits.is_empty() || (train.is_none() && !others.is_empty()) {
        return Ok(false);
    }
    for (number, (part, tree)) in splits.iter().enumerate() {
        if let Some((_, other)) = splits[..number].iter().find(|(other, _)| other == part) {
            return Err(layout(
                root,
                format!(
                    "holds {} and {}, and both are named after the {} split",
                    printable(&other.name),
                    printable(&tree.name),
                    part.name()
                ),
                "keep one of them, or put the images of both into one folder".into(),
            ));
        }
    }
    match train {
        Some((_, train)) if splits.len() == 1 => alone(root, train, &others)?,
        None if parts.iter().any(|(part, tree)| *part == Part::Train && tree.has_pictures()) => {
            return Err(flat(root, parts));
        }
        _ => {}
    }
    Ok(true)
}

/// Splits without class folders.
fn flat(root: &Path, parts: &[(Part, Tree)]) -> DataError {
    let without = parts.iter().filter(|(_, tree)| tree.picture_folders().is_empty() && tree.has_pictures());
    let names: Vec<&str> = without.map(|(_, tree)| tree.name.as_str()).collect();
    let first = names.first().copied().unwrap_or("train");
    layout(
        root,
        format!("is divided into splits, but there are no class folders in {}", some_of(&names)),
        format!(
            "put the images of each class into a folder of its own, such as {}, or give a CSV with \
             `path,label,split` columns",
            printable_path(&root.join(first).join("cats/1.jpg"))
        ),
    )
}

/// A single split beside other folders that look like classes of classes: `{Train/{diesel,steam}, car/{sedan,van}}`.
fn alone(root: &Path, train: &Tree, others: &[&Tree]) -> Result<(), DataError> {
    let classes = train.picture_folders();
    let unlike = others.iter().find(|other| {
        let inner = other.picture_folders();
        !inner.is_empty() && other.own.pictures.is_empty() && !inner.iter().any(|name| classes.contains(name))
    });
    let Some(other) = unlike else { return Ok(()) };
    let (train, other) = (printable(&train.name), printable(&other.name));
    Err(layout(
        root,
        format!(
            "has a folder {train}, which may be a split (of {}) or a class beside {other}",
            some_of(&classes)
        ),
        format!(
            "if it is a class, put its images directly into {train}; if it is a split, move {other} out of the folder"
        ),
    ))
}

/// That class folders hold images and not the classes themselves.
pub(super) fn check_classes(root: &Path, folders: &[Tree]) -> Result<(), DataError> {
    let folders: Vec<&Tree> = folders.iter().filter(|tree| tree.has_pictures()).collect();
    // The folders that hold several folders in place of images.
    let mut nested: Vec<(&Tree, Option<Tree>)> = Vec::new();
    for &tree in &folders {
        let inner = tree.unwrapped()?;
        let holds = inner.as_ref().unwrap_or(tree);
        if holds.own.pictures.is_empty() && holds.picture_folders().len() > 1 {
            nested.push((tree, inner));
        }
    }
    let named: BTreeSet<Part> = nested.iter().filter_map(|(tree, _)| Part::within(&tree.name)).collect();
    if named.len() > 1 && nested.len() > 1 {
        let names: Vec<&str> = nested.iter().map(|(tree, _)| tree.name.as_str()).collect();
        let parts: Vec<&str> = named.iter().map(|part| part.name()).collect();
        return Err(layout(
            root,
            format!("holds {}, which look like splits and not like classes", some_of(&names)),
            format!(
                "rename them to {} if they are, with the class folders directly in them; if they are classes, give \
                 a CSV with `path,label` columns",
                parts.join(" and ")
            ),
        ));
    }
    if nested.is_empty() || nested.len() < folders.len() {
        return Ok(());
    }
    let holds: Vec<&Tree> = nested.iter().map(|(tree, inner)| inner.as_ref().unwrap_or(tree)).collect();
    let (outer, first) = (folders[0], holds[0]);
    let inner = first.picture_folders();
    let shown = some_of(&inner);
    if folders.len() == 1 {
        return Err(layout(
            root,
            format!("has images in one folder only, and that holds folders itself ({shown})"),
            format!("if those are the classes, give {}", printable_path(&first.path)),
        ));
    }
    let names: Vec<&str> = folders.iter().map(|tree| tree.name.as_str()).collect();
    let names = some_of(&names);
    let example = format!("{}/{}", printable(&outer.name), printable(inner[0]));
    if holds.iter().any(|tree| tree.picture_folders() != inner) {
        return Err(layout(
            root,
            format!("holds folders ({names}) that hold folders in place of images, such as {example}"),
            format!(
                "if the inner folders are the classes, put them all directly into one folder; if {names} are the \
                 classes, put their images directly into them or give a CSV with `path,label` columns"
            ),
        ));
    }
    if let (true, Some(part)) = (inner.iter().all(|name| Part::named(name).is_some()), inner.first()) {
        return Err(layout(
            root,
            format!("looks like CLASS/SPLIT: {names} all hold the folders {shown}"),
            format!(
                "turn it round, such as {}",
                printable_path(&root.join(part).join(&outer.name).join("1.jpg"))
            ),
        ));
    }
    Err(layout(
        root,
        format!("looks like GROUP/CLASS and not like CLASS/IMAGE: {names} all hold the folders {shown}"),
        format!(
            "give one of them, such as {}, or rename them to train, val and test; if {names} are the classes, give a \
             CSV with `path,label` columns",
            printable_path(&outer.path)
        ),
    ))
}

fn layout(root: &Path, found: String, advice: String) -> DataError {
    DataError::Layout { path: root.into(), found, advice }
}
