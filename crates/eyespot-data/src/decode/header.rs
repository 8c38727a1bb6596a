//! What is known of a picture before it is decoded: its format, its size, and the memory that decoding takes.

use super::format::Format;
use super::{DecodeOptions, Decoded, Note, Stored, bmp, foreign, gif, ico, others, png, pnm, tiff, upright};
use crate::opened::Wanted;
use crate::strips::Turn;
use crate::{DecodeError, Limits, jpeg};
use image::metadata::Orientation;
use image::{ImageFormat, RgbImage};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Bytes that a file may take besides its own number before its size is known: for descriptions, profiles and tables.
/// A colour profile that unpacks to more is passed over; none is used anyway.
pub(crate) const DESCRIPTIONS: u64 = 4 << 20;

/// What is known of a picture before it is decoded.
pub(crate) enum Header {
    Jpeg(jpeg::Info),
    Other { format: Format, need: Need },
}

/// What decoding a picture takes.
#[derive(Debug)]
pub(crate) struct Need {
    /// Width and height as stored.
    stored: (u32, u32),
    /// Width and height of the upright picture.
    size: (u32, u32),
    /// Bytes that the decoder may take beside the pixels; crates that can be told are told.
    pub scratch: u64,
    /// Bytes in all, beside the file.
    bytes: u64,
}

impl Need {
    /// For a picture of this size and turn, whose decoder takes `scratch` bytes beside the 3 of each pixel.
    pub fn of(size: (u32, u32), orientation: Orientation, scratch: u64) -> Need {
        let pixels = 3 * u64::from(size.0) * u64::from(size.1);
        Need::with_pixels(size, orientation, scratch, pixels)
    }

    /// Where the decoder's pixels, of `stored` bytes in all, are turned into RGB of 8 bits afterwards.
    pub fn converted(size: (u32, u32), orientation: Orientation, scratch: u64, stored: u64) -> Need {
        let pixels = 3 * u64::from(size.0) * u64::from(size.1);
        Need::with_pixels(size, orientation, scratch, stored.saturating_add(pixels))
    }

    /// With so many bytes more, which the decoder isn't told of.
    pub fn more(self, bytes: u64) -> Need {
        Need { bytes: self.bytes.saturating_add(bytes), ..self }
    }

    /// Turned otherwise than the decoder knows.
    pub fn turned(self, orientation: Option<Orientation>) -> Need {
        let Some(orientation) = orientation else { return self };
        let turned = Need::with_pixels(self.stored, orientation, self.scratch, 0);
        Need { bytes: self.bytes.max(turned.bytes), ..turned }
    }

    fn with_pixels(size: (u32, u32), orientation: Orientation, scratch: u64, bytes: u64) -> Need {
        // Turning makes a second picture, when nothing else is left.
        let turned = match orientation {
            Orientation::NoTransforms => 0,
            _ => 6 * u64::from(size.0) * u64::from(size.1),
        };
        let bytes = bytes.saturating_add(scratch).max(turned);
        Need { stored: size, size: Turn::of(orientation).size(size), scratch, bytes }
    }
}

impl Header {
    /// Reads what stands before the pixels.
    pub fn read(bytes: &[u8], options: &DecodeOptions) -> Result<Header, DecodeError> {
        if bytes.is_empty() {
            return Err(DecodeError::Empty);
        }
        let format = match Format::of(bytes) {
            Some(format) => format,
            None => match (foreign::name(bytes), Format::tga(bytes)) {
                (Some(foreign), _) => return Err(foreign),
                (None, Some(format)) => format,
                (None, None) => return Err(DecodeError::UnknownFormat(first_bytes(bytes))),
            },
        };
        guarded(format.name(), || match format {
            Format::Jpeg => jpeg::info(bytes, &options.limits).map(Header::Jpeg),
            _ => {
                let mut need = need(format, bytes, &options.limits)?;
                // A list that grows takes up to twice as much.
                need.bytes = need.bytes.saturating_add(2 * 4 * options.keep_samples as u64);
                Ok(Header::Other { format, need })
            }
        })
    }

