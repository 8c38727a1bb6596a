//! Antialiased bilinear resizing, bit for bit as Pillow's `Image.resize(size, BILINEAR)`.
//!
//! Every new sample is a weighted mean of the samples under a triangle around its place, as wide as the scale asks.
//! Rows first, rounded to whole levels, then columns; weights have 22 bits behind the point.

use crate::DecodeError;
use crate::strips::{Place, Strips};
use eyespot_kernels::vectorised::{self, Kernel};
use std::ops::Range;

/// Bits of a weight behind the point: two fewer than what 32 bits leave beside a level.
const PRECISION: u32 = 32 - 8 - 2;

/// Rows that are shrunk across together, so that the same column of each lies in one vector.
const ROWS: usize = 8;

/// Samples of a row that are shrunk down together.
const ACROSS: usize = 32;

/// Buffers a thread keeps between pictures.
#[derive(Default)]
pub(crate) struct Scratch {
    /// The rows needed, scaled across.
    narrow: Vec<u8>,
    /// Some rows, column by column: before and after.
    columns: Vec<u8>,
    narrow_columns: Vec<u8>,
    pub pixels: Vec<u8>,
}

/// A part of a picture that has been scaled to `width` × `height`: `left`, `top` and `part_*` count its scaled pixels.
pub(crate) struct Part {
    pub width: u32,
    pub height: u32,
    pub left: u32,
    pub top: u32,
    pub part_width: u32,
    pub part_height: u32,
}

impl Scratch {
    /// Scales a picture and keeps only a part, computing nothing outside it: `out` gets part_height × part_width × 3.
    pub fn resize_part(
        &mut self,
        picture: &mut (impl Strips + ?Sized),
        part: &Part,
        out: &mut [u8],
    ) -> Result<(), DecodeError> {
        let (width, height) = picture.size();
        let across = Weights::new(width, part.width, part.left..part.left.saturating_add(part.part_width));
        let down = Weights::new(height, part.height, part.top..part.top.saturating_add(part.part_height));
        self.scale(picture, (0, 0), &across, &down, out)
    }

    /// Cuts a box of whole pixels out of a picture and scales it; pixels outside the box have no influence.
    pub fn resize_box(
        &mut self,
        picture: &mut (impl Strips + ?Sized),
        [left, top, width, height]: [u32; 4],
        (out_width, out_height): (u32, u32),
        out: &mut [u8],
    ) -> Result<(), DecodeError> {
        let (right, bottom) = (left.saturating_add(width), top.saturating_add(height));
        if right > picture.size().0 || bottom > picture.size().1 || width == 0 || height == 0 {
            let wrong = format!("the box ends at {right}, {bottom}, outside the picture");
            return Err(DecodeError::Transform(wrong));
        }
        let (across, down) =
            (Weights::new(width, out_width, 0..out_width), Weights::new(height, out_height, 0..out_height));
        self.scale(picture, (left as usize, top as usize), &across, &down, out)
    }

    /// Scales what begins at a corner of the picture.
    fn scale(
        &mut self,
        picture: &mut (impl Strips + ?Sized),
        (left, top): (usize, usize),
        across: &Weights,
        down: &Weights,
        out: &mut [u8],
    ) -> Result<(), DecodeError> {
        if out.len() != 3 * across.places.len() * down.places.len() {
            return Err(DecodeError::Transform(format!("{} bytes don't hold the result", out.len())));
        }
        let (columns, rows) = (across.sources(), down.sources());
        // Padded, so that every row is a whole number of blocks.
        let stride = (3 * across.places.len()).next_multiple_of(ACROSS);
        let (width, height) = picture.size();
        let place = Place {
            width: width as usize,
            height: height as usize,
            left: left + columns.start,
            top: top + rows.start,
            columns: columns.len(),
            rows: rows.len(),
        };
        if across.same && down.same {
            let (out_width, out_height) = (across.places.len(), down.places.len());
            if picture.turn().transposed {
                return picture.strips(&mut |strip| {
                    strip.upright_columns(&place, |x, column| {
                        for (row, pixel) in out.chunks_exact_mut(3 * out_width).zip(column.chunks_exact(3)) {
                            if x < out_width {
                                row[3 * x..3 * x + 3].copy_from_slice(pixel);
                            }
                        }
                    });
                });
            }
            return picture.strips(&mut |strip| {
                strip.upright_rows(&place, |first, lines| {
                    for (y, line) in lines.iter().enumerate().take(out_height.saturating_sub(first)) {
                        let row = &mut out[(first + y) * 3 * out_width..][..3 * out_width];
                        row.copy_from_slice(&line[..row.len()]);
                    }
                });
            });
        }
        self.narrow.resize(stride * rows.len(), 0);
        if picture.turn().transposed {
            let mut sums = Sums::new(across, &place);
            picture.strips(&mut |strip| {
                strip.upright_columns(&place, |x, column| {
                    sums.add(across, columns.start + x, column, &mut self.narrow, stride);
                });
            })?;
        } else {
            self.columns.resize((3 * columns.len()).next_multiple_of(ROWS) * ROWS, 0);
            self.narrow_columns.resize((3 * across.places.len()).next_multiple_of(ROWS) * ROWS, 0);
            picture.strips(&mut |strip| {
                strip.upright_rows(&place, |first, lines| {
                    vectorised::run(Across {
                        lines,
                        weights: across,
                        first: columns.start,
                        columns: &mut self.columns,
                        narrow_columns: &mut self.narrow_columns,
                        out: &mut self.narrow[first * stride..(first + lines.len()) * stride],
                        stride,
                    });
                });
            })?;
        }
        vectorised::run(Down { narrow: &self.narrow, stride, weights: down, first: rows.start, out });
        Ok(())
    }
}

