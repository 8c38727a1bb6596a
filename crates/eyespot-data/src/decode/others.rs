//! Formats that the `image` crate reads.

use super::deep::Deep;
use super::header::{DESCRIPTIONS, Need};
use super::{DecodeOptions, Stored, allocate, metadata};
use crate::{DecodeError, Limits};
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};
use std::io::Cursor;

/// A decoder that may take so many bytes.
fn decoder<'a>(
    bytes: &'a [u8],
    format: ImageFormat,
    name: &'static str,
    limits: &Limits,
    scratch: u64,
) -> Result<impl ImageDecoder + 'a, DecodeError> {
    let mut allowed = image::Limits::default();
    allowed.max_image_width = Some(limits.max_width);
    allowed.max_image_height = Some(limits.max_height);
    allowed.max_alloc = Some(scratch);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(allowed);
    reader.into_decoder().map_err(|error| explain(error, name))
}

/// What the `image` crate takes for a file.
pub(super) fn need(
    bytes: &[u8],
    format: ImageFormat,
    name: &'static str,
    limits: &Limits,
) -> Result<Need, DecodeError> {
    let descriptions = DESCRIPTIONS + bytes.len() as u64;
    // Others than PNG unpack nothing before they are asked for pixels.
    let allowed = if format == ImageFormat::Png { descriptions } else { u64::MAX };
    let mut decoder = decoder(bytes, format, name, limits, allowed)?;
    let size = decoder.dimensions();
    limits.check(size.0, size.1)?;
    let stored = decoder.total_bytes();
    // What the decoders hold beside the pixels they give: a frame, or planes before they are put together.
    let scratch = match format {
        ImageFormat::WebP => 2 * stored,
        ImageFormat::Pnm | ImageFormat::Qoi | ImageFormat::Tga | ImageFormat::Ico => stored,
        _ => 0,
    };
    let scratch = scratch.saturating_add(descriptions);
    let orientation = orientation(&mut decoder);
    Ok(match decoder.color_type() {
        ColorType::Rgb8 => Need::of(size, orientation, scratch),
        _ => Need::converted(size, orientation, scratch, stored),
    })
}

/// Reads a file with the `image` crate, which may take `scratch` bytes beside the pixels.
pub(super) fn decode(
    bytes: &[u8],
    format: ImageFormat,
    name: &'static str,
    scratch: u64,
    options: &DecodeOptions,
) -> Result<Stored, DecodeError> {
    let mut decoder = decoder(bytes, format, name, &options.limits, scratch)?;
    let orientation = orientation(&mut decoder);
    let image = DynamicImage::from_decoder(decoder).map_err(|error| explain(error, name))?;
    let (image, notes, levels) = eight_bits(image, options)?;
    Ok(Stored { image, orientation, notes, levels })
}

/// From EXIF, else from XMP.
fn orientation(decoder: &mut impl ImageDecoder) -> Orientation {
    let exif = decoder.exif_metadata().ok().flatten().and_then(|exif| metadata::of_exif(&exif));
    let mut xmp = || decoder.xmp_metadata().ok().flatten().and_then(|xmp| metadata::of_xmp(&xmp));
    exif.or_else(&mut xmp).unwrap_or(Orientation::NoTransforms)
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
    use ColorType::{L16, La16, Rgb16, Rgba16};
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
        DynamicImage::ImageRgb16(image) => {
            out_pixels.zip(image.pixels()).for_each(|(out, pixel)| out.0 = pixel.0.map(&mut level));
        }
        DynamicImage::ImageRgba16(image) => {
            let rgb = |pixel: &image::Rgba<u16>| [pixel[0], pixel[1], pixel[2]];
            out_pixels.zip(image.pixels()).for_each(|(out, pixel)| out.0 = rgb(pixel).map(&mut level));
        }
        other => return Ok((other.into_rgb8(), Vec::new(), Vec::new())),
    }
    let (notes, levels) = deep.finish();
    Ok((out, notes, levels))
}
