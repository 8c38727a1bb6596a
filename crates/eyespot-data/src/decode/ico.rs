//! The largest image of an icon.

use super::header::Need;
use super::{DecodeOptions, Stored, others, png};
use crate::{DecodeError, Limits};
use image::ImageFormat;

pub(super) fn need(bytes: &[u8], limits: &Limits) -> Result<Need, DecodeError> {
    match largest(bytes) {
        Some(image) if image.starts_with(b"\x89PNG") => png::need(image, limits),
        _ => others::need(bytes, ImageFormat::Ico, "ICO", limits),
    }
}

/// Images in an icon are PNG files or bitmaps without a header.
pub(super) fn decode(bytes: &[u8], scratch: u64, options: &DecodeOptions) -> Result<Stored, DecodeError> {
    match largest(bytes) {
        // The `image` crate refuses all but RGBA.
        Some(image) if image.starts_with(b"\x89PNG") => png::decode(image, scratch, options),
        _ => others::decode(bytes, ImageFormat::Ico, "ICO", scratch, options),
    }
}

/// From where the image of the most pixels, and of these the one of the most colours, begins.
fn largest(bytes: &[u8]) -> Option<&[u8]> {
    let count = u16::from_le_bytes([*bytes.get(4)?, *bytes.get(5)?]) as usize;
    let entries = bytes.get(6..)?.chunks_exact(16).take(count);
    // A side of 0 is one of 256.
    let side = |byte: u8| if byte == 0 { 256 } else { u32::from(byte) };
    let size = |entry: &&[u8]| (side(entry[0]) * side(entry[1]), u16::from_le_bytes([entry[6], entry[7]]));
    let entry = entries.max_by_key(size)?;
    bytes.get(u32::from_le_bytes(entry[12..16].try_into().ok()?) as usize..)
}