/// Scales across where a picture's rows come column by column: its columns are added up, weighted, in any order.
struct Sums {
    /// For each new column that has begun: what is added up so far, and how many columns are still to come.
    open: Vec<Option<(Vec<i32>, usize)>>,
    rows: usize,
}

impl Sums {
    fn new(across: &Weights, place: &Place) -> Sums {
        Sums { open: across.places.iter().map(|_| None).collect(), rows: place.rows }
    }

    /// Adds the column at source place `x`; new columns that are whole go to `narrow`.
    fn add(&mut self, across: &Weights, x: usize, column: &[u8], narrow: &mut [u8], stride: usize) {
        let first = across.places.partition_point(|(start, weights)| start + weights.len() <= x);
        for (at, place) in across.places.iter().enumerate().skip(first).take_while(|(_, place)| place.0 <= x)
        {
            let weights = across.of(place);
            let (sums, left) =
                self.open[at].get_or_insert_with(|| (vec![HALF; 3 * self.rows], weights.len()));
            vectorised::run(AddColumn { sums, weight: weights[x - place.0], column });
            *left -= 1;
            if *left == 0 {
                for (row, sums) in narrow.chunks_exact_mut(stride).zip(sums.chunks_exact(3)) {
                    for (out, sum) in row[3 * at..3 * at + 3].iter_mut().zip(sums) {
                        *out = rounded(*sum);
                    }
                }
                self.open[at] = None;
            }
        }
    }
}

/// Adds a column, weighted.
struct AddColumn<'a> {
    sums: &'a mut [i32],
    weight: i32,
    column: &'a [u8],
}

impl Kernel for AddColumn<'_> {
    #[inline(always)]
    fn run(self) {
        for (sum, sample) in self.sums.iter_mut().zip(self.column) {
            *sum += self.weight * i32::from(*sample);
        }
    }
}

/// What each new sample along one axis is the mean of.
struct Weights {
    /// First source sample, and the range of its weights.
    places: Vec<(usize, Range<usize>)>,
    weights: Vec<i32>,
    /// Nothing changes: every sample is its own mean.
    same: bool,
}

impl Weights {
    /// For the samples `wanted` when `length` samples become `scaled`.
    fn new(length: u32, scaled: u32, wanted: Range<u32>) -> Weights {
        let scale = f64::from(length) / f64::from(scaled);
        // Enlarging, the triangle is one source sample wide to each side.
        let reach = scale.max(1.0);
        let mut weights =
            Weights { places: Vec::with_capacity(wanted.len()), weights: Vec::new(), same: length == scaled };
        for place in wanted {
            let centre = (f64::from(place) + 0.5) * scale;
            // As in C: towards 0.
            let first = (centre - reach + 0.5).max(0.0) as usize;
            let end = ((centre + reach + 0.5) as usize).min(length as usize);
            let triangle = |x: usize| (1.0 - ((x as f64 - centre + 0.5) * (1.0 / reach)).abs()).max(0.0);
            let sum: f64 = (first..end).map(triangle).sum();
            let start = weights.weights.len();
            let fixed = |x: usize| (triangle(x) / sum * f64::from(1 << PRECISION) + 0.5) as i32;
            weights.weights.extend((first..end).map(fixed));
            weights.places.push((first, start..weights.weights.len()));
        }
        weights
    }

    /// The source samples that are needed at all.
    fn sources(&self) -> Range<usize> {
        let first = self.places.first().map_or(0, |(first, _)| *first);
        first..self.places.last().map_or(0, |(first, weights)| first + weights.len())
    }

    #[inline(always)]
    fn of(&self, place: &(usize, Range<usize>)) -> &[i32] {
        &self.weights[place.1.clone()]
    }
}

