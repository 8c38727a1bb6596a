//! The xz container, as far as TIFF needs it: LZMA2, behind a delta filter or not. Checksums are not compared.
//!
//! Source: The .xz File Format, version 1.2.1, <https://tukaani.org/xz/xz-file-format.txt>.

use super::{damaged, unsupported};
use crate::DecodeError;
use crate::decode::read_exactly;
use lzma_rust2::Lzma2Reader;

/// The first `size` bytes of a stream.
pub(super) fn decompress(data: &[u8], size: usize) -> Result<Vec<u8>, DecodeError> {
    let nonsense = || damaged("its LZMA data make no sense");
    // Six bytes of signature, two of flags, four of checksum.
    let block = data.strip_prefix(b"\xfd7zXZ\0").and_then(|rest| rest.get(6..)).ok_or_else(nonsense)?;
    let header_size = (usize::from(*block.first().ok_or_else(nonsense)?) + 1) * 4;
    let mut header = block.get(1..header_size).ok_or_else(nonsense)?.iter().copied();
    let flags = header.next().ok_or_else(nonsense)?;
    // Compressed and uncompressed size may be given.
    for flag in [0x40, 0x80] {
        if flags & flag != 0 {
            number(&mut header).ok_or_else(nonsense)?;
        }
    }
    let (mut delta, mut dictionary) = (None, None);
    for _ in 0..=flags & 3 {
        let filter = number(&mut header).ok_or_else(nonsense)?;
        let properties = number(&mut header).ok_or_else(nonsense)?;
        let property = header.next();
        match (filter, properties, property) {
            (0x03, 1, Some(distance)) => delta = Some(usize::from(distance) + 1),
            (0x21, 1, Some(bits @ 0..=39)) => dictionary = Some((2 | u32::from(bits & 1)) << (bits / 2 + 11)),
            (0x21, 1, Some(40)) => dictionary = Some(u32::MAX),
            _ => return Err(unsupported(&format!("LZMA with filter {filter}"))),
        }
    }
    // A dictionary need not be larger than what is unpacked.
    let needed = u32::try_from(size.next_power_of_two()).unwrap_or(u32::MAX).max(4096);
    let dictionary = dictionary.ok_or_else(nonsense)?.min(needed);
    let packed = block.get(header_size..).ok_or_else(nonsense)?;
    let mut out = read_exactly(Lzma2Reader::new(packed, dictionary, None), size, "TIFF")?;
    if let Some(distance) = delta {
        for place in distance..out.len() {
            out[place] = out[place].wrapping_add(out[place - distance]);
        }
    }
    Ok(out)
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn number(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let byte = bytes.next()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
