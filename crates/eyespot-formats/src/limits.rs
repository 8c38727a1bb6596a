//! How much one file may ask for.

use crate::ReadError;
use crate::error::too_much;

/// Entries of any one container: the largest published classifiers have a few thousand.
pub(crate) const MAX_ENTRIES: usize = 50_000;

/// Axes of a tensor: a convolution has four.
pub(crate) const MAX_AXES: usize = 8;

/// Bytes of the text before a safetensors file's tensors.
pub(crate) const MAX_HEADER: usize = 64 << 20;

/// Numbers that may still be decoded.
///
/// Views may share one storage, so a small file could ask for any number of numbers. Real files ask for at most one
/// number a byte (one-byte integers); twice that leaves room for tied weights.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
}

impl Budget {
    /// What a file of `bytes` bytes may ask for.
    pub(crate) fn for_file(bytes: usize) -> Self {
        Self { left: bytes.saturating_mul(2).max(1 << 20) }
    }

    /// Takes `numbers` off, before they are allocated.
    pub(crate) fn take(&mut self, numbers: usize) -> Result<(), ReadError> {
        let message = || too_much("its tensors are many times larger than the file itself");
        self.left = self.left.checked_sub(numbers).ok_or_else(message)?;
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
