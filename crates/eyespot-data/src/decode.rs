//! One picture file to pixels.

mod options;

use crate::{DecodeError, jpeg};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};
use std::io::{Cursor, Read};
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

/// Reads a picture: JPEG (baseline, progressive, grey, CMYK), PNG (any depth, palette), WebP, BMP, TIFF, GIF (first
/// frame), PNM. The content decides the format, never the file's ending.
///
/// Bit for bit what Pillow's `convert("RGB")` gives, which torchvision's loader calls: grey becomes three equal
/// channels, alpha is dropped (not composited), of 16 bits the upper 8 count, and JPEG is decoded as by libjpeg-turbo.
///
/// Differences on purpose: the EXIF orientation is applied, so the picture stands as every viewer shows it; 16-bit grey
/// is treated as 16-bit colour, where Pillow cuts everything above 255 off to white; a JPEG whose data end early or make
/// no sense is an error also where Pillow fills it up with grey. Others: JPEG within TIFF may be a few levels off, and
/// TIFF with a palette, arithmetic-coded and 12-bit JPEG can't be read.
///
/// # Errors
/// Whatever is wrong with the bytes, never a panic: see [`DecodeError`].
pub fn decode_bytes(bytes: &[u8], limits: &Limits) -> Result<RgbImage, DecodeError> {
    Ok(DecodeOptions::with_limits(limits).decode_bytes(bytes)?.image)
}

fn decode_with(bytes: &[u8], options: &DecodeOptions) -> Result<Decoded, DecodeError> {
    let limits = &options.limits;
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let format = image::guess_format(bytes).map_err(|_| DecodeError::UnknownFormat(first_bytes(bytes)))?;
    let format_name = name(format).ok_or_else(|| DecodeError::UnknownFormat(first_bytes(bytes)))?;
    // A bug in a decoder must cost one picture, not the run.
    catch_unwind(AssertUnwindSafe(|| match format {
        ImageFormat::Jpeg => {
            let (picture, orientation) = jpeg::decode(bytes, limits)?;
            Ok(Decoded::sound(upright(picture, orientation)))
        }
        _ => decode_other(bytes, format, format_name, limits).map(Decoded::sound),
    }))
    .unwrap_or_else(|_| {
        Err(DecodeError::Damaged { format: format_name, cause: "the decoder gave up on it".into() })
    })
}

fn name(format: ImageFormat) -> Option<&'static str> {
    Some(match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Gif => "GIF",
        ImageFormat::Pnm => "PNM",
        _ => return None,
    })
}

/// What a person can tell a text or a web page from.
fn first_bytes(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(12)];
    format!("\"{}\"", start.escape_ascii())
}

fn decode_other(
    bytes: &[u8],
    format: ImageFormat,
    format_name: &'static str,
    limits: &Limits,
) -> Result<RgbImage, DecodeError> {
    let explain = |error| explain(error, format_name);
    let mut allowed = image::Limits::default();
    allowed.max_image_width = Some(limits.max_width);
    allowed.max_image_height = Some(limits.max_height);
    // Four 16-bit channels is the most a pixel takes; twice, for the decoder's own buffers.
    allowed.max_alloc = Some(limits.max_pixels.saturating_mul(16));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(allowed);
    let mut decoder = reader.into_decoder().map_err(explain)?;
    let (width, height) = decoder.dimensions();
    limits.check(width, height)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(explain)?;
    Ok(upright(eight_bits(picture), orientation))
}

/// The upper half of 16 bits, as Pillow takes it.
fn eight_bits(picture: DynamicImage) -> RgbImage {
    use image::ColorType::{L16, La16, Rgb16, Rgba16};
    if !matches!(picture.color(), L16 | La16 | Rgb16 | Rgba16) {
        return picture.into_rgb8();
    }
    let deep = picture.into_rgb16();
    RgbImage::from_fn(deep.width(), deep.height(), |x, y| {
        image::Rgb(deep.get_pixel(x, y).0.map(|c| (c >> 8) as u8))
    })
}

fn explain(error: ImageError, format: &'static str) -> DecodeError {
    match error {
        ImageError::Limits(limit) => DecodeError::TooLarge(limit.to_string()),
        ImageError::Unsupported(what) => DecodeError::Unsupported { format, cause: what.to_string() },
        other => DecodeError::Damaged { format, cause: other.to_string() },
    }
}

fn upright(picture: RgbImage, orientation: Orientation) -> RgbImage {
    if orientation == Orientation::NoTransforms {
        return picture;
    }
    let mut picture = DynamicImage::ImageRgb8(picture);
    picture.apply_orientation(orientation);
    picture.into_rgb8()
}
