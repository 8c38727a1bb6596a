//! The first frame of a GIF, as Pillow makes it RGB: transparent pixels have their colour of the palette.

use super::header::Need;
use super::{DecodeOptions, Stored, allocate, zeros};
use crate::{DecodeError, Limits};
use gif::{ColorOutput, Decoder, MemoryLimit};
use image::metadata::Orientation;
use std::io::Read;

fn damaged(cause: impl ToString) -> DecodeError {
    DecodeError::Damaged { format: "GIF", cause: cause.to_string() }
}

/// A file without a palette for all frames gets one of greys, which Pillow takes where the frame has none either.
fn with_palette(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    const HEADER: usize = 13;
    if bytes.len() < HEADER || bytes[10] & 0x80 != 0 {
        return (Vec::new(), bytes);
    }
    let mut start = bytes[..HEADER].to_vec();
    start[10] |= 0x87;
    start.extend((0..=255).flat_map(|grey| [grey; 3]));
    (start, &bytes[HEADER..])
}

/// The first frame, and where it lies in the image.
struct First<R: Read> {
    decoder: Decoder<R>,
    left: usize,
    top: usize,
    across: usize,
    down: usize,
    width: usize,
    height: usize,
    transparent: Option<u8>,
    palette: Option<Vec<u8>>,
}

impl<R: Read> First<R> {
    fn of(file: R, limits: &Limits) -> Result<First<R>, DecodeError> {
        let mut settings = gif::DecodeOptions::new();
        settings.set_color_output(ColorOutput::Indexed);
        // What it takes is known here, and reserved.
        settings.set_memory_limit(MemoryLimit::Unlimited);
        let mut decoder = settings.read_info(file).map_err(damaged)?;
        let frame = decoder.next_frame_info().map_err(damaged)?.ok_or_else(|| damaged("it has no frames"))?;
        let (left, top) = (usize::from(frame.left), usize::from(frame.top));
        let (across, down) = (usize::from(frame.width), usize::from(frame.height));
        let (transparent, palette) = (frame.transparent, frame.palette.clone());
        // A frame that reaches over the edge makes the image larger.
        let width = usize::from(decoder.width()).max(left + across);
        let height = usize::from(decoder.height()).max(top + down);
        limits.check(width as u32, height as u32)?;
        Ok(First { decoder, left, top, across, down, width, height, transparent, palette })
    }
}

pub(super) fn need(bytes: &[u8], limits: &Limits) -> Result<Need, DecodeError> {
    let (start, rest) = with_palette(bytes);
    let first = First::of(start[..].chain(rest), limits)?;
    let size = (first.width as u32, first.height as u32);
    let indices = first.across as u64 * first.down as u64;
    Ok(Need::of(size, Orientation::NoTransforms, indices + (1 << 20)))
}

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Stored, DecodeError> {
    let (start, rest) = with_palette(bytes);
    let first = First::of(start[..].chain(rest), &options.limits)?;
    let First { mut decoder, left, top, across, down, width, height, transparent, palette } = first;
    let mut indices = zeros(across * down)?;
    decoder.read_into_buffer(&mut indices).map_err(damaged)?;

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
