//! Folders that belong to eyespot.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The file that says that eyespot made a folder.
pub const MARKER: &str = ".eyespot";

/// Of the marker's text; a later version may have to read folders of an earlier one.
const VERSION: u32 = 1;

/// The file that the process in charge holds locked; it has the process's number in it.
const LOCK: &str = ".eyespot-lock";

/// Why a folder can't be used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// The system refuses.
    #[error("{}: {source}", crate::printable_path(path))]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// The folder holds files of somebody else.
    #[error(
        "{} holds files that eyespot didn't write, so nothing is written there; choose a folder that is new or empty",
        crate::printable_path(.0)
    )]
    NotOurs(PathBuf),
    /// The folder is eyespot's, for another purpose.
    #[error(
        "{} is the folder of a {found}, not of a {wanted}; choose another folder",
        crate::printable_path(path)
    )]
    OtherPurpose {
        /// The folder.
        path: PathBuf,
        /// What the folder is for.
        found: String,
        /// What it was to be used for.
        wanted: &'static str,
    },
    /// Another process works in it.
    #[error(
        "{} is in use by {holder}; wait for its end, or choose another folder",
        crate::printable_path(path)
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// `process 4711`, or `another process` where its number can't be read.
        holder: String,
    },
}

/// A folder that eyespot made, marked as such and locked for this process as long as the value lives.
///
/// Only what stands in such a folder may be replaced or deleted without asking.
///
/// ```
/// # let place = tempfile::tempdir()?;
/// use eyespot_system::{FolderError, OwnedFolder};
/// let folder = OwnedFolder::claim(&place.path().join("run"), "run")?;
/// assert!(folder.path().join(".eyespot").exists());
///
/// std::fs::create_dir(place.path().join("mine"))?;
/// std::fs::write(place.path().join("mine/notes.txt"), "…")?;
/// let refused = OwnedFolder::claim(&place.path().join("mine"), "run");
/// assert!(matches!(refused, Err(FolderError::NotOurs(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct OwnedFolder {
    path: PathBuf,
    /// Unlocked when dropped, and by the system when the process ends.
    _lock: File,
}

impl OwnedFolder {
    /// Takes a folder for `purpose` (a noun, such as `run`): one that doesn't exist, an empty one, or one that was
    /// taken for the same purpose before and isn't in use.
    ///
    /// # Errors
    /// See [`FolderError`]. The folder is then as it was.
    pub fn claim(path: &Path, purpose: &'static str) -> Result<Self, FolderError> {
        let is_empty = is_empty(path).map_err(|source| FolderError::Io { path: path.to_owned(), source })?;
        if !is_empty && !Self::is_owned(path, purpose)? {
            return Err(FolderError::NotOurs(path.to_owned()));
        }
        Self::adopt(path, purpose)
    }

