//! The mean brightness of each block: an eighth of the picture's size, without the inverse transform and the colours.

use super::color::Colors;
use super::huffman::Bits;
use super::{Item, Reader, scan, streams};
use crate::DecodeError;
use image::{GrayImage, Luma};

/// The mean brightness of each 8 × 8 pixels, as stored (not turned); what the right and the lower edge have beyond whole blocks is
/// left out. `None` for a picture in several scans, or whose first channel isn't the brightness at its full size.
///
/// # Errors
/// Damage that leaves nothing to be read.
pub(crate) fn means(data: &[u8]) -> Result<Option<GrayImage>, DecodeError> {
    let mut reader = Reader::new(data);
    let Some(Item::Scan(first)) = reader.next()? else { return Ok(None) };
    let header = &reader.header;
    let Some(frame) = header.frame.as_ref().filter(|frame| streams(frame, &first)) else { return Ok(None) };
    let component = &frame.components[0];
    let bright = matches!(Colors::of(header, frame), Colors::Grey | Colors::YCbCr);
    let whole = (component.h, component.v) == (frame.h_max, frame.v_max);
    let Some(steps) = header.quantisers[component.table].filter(|_| bright && whole) else { return Ok(None) };
    let mut means = GrayImage::new((frame.width / 8) as u32, (frame.height / 8) as u32);
    let mut bits = Bits::new(data, reader.place);
    scan::sequential(header, frame, &first, &mut bits, |row, channels| {
        for channel in channels.iter().filter(|channel| channel.index == 0) {
            for (y, blocks) in channel.rows(row) {
                for (x, block) in blocks.iter().enumerate() {
                    // The first coefficient is eight times the mean, counted from the middle grey.
                    let mean = ((i32::from(block[0]) * i32::from(steps[0]) + 4) >> 3) + 128;
                    if let Some(pixel) = means.get_pixel_mut_checked(x as u32, y as u32) {
                        *pixel = Luma([mean.clamp(0, 255) as u8]);
                    }
                }
            }
        }
    })?;
    Ok(Some(means))
}
