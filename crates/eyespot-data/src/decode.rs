//! One picture file to pixels.

mod bmp;
mod deep;
mod foreign;
mod format;
mod gif;
mod header;
mod ico;
#[cfg(feature = "jpeg2000")]
mod jpeg2000;
#[cfg(feature = "jxl")]
mod jxl;
mod metadata;
mod options;
mod others;
mod png;
mod pnm;
mod tiff;

use crate::DecodeError;
use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};
use std::io::Read;
use std::path::Path;

pub(crate) use header::{DESCRIPTIONS, Header, guarded};
pub use options::{DecodeOptions, Decoded, Note};

/// How large a picture may be. Checked against the file's own declaration before any pixel is decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Pixels across. Default 65,535.
    pub max_width: u32,
    /// Pixels down. Default 65,535.
    pub max_height: u32,
    /// Width × height. Default 536,870,912: more than any camera makes, and seconds of work at most. Memory is bounded by
    /// [`Budget::process`](eyespot_system::Budget::process).
    pub max_pixels: u64,
    /// Size of the file in bytes. Default 512 MiB.
    pub max_file_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_width: 65_535, max_height: 65_535, max_pixels: 1 << 29, max_file_bytes: 512 << 20 }
    }
}

impl Limits {
    pub(crate) fn check(&self, width: u32, height: u32) -> Result<(), DecodeError> {
        let pixels = u64::from(width) * u64::from(height);
        if width > self.max_width || height > self.max_height || pixels > self.max_pixels {
            return Err(DecodeError::TooLarge(format!(
                "{width} × {height} pixels, allowed are {} × {} and {} pixels in all",
                self.max_width, self.max_height, self.max_pixels
            )));
        }
        Ok(())
    }
}

/// Reads the picture in a file; what there is to note about the file is dropped (see [`DecodeOptions::decode`]).
///
/// # Errors
/// A file that can't be read as an image, with the cause.
pub fn decode(path: impl AsRef<Path>, limits: &Limits) -> Result<RgbImage, DecodeError> {
    Ok(DecodeOptions::with_limits(limits).decode(path)?.image)
}

/// Reads a picture: JPEG (baseline, progressive, grey, CMYK), PNG (any depth, palette), WebP, BMP, TIFF (BigTIFF, any
/// depth, floating point, palette, CMYK, YCbCr, Lab; most compressions), GIF (first frame), PNM, QOI, TGA, ICO and, as
/// features of this crate, JPEG 2000 (`jpeg2000`, on by default) and JPEG XL (`jxl`). The content decides the format, never
/// the file's ending. What can't be read is named as what it is, where that is known.
///
/// Bit for bit what Pillow's `convert("RGB")` gives, which torchvision's loader calls: grey becomes three equal
/// channels, alpha is dropped (not composited), of 16 bits the upper 8 count, and JPEG is decoded as by libjpeg-turbo.
///
/// Differences on purpose: the orientation in EXIF or XMP is applied, so the picture stands as every viewer shows it;
/// of all deep samples (12 and 16 bits of grey, 32-bit numbers, floating point) the full range counts, where Pillow cuts
/// what is above 255 off to white (see [`DecodeOptions::range`]). A JPEG whose data end early or make no sense is read as
/// libjpeg reads it, the missing part grey. Arithmetic-coded and 12-bit JPEG can't be read.
///
/// The memory that this takes is reserved from [`Budget::process`](eyespot_system::Budget::process) first.
///
/// # Errors
/// Whatever is wrong with the bytes, never a panic: see [`DecodeError`].
pub fn decode_bytes(bytes: &[u8], limits: &Limits) -> Result<RgbImage, DecodeError> {
    Ok(DecodeOptions::with_limits(limits).decode_bytes(bytes)?.image)
}

/// An image as it lies in its file.
struct Stored {
    image: RgbImage,
    /// How it is to be turned.
    orientation: Orientation,
    notes: Vec<Note>,
    /// What becomes of [`Decoded::samples`].
    levels: Vec<f32>,
}

impl Stored {
    /// Upright already, and nothing to say about it.
    fn sound(image: RgbImage) -> Stored {
        Stored { image, orientation: Orientation::NoTransforms, notes: Vec::new(), levels: Vec::new() }
    }
}

/// Memory for an image.
fn allocate(width: u32, height: u32) -> Result<RgbImage, DecodeError> {
    let size = (width as usize).saturating_mul(height as usize).saturating_mul(3);
    let pixels = zeros(size)?;
    RgbImage::from_raw(width, height, pixels).ok_or_else(|| out_of_memory(size as u64))
}

/// Memory for so many bytes; an error where the system has none, though the budget allows it.
fn zeros(size: usize) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| out_of_memory(size as u64))?;
    bytes.resize(size, 0);
    Ok(bytes)
}

fn out_of_memory(bytes: u64) -> DecodeError {
    DecodeError::TooLarge(format!("{bytes} bytes of memory are more than there are"))
}

/// As many bytes as an image needs of a stream that may hold more.
fn read_exactly(stream: impl Read, size: usize, format: &'static str) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| out_of_memory(size as u64))?;
    let read = stream.take(size as u64).read_to_end(&mut bytes);
    let damaged = |cause: String| DecodeError::Damaged { format, cause };
    read.map_err(|error| damaged(error.to_string()))?;
    if bytes.len() < size {
        return Err(damaged("it ends before its pixels do".into()));
    }
    Ok(bytes)
}

fn upright(picture: RgbImage, orientation: Orientation) -> RgbImage {
    if orientation == Orientation::NoTransforms {
        return picture;
    }
    let mut picture = DynamicImage::ImageRgb8(picture);
    picture.apply_orientation(orientation);
    picture.into_rgb8()
}
