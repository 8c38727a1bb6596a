//! One labelled picture.

use crate::dataset::IdxImages;
use crate::opened::{self, Opened, Wanted};
use crate::parallel::parallel;
use crate::{DecodeError, DecodeOptions, Decoded, Limits};
use eyespot_system::Budget;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A picture with its class: a file, or a picture already in memory (MNIST).
#[derive(Debug, Clone)]
pub struct Sample {
    /// The file; for a picture in memory the IDX file and its number, such as `train-images-idx3-ubyte#17`.
    pub path: PathBuf,
    /// Index into the data set's classes. Of no meaning for pictures to predict.
    pub label: usize,
    pub(crate) memory: Option<(Arc<IdxImages>, usize)>,
    /// What it belongs to by the data's own word: a CSV's column `group`, or [`crate::SplitOptions::group_by`].
    pub(crate) group: Option<Arc<str>>,
    /// The same number for images that belong together, whatever else there is in the data set; what decides on which side
    /// of a split they are. All zeros where nothing is divided.
    pub(crate) unit: [u8; 32],
}

impl Sample {
    /// A picture in a file.
    pub fn file(path: impl AsRef<Path>, label: usize) -> Sample {
        Sample { path: path.as_ref().to_path_buf(), label, memory: None, group: None, unit: [0; 32] }
    }

    pub(crate) fn in_memory(images: Arc<IdxImages>, number: usize, label: usize) -> Sample {
        let path = PathBuf::from(format!("{}#{number}", images.path.display()));
        Sample { path, label, memory: Some((images, number)), group: None, unit: [0; 32] }
    }

    /// The image, with what is to be said about its file.
    ///
    /// # Errors
    /// What [`DecodeOptions::decode`] says of the file.
    pub fn read(&self, options: &DecodeOptions) -> Result<Decoded, DecodeError> {
        match &self.memory {
            None => options.decode(&self.path),
            Some((images, number)) => Ok(Decoded::sound(images.picture(*number))),
        }
    }

    /// Bytes of the file, or of a picture in memory; `None` if there is no such file.
    pub(crate) fn size(&self) -> Option<u64> {
        match &self.memory {
            None => std::fs::metadata(&self.path).ok().map(|file| file.len()),
            Some((images, number)) => Some(images.pixels_of(*number).len() as u64),
        }
    }

    /// The picture, to be read or scaled within a budget.
    pub(crate) fn open<'b>(
        &self,
        options: &DecodeOptions,
        budget: &'b Budget,
        wanted: Wanted,
    ) -> Result<Opened<'b>, DecodeError> {
        match &self.memory {
            None => Opened::file(&self.path, options, budget, wanted),
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

/// [`Sample::content_hash`] of many images, on `threads` threads (0 for one per core); `None` for an image that can't be
/// read.
pub fn content_hashes(samples: &[&Sample], threads: usize, limits: &Limits) -> Vec<Option<[u8; 32]>> {
    parallel(samples.len(), threads, |index| samples[index].content_hash(limits).ok())
}
