//! Operators that only move numbers: concatenation, flattening, the padded shortcut.

use crate::{BLOCK, Threads, check};

/// Concatenation along the channels, for one input: copies pixels of `channels` numbers to channels `offset` … of
/// pixels of `total` numbers, whose other channels stay as they are.
///
/// # Panics
/// When the maps don't have the same number of pixels or the channels don't fit.
pub fn insert(threads: &Threads, channels: usize, x: &[f32], total: usize, offset: usize, y: &mut [f32]) {
    check_insertion(channels, x, total, offset, y);
    let pixels = (BLOCK / total).max(1);
    threads.chunks(y, pixels * total, |block, y| {
        let x = x[block * pixels * channels..].chunks_exact(channels);
        for (y, x) in y.chunks_exact_mut(total).zip(x) {
            y[offset..offset + channels].copy_from_slice(x);
        }
    });
}

/// The gradient of [`insert`]: copies channels `offset` … of `dy` (pixels of `total` numbers) to `dx` (pixels of
/// `channels` numbers).
///
/// # Panics
/// As [`insert`].
pub fn extract(threads: &Threads, channels: usize, dx: &mut [f32], total: usize, offset: usize, dy: &[f32]) {
    check_insertion(channels, dx, total, offset, dy);
    let pixels = (BLOCK / total).max(1);
    threads.chunks(dx, pixels * channels, |block, dx| {
        let dy = dy[block * pixels * total..].chunks_exact(total);
        for (dx, dy) in dx.chunks_exact_mut(channels).zip(dy) {
            dx.copy_from_slice(&dy[offset..offset + channels]);
        }
    });
}

fn check_insertion(channels: usize, part: &[f32], total: usize, offset: usize, whole: &[f32]) {
    assert!(
        channels > 0 && check::sum([offset, channels]) <= total,
        "{channels} channels from {offset} on don't fit into {total}"
    );
    let pixels = check::pieces("the channels' map", part.len(), channels);
    check::exactly("the whole map", whole.len(), check::product([pixels, total]));
}

/// Pictures from NHWC to PyTorch's vector order (channel, row, column): `y[n, c, p] = x[n, p, c]`.
pub fn flatten(threads: &Threads, pixels: usize, channels: usize, x: &[f32], y: &mut [f32]) {
    transpose(threads, pixels, channels, x, y);
}

/// The gradient of [`flatten`], from vector order back to NHWC: `dx[n, p, c] = dy[n, c, p]`.
pub fn flatten_backward(threads: &Threads, pixels: usize, channels: usize, dy: &[f32], dx: &mut [f32]) {
    transpose(threads, channels, pixels, dy, dx);
}

/// Each picture's `rows` × `columns` matrix turned on its side.
fn transpose(threads: &Threads, rows: usize, columns: usize, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "input and output have one length");
    let picture = check::product([rows, columns]);
    if check::pieces("pictures", x.len(), picture) == 0 {
        return;
    }
    if rows == 1 || columns == 1 {
        threads.chunks(y, BLOCK, |block, y| y.copy_from_slice(&x[block * BLOCK..][..y.len()]));
        return;
    }
    threads.chunks(y, picture, |index, y| {
        let x = &x[index * picture..][..picture];
        // In squares, so that neither side jumps through memory for long.
        const SIDE: usize = 16;
        for column in (0..columns).step_by(SIDE) {
            let columns_here = column..columns.min(column + SIDE);
            for row in (0..rows).step_by(SIDE) {
                let rows_here = row..rows.min(row + SIDE);
                for c in columns_here.clone() {
                    for r in rows_here.clone() {
                        y[c * rows + r] = x[r * columns + c];
                    }
                }
            }
        }
    });
}

/// The shapes of a padded shortcut: every `stride`-th pixel of a map, with as many zero channels in front as behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PadShortcut {
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the result.
    pub out_channels: usize,
    /// Every how many-th row and column is taken.
    pub stride: usize,
}

impl PadShortcut {
    /// Floats of one picture's result.
    ///
    /// # Panics
    /// When the sizes contradict each other or are more than memory can hold.
    pub fn output_len(&self) -> usize {
        let Self { height, width, in_channels, out_channels, stride } = *self;
        assert!(stride > 0, "a shortcut takes every {stride}-th pixel");
        assert!(in_channels <= out_channels, "a shortcut pads {in_channels} channels to {out_channels}");
        check::product([height.div_ceil(stride), width.div_ceil(stride), out_channels])
    }

    fn input_len(&self) -> usize {
        check::product([self.height, self.width, self.in_channels])
    }

    /// Panics unless maps of so many floats go together.
    fn check(&self, input: usize, output: usize) {
        let pictures = check::pieces("the shortcut's input", input, self.input_len());
        check::exactly("the shortcut's result", output, check::product([pictures, self.output_len()]));
    }

    /// Where each pixel of one picture's result comes from: `(start in the input, start in the result)`.
    fn pixels(&self) -> impl Iterator<Item = (usize, usize)> {
        let Self { height, width, in_channels, out_channels, stride } = *self;
        let pad = (out_channels - in_channels) / 2;
        let rows = (0..height).step_by(stride);
        rows.flat_map(move |row| (0..width).step_by(stride).map(move |column| row * width + column))
            .enumerate()
            .map(move |(index, from)| (from * in_channels, index * out_channels + pad))
    }

    /// `y[pad + c, i, j] = x[c, i·stride, j·stride]`, zero in the other channels (He et al. 2015, option A).
    pub fn forward(&self, threads: &Threads, x: &[f32], y: &mut [f32]) {
        self.check(x.len(), y.len());
        if y.is_empty() {
            return;
        }
        threads.chunks(y, self.output_len(), |image, y| {
            let x = &x[image * self.input_len()..][..self.input_len()];
            y.fill(0.0);
            for (from, to) in self.pixels() {
                y[to..to + self.in_channels].copy_from_slice(&x[from..from + self.in_channels]);
            }
        });
    }

    /// The gradient at the input: each taken pixel's, zero for the others.
    pub fn backward(&self, threads: &Threads, dy: &[f32], dx: &mut [f32]) {
        self.check(dx.len(), dy.len());
        if dx.is_empty() {
            return;
        }
        threads.chunks(dx, self.input_len(), |image, dx| {
            let dy = &dy[image * self.output_len()..][..self.output_len()];
            dx.fill(0.0);
            for (to, from) in self.pixels() {
                dx[to..to + self.in_channels].copy_from_slice(&dy[from..from + self.in_channels]);
            }
        });
    }
}
