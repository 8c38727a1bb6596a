//! Places in the GPU's memory.

/// An address in the GPU's memory. It is a number to the CPU, which never reads through it; who hands one to a kernel
/// answers for what lies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) u64);

impl Address {
    /// The address `bytes` further on.
    pub(crate) fn offset(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64)
    }
}

/// How activations are stored. Weights, statistics and gradients of weights are always f32 beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    /// 32 bits.
    F32,
    /// The upper 16 bits of an f32.
    Bf16,
}

impl Element {
    /// Bytes of one number.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }
}
