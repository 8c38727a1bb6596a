//! The bytes of one file, in memory or on the disk, read piece by piece.

use crate::ReadError;
use crate::error::damaged;
use rawzip::{FileReader, ReaderAt};
use std::io;
use std::path::Path;

/// Where bytes come from.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    /// A file that is in memory.
    Bytes(&'a [u8]),
    /// A regular file and its length when it was opened.
    File(FileReader, u64),
}

impl Source<'_> {
    /// Opens a regular file.
    pub(crate) fn open(path: &Path) -> Result<Self, ReadError> {
        let file = eyespot_system::open(path).map_err(|error| ReadError::File(error.to_string()))?;
        let length = file.metadata().map_err(|error| ReadError::File(error.to_string()))?.len();
        Ok(Self::File(file.into(), length))
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }

    /// `length` bytes from `at`, through `buffer` where they aren't in memory. Nothing is allocated before they are
    /// known to be there.
    pub(crate) fn window<'b>(
        &'b self,
        at: u64,
        length: u64,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], ReadError> {
        let short = || damaged("it ends too early");
        let end = at.checked_add(length).filter(|&end| end <= self.len()).ok_or_else(short)?;
        let length = usize::try_from(length).map_err(|_| short())?;
        match self {
            Self::Bytes(bytes) => Ok(&bytes[at as usize..end as usize]),
            Self::File(file, _) => {
                make_room(buffer, length)?;
                file.read_exact_at(buffer, at).map_err(|error| match error.kind() {
                    io::ErrorKind::UnexpectedEof => short(),
                    _ => ReadError::File(format!("can't be read: {error}")),
                })?;
                Ok(buffer)
            }
        }
    }

    /// The first bytes, at most `length`.
    pub(crate) fn start<'b>(&'b self, length: u64, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], ReadError> {
        self.window(0, length.min(self.len()), buffer)
    }
}

/// Gives the buffer this length; an error where the memory isn't there.
fn make_room(buffer: &mut Vec<u8>, length: usize) -> Result<(), ReadError> {
    let missing = length.saturating_sub(buffer.len());
    buffer.try_reserve_exact(missing).map_err(|_| no_memory(length))?;
    buffer.resize(length, 0);
    Ok(())
}

/// Room for so many numbers; an error where the memory isn't there.
pub(crate) fn zeros(count: usize) -> Result<Vec<f32>, ReadError> {
    // Asked for first, because `vec!` can't fail; but only it leaves untouched pages to whoever fills them.
    Vec::<f32>::new().try_reserve_exact(count).map_err(|_| no_memory(count.saturating_mul(4)))?;
    Ok(vec![0.0; count])
}

fn no_memory(bytes: usize) -> ReadError {
    ReadError::File(format!("can't be read: {bytes} bytes of memory aren't there"))
}

/// The zip reader takes its bytes from here.
impl ReaderAt for &Source<'_> {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Source::Bytes(bytes) => {
                let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
                let length = rest.len().min(buffer.len());
                buffer[..length].copy_from_slice(&rest[..length]);
                Ok(length)
            }
            Source::File(file, _) => file.read_at(buffer, at),
        }
    }
}

/// A part of a source, read from its beginning to its end.
pub(crate) struct Section<'a> {
    source: &'a Source<'a>,
    at: u64,
    left: u64,
}

impl<'a> Section<'a> {
    pub(crate) fn new(source: &'a Source<'a>, at: u64, length: u64) -> Self {
        Self { source, at, left: length }
    }
}

impl io::Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.source.read_at(&mut buffer[..length], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}
