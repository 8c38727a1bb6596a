//! One picture file to pixels.

use crate::DecodeError;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

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
    fn check(&self, width: u32, height: u32) -> Result<(), DecodeError> {
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

/// Reads the picture in a file. See [`decode_bytes`].
pub fn decode(path: impl AsRef<Path>, limits: &Limits) -> Result<RgbImage, DecodeError> {
    decode_bytes(&read(path.as_ref(), limits)?, limits)
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
/// As Pillow's `convert("RGB")`, which torchvision's loader calls: grey becomes three equal channels, alpha is dropped
/// (not composited). Two differences on purpose: the EXIF orientation is applied, so the picture stands as every viewer
/// shows it; and 16-bit grey is scaled to 8 bits, where Pillow cuts everything above 255 off to white.
///
/// # Errors
/// Whatever is wrong with the bytes, never a panic: see [`DecodeError`]. A JPEG that ends early is an error, as in
/// Pillow, and not a picture with a grey lower part.
pub fn decode_bytes(bytes: &[u8], limits: &Limits) -> Result<RgbImage, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let format = image::guess_format(bytes).map_err(|_| DecodeError::UnknownFormat(first_bytes(bytes)))?;
    let format_name = name(format).ok_or_else(|| DecodeError::UnknownFormat(first_bytes(bytes)))?;
    // A bug in a decoder must cost one picture, not the run.
    catch_unwind(AssertUnwindSafe(|| match format {
        ImageFormat::Jpeg => decode_jpeg(bytes, limits),
        _ => decode_other(bytes, format, format_name, limits),
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

fn decode_jpeg(bytes: &[u8], limits: &Limits) -> Result<RgbImage, DecodeError> {
    // Once strictly: the decoder then tells a file that ends early. Stray bytes inside a file that does have an end
    // are no reason to refuse it (libjpeg warns and goes on), so such a file gets a second, lenient reading.
    match decode_jpeg_as(bytes, limits, true) {
        Err(DecodeError::Damaged { .. }) if has_end_marker(bytes) => decode_jpeg_as(bytes, limits, false),
        result => result,
    }
}

/// Whether the end-of-image marker stands at the end, or before a little trailing rubbish.
fn has_end_marker(bytes: &[u8]) -> bool {
    let tail = &bytes[bytes.len().saturating_sub(4096)..];
    tail.windows(2).any(|pair| pair == [0xff, 0xd9])
}

fn decode_jpeg_as(bytes: &[u8], limits: &Limits, strict: bool) -> Result<RgbImage, DecodeError> {
    // The decoder's own limits are off: it would call a picture damaged that is merely too large.
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .set_strict_mode(false);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(jpeg_error)?;
    let (width, height) = decoder.dimensions().ok_or_else(|| damaged_jpeg("it has no size"))?;
    limits.check(width as u32, height as u32)?;
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    decoder.set_options(options.set_strict_mode(strict));
    let pixels = decoder.decode().map_err(jpeg_error)?;
    let picture = RgbImage::from_raw(width as u32, height as u32, pixels)
        .ok_or_else(|| damaged_jpeg("the size and the pixels disagree"))?;
    Ok(upright(picture, orientation.unwrap_or(Orientation::NoTransforms)))
}

fn damaged_jpeg(cause: &str) -> DecodeError {
    DecodeError::Damaged { format: "JPEG", cause: cause.into() }
}

fn jpeg_error(error: DecodeErrors) -> DecodeError {
    match error {
        DecodeErrors::LargeDimensions(side) => DecodeError::TooLarge(format!("a side of {side} pixels")),
        DecodeErrors::Unsupported(what) => {
            DecodeError::Unsupported { format: "JPEG", cause: format!("{what:?}") }
        }
        other => damaged_jpeg(&other.to_string()),
    }
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
    Ok(upright(picture.into_rgb8(), orientation))
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
