//! JPEG XL.

use super::deep::Deep;
use super::header::{DESCRIPTIONS, Need};
use super::{DecodeOptions, Stored, allocate};
use crate::{DecodeError, Limits};
use image::metadata::Orientation;
use jxl_oxide::{AllocTracker, EnumColourEncoding, JxlImage, JxlThreadPool, RenderingIntent};

fn damaged(cause: impl ToString) -> DecodeError {
    DecodeError::Damaged { format: "JPEG XL", cause: cause.to_string() }
}

fn open(bytes: &[u8], most: u64) -> Result<JxlImage, DecodeError> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    // One thread: images are read on many.
    let reader =
        JxlImage::builder().alloc_tracker(AllocTracker::with_limit(most)).pool(JxlThreadPool::none());
    reader.read(bytes).map_err(damaged)
}

/// What reading a file takes; the crate keeps within what it is told.
pub(super) fn need(bytes: &[u8], limits: &Limits) -> Result<Need, DecodeError> {
    let image = open(bytes, DESCRIPTIONS)?;
    let size = (image.width(), image.height());
    limits.check(size.0, size.1)?;
    let channels = 3 + image.image_header().metadata.ec_info.len() as u64;
    // Four bytes each, as it is coded, filtered, turned, and converted; and 16 bits to hand out.
    let scratch = (u64::from(size.0) * u64::from(size.1)).saturating_mul(channels * 4 * 5 + 6);
    Ok(Need::of(size, Orientation::NoTransforms, scratch.saturating_add(DESCRIPTIONS)))
}

/// Reads the first frame, in sRGB, upright.
pub(super) fn decode(bytes: &[u8], scratch: u64, options: &DecodeOptions) -> Result<Stored, DecodeError> {
    let mut image = open(bytes, scratch)?;
    image.request_color_encoding(EnumColourEncoding::srgb(RenderingIntent::Relative));
    let bits = image.image_header().metadata.bit_depth.bits_per_sample();
    let frame = image.render_frame(0).map_err(damaged)?;
    let mut stream = frame.stream_no_alpha();
    let (width, height, channels) = (stream.width(), stream.height(), stream.channels() as usize);
    if !matches!(channels, 1 | 3) {
        return Err(DecodeError::Unsupported {
            format: "JPEG XL",
            cause: format!("colours of {channels} channels"),
        });
    }
    let mut out = allocate(width, height)?;
    let count = width as usize * height as usize * channels;
    let pixels = out.pixels_mut();
    let color = |pixel: [u8; 3]| if channels == 1 { [pixel[0]; 3] } else { pixel };
    if bits <= 8 {
        let mut samples = vec![0u8; count];
        stream.write_to_buffer(&mut samples);
        for (out, pixel) in pixels.zip(samples.chunks_exact(channels)) {
            out.0 = color([pixel[0], pixel[1 % channels], pixel[2 % channels]]);
        }
        return Ok(Stored::sound(out));
    }
    let mut samples = vec![0u16; count];
    stream.write_to_buffer(&mut samples);
    let mut deep = Deep::new(options, [0.0, 65_535.0], count);
    for (out, pixel) in pixels.zip(samples.chunks_exact(channels)) {
        let mut rgb = [0; 3];
        rgb.iter_mut().zip(pixel).for_each(|(level, sample)| *level = deep.level(f64::from(*sample)));
        out.0 = color(rgb);
    }
    let (notes, levels) = deep.finish();
    Ok(Stored { notes, levels, ..Stored::sound(out) })
}
