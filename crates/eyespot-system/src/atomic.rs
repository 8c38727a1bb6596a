//! Files that appear whole or not at all.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tempfile::NamedTempFile;

const PREFIX: &str = ".eyespot-";
const SUFFIX: &str = ".part";

/// A temporary file younger than this may belong to a process that is about to lock it.
const YOUNG: Duration = Duration::from_secs(10);

/// Writes a file so that at every moment either the old one or the whole new one stands at `path`: `write` fills a
/// temporary file beside it, which is synced to the disk and then renamed.
///
/// A missing folder is made. After an error, `path` is as it was. Temporary files that a killed process left in the
/// folder are cleared first.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("metrics.jsonl");
/// use std::io::Write;
/// eyespot_system::write_atomically(&path, |file| writeln!(file, "{{\"epoch\":1}}"))?;
/// assert_eq!(std::fs::read_to_string(&path)?, "{\"epoch\":1}\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    write(&mut file)?;
    file.commit()
}

/// [`write_atomically`] for a file that mustn't exist yet; one that does stays as it is.
///
/// # Errors
/// A file at `path`: [`io::ErrorKind::AlreadyExists`].
pub fn write_new_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = AtomicFile::create_new(path)?;
    write(&mut file)?;
    file.commit()
}

/// [`write_new_atomically`] for many files that are easily made again: the system brings them to the disk when it likes,
/// so a power cut soon afterwards may leave an empty file.
pub fn write_new_unsynced(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = AtomicFile { is_synced: false, ..AtomicFile::create_new(path)? };
    write(&mut file)?;
    file.commit()
}

/// A file in the making, for what doesn't come in one go: written beside `path` under a temporary name, which
/// [`AtomicFile::commit`] turns into `path`. Dropped before that, it leaves nothing.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    folder: PathBuf,
    /// Whether a file that stands at `path` stays.
    is_new: bool,
    is_synced: bool,
    writer: BufWriter<NamedTempFile>,
}

impl AtomicFile {
    /// Begins the file, which will replace one that stands at `path`; a missing folder is made.
    ///
    /// # Errors
    /// A folder, pipe, socket or device at `path`, also behind a link, or a place that can't be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        Self::begin(path, false)
    }

    /// Begins a file that mustn't exist yet; a missing folder is made. A file that appears at `path` while this one is
    /// written stays, too.
    ///
    /// # Errors
    /// A file at `path`, now or when it is committed: [`io::ErrorKind::AlreadyExists`]. Otherwise as
    /// [`AtomicFile::create`].
    pub fn create_new(path: &Path) -> io::Result<Self> {
        crate::file::replaceable(path)?;
        if std::fs::symlink_metadata(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Self::begin(path, true)
    }

    fn begin(path: &Path, is_new: bool) -> io::Result<Self> {
        crate::file::replaceable(path)?;
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        // That something other than a folder is in its place isn't that the file exists.
        std::fs::create_dir_all(&folder).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                io::Error::other(format!("{} is no folder", crate::printable_path(&folder)))
            }
            _ => error,
        })?;
        clear_leftovers(&folder);
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX);
        // Temporary files are private by default; what is left in the end should be as readable as any other file.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let temporary = builder.tempfile_in(&folder)?;
        // Says to others that this process lives. A file system without locks never has its leftovers cleared.
        let _ = temporary.as_file().try_lock();
        let writer = BufWriter::with_capacity(1 << 20, temporary);
        Ok(Self { path: path.to_owned(), folder, is_new, is_synced: true, writer })
    }

    /// Whether a file that stands at the path by then is replaced.
    pub fn replaces(&self) -> bool {
        !self.is_new
    }

    /// Syncs the file to the disk, so that committing can't fail for lack of space any more. For files that belong
    /// together: sync all, then commit all.
    pub fn sync(&mut self) -> io::Result<()> {
        self.writer.flush()?;
        self.writer.get_ref().as_file().sync_all()
    }

    /// Syncs the file to the disk and puts it at its path.
    pub fn commit(self) -> io::Result<()> {
        let temporary = self.writer.into_inner().map_err(|error| error.into_error())?;
        if self.is_synced {
            temporary.as_file().sync_all()?;
        }
        let persisted = match self.is_new {
            true => match temporary.persist_noclobber(&self.path) {
                // A file system that can't do it in one step, such as some on memory cards and in networks.
                Err(error) if std::fs::symlink_metadata(&self.path).is_err() => {
                    error.file.persist(&self.path)
                }
                persisted => persisted,
            },
            false => temporary.persist(&self.path),
        };
        persisted.map_err(|error| error.error)?;
        if self.is_synced { sync_folder(&self.folder) } else { Ok(()) }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.writer.seek(to)
    }
}

