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

/// Cuts `channels` output channels, numbered from `start`, into blocks of nearly equal width.
pub(crate) fn blocks(isa: Isa, start: usize, channels: usize) -> impl Iterator<Item = Block> {
    let vectors = channels.div_ceil(isa.lanes());
    let count = vectors.div_ceil(isa.vectors());
    let first = move |block: usize| (block * vectors).div_ceil(count.max(1));
    (0..count).map(move |i| {
        let (from, to) = (first(i) * isa.lanes(), (first(i + 1) * isa.lanes()).min(channels));
        Block { start: start + from, channels: to - from, vectors: first(i + 1) - first(i) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_the_channels_in_order() {
        for isa in Isa::available() {
            for channels in 0..300 {
                let mut next = 5;
                for block in blocks(isa, 5, channels) {
                    assert_eq!(block.start, next);
                    assert!((1..=isa.vectors()).contains(&block.vectors));
                    assert!(block.channels.div_ceil(isa.lanes()) == block.vectors);
                    next += block.channels;
                }
                assert_eq!(next, 5 + channels);
            }
        }
    }
}
