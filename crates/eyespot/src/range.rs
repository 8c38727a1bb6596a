//! The setting for images of more than 8 bits a sample.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Which samples of deep images (of more than 8 bits a sample) become black and white.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// All that they could be: of 16 bits 0 to 65,535, of floating-point numbers 0 to 1.
    Full,
    /// The 0.1 and the 99.9 percentile over the training images.
    Auto,
    /// From one number to a higher one, in the file's own numbers.
    Between(f32, f32),
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once("..").map(|(low, high)| (low.trim().parse(), high.trim().parse()));
        match (text, numbers) {
            ("full", _) => Ok(Self::Full),
            ("auto", _) => Ok(Self::Auto),
            (_, Some((Ok(low), Ok(high)))) if f32::is_finite(low) && f32::is_finite(high) && low < high => {
                Ok(Self::Between(low, high))
            }
            _ => Err(format!("`{text}` is no range; it is `full`, `auto` or LOW..HIGH, such as 0..4095")),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Auto => f.write_str("auto"),
            Self::Between(low, high) => write!(f, "{low}..{high}"),
        }
    }
}

impl Range {
    /// As the transform stores it.
    pub(crate) fn numbers(self) -> Option<[f32; 2]> {
        match self {
            Self::Between(low, high) => Some([low, high]),
            Self::Full | Self::Auto => None,
        }
    }
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_they_are_written_and_nonsense_is_refused() {
        for text in ["full", "auto", "0..4095", "-1000..3000.5", "0.0625..0.5"] {
            assert_eq!(text.parse::<Range>().unwrap().to_string(), text);
        }
        for text in ["", "..", "0..", "5..5", "9..2", "0..inf", "NaN..1", "0-4095", "automatic"] {
            assert!(text.parse::<Range>().is_err(), "{text}");
        }
    }
}