/// Removes the temporary files of processes that are gone: whoever lives holds the lock on theirs, which the system
/// takes away with the process. What can't be removed stays; it harms nothing but space.
///
/// A folder is looked through once: to list it anew for each of thousands of files would take longer than to write them.
fn clear_leftovers(folder: &Path) {
    static DONE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if !DONE.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned()) {
        return;
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if is_temporary(&entry.file_name()) && is_left_over(&entry.path()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Whether a temporary file is called so.
pub(crate) fn is_temporary(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX))
}

fn is_left_over(path: &Path) -> bool {
    let Ok(file) = crate::open(path) else { return false };
    let age = file.metadata().and_then(|metadata| metadata.modified()).map(|modified| modified.elapsed());
    matches!(age, Ok(Ok(age)) if age > YOUNG)
        && match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
        }
}

/// Makes the new name itself survive a power cut.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder can't be opened as a file; the rename is as durable as the system makes it.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn old_part(folder: &Path, name: &str) -> File {
        let path = folder.join(name);
        std::fs::write(&path, b"half").expect("writes");
        let file = File::options().read(true).write(true).open(&path).expect("opens");
        file.set_modified(SystemTime::now() - 2 * YOUNG).expect("sets the time");
        file
    }

    #[test]
    fn leftovers_of_dead_processes_are_cleared_and_others_stay() {
        let folder = tempfile::tempdir().expect("makes a folder");
        drop(old_part(folder.path(), ".eyespot-dead.part"));
        let alive = old_part(folder.path(), ".eyespot-alive.part");
        alive.lock().expect("locks");
        drop(old_part(folder.path(), "mine.part"));
        write_atomically(&folder.path().join("new"), |file| file.write_all(b"new")).expect("writes");
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .expect("lists")
            .map(|entry| entry.expect("lists").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, [".eyespot-alive.part", "mine.part", "new"]);
    }

    #[test]
    fn a_folder_is_looked_through_once_however_many_files_are_written() {
        let folder = tempfile::tempdir().expect("makes a folder");
        write_new_unsynced(&folder.path().join("1"), |file| file.write_all(b"1")).expect("writes");
        drop(old_part(folder.path(), ".eyespot-later.part"));
        write_new_unsynced(&folder.path().join("2"), |file| file.write_all(b"2")).expect("writes");
        assert!(folder.path().join(".eyespot-later.part").exists());
        assert_eq!(std::fs::read(folder.path().join("2")).expect("reads"), b"2");
        let taken = write_new_unsynced(&folder.path().join("2"), |file| file.write_all(b"3"));
        assert_eq!(taken.expect_err("is there").kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_new_file_never_takes_the_place_of_another() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let path = folder.path().join("file");
        let late = AtomicFile::create_new(&path).expect("nothing is there");
        write_new_atomically(&path, |file| file.write_all(b"first")).expect("nothing is there");
        for error in [late.commit(), write_new_atomically(&path, |file| file.write_all(b"second"))] {
            assert_eq!(error.expect_err("is taken").kind(), io::ErrorKind::AlreadyExists);
        }
        assert_eq!(std::fs::read(&path).expect("reads"), b"first");
        assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 1);
    }

    #[test]
    fn only_a_regular_file_is_replaced() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let below = folder.path().join("folder");
        std::fs::create_dir(&below).expect("makes a folder");
        let mut places = vec![(below, "folder")];
        #[cfg(unix)]
        {
            // Whoever may write to /dev would otherwise put a file in the place of the device.
            let link = folder.path().join("link");
            std::os::unix::fs::symlink("/dev/null", &link).expect("links");
            places.push((link, "device"));
            let pipe = folder.path().join("pipe");
            let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
            assert!(made.success());
            places.push((pipe, "pipe"));
        }
        for (path, kind) in places {
            for begun in [AtomicFile::create(&path), AtomicFile::create_new(&path)] {
                let error = begun.expect_err("is no file").to_string();
                assert_eq!(error, format!("is a {kind}, not a regular file"));
            }
        }
        let names = std::fs::read_dir(folder.path()).expect("lists").count();
        assert_eq!(names, if cfg!(unix) { 3 } else { 1 });
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_not_the_file_itself() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, b"mine").expect("writes");
        for begun in [AtomicFile::create(&file.join("new")), AtomicFile::create_new(&file.join("new"))] {
            let error = begun.expect_err("can't be made");
            assert_ne!(error.kind(), io::ErrorKind::AlreadyExists);
            assert!(error.to_string().contains("is no folder"), "{error}");
        }
    }

    #[test]
    fn an_error_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, b"old").expect("writes");
        let result = write_atomically(&path, |file| {
            file.write_all(b"new")?;
            Err(io::Error::other("full"))
        });
        assert!(result.is_err());
        assert_eq!(std::fs::read(&path).expect("reads"), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 1);
    }
}
