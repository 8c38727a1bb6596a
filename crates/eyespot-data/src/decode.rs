//! One picture file to pixels.

mod options;

use crate::opened::Wanted;
use crate::strips::Turn;
use crate::{DecodeError, jpeg};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};
use std::io::Cursor;
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

/// Reads a picture: JPEG (baseline, progressive, grey, CMYK), PNG (any depth, palette), WebP, BMP, TIFF, GIF (first
/// frame), PNM. The content decides the format, never the file's ending.
///
/// Bit for bit what Pillow's `convert("RGB")` gives, which torchvision's loader calls: grey becomes three equal
/// channels, alpha is dropped (not composited), of 16 bits the upper 8 count, and JPEG is decoded as by libjpeg-turbo.
///
/// Differences on purpose: the EXIF orientation is applied, so the picture stands as every viewer shows it; 16-bit grey
/// is treated as 16-bit colour, where Pillow cuts everything above 255 off to white. A JPEG whose data end early or make
/// no sense is read as libjpeg reads it, the missing part grey. Others: JPEG within TIFF may be a few levels off, and
/// TIFF with a palette, arithmetic-coded and 12-bit JPEG can't be read.
///
/// The memory that this takes is reserved from [`Budget::process`](eyespot_system::Budget::process) first.
///
/// # Errors
/// Whatever is wrong with the bytes, never a panic: see [`DecodeError`].
pub fn decode_bytes(bytes: &[u8], limits: &Limits) -> Result<RgbImage, DecodeError> {
    Ok(DecodeOptions::with_limits(limits).decode_bytes(bytes)?.image)
}

/// What is known of a picture before it is decoded.
pub(crate) enum Header {
    Jpeg(jpeg::Info),
    Other {
        format: ImageFormat,
        format_name: &'static str,
        /// Bytes that the decoder may take beside the pixels, and bytes in all.
        scratch: u64,
        bytes: u64,
        size: (u32, u32),
    },
}

impl Header {
    /// Reads what stands before the pixels.
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Header, DecodeError> {
        if bytes.is_empty() {
            return Err(DecodeError::Empty);
        }
        let format =
            image::guess_format(bytes).map_err(|_| DecodeError::UnknownFormat(first_bytes(bytes)))?;
        let format_name = name(format).ok_or_else(|| DecodeError::UnknownFormat(first_bytes(bytes)))?;
        guarded(format_name, || match format {
            ImageFormat::Jpeg => jpeg::info(bytes, limits).map(Header::Jpeg),
            _ => other_header(bytes, format, format_name, limits),
        })
    }

    /// Bytes that the picture takes while it is decoded and scaled, beside the file.
    pub fn bytes(&self, wanted: Wanted) -> u64 {
        let (decoding, (width, height), turned) = match self {
            Header::Jpeg(info) => (info.bytes, info.turn.size(info.size), info.turn != Turn::default()),
            Header::Other { bytes, size, .. } => (*bytes, *size, false),
        };
        let pixels = 3 * u64::from(width) * u64::from(height);
        let pixels = match (self, wanted) {
            (Header::Jpeg(_), Wanted::Picture) => pixels * if turned { 2 } else { 1 },
            (_, Wanted::Picture) => 0,
            (_, Wanted::Scaled(transform)) => transform.scratch_bytes(width, height),
        };
        decoding.saturating_add(pixels)
    }

    /// The picture, upright, and what there is to say about it.
    pub fn decode(&self, bytes: &[u8], limits: &Limits) -> Result<Decoded, DecodeError> {
        match self {
            Header::Jpeg(info) => guarded("JPEG", || {
                let (width, height) = info.size;
                let mut picture = RgbImage::new(width, height);
                let damage = jpeg::decode(bytes, info, &mut |strip| {
                    let start = strip.first * strip.stride;
                    picture.as_mut()[start..start + strip.rows.len()].copy_from_slice(strip.rows);
                })?;
                Ok(Decoded { image: upright(picture, info.orientation), notes: Note::of_jpeg(damage) })
            }),
            Header::Other { format, format_name, scratch, .. } => {
                let decode = || decode_other(bytes, *format, format_name, *scratch, limits);
                Ok(Decoded::sound(guarded(format_name, decode)?))
            }
        }
    }
}

/// A bug in a decoder must cost one picture, not the run.
pub(crate) fn guarded<T>(
    format: &'static str,
    decode: impl FnOnce() -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(DecodeError::Damaged { format, cause: "the decoder gave up on it".into() }))
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

/// Bytes that a file may take besides its own number before its size is known: for descriptions, profiles and tables.
/// A colour profile that unpacks to more is passed over; none is used anyway.
pub(crate) const DESCRIPTIONS: u64 = 4 << 20;

/// A decoder that may take so many bytes.
fn decoder<'a>(
    bytes: &'a [u8],
    format: ImageFormat,
    format_name: &'static str,
    limits: &Limits,
    scratch: u64,
) -> Result<impl ImageDecoder + 'a, DecodeError> {
    let mut allowed = image::Limits::default();
    allowed.max_image_width = Some(limits.max_width);
    allowed.max_image_height = Some(limits.max_height);
    allowed.max_alloc = Some(scratch);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(allowed);
    reader.into_decoder().map_err(|error| explain(error, format_name))
}

fn other_header(
    bytes: &[u8],
    format: ImageFormat,
    format_name: &'static str,
    limits: &Limits,
) -> Result<Header, DecodeError> {
    let descriptions = DESCRIPTIONS + bytes.len() as u64;
    // Others than PNG unpack nothing before they are asked for pixels, but TIFF refuses if these don't fit.
    let allowed = if format == ImageFormat::Png { descriptions } else { u64::MAX };
    let mut decoder = decoder(bytes, format, format_name, limits, allowed)?;
    let size = decoder.dimensions();
    limits.check(size.0, size.1)?;
    let pixels = u64::from(size.0) * u64::from(size.1);
    let (stored, color) = (decoder.total_bytes(), decoder.color_type());
    // What the decoders hold beside the pixels they give: a frame, or planes before they are put together.
    let scratch = match format {
        ImageFormat::Tiff | ImageFormat::WebP => 2 * stored,
        ImageFormat::Gif | ImageFormat::Pnm => stored,
        _ => 0,
    };
    let scratch = scratch.saturating_add(descriptions);
    // Made RGB of 8 bits, and upright.
    let converted = match (color, color.bytes_per_pixel() / color.channel_count()) {
        (image::ColorType::Rgb8, _) => 0,
        (_, 1) => 3 * pixels,
        _ => 6 * pixels,
    };
    let turned = match decoder.orientation() {
        Ok(Orientation::NoTransforms) | Err(_) => 0,
        Ok(_) => 3 * pixels,
    };
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok(Header::Other {
        format,
        format_name,
        scratch,
        bytes: stored.saturating_add(scratch).saturating_add(converted.max(turned)),
        size: Turn::of(orientation).size(size),
    })
}

fn decode_other(
    bytes: &[u8],
    format: ImageFormat,
    format_name: &'static str,
    scratch: u64,
    limits: &Limits,
) -> Result<RgbImage, DecodeError> {
    let mut decoder = decoder(bytes, format, format_name, limits, scratch)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| explain(error, format_name))?;
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