/// A sum of levels times weights, rounded to a level.
#[inline(always)]
fn rounded(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

const HALF: i32 = 1 << (PRECISION - 1);

/// Scales rows across.
struct Across<'a> {
    /// Three bytes a pixel, from the first source pixel on.
    lines: &'a [&'a [u8]],
    weights: &'a Weights,
    first: usize,
    columns: &'a mut [u8],
    narrow_columns: &'a mut [u8],
    out: &'a mut [u8],
    stride: usize,
}

impl Kernel for Across<'_> {
    #[inline(always)]
    fn run(self) {
        for (lines, out) in self.lines.chunks(ROWS).zip(self.out.chunks_mut(ROWS * self.stride)) {
            let line = |row: usize| lines[row.min(lines.len() - 1)];
            for (block, columns) in self.columns.chunks_exact_mut(ROWS * 8).enumerate() {
                let mut rows = [0; 8];
                for (row, eight_bytes) in rows.iter_mut().enumerate() {
                    *eight_bytes = eight(line(row), 8 * block);
                }
                store(columns, transposed(rows));
            }
            for (place, out) in self.weights.places.iter().zip(self.narrow_columns.chunks_exact_mut(3 * ROWS))
            {
                let columns = &self.columns[(place.0 - self.first) * 3 * ROWS..];
                let mut sums = [HALF; 3 * ROWS];
                for (weight, pixel) in self.weights.of(place).iter().zip(columns.chunks_exact(3 * ROWS)) {
                    for (sum, sample) in sums.iter_mut().zip(pixel) {
                        *sum += weight * i32::from(*sample);
                    }
                }
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out = rounded(sum));
            }
            for (block, columns) in self.narrow_columns.chunks_exact(ROWS * 8).enumerate() {
                let mut words = [0; 8];
                for (column, word) in words.iter_mut().enumerate() {
                    *word = eight(columns, 8 * column);
                }
                for (line, row) in out.chunks_exact_mut(self.stride).zip(transposed(words)) {
                    line[8 * block..8 * block + 8].copy_from_slice(&row.to_le_bytes());
                }
            }
        }
    }
}

/// Eight bytes from a place on; zeros behind the end.
#[inline(always)]
fn eight(bytes: &[u8], place: usize) -> u64 {
    if let Some(eight) = bytes.get(place..place + 8) {
        return u64::from_le_bytes(eight.try_into().unwrap_or_default());
    }
    let rest = bytes.get(place..).unwrap_or_default();
    rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[inline(always)]
fn store(out: &mut [u8], words: [u64; 8]) {
    for (out, word) in out.chunks_exact_mut(8).zip(words) {
        out.copy_from_slice(&word.to_le_bytes());
    }
}

/// Byte `i` of word `j` becomes byte `j` of word `i`: blocks of four, two and one bytes change places in turn.
#[inline(always)]
fn transposed(mut words: [u64; 8]) -> [u64; 8] {
    for (step, low) in [(4, 0x0000_0000_ffff_ffff), (2, 0x0000_ffff_0000_ffff), (1, 0x00ff_00ff_00ff_00ffu64)]
    {
        let mut next = words;
        for i in 0..8 {
            let bits = 8 * step as u32;
            next[i] = if i & step == 0 {
                words[i] & low | (words[i + step] & low) << bits
            } else {
                words[i - step] >> bits & low | words[i] & !low
            };
        }
        words = next;
    }
    words
}

/// Scales columns down.
struct Down<'a> {
    narrow: &'a [u8],
    stride: usize,
    weights: &'a Weights,
    first: usize,
    out: &'a mut [u8],
}

impl Kernel for Down<'_> {
    #[inline(always)]
    fn run(self) {
        let width = self.out.len() / self.weights.places.len().max(1);
        for (place, out) in self.weights.places.iter().zip(self.out.chunks_exact_mut(width)) {
            let rows = &self.narrow[(place.0 - self.first) * self.stride..];
            for (block, out) in out.chunks_mut(ACROSS).enumerate() {
                let mut sums = [HALF; ACROSS];
                for (weight, row) in self.weights.of(place).iter().zip(rows.chunks_exact(self.stride)) {
                    for (sum, sample) in sums.iter_mut().zip(&row[block * ACROSS..][..ACROSS]) {
                        *sum += weight * i32::from(*sample);
                    }
                }
                let mut levels = [0; ACROSS];
                for (level, sum) in levels.iter_mut().zip(sums) {
                    *level = rounded(sum);
                }
                out.copy_from_slice(&levels[..out.len()]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::transposed;

    #[test]
    fn bytes_change_places() {
        let words = std::array::from_fn(|j| u64::from_le_bytes(std::array::from_fn(|i| (8 * j + i) as u8)));
        for (i, word) in transposed(words).into_iter().enumerate() {
            assert_eq!(word.to_le_bytes(), std::array::from_fn(|j| (8 * j + i) as u8));
        }
    }
}
