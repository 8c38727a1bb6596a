//! Vectors of pictures to a file.

use crate::Error;
use eyespot_formats::NpyWriter;
use eyespot_system::AtomicFile;
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
    /// Begins a table of vectors of `length` numbers.
    ///
    /// # Errors
    /// Another ending, or a place that can't be written.
    pub fn create(path: impl AsRef<Path>, length: usize) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let failed = |e: io::Error| Error::file(&path, format!("can't be written: {e}"));
        let table = match path.extension().and_then(|e| e.to_str()) {
            Some("csv") => {
                let mut csv = csv::Writer::from_writer(AtomicFile::create(&path).map_err(failed)?);
                let names = (0..length).map(|i| format!("f{i}"));
                let header = std::iter::once("path".to_owned()).chain(names);
                csv.write_record(header).map_err(|e| failed(e.into()))?;
                Table::Csv(Box::new(csv))
            }
            Some("npy") => Table::Npy(
                Box::new(NpyWriter::create(&path, length).map_err(failed)?),
                AtomicFile::create(&Self::paths_beside(&path)).map_err(failed)?,
            ),
            _ => {
                return Err(Error::Usage(format!(
                    "{}: the ending says how vectors are written; call the file .npy (for NumPy) or .csv",
                    path.display()
                )));
            }
        };
        Ok(Self { path, table })
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
    /// # Errors
    /// What the system says.
    pub fn finish(self) -> Result<Vec<PathBuf>, Error> {
        let Self { path, table } = self;
        let failed = |e: io::Error| Error::file(&path, format!("can't be written: {e}"));
        match table {
            Table::Csv(csv) => {
                csv.into_inner().map_err(|e| failed(e.into_error()))?.commit().map_err(failed)?;
                Ok(vec![path])
            }
            Table::Npy(npy, paths) => {
                paths.commit().map_err(failed)?;
                npy.finish().map_err(failed)?;
                let beside = Self::paths_beside(&path);
                Ok(vec![path, beside])
            }
        }
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::file(&self.path, format!("can't be written: {error}"))
    }
}
