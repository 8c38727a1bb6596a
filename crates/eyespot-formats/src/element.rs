//! The kinds of numbers in a file, and how each becomes `f32`.

use half::{bf16, f16};

/// What one number of a tensor is in the file; all are little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
}

impl Element {
    /// Bytes of one number.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// The numbers in `bytes`, rounded to the nearest `f32`. Bytes past the last whole number are left.
    pub(crate) fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F32 => convert(bytes, f32::from_le_bytes),
            Self::F64 => convert(bytes, |b| f64::from_le_bytes(b) as f32),
            Self::F16 => convert(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => convert(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Self::I64 => convert(bytes, |b| i64::from_le_bytes(b) as f32),
            Self::I32 => convert(bytes, |b| i32::from_le_bytes(b) as f32),
            Self::I16 => convert(bytes, |b| f32::from(i16::from_le_bytes(b))),
            Self::I8 => convert(bytes, |b| f32::from(i8::from_le_bytes(b))),
            Self::U64 => convert(bytes, |b| u64::from_le_bytes(b) as f32),
            Self::U32 => convert(bytes, |b| u32::from_le_bytes(b) as f32),
            Self::U16 => convert(bytes, |b| f32::from(u16::from_le_bytes(b))),
            Self::U8 => convert(bytes, |[b]| f32::from(b)),
            Self::Bool => convert(bytes, |[b]| if b == 0 { 0.0 } else { 1.0 }),
        }
    }
}

fn convert<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (whole, _) = bytes.as_chunks::<N>();
    whole.iter().map(|&chunk| number(chunk)).collect()
}
