//! One labelled picture.

use crate::dataset::IdxImages;
use crate::opened::{self, Opened, Wanted};
use crate::{DecodeError, Limits, decode};
use eyespot_system::Budget;
use image::RgbImage;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A picture with its class: a file, or a picture already in memory (MNIST).
#[derive(Debug, Clone)]
pub struct Sample {
    /// The file; for a picture in memory the IDX file and its number, such as `train-images-idx3-ubyte#17`.
    pub path: PathBuf,
    /// Index into the data set's classes. Of no meaning for pictures to predict.
    pub label: usize,
    memory: Option<(Arc<IdxImages>, usize)>,
}

impl Sample {
    /// A picture in a file.
    pub fn file(path: impl AsRef<Path>, label: usize) -> Sample {
        Sample { path: path.as_ref().to_path_buf(), label, memory: None }
    }

    pub(crate) fn in_memory(images: Arc<IdxImages>, number: usize, label: usize) -> Sample {
        let path = PathBuf::from(format!("{}#{number}", images.path.display()));
        Sample { path, label, memory: Some((images, number)) }
    }

    /// The picture's pixels.
    ///
    /// # Errors
    /// What [`decode()`] says of the file.
    pub fn read(&self, limits: &Limits) -> Result<RgbImage, DecodeError> {
        match &self.memory {
            None => decode(&self.path, limits),
            Some((images, number)) => Ok(images.picture(*number)),
        }
    }

    /// The picture, to be read or scaled within a budget.
    pub(crate) fn open<'b>(
        &self,
        limits: &Limits,
        budget: &'b Budget,
        wanted: Wanted,
    ) -> Result<Opened<'b>, DecodeError> {
        match &self.memory {
            None => Opened::file(&self.path, limits, budget, wanted),
            Some((images, number)) => Ok(Opened::memory(images.picture(*number))),
        }
    }

    /// A hash (BLAKE3) of the picture's content: of the file's bytes, or of size and pixels of a picture in memory.
    /// The same picture under another name has the same hash.
    ///
    /// # Errors
    /// If the file can't be read, or is larger than allowed.
    pub fn content_hash(&self, limits: &Limits) -> Result<[u8; 32], DecodeError> {
        let hash = match &self.memory {
            None => opened::hash(&self.path, limits)?,
            Some((images, number)) => {
                let mut hasher = blake3::Hasher::new();
                hasher.update(&(images.width as u64).to_le_bytes());
                hasher.update(&(images.height as u64).to_le_bytes());
                hasher.update(images.pixels_of(*number));
                hasher.finalize()
            }
        };
        Ok(*hash.as_bytes())
    }
}
