//! Pooling: windows over NHWC maps and what is taken from them.

mod adaptive_avg;
mod avg;
mod max;

pub use adaptive_avg::AdaptiveAvgPool2d;
pub use avg::AvgPool2d;
pub use max::MaxPool2d;

use crate::check;
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
        check::product([self.input.0, self.input.1, self.channels])
    }

    fn output_len(&self) -> usize {
        check::product([self.output.0, self.output.1, self.channels])
    }

    /// Panics unless each window sees a pixel and maps of so many floats go together.
    fn check(&self, input: usize, output: usize) {
        let &Windows { input: size, output: count, kernel, stride, padding, .. } = self;
        for (size, count, kernel, stride, padding) in [
            (size.0, count.0, kernel.0, stride.0, padding.0),
            (size.1, count.1, kernel.1, stride.1, padding.1),
        ] {
            assert!(size > 0 && count > 0 && kernel > 0 && stride > 0, "windows without a size: {self:?}");
            // Both ends of the padded map, and the last window's, are numbers.
            let (last, end) = (check::product([count - 1, stride]), check::sum([size, padding]));
            check::sum([last, kernel]);
            check::sum([end, padding, 1]);
            assert!(padding < kernel && last < end, "windows that see only padding: {self:?}");
        }
        check::product([kernel.0, kernel.1]);
        assert!(self.channels > 0, "windows over no channels");
        let pictures = check::pieces("the windows' input", input, self.input_len());
        check::exactly("the windows' result", output, check::product([pictures, self.output_len()]));
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
