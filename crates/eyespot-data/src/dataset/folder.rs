//! Class folders.

use super::{Found, Layout, Listing, Part, some_of};
use crate::DataError;
use eyespot_system::printable_path;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The endings torchvision's `ImageFolder` takes.
const ENDINGS: [&str; 9] = ["jpg", "jpeg", "png", "ppm", "bmp", "pgm", "tif", "tiff", "webp"];

/// Files that aren't pictures by their ending, to be told about.
#[derive(Default)]
struct PassedOver {
    /// Count per ending, and the first such file.
    endings: BTreeMap<String, (usize, PathBuf)>,
}

pub(super) fn list(root: &Path) -> Result<Listing, DataError> {
    let (folders, files) = entries(root)?;
    let part_of = |folder: &PathBuf| Part::named(&name(folder));
    let parts: Vec<(Part, &PathBuf)> =
        folders.iter().filter_map(|folder| Some((part_of(folder)?, folder))).collect();
    // `test` may well be a class. It is a part if it has folders of its own, and train or nothing but parts beside it.
    let mut divided = !parts.is_empty()
        && (parts.iter().any(|(part, _)| *part == Part::Train) || parts.len() == folders.len());
    for (_, folder) in &parts {
        divided &= !entries(folder)?.0.is_empty();
    }
    let mut listing = Listing {
        layout: if divided { Layout::SplitFolders } else { Layout::ClassFolders },
        classes: Vec::new(),
        found: Vec::new(),
        notices: Vec::new(),
    };
    let mut passed_over = PassedOver::default();
    let mut classes = BTreeSet::new();
    let mut loose = files.iter().filter(|file| is_picture(file)).count();
    if divided {
        for (part, folder) in &parts {
            let (class_folders, files) = entries(folder)?;
            loose += files.iter().filter(|file| is_picture(file)).count();
            for class in class_folders {
                list_class(&class, Some(*part), &mut classes, &mut listing.found, &mut passed_over)?;
            }
        }
        let others: Vec<String> =
            folders.iter().filter(|folder| part_of(folder).is_none()).map(|folder| name(folder)).collect();
        if !others.is_empty() {
            let others = some_of(&others);
            listing.notices.push(format!("folders beside train, val and test are passed over: {others}"));
        }
    } else {
        for class in &folders {
            list_class(class, None, &mut classes, &mut listing.found, &mut passed_over)?;
        }
    }
    listing.classes = classes.into_iter().collect();
    if listing.classes.is_empty() {
        let found = match (loose, files.len()) {
            (0, 0) => "it is empty".into(),
            (0, files) => format!("only {files} files that are no pictures"),
            (pictures, _) => format!("{pictures} pictures lie directly in it, so their classes are unknown"),
        };
        return Err(DataError::NoClasses { path: root.into(), found });
    }
    if listing.found.is_empty() {
        return Err(DataError::NoPictures {
            path: root.into(),
            classes: some_of(&listing.classes),
            endings: ENDINGS.join(", "),
        });
    }
    if loose > 0 {
        listing.notices.push(format!("{loose} pictures outside the class folders are passed over"));
    }
    listing.notices.extend(passed_over.notice());
    Ok(listing)
}

impl PassedOver {
    fn add(&mut self, file: &Path) {
        let ending = match file.extension() {
            Some(ending) => format!(".{}", ending.to_string_lossy().to_lowercase()),
            None => "no ending".into(),
        };
        self.endings.entry(ending).or_insert_with(|| (0, file.into())).0 += 1;
    }

    fn notice(&self) -> Option<String> {
        let total: usize = self.endings.values().map(|(count, _)| count).sum();
        let (_, first) = self.endings.values().next()?;
        let counts: Vec<String> =
            self.endings.iter().map(|(ending, (count, _))| format!("{count} × {ending}")).collect();
        Some(format!(
            "{total} files in class folders are passed over because of their endings ({}), such as {}; \
             picture files end in {}",
            some_of(&counts),
            printable_path(first),
            ENDINGS.join(", ")
        ))
    }
}

/// All pictures of one class, sub-folders included.
fn list_class(
    folder: &Path,
    part: Option<Part>,
    classes: &mut BTreeSet<String>,
    found: &mut Vec<Found>,
    passed_over: &mut PassedOver,
) -> Result<(), DataError> {
    let class = name(folder);
    classes.insert(class.clone());
    for file in Walk::new(folder.to_path_buf()) {
        let file = file?;
        if is_picture(&file) {
            found.push(Found { path: file, class: class.clone(), part, memory: None });
        } else {
            passed_over.add(&file);
        }
    }
    Ok(())
}

/// Every visible file in a folder and below, in the order of names, a folder's own files first. A link that leads back
/// to a folder above it is not followed.
pub(crate) struct Walk {
    /// The folder to begin with.
    start: Option<PathBuf>,
    /// The folders from the first to the one being read.
    levels: Vec<Level>,
}

struct Level {
    real: PathBuf,
    files: std::vec::IntoIter<PathBuf>,
    folders: std::vec::IntoIter<PathBuf>,
}

impl Walk {
    pub fn new(folder: PathBuf) -> Walk {
        Walk { start: Some(folder), levels: Vec::new() }
    }

    fn enter(&mut self, folder: &Path) -> Result<(), DataError> {
        let real =
            folder.canonicalize().map_err(|source| DataError::Io { path: folder.to_path_buf(), source })?;
        if self.levels.iter().all(|level| level.real != real) {
            let (folders, files) = entries(folder)?;
            self.levels.push(Level { real, files: files.into_iter(), folders: folders.into_iter() });
        }
        Ok(())
    }
}

impl Iterator for Walk {
    type Item = Result<PathBuf, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut folder = self.start.take();
        loop {
            if let Some(Err(error)) = folder.map(|folder| self.enter(&folder)) {
                return Some(Err(error));
            }
            let level = self.levels.last_mut()?;
            if let Some(file) = level.files.next() {
                return Some(Ok(file));
            }
            folder = level.folders.next();
            if folder.is_none() {
                self.levels.pop();
            }
        }
    }
}

/// Visible folders and files in a folder, each sorted by name. Links count as what they lead to; dangling ones as files,
/// so that reading them tells.
pub(crate) fn entries(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), DataError> {
    let failed = |source| DataError::Io { path: folder.to_path_buf(), source };
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().as_encoded_bytes().first() == Some(&b'.') {
            continue;
        }
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() || (kind.is_symlink() && entry.path().is_dir()) {
            folders.push(entry.path());
        } else {
            files.push(entry.path());
        }
    }
    folders.sort();
    files.sort();
    Ok((folders, files))
}

pub(crate) fn is_picture(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
