//! The element-wise functions that a convolution or linear layer can apply to its result before storing it.

/// An element-wise function fused behind a convolution or a linear layer. NaN stays NaN.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Activation {
    /// `y = x`.
    #[default]
    None,
    /// `y = max(x, 0)`.
    Relu,
    /// `y = min(max(x, 0), 6)`.
    Relu6,
}

impl Activation {
    /// The function's value at `x`.
    #[inline]
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Activation::None => x,
            Activation::Relu if x < 0.0 => 0.0,
            Activation::Relu => x,
            Activation::Relu6 => x.clamp(0.0, 6.0),
        }
    }

    /// The function as a clamp: its lowest and highest value.
    pub(crate) fn bounds(self) -> (f32, f32) {
        match self {
            Activation::None => (f32::NEG_INFINITY, f32::INFINITY),
            Activation::Relu => (0.0, f32::INFINITY),
            Activation::Relu6 => (0.0, 6.0),
        }
    }
}
