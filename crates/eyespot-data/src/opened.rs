//! A file opened as a picture: the memory that it takes is known and reserved before any is taken.

use crate::decode::{DESCRIPTIONS, Header, guarded};
use crate::strips::{Strip, Strips, Turn};
use crate::{DecodeError, DecodeOptions, Decoded, Limits, Note, Transform, jpeg};
use eyespot_system::{Budget, FileError, Reserved};
use image::RgbImage;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What is to be made of a picture.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// All its pixels.
    Picture,
    /// What a transform makes of it: then a JPEG is decoded strip by strip while it is scaled.
    Scaled(&'a Transform),
}

/// A picture whose size is known.
pub(crate) enum Opened<'b> {
    /// In memory.
    Picture { decoded: Decoded, _reserved: Option<Reserved<'b>> },
    /// A JPEG, decoded each time its pixels are asked for.
    Jpeg { bytes: Vec<u8>, info: jpeg::Info, notes: Vec<Note>, _reserved: Reserved<'b> },
}

impl<'b> Opened<'b> {
    /// A picture file.
    ///
    /// It reserves for the file first and, once the header says how much, for all it needs. Where that would mean
    /// waiting, it gives back what it has before, since others might wait for just that.
    pub fn file(
        path: &Path,
        options: &DecodeOptions,
        budget: &'b Budget,
        wanted: Wanted,
    ) -> Result<Opened<'b>, DecodeError> {
        let limits = &options.limits;
        let (file, length) = open(path, limits)?;
        let mut reserved = budget.wait_for(length + DESCRIPTIONS)?;
        let mut bytes = read(file, length)?;
        let mut header = Header::read(&bytes, options)?;
        let needed = |header: &Header, bytes: &[u8]| header.bytes(wanted).saturating_add(bytes.len() as u64);
        if !reserved.try_grow_to(needed(&header, &bytes)) {
            let most = needed(&header, &bytes);
            drop((bytes, reserved));
            reserved = budget.wait_for(most.max(length + DESCRIPTIONS))?;
            let (file, length) = open(path, limits)?;
            bytes = read(file, length.min(most))?;
            header = Header::read(&bytes, options)?;
            if needed(&header, &bytes) > most {
                let changed = std::io::Error::other("it changes while it is read");
                return Err(DecodeError::Io(changed));
            }
        }
        match (header, wanted) {
            (Header::Jpeg(info), Wanted::Scaled(_)) => {
                Ok(Opened::Jpeg { bytes, info, notes: Vec::new(), _reserved: reserved })
            }
            (header, _) => {
                let decoded = header.decode(&bytes, options)?;
                drop(bytes);
                let picture = &decoded.image;
                let scaling = match wanted {
                    Wanted::Picture => 0,
                    Wanted::Scaled(transform) => transform.scratch_bytes(picture.width(), picture.height()),
                };
                reserved.shrink_to(scaling.saturating_add(picture.as_raw().len() as u64));
                Ok(Opened::Picture { decoded, _reserved: Some(reserved) })
            }
        }
    }

    /// The pixels, and what there is to say about them.
    ///
    /// # Errors
    /// Damage that leaves nothing to be read.
    pub fn decoded(self) -> Result<Decoded, DecodeError> {
        match self {
            Opened::Picture { decoded, .. } => Ok(decoded),
            Opened::Jpeg { bytes, info, .. } => Header::Jpeg(info).decode(&bytes, &DecodeOptions::default()),
        }
    }

    /// The pixels of what was opened as [`Wanted::Picture`].
    pub fn view(&self) -> Result<&RgbImage, DecodeError> {
        match self {
            Opened::Picture { decoded, .. } => Ok(&decoded.image),
            Opened::Jpeg { .. } => Err(DecodeError::Transform("it was opened to be scaled".into())),
        }
    }

    /// The mean brightness of each 8 × 8 pixels, upright, where a JPEG opened to be scaled has it cheaply; damaged data give what
    /// can be read.
    pub fn means(&self) -> Option<image::GrayImage> {
        let Opened::Jpeg { bytes, info, .. } = self else { return None };
        let means = guarded("JPEG", || jpeg::means(bytes)).ok()??;
        let mut means = image::DynamicImage::ImageLuma8(means);
        means.apply_orientation(info.orientation);
        Some(means.into_luma8())
    }

    /// A picture that is in memory anyway.
    pub fn memory(picture: RgbImage) -> Opened<'b> {
        Opened::Picture { decoded: Decoded::sound(picture), _reserved: None }
    }

    /// What there is to say about it, once its pixels have been read.
    pub fn notes(&self) -> &[Note] {
        match self {
            Opened::Picture { decoded, .. } => &decoded.notes,
            Opened::Jpeg { notes, .. } => notes,
        }
    }
}

impl Strips for Opened<'_> {
    fn size(&self) -> (u32, u32) {
        match self {
            Opened::Picture { decoded, .. } => decoded.image.dimensions(),
            Opened::Jpeg { info, .. } => info.turn.size(info.size),
        }
    }

    fn turn(&self) -> Turn {
        match self {
            Opened::Picture { .. } => Turn::default(),
            Opened::Jpeg { info, .. } => info.turn,
        }
    }

    fn strips(&mut self, sink: &mut dyn FnMut(Strip)) -> Result<(), DecodeError> {
        match self {
            Opened::Picture { decoded, .. } => (&decoded.image).strips(sink),
            Opened::Jpeg { bytes, info, notes, .. } => {
                let damage = guarded("JPEG", || jpeg::decode(bytes, info, sink))?;
                *notes = Note::of_jpeg(damage);
                Ok(())
            }
        }
    }
}

/// A file no larger than allowed, and its length.
fn open(path: &Path, limits: &Limits) -> Result<(File, u64), DecodeError> {
    let file = eyespot_system::open(path)?;
    let length = file.metadata()?.len();
    if length > limits.max_file_bytes {
        return Err(FileError::TooLarge { bytes: length, limit: limits.max_file_bytes }.into());
    }
    Ok((file, length))
}

/// The first `length` bytes of a file: what is written to it meanwhile is left out.
fn read(file: File, length: u64) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = Vec::new();
    let room = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(1);
    bytes.try_reserve_exact(room).map_err(|_| std::io::Error::from(std::io::ErrorKind::OutOfMemory))?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The BLAKE3 hash of a file's content, a piece at a time.
pub(crate) fn hash(path: &Path, limits: &Limits) -> Result<blake3::Hash, DecodeError> {
    let (file, length) = open(path, limits)?;
    Ok(blake3::Hasher::new().update_reader(file.take(length))?.finalize())
}
