//! The memory of a program: blocks of floats, reserved before they are taken.

use eyespot_compile::ALIGNMENT;
use eyespot_graph::DeviceError;
use eyespot_system::{Budget, OverBudget, Reserved};
use std::ops::Range;

/// Reserves `floats` for a program that computes `batch` pictures at once.
pub(crate) fn reserve(
    floats: usize,
    batch: usize,
    hold: fn(&'static Budget, u64) -> Result<Reserved<'static>, OverBudget>,
) -> Result<Reserved<'static>, DeviceError> {
    hold(Budget::process(), floats as u64 * 4).map_err(|error| {
        let many = if batch > 1 {
            ", or compute fewer pictures at once with --batch (in training: --batch-size)"
        } else {
            ""
        };
        DeviceError::Call(format!("the network, for {batch} pictures at once, {error}{many}"))
    })
}

/// A block of floats that begins on a 64-byte boundary, all zero at first.
#[derive(Debug)]
pub(crate) struct Floats(eyespot_kernels::Floats);

impl Floats {
    /// `len` zeros, or an error where the machine doesn't have the memory.
    pub(crate) fn zeroed(len: usize) -> Result<Self, DeviceError> {
        // Asked for first, because only this way a refusal is an error; then taken as memory that the system hands
        // out zeroed, page by page, when it is first used.
        if Vec::<f32>::new().try_reserve_exact(len.saturating_add(ALIGNMENT)).is_err() {
            let megabytes = len / (1 << 18);
            return Err(DeviceError::Call(format!(
                "the program needs {megabytes} MiB, more than this machine gives; take a smaller batch or picture"
            )));
        }
        Ok(Self(eyespot_kernels::Floats::zeroed(len)))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.len() * size_of::<f32>()
    }
}

impl std::ops::Deref for Floats {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl std::ops::DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

/// Borrows several places of a slice that the plan keeps apart.
///
/// # Panics
/// When they overlap, which would be a mistake in the plan.
pub(crate) fn borrow<const N: usize>(memory: &mut [f32], ranges: [Range<usize>; N]) -> [&mut [f32]; N] {
    memory.get_disjoint_mut(ranges).expect("the plan keeps results apart that are used at once")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_and_absurd_ones_an_error() {
        let block = Floats::zeroed(5).unwrap();
        assert_eq!((block.len(), block.as_ptr() as usize % 64), (5, 0));
        assert!(Floats::zeroed(usize::MAX / 4).is_err());
    }
}
