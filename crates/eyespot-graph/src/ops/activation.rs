//! Operators without settings of their own, and every operator's name.

use super::Op;

pub(super) fn kind(op: &Op) -> &'static str {
    match op {
        Op::Input => "Input",
        Op::Linear(_) => "Linear",
        Op::Conv2d(_) => "Conv2d",
        Op::BatchNorm2d(_) => "BatchNorm2d",
        Op::Relu => "ReLU",
        Op::Relu6 => "ReLU6",
        Op::LeakyRelu { .. } => "LeakyReLU",
        Op::Sigmoid => "Sigmoid",
        Op::Tanh => "Tanh",
        Op::Sgn => "Sgn",
        Op::Gelu { .. } => "GELU",
        Op::Silu => "SiLU",
        Op::HardSwish => "Hardswish",
        Op::HardSigmoid => "Hardsigmoid",
        Op::Softmax => "Softmax",
        Op::LogSoftmax => "LogSoftmax",
        Op::MaxPool2d(_) => "MaxPool2d",
        Op::AvgPool2d(_) => "AvgPool2d",
        Op::AdaptiveAvgPool2d { .. } => "AdaptiveAvgPool2d",
        Op::Flatten => "Flatten",
        Op::Dropout { .. } => "Dropout",
        Op::Add => "Add",
        Op::Mul => "Mul",
        Op::Concat => "Concat",
        Op::PadShortcut(_) => "PadShortcut",
        Op::Gaussian(_) => "Gaussian",
        Op::LocalResponseNorm(_) => "LocalResponseNorm",
    }
}
