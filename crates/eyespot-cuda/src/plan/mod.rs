//! From a graph's plan to calls: what the GPU does, as data.

pub(crate) mod convolution;
pub(crate) mod inference;
mod launch;
mod layers;
mod memory;
mod pool;
pub(crate) mod tables;
#[cfg(test)]
mod tests;
pub(crate) mod training;

pub(crate) use convolution::Convolution;
pub(crate) use launch::{Argument, Launch};
pub(crate) use memory::{Block, Constants, Place};

/// One thing that the GPU does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Call {
    /// One of this crate's kernels.
    Launch(Launch),
    /// A convolution, by cuDNN where it can.
    Convolution(Box<Convolution>),
}

impl From<Launch> for Call {
    fn from(launch: Launch) -> Self {
        Self::Launch(launch)
    }
}
