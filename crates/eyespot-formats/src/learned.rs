//! The images that a model learned from, remembered by their content.

use crate::ReadError;
use crate::error::damaged;
use std::collections::BTreeSet;
use std::fmt::Write;

/// The first 16 bytes of the BLAKE3 hash of an image's content. Two images share one by chance about once in 10³⁸.
pub type Fingerprint = [u8; 16];

/// The most images a model file remembers: they stand in the header, whose size is limited.
pub const MAX_FINGERPRINTS: usize = 1_500_000;

/// Hexadecimal digits in rising order: readable in any safetensors viewer, and the order of the images tells nothing.
pub(crate) fn to_text(learned_from: &BTreeSet<Fingerprint>) -> String {
    let mut text = String::with_capacity(32 * learned_from.len());
    for byte in learned_from.iter().flatten() {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

pub(crate) fn from_text(text: &str) -> Result<BTreeSet<Fingerprint>, ReadError> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| Some(c.to_digit(16)? as u8)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(32));
    let digits = digits.ok_or_else(|| damaged("the list of images it learned from can't be understood"))?;
    let fingerprint = |digits: &[u8]| std::array::from_fn(|i| digits[2 * i] << 4 | digits[2 * i + 1]);
    Ok(digits.chunks_exact(32).map(fingerprint).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_32_hexadecimal_digits_each() {
        let learned_from = BTreeSet::from([[0xfe; 16], [0x0a; 16]]);
        let text = to_text(&learned_from);
        assert_eq!(text, "0a".repeat(16) + &"fe".repeat(16));
        assert_eq!(from_text(&text).expect("reads"), learned_from);
        assert_eq!(from_text("").expect("reads"), BTreeSet::new());
        for wrong in [&text[1..], "0x".repeat(16).as_str(), &"ä".repeat(16), &"ä".repeat(32), "+1"] {
            assert!(from_text(wrong).is_err(), "{wrong}");
        }
    }
}
