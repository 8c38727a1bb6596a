//! Reading files that somebody else chose.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use thiserror::Error;

/// The most bytes a settings file, a class list or a table may have: 64 MiB.
pub const MAX_TEXT: u64 = 64 << 20;

/// Why a file isn't read. The text names the cause, not the file: whoever reports it knows the path.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system can't open or read it.
    #[error("can't be read: {0}")]
    Io(#[from] io::Error),
    /// A folder, pipe, socket or device.
    #[error("is a {0}, not a regular file")]
    NotRegular(&'static str),
    /// More bytes than allowed.
    #[error("has {bytes} bytes or more; at most {limit} are read")]
    TooLarge {
        /// Bytes that are there.
        bytes: u64,
        /// Bytes that are allowed.
        limit: u64,
    },
    /// Text in another encoding.
    #[error("is not UTF-8 text (byte {0}); save it as UTF-8")]
    NotText(usize),
}

/// Opens a regular file for reading. Symbolic links are followed.
///
/// The check is made on the open file, not on the path, so nothing can be exchanged in between; and opening never waits,
/// as it would for a pipe without a writer.
///
/// # Errors
/// No such file, no permission, or anything but a regular file.
pub fn open(path: &Path) -> Result<File, FileError> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = match options.open(path) {
        Ok(file) => file,
        // A socket can't be opened at all, and a folder not everywhere.
        Err(error) => {
            return Err(match std::fs::metadata(path) {
                Ok(metadata) if !metadata.is_file() => FileError::NotRegular(kind(metadata.file_type())),
                _ => FileError::Io(error),
            });
        }
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(FileError::NotRegular(kind(metadata.file_type())));
    }
    Ok(file)
}

/// The bytes of a regular file of at most `limit` bytes.
///
/// # Errors
/// As [`open`], or a larger file.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let file = open(path)?;
    let bytes = file.metadata()?.len();
    if bytes > limit {
        return Err(FileError::TooLarge { bytes, limit });
    }
    let mut content = Vec::new();
    let needed = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_add(1);
    content.try_reserve_exact(needed).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    // A file may grow while it is read.
    file.take(limit.saturating_add(1)).read_to_end(&mut content)?;
    match content.len() as u64 {
        bytes if bytes > limit => Err(FileError::TooLarge { bytes, limit }),
        _ => Ok(content),
    }
}

/// The text of a regular file of at most [`MAX_TEXT`] bytes, without a byte-order mark.
///
/// # Errors
/// As [`read`], or bytes that aren't UTF-8.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    let mut bytes = read(path, MAX_TEXT)?;
    if bytes.starts_with("\u{feff}".as_bytes()) {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|error| FileError::NotText(error.utf8_error().valid_up_to()))
}

/// That a file may be put at `path`: there is none, or a regular one.
///
/// # Errors
/// A folder, pipe, socket or device, also behind a link.
pub(crate) fn replaceable(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            Err(io::Error::other(FileError::NotRegular(kind(metadata.file_type()))))
        }
        _ => Ok(()),
    }
}

/// What a file that isn't regular is called.
fn kind(file_type: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if file_type.is_fifo() {
            return "pipe";
        }
        if file_type.is_socket() {
            return "socket";
        }
        if file_type.is_char_device() || file_type.is_block_device() {
            return "device";
        }
    }
    if file_type.is_dir() { "folder" } else { "special file" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_devices_are_named() {
        let folder = tempfile::tempdir().expect("makes a folder");
        assert_eq!(open(folder.path()).unwrap_err().to_string(), "is a folder, not a regular file");
        #[cfg(unix)]
        assert_eq!(
            read(Path::new("/dev/zero"), 10).unwrap_err().to_string(),
            "is a device, not a regular file"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_without_a_writer_is_an_error_and_does_not_wait() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
        assert!(made.success());
        assert_eq!(open(&pipe).unwrap_err().to_string(), "is a pipe, not a regular file");
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_is_an_error() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("makes a socket");
        assert_eq!(open(&socket).unwrap_err().to_string(), "is a socket, not a regular file");
    }

    #[test]
    fn the_limit_is_the_last_size_that_is_read() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, b"12345").expect("writes");
        assert_eq!(read(&file, 5).expect("fits"), b"12345");
        assert!(matches!(read(&file, 4), Err(FileError::TooLarge { bytes: 5, limit: 4 })));
    }

    #[test]
    fn text_comes_without_a_byte_order_mark_and_must_be_utf8() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "\u{feff}ants\n").expect("writes");
        assert_eq!(read_text(&file).expect("is text"), "ants\n");
        std::fs::write(&file, b"bees \xff").expect("writes");
        assert!(matches!(read_text(&file), Err(FileError::NotText(5))));
    }
}
