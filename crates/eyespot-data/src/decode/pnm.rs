//! PNM whose white isn't 255, scaled as Pillow does it: rounded, where the `image` crate cuts off.

use super::{DecodeOptions, Stored, others};
use crate::DecodeError;
use image::ImageFormat;

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Stored, DecodeError> {
    let mut stored = others::decode(bytes, ImageFormat::Pnm, "PNM", options)?;
    if let Some(white @ 1..255) = white(bytes) {
        let levels: [u8; 256] = std::array::from_fn(|level| {
            // What became this level when it was cut off.
            let sample = (level as u32 * white).div_ceil(255);
            (f64::from(sample) / f64::from(white) * 255.0).round_ties_even().min(255.0) as u8
        });
        for level in stored.image.as_flat_samples_mut().samples {
            *level = levels[usize::from(*level)];
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
