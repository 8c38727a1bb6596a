//! Bytes of a row to numbers.

use super::directory::{Directory, Numbers};
use super::{damaged, unsupported};
use crate::DecodeError;
use half::f16;

/// Undoes the predictor in the rows of a chunk.
pub(super) fn undo_predictor(rows: &mut [u8], directory: &Directory) -> Result<(), DecodeError> {
    // Only these codecs know of predictors; libtiff ignores the tag elsewhere, too.
    if directory.predictor == 1 || !matches!(directory.compression, 5 | 8 | 32946 | 34925 | 50000) {
        return Ok(());
    }
    let (samples, bits) = (directory.samples_in_chunk(), directory.bits);
    let row_bytes = directory.row_bytes()?;
    match (directory.predictor, bits) {
        (2, 8 | 16 | 32 | 64) if !directory.in_blocks() => {
            for row in rows.chunks_exact_mut(row_bytes) {
                add_left(row, samples, bits / 8, directory.little_endian);
            }
            Ok(())
        }
        (3, 16 | 24 | 32 | 64) => {
            let mut shuffled = vec![0; row_bytes];
            for row in rows.chunks_exact_mut(row_bytes) {
                add_left(row, samples, 1, true);
                shuffled.copy_from_slice(row);
                // All first bytes stand before all second bytes, the most significant first.
                let (size, count) = (bits / 8, row_bytes / (bits / 8));
                for (place, number) in row.chunks_exact_mut(size).enumerate() {
                    for (byte, out) in number.iter_mut().enumerate() {
                        let byte = if directory.little_endian { size - 1 - byte } else { byte };
                        *out = shuffled[byte * count + place];
                    }
                }
            }
            Ok(())
        }
        (predictor @ (2 | 3), bits) => Err(unsupported(&format!("predictor {predictor} on {bits} bits"))),
        (predictor, _) => Err(damaged(&format!("there is no predictor {predictor}"))),
    }
}

/// Adds to each number of `size` bytes the one `samples` numbers before it.
fn add_left(row: &mut [u8], samples: usize, size: usize, little_endian: bool) {
    let number = |bytes: &[u8]| {
        let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        match little_endian {
            true => bytes.iter().rev().fold(0, fold),
            false => bytes.iter().fold(0, fold),
        }
    };
    let back = samples * size;
    for place in (back..row.len()).step_by(size) {
        let Some(bytes) = row.get(place..place + size) else { break };
        let sum = number(bytes).wrapping_add(number(&row[place - back..place - back + size]));
        for (i, byte) in row[place..place + size].iter_mut().enumerate() {
            let shift = if little_endian { i } else { size - 1 - i };
            *byte = (sum >> (8 * shift)) as u8;
        }
    }
}

/// Whether samples are whole numbers of at most 8 bits.
pub(super) fn are_bytes(directory: &Directory) -> bool {
    directory.numbers == Numbers::Unsigned && directory.bits <= 8
}

/// Numbers of at most 16 bits as they stand, for palettes.
pub(super) fn indices(row: &[u8], directory: &Directory, out: &mut [u16]) {
    let bits = directory.bits;
    for (place, out) in out.iter_mut().enumerate() {
        *out = match bits {
            16 => unsigned(row, place, 16, directory.little_endian) as u16,
            _ => packed(row, place * bits, bits) as u16,
        };
    }
}

/// Numbers of at most 8 bits, scaled to 0..255.
pub(super) fn bytes(row: &[u8], directory: &Directory, out: &mut [u8]) {
    let bits = directory.bits;
    if bits == 8 {
        let count = out.len().min(row.len());
        out[..count].copy_from_slice(&row[..count]);
        return;
    }
    let most = (1u32 << bits) - 1;
    for (place, out) in out.iter_mut().enumerate() {
        *out = ((packed(row, place * bits, bits) as u32 * 255 + most / 2) / most) as u8;
    }
}

/// Any numbers.
pub(super) fn numbers(row: &[u8], directory: &Directory, out: &mut [f64]) -> Result<(), DecodeError> {
    let (bits, little) = (directory.bits, directory.little_endian);
    let raw = |place: usize| match bits % 8 {
        0 => unsigned(row, place, bits, little),
        _ => packed(row, place * bits, bits),
    };
    let number: fn(u64, usize) -> f64 = match (directory.numbers, bits) {
        (Numbers::Unsigned, _) => |raw, _| raw as f64,
        (Numbers::Signed, _) => |raw, bits| ((raw << (64 - bits)) as i64 >> (64 - bits)) as f64,
        (Numbers::Float, 16) => |raw, _| f16::from_bits(raw as u16).to_f64(),
        (Numbers::Float, 32) => |raw, _| f64::from(f32::from_bits(raw as u32)),
        (Numbers::Float, 64) => |raw, _| f64::from_bits(raw),
        (Numbers::Float, bits) => return Err(unsupported(&format!("floating-point numbers of {bits} bits"))),
    };
    for (place, out) in out.iter_mut().enumerate() {
        *out = number(raw(place), bits);
    }
    Ok(())
}

/// A number of whole bytes.
fn unsigned(row: &[u8], place: usize, bits: usize, little_endian: bool) -> u64 {
    let size = bits / 8;
    let bytes = row.get(place * size..(place + 1) * size).unwrap_or_default();
    let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    match little_endian {
        true => bytes.iter().rev().fold(0, fold),
        false => bytes.iter().fold(0, fold),
    }
}

/// A number that begins at any bit, the most significant bit first.
fn packed(row: &[u8], start: usize, bits: usize) -> u64 {
    let mut number = 0;
    let mut place = start;
    while place < start + bits {
        let byte = u64::from(row.get(place / 8).copied().unwrap_or(0));
        let taken = (8 - place % 8).min(start + bits - place);
        let part = byte >> (8 - place % 8 - taken) & ((1 << taken) - 1);
        number = number << taken | part;
        place += taken;
    }
    number
}

/// The lowest and the highest number that samples can have; of floating-point numbers black and white.
pub(super) fn full_range(directory: &Directory) -> [f64; 2] {
    let bits = directory.bits as i32;
    match directory.numbers {
        Numbers::Unsigned => [0.0, 2f64.powi(bits) - 1.0],
        Numbers::Signed => [-(2f64.powi(bits - 1)), 2f64.powi(bits - 1) - 1.0],
        Numbers::Float => [0.0, 1.0],
    }
}
