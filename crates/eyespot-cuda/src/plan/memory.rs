//! Places in a program's memory.

/// The blocks of memory that a program owns. Their lengths are fixed when it is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Block {
    /// The caller's images in f32, as they come.
    Input,
    /// The images as elements.
    Images,
    /// All intermediate results.
    Arena,
    /// What never changes while a program runs: an inference program's weights, tables.
    Constants,
    /// Learned tensors in PyTorch's layout, f32.
    Learned,
    /// The weights of convolutions as they read them.
    Packed,
    /// Their gradients.
    PackedGradients,
    /// The gradients of learned tensors, f32.
    Gradients,
    /// Running statistics, f32.
    Running,
    /// Batch statistics, f32.
    Statistics,
    /// Where the largest values of poolings stood, bytes.
    Winners,
    /// Parts of sums.
    Partial,
    /// Scores in f32.
    Scores,
    /// The loss' gradient at the scores in f32.
    ScoresGradient,
    /// Seed and step.
    Draw,
    /// Which parts of the learned tensors step alike.
    Parts,
    /// SGD's velocity.
    Velocity,
    /// Adam's mean gradient.
    Mean,
    /// Adam's mean squared gradient.
    Square,
    /// The moving average of the learned tensors.
    Average,
    /// The moving average of the running statistics.
    AverageRunning,
}

/// A place in a block, in bytes from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) block: Block,
    pub(crate) offset: usize,
}

impl Place {
    /// `offset` bytes into a block.
    pub(crate) fn new(block: Block, offset: usize) -> Self {
        Self { block, offset }
    }

    /// Number `index` of a block of f32.
    pub(crate) fn float(block: Block, index: usize) -> Self {
        Self::new(block, 4 * index)
    }
}

/// Collects what goes into [`Block::Constants`].
#[derive(Debug, Default)]
pub(crate) struct Constants {
    pub(crate) bytes: Vec<u8>,
}

impl Constants {
    /// Appends bytes at a place that any kernel can read from.
    pub(crate) fn push(&mut self, bytes: impl IntoIterator<Item = u8>) -> Place {
        self.bytes.resize(self.bytes.len().next_multiple_of(256), 0);
        let place = Place::new(Block::Constants, self.bytes.len());
        self.bytes.extend(bytes);
        place
    }

    pub(crate) fn push_f32(&mut self, values: &[f32]) -> Place {
        self.push(values.iter().flat_map(|value| value.to_le_bytes()))
    }

    pub(crate) fn push_u32(&mut self, values: &[u32]) -> Place {
        self.push(values.iter().flat_map(|value| value.to_le_bytes()))
    }

    /// Rounded to bf16 where elements are.
    pub(crate) fn push_elements(&mut self, values: &[f32], element: crate::kernels::Element) -> Place {
        match element {
            crate::kernels::Element::F32 => self.push_f32(values),
            crate::kernels::Element::Bf16 => {
                self.push(values.iter().flat_map(|&value| bf16(value).to_le_bytes()))
            }
        }
    }
}

/// To the nearest, ties to even; NaN stays NaN.
fn bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_rounds_to_the_nearest() {
        // 8 bits behind the point: the steps between 1 and 2 are 1/128 wide.
        for (value, rounded) in
            [(1.0, 1.0), (1.003, 1.0), (1.004, 1.007_812_5), (-3.0, -3.0), (1e38, 9.969e37)]
        {
            let found = f32::from_bits(u32::from(bf16(value)) << 16);
            assert!((found - rounded).abs() <= 1e-3 * rounded.abs(), "{value}: {found}");
        }
        // Halfway between two: to the even one.
        assert_eq!(bf16(f32::from_bits(0x3f80_8000)), 0x3f80);
        assert_eq!(bf16(f32::from_bits(0x3f81_8000)), 0x3f82);
        assert!(f32::from_bits(u32::from(bf16(f32::NAN)) << 16).is_nan());
        assert_eq!(f32::from_bits(u32::from(bf16(f32::MAX)) << 16), f32::INFINITY);
    }
}
