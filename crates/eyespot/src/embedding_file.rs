//! Vectors of pictures to a file.

use crate::Error;
use eyespot_formats::NpyWriter;
use eyespot_system::{AtomicFile, printable_path};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A table of vectors, a row a picture, that grows as pictures come and appears at its path whole or not at all.
///
/// The ending decides: `.csv` has a header line, the path and the numbers of each picture; `.npy` is NumPy's, rows ×
/// numbers as 32-bit floats, and the pictures' paths stand beside it in `NAME.paths.txt`, a line a row.
pub struct EmbeddingFile {
    path: PathBuf,
    table: Table,
}

enum Table {
    Csv(Box<csv::Writer<AtomicFile>>),
    Npy(Box<NpyWriter>, AtomicFile),
}

impl EmbeddingFile {
    /// Begins a table of vectors of `length` numbers, which will replace one that stands at `path`.
    ///
    /// # Errors
    /// Another ending, or a place that can't be written.
    pub fn create(path: impl AsRef<Path>, length: usize) -> Result<Self, Error> {
        Self::begin(path.as_ref(), length, AtomicFile::create)
    }

    /// Begins a table of vectors of `length` numbers that mustn't exist yet.
    ///
    /// # Errors
    /// As [`EmbeddingFile::create`], and [`Error::Exists`].
    pub fn create_new(path: impl AsRef<Path>, length: usize) -> Result<Self, Error> {
        Self::begin(path.as_ref(), length, AtomicFile::create_new)
    }

    fn begin(
        path: &Path,
        length: usize,
        create: impl Fn(&Path) -> io::Result<AtomicFile>,
    ) -> Result<Self, Error> {
        let create = |path: &Path| create(path).map_err(|e| Error::writing(path, e));
        let table = match path.extension().and_then(|e| e.to_str()) {
            Some("csv") => {
                let mut csv = csv::Writer::from_writer(create(path)?);
                let names = (0..length).map(|i| format!("f{i}"));
                let header = std::iter::once("path".to_owned()).chain(names);
                csv.write_record(header).map_err(|e| Error::writing(path, e.into()))?;
                Table::Csv(Box::new(csv))
            }
            Some("npy") => {
                let npy = NpyWriter::new(create(path)?, length).map_err(|e| Error::writing(path, e))?;
                Table::Npy(Box::new(npy), create(&Self::paths_beside(path))?)
            }
            _ => {
                return Err(Error::Usage(format!(
                    "{}: the ending says how vectors are written; call the file .npy (for NumPy) or .csv",
                    printable_path(path)
                )));
            }
        };
        Ok(Self { path: path.to_owned(), table })
    }

    /// The list of paths beside a `.npy` file.
    fn paths_beside(path: &Path) -> PathBuf {
        path.with_extension("paths.txt")
    }

    /// Adds a picture.
    ///
    /// # Errors
    /// A vector of another length, or a disk that is full.
    pub fn row(&mut self, picture: &Path, vector: &[f32]) -> Result<(), Error> {
        let name = picture.to_string_lossy();
        let written = match &mut self.table {
            Table::Csv(csv) => {
                let numbers = vector.iter().map(f32::to_string);
                let record = std::iter::once(name.into_owned()).chain(numbers);
                csv.write_record(record).map_err(io::Error::from)
            }
            // A line break in a name would shift the rows behind it.
            Table::Npy(npy, paths) => {
                npy.row(vector).and_then(|()| writeln!(paths, "{}", name.replace(['\n', '\r'], "\u{fffd}")))
            }
        };
        written.map_err(|e| self.failed(e))
    }

    /// Puts the table at its path; returns the files that there are now.
    ///
    /// A `.npy` file and its paths come from one run at any moment: both are whole and on the disk before either takes
    /// its place, so a full disk leaves the old ones; the old paths go first and the new ones come last, so a power cut
    /// in between leaves numbers without paths, never with those of other pictures.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(self) -> Result<Vec<PathBuf>, Error> {
        let Self { path, table } = self;
        let failed = |e: io::Error| Error::writing(&path, e);
        match table {
            Table::Csv(csv) => {
                csv.into_inner().map_err(|e| failed(e.into_error()))?.commit().map_err(failed)?;
                Ok(vec![path])
            }
            Table::Npy(npy, mut paths) => {
                let beside = Self::paths_beside(&path);
                let failed_beside = |e: io::Error| Error::writing(&beside, e);
                let mut numbers = npy.seal().map_err(failed)?;
                numbers.sync().map_err(failed)?;
                paths.sync().map_err(failed_beside)?;
                if numbers.replaces() && beside.exists() {
                    std::fs::remove_file(&beside).map_err(failed_beside)?;
                }
                numbers.commit().map_err(failed)?;
                paths.commit().map_err(failed_beside)?;
                Ok(vec![path, beside])
            }
        }
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::writing(&self.path, error)
    }
}