    /// Bytes that the picture takes while it is decoded and scaled, beside the file.
    pub fn bytes(&self, wanted: Wanted) -> u64 {
        let (decoding, (width, height), turned) = match self {
            Header::Jpeg(info) => (info.bytes, info.turn.size(info.size), info.turn != Turn::default()),
            Header::Other { need, .. } => (need.bytes, need.size, false),
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
    pub fn decode(&self, bytes: &[u8], options: &DecodeOptions) -> Result<Decoded, DecodeError> {
        match self {
            Header::Jpeg(info) => guarded("JPEG", || {
                let (width, height) = info.size;
                let mut picture = RgbImage::new(width, height);
                let damage = jpeg::decode(bytes, info, &mut |strip| {
                    let start = strip.first * strip.stride;
                    picture.as_mut()[start..start + strip.rows.len()].copy_from_slice(strip.rows);
                })?;
                let image = upright(picture, info.orientation);
                Ok(Decoded { notes: Note::of_jpeg(damage), ..Decoded::sound(image) })
            }),
            Header::Other { format, need, .. } => {
                let decode = || decode(*format, bytes, need.scratch, options);
                let stored = guarded(format.name(), decode)?;
                let image = upright(stored.image, stored.orientation);
                Ok(Decoded { image, notes: stored.notes, samples: stored.levels })
            }
        }
    }
}

/// What a decoder takes; nothing larger than the file is allocated for this.
fn need(format: Format, bytes: &[u8], limits: &Limits) -> Result<Need, DecodeError> {
    let crates = |format: ImageFormat, name| others::need(bytes, format, name, limits);
    let name = format.name();
    match format {
        Format::Jpeg => {
            Err(DecodeError::Unsupported { format: "JPEG", cause: "it is read elsewhere".into() })
        }
        Format::Png => png::need(bytes, limits),
        Format::Tiff => tiff::need(bytes, limits),
        Format::Gif => gif::need(bytes, limits),
        Format::Bmp => bmp::need(bytes, limits),
        Format::Pnm => crates(ImageFormat::Pnm, name),
        Format::WebP => crates(ImageFormat::WebP, name),
        Format::Qoi => crates(ImageFormat::Qoi, name),
        Format::Ico => ico::need(bytes, limits),
        Format::Tga => crates(ImageFormat::Tga, name),
        #[cfg(feature = "jpeg2000")]
        Format::Jpeg2000 => super::jpeg2000::need(bytes, limits),
        #[cfg(feature = "jxl")]
        Format::JpegXl => super::jxl::need(bytes, limits),
    }
}

/// Decodes what [`need`] was asked about.
fn decode(
    format: Format,
    bytes: &[u8],
    scratch: u64,
    options: &DecodeOptions,
) -> Result<Stored, DecodeError> {
    let crates = |format: ImageFormat, name| others::decode(bytes, format, name, scratch, options);
    let name = format.name();
    match format {
        Format::Jpeg => {
            Err(DecodeError::Unsupported { format: "JPEG", cause: "it is read elsewhere".into() })
        }
        Format::Png => png::decode(bytes, scratch, options),
        Format::Tiff => tiff::decode(bytes, options),
        Format::Gif => gif::decode(bytes, options),
        Format::Bmp => bmp::decode(bytes, scratch, options),
        Format::Pnm => pnm::decode(bytes, scratch, options),
        Format::WebP => crates(ImageFormat::WebP, name),
        Format::Qoi => crates(ImageFormat::Qoi, name),
        Format::Ico => ico::decode(bytes, scratch, options),
        Format::Tga => crates(ImageFormat::Tga, name),
        #[cfg(feature = "jpeg2000")]
        Format::Jpeg2000 => super::jpeg2000::decode(bytes),
        #[cfg(feature = "jxl")]
        Format::JpegXl => super::jxl::decode(bytes, scratch, options),
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

/// What a person can tell a text or a web page from.
fn first_bytes(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(12)];
    format!("\"{}\"", start.escape_ascii())
}
