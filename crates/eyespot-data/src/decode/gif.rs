//! The first frame of a GIF, as Pillow makes it RGB: transparent pixels have their colour of the palette.

use super::{DecodeOptions, Stored, allocate};
use crate::DecodeError;
use gif::{ColorOutput, DecodingError, MemoryLimit};
use std::borrow::Cow;

fn damaged(cause: impl ToString) -> DecodeError {
    DecodeError::Damaged { format: "GIF", cause: cause.to_string() }
}

/// A file without a palette for all frames gets one of greys, which Pillow takes where the frame has none either.
fn with_palette(bytes: &[u8]) -> Cow<'_, [u8]> {
    const HEADER: usize = 13;
    if bytes.len() < HEADER || bytes[10] & 0x80 != 0 {
        return Cow::Borrowed(bytes);
    }
    let mut whole = bytes[..HEADER].to_vec();
    whole[10] |= 0x87;
    whole.extend((0..=255).flat_map(|grey| [grey; 3]));
    whole.extend(&bytes[HEADER..]);
    Cow::Owned(whole)
}

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Stored, DecodeError> {
    let explain = |error: DecodingError| damaged(error);
    let most = options.limits.max_pixels.saturating_mul(16).max(1);
    let mut settings = gif::DecodeOptions::new();
    settings.set_color_output(ColorOutput::Indexed);
    settings.set_memory_limit(MemoryLimit::Bytes(most.try_into().map_err(damaged)?));
    let with_palette = with_palette(bytes);
    let mut decoder = settings.read_info(&with_palette[..]).map_err(explain)?;
    let frame = decoder.next_frame_info().map_err(explain)?.ok_or_else(|| damaged("it has no frames"))?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (across, down) = (usize::from(frame.width), usize::from(frame.height));
    let (transparent, palette) = (frame.transparent, frame.palette.clone());
    // A frame that reaches over the edge makes the image larger.
    let width = usize::from(decoder.width()).max(left + across);
    let height = usize::from(decoder.height()).max(top + down);
    options.limits.check(width as u32, height as u32)?;
    let mut indices = Vec::new();
    indices.try_reserve_exact(across * down).map_err(|_| super::out_of_memory((across * down) as u64))?;
    indices.resize(across * down, 0);
    decoder.read_into_buffer(&mut indices).map_err(explain)?;

    let palette = palette.or_else(|| decoder.global_palette().map(<[u8]>::to_vec)).unwrap_or_default();
    let color = |index: u8| match palette.chunks_exact(3).nth(index as usize) {
        Some(color) => [color[0], color[1], color[2]],
        None => [0; 3],
    };
    let colors: [[u8; 3]; 256] = std::array::from_fn(|index| color(index as u8));
    let mut image = allocate(width as u32, height as u32)?;
    // Around the frame.
    let ground = colors[usize::from(transparent.unwrap_or(0))];
    image.pixels_mut().for_each(|pixel| pixel.0 = ground);
    let rows = image.as_flat_samples_mut().samples.chunks_exact_mut(width.max(1) * 3);
    for (row, indices) in rows.skip(top).zip(indices.chunks_exact(across.max(1))) {
        for (pixel, index) in row[left * 3..].chunks_exact_mut(3).zip(indices) {
            pixel.copy_from_slice(&colors[usize::from(*index)]);
        }
    }
    Ok(Stored::sound(image))
}
