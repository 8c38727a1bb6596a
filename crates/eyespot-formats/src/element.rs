//! The kinds of numbers in a file, and how each becomes `f32`.

use half::{bf16, f16};

/// What one number of a tensor is in the file. Weights are floating-point numbers; whole numbers are counts, or
/// weights of a quantised network, which mean nothing without their scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    F64,
    F32,
    F16,
    Bf16,
    /// 4 bits of exponent, 3 of fraction, no infinity (OCP's E4M3, PyTorch's `float8_e4m3fn`).
    F8E4m3,
    /// 5 bits of exponent, 2 of fraction (`float8_e5m2`).
    F8E5m2,
    /// Numbers that don't become weights; what they are called in the file is kept for the message.
    Foreign {
        name: &'static str,
        size: usize,
    },
}

impl Element {
    /// Bytes of one number.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::F8E4m3 | Self::F8E5m2 => 1,
            Self::Foreign { size, .. } => size,
        }
    }

    /// Whether so few bits need a scale beside them to stand for weights as they were trained.
    pub(crate) fn may_be_scaled(self) -> bool {
        matches!(self, Self::F8E4m3 | Self::F8E5m2 | Self::Foreign { .. })
    }

    /// Numbers of `bytes`, little-endian, rounded to the nearest `f32`, into `out`. Both have the same count.
    pub(crate) fn decode(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            Self::F32 => convert(bytes, out, f32::from_le_bytes),
            Self::F64 => convert(bytes, out, |b| f64::from_le_bytes(b) as f32),
            Self::F16 => convert(bytes, out, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => convert(bytes, out, |b| bf16::from_le_bytes(b).to_f32()),
            Self::F8E4m3 => convert(bytes, out, |[b]| e4m3(b)),
            // The upper half of an f16.
            Self::F8E5m2 => convert(bytes, out, |[b]| f16::from_le_bytes([0, b]).to_f32()),
            // Refused before anything is read.
            Self::Foreign { .. } => {}
        }
    }
}

fn convert<const N: usize>(bytes: &[u8], out: &mut [f32], number: impl Fn([u8; N]) -> f32) {
    for (out, &chunk) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *out = number(chunk);
    }
}

/// (-1)^s · 2^(e-7) · 1.m, with 0.m · 2^-6 where e is 0; all bits of e and m set is NaN.
fn e4m3(byte: u8) -> f32 {
    let (exponent, fraction) = (i32::from(byte >> 3 & 15), f32::from(byte & 7));
    let magnitude = match (exponent, byte & 7) {
        (15, 7) => f32::NAN,
        (0, _) => fraction / 8.0 * 2f32.powi(-6),
        _ => (1.0 + fraction / 8.0) * 2f32.powi(exponent - 7),
    };
    if byte & 0x80 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(element: Element, bytes: &[u8]) -> Vec<f32> {
        let mut out = vec![0.0; bytes.len() / element.size()];
        element.decode(bytes, &mut out);
        out
    }

    /// The examples of the OCP 8-bit floating point specification 1.0, tables 1 and 2.
    #[test]
    fn eight_bit_floats_as_specified() {
        let e4m3 = decoded(Element::F8E4m3, &[0x00, 0x01, 0x07, 0x08, 0x38, 0x7e, 0xfe, 0x80]);
        let smallest = 2f32.powi(-9);
        assert_eq!(e4m3, [0.0, smallest, 7.0 * smallest, 2f32.powi(-6), 1.0, 448.0, -448.0, 0.0]);
        assert!(decoded(Element::F8E4m3, &[0x7f, 0xff]).iter().all(|number| number.is_nan()));
        let e5m2 = decoded(Element::F8E5m2, &[0x01, 0x03, 0x04, 0x3c, 0x7b, 0xfb, 0x7c]);
        let smallest = 2f32.powi(-16);
        let largest = 57344.0;
        assert_eq!(e5m2, [smallest, 3.0 * smallest, 2f32.powi(-14), 1.0, largest, -largest, f32::INFINITY]);
    }
}
