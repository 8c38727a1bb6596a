//! Output channels cut into blocks as wide as the register tile.

use crate::simd::Isa;

/// A block of neighbouring output channels that one register tile computes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    /// First output channel.
    pub(crate) start: usize,
    /// How many.
    pub(crate) channels: usize,
    /// Vectors that hold them; the last may be partly filled.
    pub(crate) vectors: usize,
}

/// Cuts `channels` output channels, numbered from `start`, into blocks.
pub(crate) fn blocks(isa: Isa, start: usize, channels: usize) -> impl Iterator<Item = Block> {
    let width = isa.vectors() * isa.lanes();
    (0..channels.div_ceil(width)).map(move |i| {
        let channels = width.min(channels - i * width);
        Block { start: start + i * width, channels, vectors: channels.div_ceil(isa.lanes()) }
    })
}
