//! The element-wise functions that steps compute.

use eyespot_graph::Op;

/// What follows a convolution or linear layer in the same step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `y = x`.
    None,
    /// `y = max(x, 0)`.
    Relu,
    /// `y = min(max(x, 0), 6)`.
    Relu6,
}

impl Activation {
    /// The operator as what follows another in the same step; [`Activation::None`] if it can't.
    pub(crate) fn of(op: &Op) -> Self {
        match op {
            Op::Relu => Self::Relu,
            Op::Relu6 => Self::Relu6,
            _ => Self::None,
        }
    }
}

/// An element-wise function as a step of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pointwise {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x` where positive, else `slope·x`.
    LeakyRelu(f32),
    /// `1 / (1 + e^−x)`.
    Sigmoid,
    /// `tanh(x)`.
    Tanh,
    /// 1 where `x ≥ 0`, else 0; its derivative is taken as 0.
    Sgn,
}

impl Pointwise {
    /// The operator as an element-wise function, if it is one.
    pub(crate) fn of(op: &Op) -> Option<Self> {
        Some(match *op {
            Op::Relu => Self::Relu,
            Op::Relu6 => Self::Relu6,
            Op::LeakyRelu { slope } => Self::LeakyRelu(slope),
            Op::Sigmoid => Self::Sigmoid,
            Op::Tanh => Self::Tanh,
            Op::Sgn => Self::Sgn,
            _ => return None,
        })
    }
}
