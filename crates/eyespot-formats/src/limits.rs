//! How much one file may ask for.

use crate::ReadError;
use crate::error::too_much;

/// Entries of any one container: the largest published classifiers have a few thousand.
pub(crate) const MAX_ENTRIES: usize = 50_000;

/// Axes of a tensor: a convolution has four.
pub(crate) const MAX_AXES: usize = 8;

/// Bytes of the text before a safetensors file's tensors.
pub(crate) const MAX_HEADER: usize = 64 << 20;

/// What may still be decoded.
///
/// Views may share one storage, so a small file could ask for any number of numbers, and a packed one for any number of
/// bytes.
#[derive(Debug)]
pub(crate) struct Budget {
    numbers: usize,
    bytes: u64,
}

/// Bytes beyond those of the numbers that are read or unpacked for tensors with gaps.
const SPARE_BYTES: u64 = 64 << 20;

impl Budget {
    /// For all that is in a file of `bytes` bytes. Real files ask for at most one number a byte (eight-bit floats);
    /// twice that leaves room for tied weights.
    pub(crate) fn for_file(bytes: u64) -> Self {
        let numbers = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_mul(2).max(1 << 20);
        Self { numbers, bytes: bytes.saturating_mul(4).saturating_add(SPARE_BYTES) }
    }

    /// For a network of this many weights.
    pub(crate) fn for_network(weights: usize) -> Self {
        // The gains of weight normalisation come on top.
        Self {
            numbers: weights.saturating_mul(2),
            bytes: (weights as u64).saturating_mul(32).saturating_add(SPARE_BYTES),
        }
    }

    /// Takes `numbers` off, before they are allocated.
    pub(crate) fn take(&mut self, numbers: usize) -> Result<(), ReadError> {
        let message = || too_much("its tensors are many times larger than the file itself");
        self.numbers = self.numbers.checked_sub(numbers).ok_or_else(message)?;
        Ok(())
    }

    /// Takes `bytes` off that are read or unpacked for one tensor.
    pub(crate) fn work(&mut self, bytes: u64) -> Result<(), ReadError> {
        let message = || too_much("its tensors are small parts of storages that are many times larger");
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(message)?;
        Ok(())
    }
}

/// The product of a shape's axes, if it is one a tensor can have.
pub(crate) fn element_count(shape: &[usize]) -> Result<usize, ReadError> {
    if shape.len() > MAX_AXES {
        return Err(too_much(format!("a tensor has {} axes (at most {MAX_AXES})", shape.len())));
    }
    // Empty tensors count as well: 0 × huge must not overflow in some later product either.
    let product = shape.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis.max(1)));
    match product {
        Some(product) if product <= isize::MAX as usize / 8 => {
            Ok(if shape.contains(&0) { 0 } else { product })
        }
        _ => Err(too_much(format!("a tensor has the shape {shape:?}"))),
    }
}
