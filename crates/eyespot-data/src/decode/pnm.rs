//! PNM whose white isn't 255, rounded as Pillow does it; and deep ones, whose samples count as they stand in the file.

use super::{DecodeOptions, Note, Stored, others};
use crate::DecodeError;
use image::ImageFormat;

pub(super) fn decode(bytes: &[u8], scratch: u64, options: &DecodeOptions) -> Result<Stored, DecodeError> {
    let white = white(bytes).unwrap_or(255);
    // The `image` crate makes white 65,535.
    let scale = if (256..65_535).contains(&white) { 65_535.0 / white as f32 } else { 1.0 };
    let options =
        DecodeOptions { range: options.range.map(|range| range.map(|n| n * scale)), ..options.clone() };
    let mut stored = others::decode(bytes, ImageFormat::Pnm, "PNM", scratch, &options)?;
    if (1..255).contains(&white) {
        let levels: [u8; 256] = std::array::from_fn(|level| {
            // What was scaled to this level, and rounded up in the middle.
            let sample = (level as u32 * white + 127) / 255;
            (f64::from(sample) / f64::from(white) * 255.0).round_ties_even().min(255.0) as u8
        });
        for level in stored.image.as_flat_samples_mut().samples {
            *level = levels[usize::from(*level)];
        }
    }
    stored.levels.iter_mut().for_each(|sample| *sample /= scale);
    for note in &mut stored.notes {
        if let Note::Range { lowest, highest, full } = note {
            for number in [lowest, highest].into_iter().chain(full) {
                *number /= scale;
            }
        }
    }
    Ok(stored)
}

/// The sample that means white, in greys and colours (`P2`, `P3`, `P5`, `P6`).
fn white(bytes: &[u8]) -> Option<u32> {
    let rest = match bytes {
        [b'P', b'2' | b'3' | b'5' | b'6', rest @ ..] => rest,
        _ => return None,
    };
    let (mut words, mut word, mut comment) = (0, String::new(), false);
    for &byte in rest {
        comment = byte == b'#' || comment && !matches!(byte, b'\n' | b'\r');
        if !comment && byte.is_ascii_digit() {
            word.push(char::from(byte));
        } else if !word.is_empty() {
            words += 1;
            if words == 3 {
                return word.parse().ok();
            }
            word.clear();
        }
    }
    None
}
