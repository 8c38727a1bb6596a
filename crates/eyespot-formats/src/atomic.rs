//! Files that appear whole or not at all.

use crate::FormatError;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Writes a file so that at every moment either the old one or the whole new one stands at `path`: `write` fills a
/// temporary file beside it, which is synced to the disk and then renamed.
///
/// A missing folder is made. After an error, `path` is as it was.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("metrics.jsonl");
/// use std::io::Write;
/// eyespot_formats::write_atomically(&path, |file| writeln!(file, "{{\"epoch\":1}}"))?;
/// assert_eq!(std::fs::read_to_string(&path)?, "{\"epoch\":1}\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), FormatError> {
    let whole = || {
        let mut file = AtomicFile::create(path)?;
        write(&mut file)?;
        file.commit()
    };
    whole().map_err(|source| FormatError::io("write", path, source))
}

/// A file in the making, for what doesn't come in one go: written beside `path` under a temporary name, which
/// [`AtomicFile::commit`] turns into `path`. Dropped before that, it leaves nothing.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    folder: PathBuf,
    writer: BufWriter<NamedTempFile>,
}

impl AtomicFile {
    /// Begins the file; a missing folder is made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        std::fs::create_dir_all(&folder)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".eyespot-").suffix(".part");
        // Temporary files are private by default; what is left in the end should be as readable as any other file.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let writer = BufWriter::with_capacity(1 << 20, builder.tempfile_in(&folder)?);
        Ok(Self { path: path.to_owned(), folder, writer })
    }

    /// Syncs the file to the disk and puts it at its path.
    pub fn commit(self) -> io::Result<()> {
        let temporary = self.writer.into_inner().map_err(|error| error.into_error())?;
        temporary.as_file().sync_all()?;
        temporary.persist(&self.path).map_err(|error| error.error)?;
        sync_folder(&self.folder)
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
