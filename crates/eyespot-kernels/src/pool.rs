//! Pooling: windows over NHWC maps and what is taken from them.

mod adaptive_avg;
mod avg;
mod max;

pub use adaptive_avg::AdaptiveAvgPool2d;
pub use avg::AvgPool2d;
pub use max::MaxPool2d;

use std::ops::Range;

/// The shapes of windows that slide over maps. Pairs are (vertical, horizontal).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Rows and columns of the input.
    pub input: (usize, usize),
    /// Rows and columns of the result, which say whether windows hang over the far edge (ceil mode).
    pub output: (usize, usize),
    /// Channels of both.
    pub channels: usize,
    /// Window height and width.
    pub kernel: (usize, usize),
    /// Steps between windows.
    pub stride: (usize, usize),
    /// Padding on each side.
    pub padding: (usize, usize),
}

impl Windows {
    fn input_len(&self) -> usize {
        self.input.0 * self.input.1 * self.channels
    }

    fn output_len(&self) -> usize {
        self.output.0 * self.output.1 * self.channels
    }

    fn check(&self, input: usize, output: usize) {
        assert_eq!(input * self.output_len(), output * self.input_len(), "input and result fit together");
        assert!(input.is_multiple_of(self.input_len()), "the input is a whole number of pictures");
    }
}

/// The part of window `index` that lies inside `0..size`.
fn inside(index: usize, size: usize, kernel: usize, stride: usize, padding: usize) -> Range<usize> {
    let from = (index * stride).saturating_sub(padding);
    let to = (index * stride + kernel).saturating_sub(padding).min(size);
    from.min(to)..to
}

/// The windows out of `count` that contain position `at`.
fn windows_over(at: usize, count: usize, kernel: usize, stride: usize, padding: usize) -> Range<usize> {
    let first = (at + padding + 1).saturating_sub(kernel).div_ceil(stride);
    let end = ((at + padding) / stride + 1).min(count);
    first.min(end)..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_over_is_the_inverse_of_inside() {
        for kernel in 1..5 {
            for stride in 1..4 {
                for padding in 0..=kernel / 2 {
                    let (size, count) = (11usize, (11usize + 2 * padding - kernel).div_ceil(stride) + 1);
                    for at in 0..size {
                        let expected: Vec<_> = (0..count)
                            .filter(|&w| inside(w, size, kernel, stride, padding).contains(&at))
                            .collect();
                        let found: Vec<_> = windows_over(at, count, kernel, stride, padding).collect();
                        assert_eq!(found, expected, "{kernel} {stride} {padding} {at}");
                    }
                }
            }
        }
    }
}
