//! Formats that crates read: PNG, WebP, GIF, BMP, PNM, QOI, TGA, ICO, JPEG 2000 and, as a feature, JPEG XL.

use super::deep::Deep;
use super::metadata;
use super::{DecodeOptions, Stored, allocate};
use crate::{DecodeError, Limits};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};
use std::io::Cursor;

/// Reads a file with the `image` crate.
pub(super) fn decode(
    bytes: &[u8],
    format: ImageFormat,
    name: &'static str,
    options: &DecodeOptions,
) -> Result<Stored, DecodeError> {
    let (image, orientation) = read(bytes, format, name, &options.limits)?;
    let (image, notes, levels) = eight_bits(image, options)?;
    Ok(Stored { image, orientation, notes, levels })
}

/// The WebP image in bytes, and how it is to be turned.
pub(super) fn webp(bytes: &[u8], limits: &Limits) -> Result<(RgbImage, Orientation), DecodeError> {
    let (image, orientation) = read(bytes, ImageFormat::WebP, "WebP", limits)?;
    Ok((image.into_rgb8(), orientation))
}

fn read(
    bytes: &[u8],
    format: ImageFormat,
    name: &'static str,
    limits: &Limits,
) -> Result<(DynamicImage, Orientation), DecodeError> {
    let explain = |error| explain(error, name);
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
    let exif = decoder.exif_metadata().ok().flatten().and_then(|exif| metadata::of_exif(&exif));
    let xmp = || decoder.xmp_metadata().ok().flatten().and_then(|xmp| metadata::of_xmp(&xmp));
    let orientation = exif.or_else(xmp).unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(explain)?;
    Ok((image, orientation))
}

fn explain(error: ImageError, format: &'static str) -> DecodeError {
    match error {
        ImageError::Limits(limit) => DecodeError::TooLarge(limit.to_string()),
        ImageError::Unsupported(what) => DecodeError::Unsupported { format, cause: what.to_string() },
        other => DecodeError::Damaged { format, cause: other.to_string() },
    }
}

type Levels = (RgbImage, Vec<super::Note>, Vec<f32>);

/// Samples of 16 bits to levels of 8; alpha is dropped.
fn eight_bits(image: DynamicImage, options: &DecodeOptions) -> Result<Levels, DecodeError> {
    use image::ColorType::{L16, La16, Rgb16, Rgba16};
    if !matches!(image.color(), L16 | La16 | Rgb16 | Rgba16) {
        return Ok((image.into_rgb8(), Vec::new(), Vec::new()));
    }
    let (width, height) = (image.width(), image.height());
    let mut out = allocate(width, height)?;
    let channels = if image.color().has_color() { 3 } else { 1 };
    let count = width as usize * height as usize * channels;
    let mut deep = Deep::new(options, [0.0, 65_535.0], count);
    let mut level = |sample: u16| deep.level(f64::from(sample));
    let out_pixels = out.pixels_mut();
    match image {
        DynamicImage::ImageLuma16(image) => {
            out_pixels.zip(image.pixels()).for_each(|(out, pixel)| out.0 = [level(pixel[0]); 3]);
        }
        DynamicImage::ImageLumaA16(image) => {
            out_pixels.zip(image.pixels()).for_each(|(out, pixel)| out.0 = [level(pixel[0]); 3]);
        }
        image => {
            let image = image.into_rgb16();
            out_pixels.zip(image.pixels()).for_each(|(out, pixel)| out.0 = pixel.0.map(&mut level));
        }
    }
    let (notes, levels) = deep.finish();
    Ok((out, notes, levels))
}

/// Reads a JPEG 2000 file or bare codestream. Samples of more than 8 bits are scaled to 8.
#[cfg(feature = "jpeg2000")]
pub(super) fn jpeg2000(bytes: &[u8], options: &DecodeOptions) -> Result<Stored, DecodeError> {
    use hayro_jpeg2000::{ColorSpace, DecodeSettings, DecoderContext, Image};
    const FORMAT: &str = "JPEG 2000";
    let damaged = |cause: String| DecodeError::Damaged { format: FORMAT, cause };
    let unsupported = |cause: &str| DecodeError::Unsupported { format: FORMAT, cause: cause.into() };
    let explain = |error: hayro_jpeg2000::DecodeError| damaged(error.to_string());
    let settings = DecodeSettings { strict: true, ..DecodeSettings::default() };
    let image = Image::new(bytes, &settings).map_err(explain)?;
    let (width, height) = (image.width(), image.height());
    options.limits.check(width, height)?;
    let grey = match image.color_space() {
        ColorSpace::Gray => true,
        ColorSpace::RGB => false,
        ColorSpace::Icc { num_channels: 1, .. } | ColorSpace::Unknown { num_channels: 1 } => true,
        ColorSpace::Icc { num_channels: 3, .. } | ColorSpace::Unknown { num_channels: 3 } => false,
        _ => return Err(unsupported("colours other than grey and RGB")),
    };
    let channels = if grey { 1 } else { 3 } + usize::from(image.has_alpha());
    let mut out = allocate(width, height)?;
    let mut samples = Vec::new();
    let count = width as usize * height as usize * channels;
    samples.try_reserve_exact(count).map_err(|_| super::out_of_memory(count as u64))?;
    samples.resize(count, 0);
    image.decode_into(&mut samples, &mut DecoderContext::default()).map_err(explain)?;
    for (out, pixel) in out.pixels_mut().zip(samples.chunks_exact(channels)) {
        out.0 = if grey { [pixel[0]; 3] } else { [pixel[0], pixel[1], pixel[2]] };
    }
    Ok(Stored::sound(out))
}
