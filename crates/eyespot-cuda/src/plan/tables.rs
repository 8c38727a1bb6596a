//! Tables that kernels read: which tensors are packed, and which parts of the weights step alike.

use super::{Constants, Place};
use eyespot_graph::TensorScale;
use std::ops::Range;

/// A convolution's weights in both of their forms.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PackedTensor {
    /// Where they begin among the learned tensors.
    pub(crate) from: usize,
    /// Where they begin in the packed block, in elements.
    pub(crate) to: usize,
    pub(crate) out: usize,
    /// Input channels of a group.
    pub(crate) channels: usize,
    /// The same with the zeros that are added.
    pub(crate) padded: usize,
    pub(crate) taps: usize,
}

impl PackedTensor {
    pub(crate) fn len(&self) -> usize {
        self.out * self.taps * self.padded
    }
}

/// A table on the GPU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Table {
    pub(crate) place: Place,
    pub(crate) entries: usize,
    /// Blocks of threads that work on it.
    pub(crate) blocks: usize,
}

/// The table of `pack_weights` and `unpack_gradients`: each block of threads does 1,024 numbers of one tensor.
pub(crate) fn packing(tensors: &[PackedTensor], constants: &mut Constants) -> Table {
    let mut first = 0;
    let mut numbers = Vec::new();
    for tensor in tensors {
        let PackedTensor { from, to, out, channels, padded, taps } = *tensor;
        numbers.extend([from, to, out, channels, padded, taps, first].map(small));
        first += tensor.len().div_ceil(1024);
    }
    Table { place: constants.push_u32(&numbers), entries: tensors.len(), blocks: first }
}

/// The bytes of the optimizers' table.
pub(crate) fn parts(parts: &[(Range<usize>, TensorScale)]) -> Vec<u8> {
    let entry = |(range, scale): &(Range<usize>, TensorScale)| {
        let places = [range.start, range.end].map(|place| small(place).to_le_bytes());
        let factors = [scale.learning_rate, scale.weight_decay].map(f32::to_le_bytes);
        places.into_iter().chain(factors).flatten()
    };
    parts.iter().flat_map(entry).collect()
}

fn small(size: usize) -> u32 {
    u32::try_from(size).expect("the plan's sizes are below 2^31")
}
