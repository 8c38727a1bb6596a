//! Images whose pixels come strip by strip, so that a large one is never whole in memory.

use crate::DecodeError;
use image::RgbImage;
use image::metadata::Orientation;

/// How the upright image comes from the stored one: rows and columns change places, then it is mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Turn {
    pub transposed: bool,
    /// Left and right change places.
    pub flip_x: bool,
    /// Top and bottom change places.
    pub flip_y: bool,
}

impl Turn {
    pub fn of(orientation: Orientation) -> Turn {
        let (transposed, flip_x, flip_y) = match orientation {
            Orientation::NoTransforms => (false, false, false),
            Orientation::FlipHorizontal => (false, true, false),
            Orientation::Rotate180 => (false, true, true),
            Orientation::FlipVertical => (false, false, true),
            Orientation::Rotate90FlipH => (true, false, false),
            Orientation::Rotate90 => (true, true, false),
            Orientation::Rotate270FlipH => (true, true, true),
            Orientation::Rotate270 => (true, false, true),
        };
        Turn { transposed, flip_x, flip_y }
    }

    /// Width and height of the upright image, from those of the stored one (or the other way round).
    pub fn size(self, (width, height): (u32, u32)) -> (u32, u32) {
        if self.transposed { (height, width) } else { (width, height) }
    }
}

/// Something that hands out an image's pixels.
pub(crate) trait Strips {
    /// Width and height of the upright image.
    fn size(&self) -> (u32, u32);

    /// How the stored rows become the upright image.
    fn turn(&self) -> Turn;

    /// Hands out all stored rows, in order, a few at a time.
    fn strips(&mut self, sink: &mut dyn FnMut(Strip)) -> Result<(), DecodeError>;
}

/// An image in memory is one strip.
impl Strips for &RgbImage {
    fn size(&self) -> (u32, u32) {
        self.dimensions()
    }

    fn turn(&self) -> Turn {
        Turn::default()
    }

    fn strips(&mut self, sink: &mut dyn FnMut(Strip)) -> Result<(), DecodeError> {
        let stride = self.width() as usize * 3;
        sink(Strip { first: 0, rows: self.as_raw(), stride, turn: self.turn() });
        Ok(())
    }
}

/// Some rows as they are stored.
#[derive(Clone, Copy)]
pub(crate) struct Strip<'a> {
    /// Number of the first row.
    pub first: usize,
    /// Three bytes a pixel.
    pub rows: &'a [u8],
    /// Bytes a row.
    pub stride: usize,
    pub turn: Turn,
}

/// The part of the upright image that is wanted, and the size of all of it.
pub(crate) struct Place {
    pub width: usize,
    pub height: usize,
    pub left: usize,
    pub top: usize,
    pub columns: usize,
    pub rows: usize,
}

impl Strip<'_> {
    /// The wanted part of the rows in this strip, upright: `done` gets the number of the first of them (counted within the
    /// part) and the rows. Not for transposed images.
    pub fn upright_rows(&self, place: &Place, mut done: impl FnMut(usize, &[&[u8]])) {
        let count = self.rows.len() / self.stride.max(1);
        let first = if self.turn.flip_y { place.height - self.first - count } else { self.first };
        let (start, end) = (first.max(place.top), (first + count).min(place.top + place.rows));
        if start >= end {
            return;
        }
        let left = if self.turn.flip_x { place.width - place.left - place.columns } else { place.left };
        let line = |y: usize| {
            let stored = if self.turn.flip_y { place.height - 1 - y } else { y } - self.first;
            &self.rows[stored * self.stride + left * 3..][..place.columns * 3]
        };
        if !self.turn.flip_x {
            let lines: Vec<&[u8]> = (start..end).map(line).collect();
            return done(start - place.top, &lines);
        }
        let mirrored: Vec<u8> = (start..end).flat_map(|y| reversed(line(y))).collect();
        let lines: Vec<&[u8]> = mirrored.chunks_exact(place.columns * 3).collect();
        done(start - place.top, &lines);
    }

    /// The wanted part of the columns of a transposed image in this strip: `done` gets each one's number (counted within the
    /// part) and its pixels from top to bottom.
    pub fn upright_columns(&self, place: &Place, mut done: impl FnMut(usize, &[u8])) {
        for (row, pixels) in self.rows.chunks_exact(self.stride).enumerate() {
            let y = self.first + row;
            let x = if self.turn.flip_x { place.width - 1 - y } else { y };
            if !(place.left..place.left + place.columns).contains(&x) {
                continue;
            }
            if self.turn.flip_y {
                let first = place.height - place.top - place.rows;
                let column: Vec<u8> = reversed(&pixels[first * 3..][..place.rows * 3]).collect();
                done(x - place.left, &column);
            } else {
                done(x - place.left, &pixels[place.top * 3..][..place.rows * 3]);
            }
        }
    }
}

/// The pixels of a row from right to left.
fn reversed(row: &[u8]) -> impl Iterator<Item = u8> + '_ {
    row.rchunks_exact(3).flatten().copied()
}
