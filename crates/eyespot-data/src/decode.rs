//! One picture file to pixels.

mod bmp;
mod deep;
mod foreign;
mod format;
mod gif;
mod ico;
#[cfg(feature = "jxl")]
mod jxl;
mod metadata;
mod options;
mod others;
mod png;
mod pnm;
mod tiff;

use crate::{DecodeError, jpeg};
use format::Format;
use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, RgbImage};
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

pub use options::{DecodeOptions, Decoded, Note};

/// How large a picture may be. Checked against the file's own declaration before any pixel is decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Pixels across. Default 65,535.
    pub max_width: u32,
    /// Pixels down. Default 65,535.
    pub max_height: u32,
    /// Width × height. Default 178,956,970, where Pillow refuses a picture as a decompression bomb.
    pub max_pixels: u64,
    /// Size of the file in bytes. Default 512 MiB.
    pub max_file_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_width: 65_535, max_height: 65_535, max_pixels: 178_956_970, max_file_bytes: 512 << 20 }
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

/// The bytes of a file no larger than allowed.
pub(crate) fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    let file = std::fs::File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(DecodeError::Io(std::io::Error::other("it is a folder")));
    }
    let too_large = |bytes: u64| {
        let allowed = limits.max_file_bytes;
        Err(DecodeError::TooLarge(format!("a file of {bytes} bytes, allowed are {allowed}")))
    };
    if metadata.len() > limits.max_file_bytes {
        return too_large(metadata.len());
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
    // A pipe has no length to check beforehand, and a file may grow while it is read.
    file.take(limits.max_file_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limits.max_file_bytes {
        return too_large(bytes.len() as u64);
    }
    Ok(bytes)
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
/// what is above 255 off to white (see [`DecodeOptions::range`]); a JPEG whose data end early or make no sense is an
/// error also where Pillow fills it up with grey. Arithmetic-coded and 12-bit JPEG can't be read.
///
/// # Errors
/// Whatever is wrong with the bytes, never a panic: see [`DecodeError`].
pub fn decode_bytes(bytes: &[u8], limits: &Limits) -> Result<RgbImage, DecodeError> {
    Ok(DecodeOptions::with_limits(limits).decode_bytes(bytes)?.image)
}

fn decode_with(bytes: &[u8], options: &DecodeOptions) -> Result<Decoded, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let Some(format) = Format::of(bytes) else {
        return match (foreign::name(bytes), Format::tga(bytes)) {
            (Some(foreign), _) => Err(foreign),
            (None, Some(format)) => decode_as(format, bytes, options),
            (None, None) => Err(DecodeError::UnknownFormat(first_bytes(bytes))),
        };
    };
    decode_as(format, bytes, options)
}

fn decode_as(format: Format, bytes: &[u8], options: &DecodeOptions) -> Result<Decoded, DecodeError> {
    let crates = |format: ImageFormat, name| others::decode(bytes, format, name, options);
    let name = format.name();
    let decode = || match format {
        Format::Jpeg => {
            let (image, orientation) = jpeg::decode(bytes, &options.limits)?;
            Ok(Stored { orientation, ..Stored::sound(image) })
        }
        Format::Png => png::decode(bytes, options),
        Format::Tiff => tiff::decode(bytes, options),
        Format::Gif => gif::decode(bytes, options),
        Format::Bmp => bmp::decode(bytes, options),
        Format::Pnm => pnm::decode(bytes, options),
        Format::WebP => crates(ImageFormat::WebP, name),
        Format::Qoi => crates(ImageFormat::Qoi, name),
        Format::Ico => ico::decode(bytes, options),
        Format::Tga => crates(ImageFormat::Tga, name),
        #[cfg(feature = "jpeg2000")]
        Format::Jpeg2000 => others::jpeg2000(bytes, options),
        #[cfg(feature = "jxl")]
        Format::JpegXl => jxl::decode(bytes, options),
    };
    // A bug in a decoder must cost one picture, not the run.
    let stored = catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        Err(DecodeError::Damaged { format: name, cause: "the decoder gave up on it".into() })
    })?;
    let image = upright(stored.image, stored.orientation);
    Ok(Decoded { image, notes: stored.notes, samples: stored.levels })
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

/// What a person can tell a text or a web page from.
fn first_bytes(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(12)];
    format!("\"{}\"", start.escape_ascii())
}

/// Memory for an image.
fn allocate(width: u32, height: u32) -> Result<RgbImage, DecodeError> {
    let size = (width as usize).saturating_mul(height as usize).saturating_mul(3);
    let no_memory = || out_of_memory(size as u64);
    let mut pixels = Vec::new();
    pixels.try_reserve_exact(size).map_err(|_| no_memory())?;
    pixels.resize(size, 0);
    RgbImage::from_raw(width, height, pixels).ok_or_else(no_memory)
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
