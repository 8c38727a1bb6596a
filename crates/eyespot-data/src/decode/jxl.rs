//! JPEG XL.

use super::deep::Deep;
use super::{DecodeOptions, Stored, allocate};
use crate::DecodeError;
use jxl_oxide::{AllocTracker, EnumColourEncoding, JxlImage, RenderingIntent};

/// Reads the first frame, in sRGB, upright.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Stored, DecodeError> {
    let damaged = |cause: &dyn ToString| DecodeError::Damaged { format: "JPEG XL", cause: cause.to_string() };
    let most = usize::try_from(options.limits.max_pixels.saturating_mul(16)).unwrap_or(usize::MAX);
    let reader = JxlImage::builder().alloc_tracker(AllocTracker::with_limit(most));
    let mut image = reader.read(bytes).map_err(|e| damaged(&e))?;
    options.limits.check(image.width(), image.height())?;
    image.request_color_encoding(EnumColourEncoding::srgb(RenderingIntent::Relative));
    let bits = image.image_header().metadata.bit_depth.bits_per_sample();
    let frame = image.render_frame(0).map_err(|e| damaged(&e))?;
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
