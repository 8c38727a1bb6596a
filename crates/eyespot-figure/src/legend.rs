//! The names of a chart's marks, in rows below it.

use crate::text::{Size, draw_text, text_width};
use image::{Rgb, RgbImage};
use plotters::style::RGBColor;

/// Pixels of a row, of the sign before a name, and between two names.
const ROW: u32 = 20;
const SIGN: u32 = 22;
const GAP: u32 = 18;

pub(crate) struct Legend {
    width: u32,
    /// Each name and where it stands.
    entries: Vec<Entry>,
    /// Where the next one would stand.
    next: (u32, u32),
}

struct Entry {
    name: String,
    color: Rgb<u8>,
    dot: bool,
    place: (u32, u32),
}

impl Legend {
    /// No names yet, in rows of so many pixels.
    pub(crate) fn new(width: u32) -> Self {
        Self { width, entries: Vec::new(), next: (0, 0) }
    }

    /// A name behind a dot or a stroke, in a new row where it doesn't fit any more. An empty name is none.
    pub(crate) fn add(&mut self, name: &str, RGBColor(r, g, b): RGBColor, dot: bool) {
        if name.is_empty() {
            return;
        }
        let wide = SIGN + text_width(name, Size::Small);
        let (mut x, mut row) = self.next;
        if x > 0 && x + wide > self.width {
            (x, row) = (0, row + 1);
        }
        self.entries.push(Entry { name: name.to_owned(), color: Rgb([r, g, b]), dot, place: (x, row) });
        self.next = (x + wide + GAP, row);
    }

    /// Pixels of all rows.
    pub(crate) fn height(&self) -> u32 {
        self.entries.last().map_or(0, |last| (last.place.1 + 1) * ROW)
    }

    /// Draws the names at the lower edge of a figure, from `left` on.
    pub(crate) fn draw(&self, figure: &mut RgbImage, left: u32) {
        let top = figure.height().saturating_sub(self.height() + 4);
        for Entry { name, color, dot, place } in &self.entries {
            let (x, y) = (left + place.0, top + place.1 * ROW);
            let (columns, rows) = if *dot { (4..12, 4..12) } else { (0..16, 7..10) };
            for (dx, dy) in columns.flat_map(|dx| rows.clone().map(move |dy| (dx, dy))) {
                // A square without its corners is a dot.
                let corner = *dot && matches!(dx, 4 | 11) && matches!(dy, 4 | 11);
                if let Some(pixel) = figure.get_pixel_mut_checked(x + dx, y + dy)
                    && !corner
                {
                    *pixel = *color;
                }
            }
            draw_text(figure, (x + SIGN) as i32, y as i32, name, Size::Small, Rgb([30; 3]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_do_not_fit_begin_a_new_row() {
        let mut legend = Legend::new(200);
        assert_eq!(legend.height(), 0);
        for name in ["one", "", "two", "a name wider than all of the chart is", "three"] {
            legend.add(name, RGBColor(1, 2, 3), true);
        }
        let rows: Vec<u32> = legend.entries.iter().map(|entry| entry.place.1).collect();
        assert_eq!(rows, [0, 0, 1, 2]);
        assert_eq!(legend.height(), 3 * ROW);
    }
}
