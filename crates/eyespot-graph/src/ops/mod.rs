//! Operators, one file each: what it is, its settings and defaults, its shape rule, its parameters, its formula.
//!
//! All follow PyTorch's semantics and defaults.

mod activation;
mod batch_norm;
mod conv2d;
mod gaussian;
mod linear;
mod local_response_norm;
mod pool;
mod product;
mod shortcut;

pub use batch_norm::BatchNorm2d;
pub use conv2d::Conv2d;
pub use gaussian::Gaussian;
pub use linear::Linear;
pub use local_response_norm::LocalResponseNorm;
pub use pool::{AvgPool2d, MaxPool2d};
pub use shortcut::PadShortcut;

use crate::{Init, Shape};
use serde::{Deserialize, Serialize};

/// An operator with its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// The pictures.
    Input,
    /// `y = W·x + b`.
    Linear(Linear),
    /// Convolution over maps.
    Conv2d(Conv2d),
    /// Batch normalisation over maps.
    BatchNorm2d(BatchNorm2d),
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x` where positive, else `slope·x`; PyTorch's default slope is 0.01.
    LeakyRelu {
        /// The slope of the negative side.
        slope: f32,
    },
    /// `1 / (1 + e^−x)`.
    Sigmoid,
    /// `tanh(x)`.
    Tanh,
    /// 1 where `x ≥ 0`, else 0. Its derivative is taken as 0, so nothing learns through it.
    Sgn,
    /// `x·Φ(x)`, Φ the standard normal distribution (Hendrycks and Gimpel, 2016); with `tanh` their approximation
    /// `x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³)))`. PyTorch's default is the exact form.
    Gelu {
        /// Whether it is approximated.
        tanh: bool,
    },
    /// `x / (1 + e^−x)`, also called swish.
    Silu,
    /// `x·min(max(x + 3, 0), 6) / 6`.
    HardSwish,
    /// `min(max(x + 3, 0), 6) / 6`.
    HardSigmoid,
    /// `e^xᵢ / Σ e^xⱼ` over the channels.
    Softmax,
    /// `xᵢ − log Σ e^xⱼ` over the channels.
    LogSoftmax,
    /// The largest value of each window.
    MaxPool2d(MaxPool2d),
    /// The mean of each window.
    AvgPool2d(AvgPool2d),
    /// Means over a grid of `height` × `width` windows that cover the map; 1 × 1 is the global mean.
    AdaptiveAvgPool2d {
        /// Rows of the result.
        height: usize,
        /// Columns of the result.
        width: usize,
    },
    /// A map as a vector in PyTorch's order: channel, row, column.
    Flatten,
    /// In training each number is zeroed with probability `p` and the rest scaled by `1 / (1 − p)`; else nothing.
    Dropout {
        /// The probability to drop a number; PyTorch's default is 0.5.
        p: f32,
    },
    /// The sum of two maps or vectors of one shape.
    Add,
    /// The product of two maps or vectors: number by number where they have one shape; where the second is
    /// channels × 1 × 1, each channel of the first by its one number, as squeeze-and-excitation does.
    Mul,
    /// Maps or vectors one behind the other along the channels.
    Concat,
    /// The CIFAR ResNets' parameter-free shortcut.
    PadShortcut(PadShortcut),
    /// Gaussian (radial-basis) units.
    Gaussian(Gaussian),
    /// AlexNet's normalisation across channels.
    LocalResponseNorm(LocalResponseNorm),
}

/// One parameter tensor of an operator.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamSpec {
    /// The last part of its name: `weight`, `bias`, `running_mean`, …
    pub suffix: &'static str,
    /// Its shape in PyTorch's layout.
    pub dims: Vec<usize>,
    /// Whether it follows gradients; running statistics don't.
    pub learned: bool,
    /// How it starts.
    pub init: Init,
    /// Inputs of one unit.
    pub fan_in: usize,
    /// Outputs of one unit.
    pub fan_out: usize,
    /// Whether it is added, not multiplied.
    pub is_bias: bool,
}

impl ParamSpec {
    /// A learned tensor that starts with one number everywhere.
    pub(crate) fn constant(suffix: &'static str, dims: Vec<usize>, value: f32, learned: bool) -> Self {
        let init = Init::Constant(value);
        Self { suffix, dims, learned, init, fan_in: 1, fan_out: 1, is_bias: false }
    }

    /// How many numbers the tensor has; saturates.
    pub fn numbers(&self) -> u64 {
        self.dims.iter().fold(1, |n, &d| n.saturating_mul(d as u64))
    }
}

impl Op {
    /// The shape of the result for one picture, or what is wrong with the inputs.
    pub fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let arity = match self {
            Self::Input => 0,
            Self::Add | Self::Mul => 2,
            Self::Concat => inputs.len().max(1),
            _ => 1,
        };
        if inputs.len() != arity {
            return Err(format!("needs {arity} inputs, has {}", inputs.len()));
        }
        match self {
            Self::Input => Err("an input has no shape of its own".to_owned()),
            Self::Linear(op) => op.output_shape(inputs[0]),
            Self::Conv2d(op) => op.output_shape(inputs[0]),
            Self::BatchNorm2d(op) => op.output_shape(inputs[0]),
            Self::MaxPool2d(op) => op.output_shape(inputs[0]),
            Self::AvgPool2d(op) => op.output_shape(inputs[0]),
            Self::AdaptiveAvgPool2d { height, width } => pool::adaptive_shape(inputs[0], *height, *width),
            Self::PadShortcut(op) => op.output_shape(inputs[0]),
            Self::Gaussian(op) => op.output_shape(inputs[0]),
            Self::LocalResponseNorm(op) => op.output_shape(inputs[0]),
            Self::Flatten => Ok(Shape::Vector(inputs[0].elements())),
            Self::Dropout { p } if !(0.0..1.0).contains(p) => Err(format!("dropout of {p}; it lies in 0..1")),
            Self::Add if inputs[0] != inputs[1] => Err(format!("can't add {} and {}", inputs[0], inputs[1])),
            Self::Mul => product::product_shape(inputs[0], inputs[1]),
            Self::Concat => shortcut::concat_shape(inputs),
            Self::Relu
            | Self::Relu6
            | Self::LeakyRelu { .. }
            | Self::Sigmoid
            | Self::Tanh
            | Self::Sgn
            | Self::Gelu { .. }
            | Self::Silu
            | Self::HardSwish
            | Self::HardSigmoid
            | Self::Softmax
            | Self::LogSoftmax
            | Self::Dropout { .. }
            | Self::Add => Ok(inputs[0]),
        }
    }

    /// The parameters, in PyTorch's order.
    pub fn params(&self) -> Vec<ParamSpec> {
        match self {
            Self::Linear(op) => op.params(),
            Self::Conv2d(op) => op.params(),
            Self::BatchNorm2d(op) => op.params(),
            Self::Gaussian(op) => op.params(),
            _ => Vec::new(),
        }
    }

    /// How many learned numbers the operator has; saturates.
    pub fn parameter_count(&self) -> u64 {
        let learned = self.params().into_iter().filter(|spec| spec.learned);
        learned.fold(0, |sum, spec| sum.saturating_add(spec.numbers()))
    }

    /// Multiply-adds for one picture, as they are commonly published: additions, comparisons and exponentials
    /// alone count as 0, and so does batch norm, which inference folds into the convolution before it.
    pub fn multiply_adds(&self, input: Shape, output: Shape) -> u64 {
        match self {
            Self::Linear(op) => op.multiply_adds(),
            Self::Conv2d(op) => op.multiply_adds(output),
            Self::Gaussian(op) => op.multiply_adds(),
            Self::LocalResponseNorm(op) => (input.elements() as u64).saturating_mul(op.size as u64),
            _ => 0,
        }
    }

    /// Whether each number of the result depends on the one number at its place alone, without weights or chance.
    pub fn is_element_wise(&self) -> bool {
        matches!(
            self,
            Self::Relu
                | Self::Relu6
                | Self::LeakyRelu { .. }
                | Self::Sigmoid
                | Self::Tanh
                | Self::Sgn
                | Self::Gelu { .. }
                | Self::Silu
                | Self::HardSwish
                | Self::HardSigmoid
        )
    }

    /// PyTorch's name of the operator.
    pub fn kind(&self) -> &'static str {
        activation::kind(self)
    }
}
