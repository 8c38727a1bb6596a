//! What planning has to know of an operator: whether another step can take it over, and what its
//! gradient is computed from. A new operator that is none of this needs no line here.

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

/// What the gradients at an operator's inputs are computed from, beside the gradient at its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    Nothing,
    Inputs,
    Result,
}

/// What the gradients of the operator read.
pub(crate) fn gradient_reads(op: &Op) -> Reads {
    match op {
        Op::Relu | Op::Relu6 | Op::LeakyRelu { .. } | Op::Sigmoid | Op::Tanh | Op::Sgn => Reads::Result,
        Op::HardSigmoid | Op::Softmax | Op::LogSoftmax => Reads::Result,
        Op::Gelu { .. } | Op::Silu | Op::HardSwish => Reads::Inputs,
        Op::Gaussian(_) | Op::LocalResponseNorm(_) | Op::Mul => Reads::Inputs,
        _ => Reads::Nothing,
    }
}

/// Whether nothing learns through the operator.
pub(crate) fn blocks_gradients(op: &Op) -> bool {
    *op == Op::Sgn
}
