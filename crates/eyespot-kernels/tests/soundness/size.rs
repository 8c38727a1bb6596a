//! Sizes as they are meant: they don't wrap, but stay at the largest number.

use std::ops::{Add, Div, Mul, Sub};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u128);

impl Mul for Size {
    type Output = Size;
    fn mul(self, other: Size) -> Size {
        Size(self.0.saturating_mul(other.0))
    }
}

impl Add for Size {
    type Output = Size;
    fn add(self, other: Size) -> Size {
        Size(self.0.saturating_add(other.0))
    }
}

impl Sub<u128> for Size {
    type Output = Size;
    fn sub(self, other: u128) -> Size {
        Size(self.0.saturating_sub(other))
    }
}

impl Div for Size {
    type Output = Size;
    /// A division by zero fits nowhere.
    fn div(self, other: Size) -> Size {
        Size(self.0.checked_div(other.0).unwrap_or(u128::MAX))
    }
}
