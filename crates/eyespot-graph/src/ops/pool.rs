//! Pooling windows.

use crate::Shape;
use serde::{Deserialize, Serialize};

/// Largest value of each window as `torch.nn.MaxPool2d`; padding never wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaxPool2d {
    /// Window height and width.
    pub kernel: (usize, usize),
    /// Steps between windows.
    pub stride: (usize, usize),
    /// Padding on each side, at most half the window; default 0.
    pub padding: (usize, usize),
    /// Whether a window that hangs over the far edge counts; default no.
    pub ceil_mode: bool,
}

/// Mean of each window as `torch.nn.AvgPool2d`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AvgPool2d {
    /// Window height and width.
    pub kernel: (usize, usize),
    /// Steps between windows.
    pub stride: (usize, usize),
    /// Zeros on each side, at most half the window; default 0.
    pub padding: (usize, usize),
    /// Whether a window that hangs over the far edge counts; default no.
    pub ceil_mode: bool,
    /// Whether padding counts in the divisor; default yes.
    pub count_include_pad: bool,
}

impl MaxPool2d {
    /// A square window without padding.
    pub fn new(kernel: usize, stride: usize) -> Self {
        Self { kernel: (kernel, kernel), stride: (stride, stride), padding: (0, 0), ceil_mode: false }
    }

    /// The same padding on all sides.
    pub fn padding(mut self, padding: usize) -> Self {
        self.padding = (padding, padding);
        self
    }

    /// Windows over the far edge count.
    pub fn ceil_mode(mut self) -> Self {
        self.ceil_mode = true;
        self
    }

    pub(super) fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        pooled_shape(input, self.kernel, self.stride, self.padding, self.ceil_mode)
    }
}

impl AvgPool2d {
    /// A square window without padding.
    pub fn new(kernel: usize, stride: usize) -> Self {
        Self {
            kernel: (kernel, kernel),
            stride: (stride, stride),
            padding: (0, 0),
            ceil_mode: false,
            count_include_pad: true,
        }
    }

    pub(super) fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        pooled_shape(input, self.kernel, self.stride, self.padding, self.ceil_mode)
    }
}

fn pooled_shape(
    input: Shape,
    kernel: (usize, usize),
    stride: (usize, usize),
    padding: (usize, usize),
    ceil: bool,
) -> Result<Shape, String> {
    let Shape::Map { channels, height, width } = input else {
        return Err(format!("takes a map, is given a vector of {input}"));
    };
    if padding.0 > kernel.0 / 2 || padding.1 > kernel.1 / 2 {
        return Err(format!("padding {padding:?} is more than half the window {kernel:?}"));
    }
    let height = window_count(height, kernel.0, stride.0, padding.0, 1, ceil)?;
    let width = window_count(width, kernel.1, stride.1, padding.1, 1, ceil)?;
    Ok(Shape::Map { channels, height, width })
}

pub(super) fn adaptive_shape(input: Shape, height: usize, width: usize) -> Result<Shape, String> {
    match input {
        Shape::Map { channels, height: h, width: w } if height > 0 && width > 0 && h > 0 && w > 0 => {
            Ok(Shape::Map { channels, height, width })
        }
        _ => Err(format!("takes a map, is given {input}")),
    }
}

/// Far beyond any picture's side; keeps a hostile model file from loops that never end.
const MAX_STEP: usize = 1 << 16;

/// How many windows fit along one side; PyTorch's formula.
pub(super) fn window_count(
    size: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
    ceil: bool,
) -> Result<usize, String> {
    if kernel == 0 || stride == 0 || dilation == 0 {
        return Err("kernel, stride and dilation are at least 1".to_owned());
    }
    if kernel.max(stride).max(padding).max(dilation) > MAX_STEP {
        return Err(format!("kernel, stride, padding and dilation are at most {MAX_STEP}"));
    }
    let extent = (kernel - 1).saturating_mul(dilation).saturating_add(1);
    let padded = padding.saturating_mul(2).saturating_add(size);
    if size == 0 || extent > padded {
        return Err(format!(
            "a window of {extent} doesn't fit into {size} with padding {padding}; give larger pictures"
        ));
    }
    let room = padded - extent;
    let mut count = if ceil { room.div_ceil(stride) } else { room / stride } + 1;
    // A window that would start in the far padding sees nothing.
    if ceil && (count - 1).saturating_mul(stride) >= size.saturating_add(padding) {
        count -= 1;
    }
    Ok(count)
}
