//! A folder's files, sorted by where in it they lie.

use super::folder::{Walk, entries, is_picture, name};
use crate::DataError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files of a folder.
#[derive(Default)]
pub(super) struct Files {
    pub pictures: Vec<PathBuf>,
    /// No images by their endings.
    pub others: Vec<PathBuf>,
}

/// A folder with what lies directly in it and what lies in its folders, however deep.
pub(super) struct Tree {
    pub path: PathBuf,
    pub name: String,
    pub own: Files,
    pub folders: BTreeMap<String, Files>,
}

impl Tree {
    pub fn read(path: &Path) -> Result<Tree, DataError> {
        let (folders, _) = entries(path)?;
        let folders = folders.iter().map(|folder| (name(folder), Files::default())).collect();
        let mut tree = Tree { path: path.into(), name: name(path), own: Files::default(), folders };
        for file in Walk::new(path.to_path_buf()) {
            let file = file?;
            let mut below = file.strip_prefix(path).unwrap_or(&file).components();
            let files = match (below.next(), below.next()) {
                (Some(folder), Some(_)) => {
                    tree.folders.entry(folder.as_os_str().to_string_lossy().into_owned()).or_default()
                }
                _ => &mut tree.own,
            };
            if is_picture(&file) { files.pictures.push(file) } else { files.others.push(file) }
        }
        Ok(tree)
    }

    /// The folders with images in them.
    pub fn picture_folders(&self) -> Vec<&str> {
        let with = self.folders.iter().filter(|(_, files)| !files.pictures.is_empty());
        with.map(|(name, _)| name.as_str()).collect()
    }

    pub fn has_pictures(&self) -> bool {
        !self.own.pictures.is_empty() || !self.picture_folders().is_empty()
    }

    /// Where a folder holds one folder and no images, the first folder further down that holds more.
    pub fn unwrapped(&self) -> Result<Option<Tree>, DataError> {
        let mut inner = None;
        loop {
            let tree = inner.as_ref().unwrap_or(self);
            match &tree.picture_folders()[..] {
                [only] if tree.own.pictures.is_empty() => inner = Some(Tree::read(&tree.path.join(only))?),
                _ => return Ok(inner),
            }
        }
    }
}
