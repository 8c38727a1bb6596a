//! What can go wrong between the CPU and the GPU.

use crate::plan::Block;
use eyespot_graph::DeviceError;
use thiserror::Error;

/// Why a GPU can't be used, or why it stopped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CudaError {
    /// A library isn't there.
    #[error("{library} isn't there; {cure}")]
    MissingLibrary {
        /// Its name, as its vendor writes it.
        library: &'static str,
        /// Where to get it.
        cure: &'static str,
    },
    /// There is no GPU of this number.
    #[error("there is no GPU {index}; the driver finds {count}")]
    NoDevice {
        /// The number asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// The GPU's memory doesn't suffice.
    #[error("{} MiB of the GPU's memory are needed, {} MiB are free", .needed >> 20, .free >> 20)]
    OutOfMemory {
        /// What was asked for, in bytes.
        needed: usize,
        /// What was free then, in bytes.
        free: usize,
    },
    /// A call of the driver or of a library failed.
    #[error("{call}: {reason}")]
    Call {
        /// What was called.
        call: &'static str,
        /// What it answered.
        reason: String,
    },
}

impl CudaError {
    /// For lack of memory, with the largest batch below `batch` whose blocks (name and bytes) would fit.
    pub(crate) fn with_fitting_batch(
        self,
        batch: usize,
        blocks: impl Fn(usize) -> Result<Vec<(Block, usize)>, DeviceError>,
    ) -> DeviceError {
        let Self::OutOfMemory { needed, free } = self else { return self.into() };
        let fits = |batch| {
            let bytes = blocks(batch).map(|blocks| blocks.iter().map(|(_, bytes)| bytes).sum::<usize>());
            bytes.is_ok_and(|bytes| bytes <= free)
        };
        let (mut fitting, mut failing) = (0, batch);
        while failing - fitting > 1 {
            let middle = fitting.midpoint(failing);
            if fits(middle) { fitting = middle } else { failing = middle }
        }
        DeviceError::OutOfMemory { needed, free, fitting_batch: Some(fitting) }
    }
}

impl From<CudaError> for DeviceError {
    fn from(error: CudaError) -> Self {
        match error {
            CudaError::OutOfMemory { needed, free } => {
                Self::OutOfMemory { needed, free, fitting_batch: None }
            }
            other => Self::Device(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lack_of_memory_names_the_largest_batch_that_fits() {
        let full = |free| CudaError::OutOfMemory { needed: 10_000, free };
        let blocks = |batch| Ok(vec![(Block::Arena, 100 * batch), (Block::Constants, 50)]);
        for (free, fitting) in [(1_000, 9), (150, 1), (149, 0), (6_350, 63)] {
            let DeviceError::OutOfMemory { fitting_batch, .. } = full(free).with_fitting_batch(64, blocks)
            else {
                panic!("another error");
            };
            assert_eq!(fitting_batch, Some(fitting), "{free} bytes free");
        }
        let other = CudaError::NoDevice { index: 1, count: 1 }.with_fitting_batch(64, blocks);
        assert!(matches!(other, DeviceError::Device(_)));
    }
}
