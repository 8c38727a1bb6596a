//! Launches of this crate's kernels.

use super::Place;
use crate::kernels::Element;

/// What a kernel is given in one place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Argument {
    Place(Place),
    /// No place: where a kernel can do without.
    Null,
    U32(u32),
    U64(u64),
    F32(f32),
}

impl From<Place> for Argument {
    fn from(place: Place) -> Self {
        Self::Place(place)
    }
}

impl From<Option<Place>> for Argument {
    fn from(place: Option<Place>) -> Self {
        place.map_or(Self::Null, Self::Place)
    }
}

impl From<usize> for Argument {
    /// Sizes are checked when a program is planned: all are below 2^31.
    fn from(size: usize) -> Self {
        Self::U32(u32::try_from(size).expect("the plan's sizes are below 2^31"))
    }
}

impl From<u64> for Argument {
    fn from(value: u64) -> Self {
        Self::U64(value)
    }
}

impl From<f32> for Argument {
    fn from(value: f32) -> Self {
        Self::F32(value)
    }
}

/// A kernel with its grid and its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Launch {
    pub(crate) kernel: String,
    /// Blocks of threads.
    pub(crate) grid: (u32, u32),
    /// Threads in a block.
    pub(crate) threads: (u32, u32),
    pub(crate) arguments: Vec<Argument>,
}

/// The most blocks a launch has; each of their threads then does more than one number.
const MOST_BLOCKS: usize = 132 * 16;

impl Launch {
    pub(crate) fn new(kernel: impl Into<String>, grid: (usize, usize), threads: (u32, u32)) -> Self {
        let size = |size: usize| u32::try_from(size).expect("the plan's sizes are below 2^31");
        Self { kernel: kernel.into(), grid: (size(grid.0), size(grid.1)), threads, arguments: Vec::new() }
    }

    /// One thread for each of `count` numbers.
    pub(crate) fn each(kernel: impl Into<String>, count: usize) -> Self {
        Self::new(kernel, (count.div_ceil(256).clamp(1, MOST_BLOCKS), 1), (256, 1))
    }

    /// One warp for each of `count` rows.
    pub(crate) fn warps(kernel: impl Into<String>, count: usize) -> Self {
        Self::new(kernel, (count.div_ceil(8).max(1), 1), (32, 8))
    }

    /// A kernel that has a form for single numbers (`NAME_1`) and one for packs (`NAME_v`), on `count` numbers. Packs are
    /// taken where `width`, the number of channels, is a multiple of a pack.
    pub(crate) fn packs(name: &str, element: Element, width: usize, count: usize) -> Self {
        if width.is_multiple_of(element.pack()) {
            Self::each(format!("{name}_v"), count / element.pack())
        } else {
            Self::each(format!("{name}_1"), count)
        }
    }

    pub(crate) fn arg(mut self, argument: impl Into<Argument>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl Into<Argument>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }
}