    /// [`OwnedFolder::claim`] for a folder whose content the caller has recognised as eyespot's, such as a run from
    /// before folders were marked.
    ///
    /// # Errors
    /// As [`OwnedFolder::claim`], but a folder with files and without a marker is taken and marked.
    pub fn adopt(path: &Path, purpose: &'static str) -> Result<Self, FolderError> {
        let is_new = !Self::is_owned(path, purpose)?;
        std::fs::create_dir_all(path).map_err(|source| FolderError::Io { path: path.to_owned(), source })?;
        let lock = lock(path)?;
        if is_new {
            let marker = path.join(MARKER);
            crate::write_atomically(&marker, |file| writeln!(file, "eyespot {purpose} {VERSION}"))
                .map_err(|source| FolderError::Io { path: marker, source })?;
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Whether the folder is marked as eyespot's for this purpose.
    ///
    /// # Errors
    /// A marker for another purpose, of a later version or with other content.
    pub fn is_owned(path: &Path, purpose: &'static str) -> Result<bool, FolderError> {
        let marker = path.join(MARKER);
        if std::fs::symlink_metadata(&marker).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(false);
        }
        let text = crate::read_text(&marker)
            .map_err(|error| FolderError::Io { path: marker.clone(), source: io::Error::other(error) })?;
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["eyespot", found, version] if version == VERSION.to_string() => match found == purpose {
                true => Ok(true),
                false => Err(FolderError::OtherPurpose {
                    path: path.to_owned(),
                    found: crate::printable(found),
                    wanted: purpose,
                }),
            },
            _ => {
                let source = io::Error::other("is a marker that this version of eyespot can't read");
                Err(FolderError::Io { path: marker, source })
            }
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether nothing is in the folder; true if there is none. What a claim leaves that was stopped before it wrote the
/// marker, or one that is just about to, doesn't count.
fn is_empty(path: &Path) -> io::Result<bool> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name();
        if name != LOCK && !crate::atomic::is_temporary(&name) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn lock(folder: &Path) -> Result<File, FolderError> {
    let path = folder.join(LOCK);
    let failed = |source| FolderError::Io { path: path.clone(), source };
    // A link would lead to a file of somebody else, which would be emptied.
    if std::fs::symlink_metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(failed(io::Error::other("is no regular file, so eyespot didn't make it; remove it")));
    }
    let mut file =
        File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(FolderError::InUse { path: folder.to_owned(), holder: holder(file) });
        }
        Err(TryLockError::Error(source)) if source.kind() == io::ErrorKind::Unsupported => {}
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        writeln!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(failed)?;
    Ok(file)
}

/// Who holds the lock.
fn holder(file: File) -> String {
    let mut text = String::new();
    let read = file.take(32).read_to_string(&mut text);
    match text.trim().parse::<u32>() {
        Ok(process) if read.is_ok() => format!("process {process}"),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_claim_names_the_process_that_holds_the_folder() {
        let place = tempfile::tempdir().expect("makes a folder");
        let path = place.path().join("run");
        let first = OwnedFolder::claim(&path, "run").expect("is new");
        let error = OwnedFolder::claim(&path, "run").expect_err("is in use").to_string();
        assert!(error.contains(&format!("is in use by process {}", std::process::id())), "{error}");
        drop(first);
        OwnedFolder::claim(&path, "run").expect("is free again");
    }

    #[test]
    fn a_claim_that_was_stopped_half_way_does_not_spoil_the_folder() {
        let place = tempfile::tempdir().expect("makes a folder");
        std::fs::write(place.path().join(LOCK), b"4711\n").expect("writes");
        std::fs::write(place.path().join(".eyespot-Ab12.part"), b"eye").expect("writes");
        OwnedFolder::claim(place.path(), "run").expect("holds nothing of anybody");
        assert!(OwnedFolder::is_owned(place.path(), "run").expect("has a marker"));
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_that_is_a_link_leads_to_no_file_of_somebody_else() {
        let place = tempfile::tempdir().expect("makes a folder");
        let (mine, run) = (place.path().join("mine"), place.path().join("run"));
        std::fs::write(&mine, b"mine").expect("writes");
        std::fs::create_dir(&run).expect("makes a folder");
        std::os::unix::fs::symlink(&mine, run.join(LOCK)).expect("links");
        assert!(matches!(OwnedFolder::claim(&run, "run"), Err(FolderError::Io { .. })));
        assert_eq!(std::fs::read(&mine).expect("reads"), b"mine");
    }

    #[test]
    fn a_recognised_folder_without_a_marker_is_marked() {
        let place = tempfile::tempdir().expect("makes a folder");
        std::fs::write(place.path().join("last.checkpoint"), b"a run").expect("writes");
        assert!(matches!(OwnedFolder::claim(place.path(), "run"), Err(FolderError::NotOurs(_))));
        drop(OwnedFolder::adopt(place.path(), "run").expect("is taken"));
        OwnedFolder::claim(place.path(), "run").expect("is marked now");
        assert!(matches!(OwnedFolder::adopt(place.path(), "demo"), Err(FolderError::OtherPurpose { .. })));
    }

    #[test]
    fn a_folder_of_another_purpose_or_with_files_is_refused_and_left_as_it_was() {
        let place = tempfile::tempdir().expect("makes a folder");
        drop(OwnedFolder::claim(&place.path().join("demo"), "demo").expect("is new"));
        let error = OwnedFolder::claim(&place.path().join("demo"), "run").expect_err("is a demo's");
        assert!(error.to_string().contains("is the folder of a demo, not of a run"), "{error}");

        let mine = place.path().join("mine");
        std::fs::create_dir(&mine).expect("makes a folder");
        std::fs::write(mine.join("notes.txt"), b"mine").expect("writes");
        assert!(matches!(OwnedFolder::claim(&mine, "run"), Err(FolderError::NotOurs(_))));
        assert_eq!(std::fs::read_dir(&mine).expect("lists").count(), 1);
    }
}
