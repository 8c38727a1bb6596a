//! Tables of numbers as NumPy reads them: the `.npy` format, version 1.0.
//!
//! Ten bytes (`\x93NUMPY`, version 1 and 0, the header's length as u16), the header, a Python dict padded with spaces and
//! ended by a newline so that the numbers begin at a multiple of 64 bytes, then the numbers row by row
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).

use eyespot_system::AtomicFile;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes before the numbers. The longest numbers of rows and columns fit in.
const HEAD: usize = 128;

/// A table of `f32` that grows row by row; it appears at its path when it is done, whole or not at all.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("table.npy");
/// let mut table = eyespot_formats::NpyWriter::create(&path, 2)?;
/// table.row(&[1.0, 2.0])?;
/// table.row(&[3.0, 4.0])?;
/// table.finish()?; // numpy.load("table.npy") is [[1, 2], [3, 4]]
/// assert_eq!(std::fs::read(&path)?.len(), 128 + 4 * 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct NpyWriter {
    file: AtomicFile,
    columns: usize,
    rows: u64,
}

impl NpyWriter {
    /// Begins a table with so many columns.
    ///
    /// # Errors
    /// A place that can't be written.
    pub fn create(path: &Path, columns: usize) -> io::Result<Self> {
        Self::new(AtomicFile::create(path)?, columns)
    }

    /// Begins a table in this file.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn new(mut file: AtomicFile, columns: usize) -> io::Result<Self> {
        file.write_all(&[0; HEAD])?;
        Ok(Self { file, columns, rows: 0 })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// A row of another length, or a disk that is full.
    pub fn row(&mut self, numbers: &[f32]) -> io::Result<()> {
        if numbers.len() != self.columns {
            let text = format!("a row of {} numbers in a table of {} columns", numbers.len(), self.columns);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        for number in numbers {
            self.file.write_all(&number.to_le_bytes())?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Writes how many rows there are and puts the file at its path.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(self) -> io::Result<()> {
        self.seal()?.commit()
    }

    /// Writes how many rows there are; the file, all there, is not at its path yet.
    ///
    /// # Errors
    /// What the system says.
    pub fn seal(mut self) -> io::Result<AtomicFile> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&head(self.rows, self.columns))?;
        Ok(self.file)
    }
}

fn head(rows: u64, columns: usize) -> [u8; HEAD] {
    let dict = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let mut head = [b' '; HEAD];
    head[..8].copy_from_slice(b"\x93NUMPY\x01\x00");
    head[8..10].copy_from_slice(&(HEAD as u16 - 10).to_le_bytes());
    // Two numbers of 20 digits leave room.
    head[10..10 + dict.len()].copy_from_slice(dict.as_bytes());
    head[HEAD - 1] = b'\n';
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_shape_fits_and_a_wrong_row_is_refused() {
        let text = String::from_utf8_lossy(&head(u64::MAX, usize::MAX)).into_owned();
        assert!(text.contains("'shape': (18446744073709551615, 18446744073709551615), }  "), "{text}");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("table.npy");
        let mut table = NpyWriter::create(&path, 2).expect("begins");
        assert!(table.row(&[1.0]).is_err());
        drop(table);
        let left = std::fs::read_dir(folder.path()).expect("reads").count();
        assert_eq!(left, 0, "an unfinished table leaves nothing");
    }
}
