//! Class folders.

use super::part::Part;
use super::tree::{Files, Tree};
use super::{Found, Layout, Listing, layout, some_of};
use crate::DataError;
use eyespot_system::{MARKER, printable_path};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

/// The endings that torchvision's `ImageFolder` takes, others of JPEG (browsers on Windows save `.jfif`), and those of photos
/// in other formats: the ones that can't be read
/// are then named, with what to do. GIF and ICO are mostly decoration of web pages; named as files they are read.
const ENDINGS: [&str; 19] = [
    "jpg", "jpeg", "jfif", "jpe", "png", "ppm", "bmp", "pgm", "tif", "tiff", "webp", "jp2", "j2k", "jxl",
    "qoi", "tga", "heic", "heif", "avif",
];

/// Files that aren't pictures by their ending, to be told about.
#[derive(Default)]
struct PassedOver {
    /// Count per ending, and the first such file.
    endings: BTreeMap<String, (usize, PathBuf)>,
}

/// The images of a folder; `known` says whether a class of a model is called so.
pub(super) fn list(root: &Path, known: &dyn Fn(&str) -> bool) -> Result<Listing, DataError> {
    let (folders, files) = entries(root)?;
    let (ours, folders) = sort_out_ours(folders)?;
    distinct(&folders)?;
    let all_known = !folders.is_empty() && folders.iter().all(|folder| known(&name(folder)));
    let (mut parts, mut others) = (Vec::new(), Vec::new());
    for folder in &folders {
        match Part::named(&name(folder)) {
            Some(part) if !all_known => {
                distinct(&entries(folder)?.0)?;
                parts.push((part, Tree::read(folder)?));
            }
            _ => others.push(folder),
        }
    }
    // Folders beside several splits may be anything, and large.
    let clear = parts.iter().filter(|(_, tree)| !tree.picture_folders().is_empty()).count() > 1
        && parts.iter().any(|(part, tree)| *part == Part::Train && !tree.picture_folders().is_empty());
    let mut trees = Vec::new();
    for folder in others.iter().filter(|_| !clear) {
        trees.push(Tree::read(folder)?);
    }
    let mut listing = Listing::new(Layout::ClassFolders);
    let mut passed_over = PassedOver::default();
    let mut classes = BTreeSet::new();
    let mut loose = files.iter().filter(|file| is_picture(file)).count();
    let mut add = |class: &str, part: Option<Part>, files: Files| {
        classes.insert(class.to_string());
        files.others.iter().for_each(|file| passed_over.add(file));
        let found = files.pictures.into_iter();
        listing.found.extend(found.map(|path| Found {
            path,
            class: class.into(),
            part,
            memory: None,
            group: None,
        }));
    };
    if layout::divided(root, &parts, &trees)? {
        for (part, tree) in parts {
            loose += tree.own.pictures.len();
            tree.folders.into_iter().for_each(|(class, files)| add(&class, Some(part), files));
        }
        listing.layout = Layout::SplitFolders;
        if !others.is_empty() {
            let others: Vec<String> = others.iter().map(|folder| name(folder)).collect();
            let others = some_of(&others);
            listing.notices.push(format!("folders beside train, val and test are passed over: {others}"));
        }
    } else {
        trees.extend(parts.into_iter().map(|(_, tree)| tree));
        trees.sort_by(|a, b| a.path.cmp(&b.path));
        if !all_known {
            layout::check_classes(root, &trees)?;
        }
        for tree in trees {
            add(&tree.name, None, tree.own);
            tree.folders.into_values().for_each(|files| add(&tree.name, None, files));
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
    if !ours.is_empty() {
        let ours: Vec<String> = ours.iter().map(|folder| name(folder)).collect();
        let ours = some_of(&ours);
        listing
            .notices
            .push(format!("folders that eyespot wrote are no classes and are passed over: {ours}"));
    }
    if loose > 0 {
        listing.notices.push(format!("{loose} pictures outside the class folders are passed over"));
    }
    listing.notices.extend(passed_over.notice());
    Ok(listing)
}

/// The folders that eyespot wrote, such as runs beside the classes, and the others.
fn sort_out_ours(folders: Vec<PathBuf>) -> Result<(Vec<PathBuf>, Vec<PathBuf>), DataError> {
    let is_marked = |folder: &Path| folder.join(MARKER).is_file();
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for folder in folders {
        // A folder such as `runs`, with nothing in it but what eyespot wrote.
        let holds_ours = || -> Result<bool, DataError> {
            let (folders, files) = entries(&folder)?;
            Ok(files.is_empty() && !folders.is_empty() && folders.iter().all(|folder| is_marked(folder)))
        };
        let is_ours = is_marked(&folder) || holds_ours()?;
        if is_ours { ours.push(folder) } else { others.push(folder) }
    }
    Ok((ours, others))
}

/// That the folders differ in what is left of their names as text. Two classes would otherwise become one in silence.
fn distinct(folders: &[PathBuf]) -> Result<(), DataError> {
    let mut seen = BTreeMap::new();
    for folder in folders {
        if let Some(other) = seen.insert(name(folder), folder) {
            return Err(DataError::Layout {
                path: folder.parent().unwrap_or(folder).into(),
                found: format!(
                    "holds two folders whose names are no Unicode text and alike but for that, {}",
                    printable_path(other)
                ),
                advice: "rename them".into(),
            });
        }
    }
    Ok(())
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

/// Every visible file in a folder and below, in the order of names, a folder's own files first. Links are followed, but
/// each folder is entered once, whatever names lead to it: links that loop or fan out come to an end.
pub(crate) struct Walk {
    /// The folder to begin with.
    start: Option<PathBuf>,
    /// The folders from the first to the one being read.
    levels: Vec<Level>,
    /// The real paths of all folders so far.
    entered: HashSet<PathBuf>,
}

struct Level {
    files: std::vec::IntoIter<PathBuf>,
    folders: std::vec::IntoIter<PathBuf>,
}

impl Walk {
    pub fn new(folder: PathBuf) -> Walk {
        Walk { start: Some(folder), levels: Vec::new(), entered: HashSet::new() }
    }

    fn enter(&mut self, folder: &Path) -> Result<(), DataError> {
        let real =
            folder.canonicalize().map_err(|source| DataError::Io { path: folder.to_path_buf(), source })?;
        if self.entered.insert(real) {
            let (folders, files) = entries(folder)?;
            self.levels.push(Level { files: files.into_iter(), folders: folders.into_iter() });
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

pub(super) fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
