//! The shape of one picture's activations.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The shape of the activations of one picture; the batch dimension is never part of it.
///
/// In memory a map is height × width × channels (NHWC with the batch in front), so a pixel is a vector of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Shape {
    /// A map of `channels` × `height` × `width`.
    Map {
        /// Numbers per pixel.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A plain vector of this many numbers.
    Vector(usize),
}

impl Shape {
    /// A map of `channels` × `height` × `width`.
    pub const fn map(channels: usize, height: usize, width: usize) -> Self {
        Self::Map { channels, height, width }
    }

    /// How many numbers one picture has; saturates, so hostile sizes never wrap around.
    pub fn elements(self) -> usize {
        match self {
            Self::Map { channels, height, width } => channels.saturating_mul(height).saturating_mul(width),
            Self::Vector(n) => n,
        }
    }

    /// Channels of a map, length of a vector: PyTorch's dimension 1.
    pub fn channels(self) -> usize {
        match self {
            Self::Map { channels, .. } => channels,
            Self::Vector(n) => n,
        }
    }

    /// Pixels per channel; 1 for a vector.
    pub fn pixels(self) -> usize {
        match self {
            Self::Map { height, width, .. } => height.saturating_mul(width),
            Self::Vector(_) => 1,
        }
    }

    /// `(channels, height, width)`; a vector counts as a map of one pixel.
    pub fn chw(self) -> (usize, usize, usize) {
        match self {
            Self::Map { channels, height, width } => (channels, height, width),
            Self::Vector(n) => (n, 1, 1),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map { channels, height, width } => write!(f, "{channels}×{height}×{width}"),
            Self::Vector(n) => write!(f, "{n}"),
        }
    }
}
