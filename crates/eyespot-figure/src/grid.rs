//! Labelled pictures in rows and columns.

use crate::text::{Size, draw_text, text_width};
use image::imageops::{FilterType, overlay, resize};
use image::{Rgb, RgbImage};

/// One picture of a grid.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The picture; it is scaled to the grid's cell size with its proportions kept.
    pub picture: RgbImage,
    /// Lines below it; what is too long is cut with an ellipsis.
    pub caption: Vec<String>,
    /// A frame of this colour, such as red around a mistake.
    pub frame: Option<Rgb<u8>>,
}

impl Cell {
    /// A picture with one line below it.
    pub fn new(picture: RgbImage, caption: impl Into<String>) -> Self {
        Self { picture, caption: vec![caption.into()], frame: None }
    }
}

/// Pictures in rows and columns, each with a caption, under a title.
#[derive(Debug, Clone)]
pub struct Grid {
    /// Above all; may be empty.
    pub title: String,
    /// Cells in a row.
    pub columns: usize,
    /// Longer side of a cell's picture in pixels.
    pub cell: u32,
    /// Whether small pictures are enlarged with sharp pixels (feature maps) instead of smoothly (photos).
    pub sharp: bool,
}

const MARGIN: u32 = 10;
const INK: Rgb<u8> = Rgb([30, 30, 30]);

impl Grid {
    /// The figure.
    ///
    /// ```
    /// use eyespot_figure::{Cell, Grid};
    /// let cells = vec![Cell::new(image::RgbImage::new(8, 8), "black"); 3];
    /// let grid = Grid { title: "Three".into(), columns: 2, cell: 64, sharp: false };
    /// let figure = grid.draw(&cells);
    /// assert_eq!(figure.width(), 10 + 2 * (64 + 10));
    /// ```
    pub fn draw(&self, cells: &[Cell]) -> RgbImage {
        let columns = self.columns.clamp(1, cells.len().max(1)) as u32;
        let rows = (cells.len() as u32).div_ceil(columns).max(1);
        let side = self.cell.clamp(8, 2048);
        let lines = cells.iter().map(|c| c.caption.len()).max().unwrap_or(0) as u32;
        let high = side + lines * Size::Small.height() + MARGIN;
        let top = if self.title.is_empty() { MARGIN } else { MARGIN + Size::Large.height() + MARGIN };
        let width = MARGIN + columns * (side + MARGIN);
        let title_width = text_width(&self.title, Size::Large) + 2 * MARGIN;
        let mut figure =
            RgbImage::from_pixel(width.max(title_width.min(4096)), top + rows * high, Rgb([255; 3]));
        draw_text(&mut figure, MARGIN as i32, MARGIN as i32, &self.title, Size::Large, INK);
        for (index, cell) in cells.iter().enumerate() {
            let x = MARGIN + (index as u32 % columns) * (side + MARGIN);
            let y = top + (index as u32 / columns) * high;
            self.place(&mut figure, cell, x, y, side);
        }
        figure
    }

    fn place(&self, figure: &mut RgbImage, cell: &Cell, x: u32, y: u32, side: u32) {
        let (w, h) = cell.picture.dimensions();
        let longest = w.max(h).max(1);
        let scaled = |length: u32| ((u64::from(length) * u64::from(side)) / u64::from(longest)).max(1) as u32;
        let filter = if self.sharp { FilterType::Nearest } else { FilterType::Triangle };
        if w > 0 && h > 0 {
            let picture = resize(&cell.picture, scaled(w), scaled(h), filter);
            let (dx, dy) = ((side - picture.width()) / 2, (side - picture.height()) / 2);
            overlay(figure, &picture, i64::from(x + dx), i64::from(y + dy));
        }
        if let Some(color) = cell.frame {
            frame(figure, x, y, side, color);
        }
        let fits = (side / text_width("m", Size::Small).max(1)) as usize;
        for (line, text) in cell.caption.iter().enumerate() {
            let top = y + side + line as u32 * Size::Small.height();
            draw_text(figure, x as i32, top as i32, &shortened(text, fits), Size::Small, INK);
        }
    }
}

fn frame(figure: &mut RgbImage, x: u32, y: u32, side: u32, color: Rgb<u8>) {
    for step in 0..side {
        for edge in 0..3 {
            for (px, py) in [
                (x + step, y + edge),
                (x + step, y + side - 1 - edge),
                (x + edge, y + step),
                (x + side - 1 - edge, y + step),
            ] {
                figure.put_pixel(px, py, color);
            }
        }
    }
}

fn shortened(text: &str, fits: usize) -> String {
    if text.chars().count() <= fits {
        return text.to_owned();
    }
    let kept: String = text.chars().take(fits.saturating_sub(2)).collect();
    kept + ".."
}

/// One channel as a grey picture, its smallest value black and its largest white. `values` is row after row;
/// what isn't a number is black.
pub fn grey(values: &[f32], width: usize, height: usize) -> RgbImage {
    let finite = values.iter().copied().filter(|v| v.is_finite());
    let (low, high) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let span = if high > low { high - low } else { 1.0 };
    picture(values, width, height, |v| {
        let tone = ((v - low) / span * 255.0).clamp(0.0, 255.0) as u8;
        Rgb([tone; 3])
    })
}

/// One channel of signed values: white at 0, blue below, red above, full at the largest magnitude.
pub fn signed(values: &[f32], width: usize, height: usize) -> RgbImage {
    let reach = values.iter().filter(|v| v.is_finite()).fold(0.0f32, |m, v| m.max(v.abs())).max(1e-12);
    picture(values, width, height, |v| {
        let pale = (255.0 * (1.0 - (v.abs() / reach).min(1.0))) as u8;
        if v < 0.0 { Rgb([pale, pale, 255]) } else { Rgb([255, pale, pale]) }
    })
}

fn picture(values: &[f32], width: usize, height: usize, color: impl Fn(f32) -> Rgb<u8>) -> RgbImage {
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let value = values.get(y as usize * width + x as usize).copied().unwrap_or(0.0);
        color(if value.is_finite() { value } else { 0.0 })
    })
}

/// Figures side by side on white, their upper edges aligned.
pub fn beside(figures: &[RgbImage]) -> RgbImage {
    let width = figures.iter().map(|f| f.width()).sum::<u32>().max(1);
    let height = figures.iter().map(|f| f.height()).max().unwrap_or(1);
    let mut all = RgbImage::from_pixel(width, height, Rgb([255; 3]));
    let mut x = 0;
    for figure in figures {
        overlay(&mut all, figure, x, 0);
        x += i64::from(figure.width());
    }
    all
}

/// Figures one below the other on white, their left edges aligned.
pub fn below(figures: &[RgbImage]) -> RgbImage {
    let width = figures.iter().map(|f| f.width()).max().unwrap_or(1);
    let height = figures.iter().map(|f| f.height()).sum::<u32>().max(1);
    let mut all = RgbImage::from_pixel(width, height, Rgb([255; 3]));
    let mut y = 0;
    for figure in figures {
        overlay(&mut all, figure, 0, y);
        y += i64::from(figure.height());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_shows_its_picture() {
        let colors = [Rgb([200, 0, 0]), Rgb([0, 200, 0]), Rgb([0, 0, 200])];
        let cells: Vec<Cell> =
            colors.iter().map(|&c| Cell::new(RgbImage::from_pixel(4, 4, c), "x")).collect();
        let grid = Grid { title: String::new(), columns: 2, cell: 40, sharp: true };
        let figure = grid.draw(&cells);
        let high = 40 + 16 + MARGIN;
        assert_eq!(*figure.get_pixel(MARGIN + 20, MARGIN + 20), colors[0]);
        assert_eq!(*figure.get_pixel(2 * MARGIN + 60, MARGIN + 20), colors[1]);
        assert_eq!(*figure.get_pixel(MARGIN + 20, MARGIN + high + 20), colors[2]);
    }

    #[test]
    fn grey_spans_black_to_white_and_survives_nan() {
        let figure = grey(&[-1.0, f32::NAN, 1.0, 3.0], 2, 2);
        assert_eq!(figure.get_pixel(0, 0).0, [0; 3]);
        assert_eq!(figure.get_pixel(1, 1).0, [255; 3]);
        assert_eq!(figure.get_pixel(0, 1).0, [127; 3]);
    }

    #[test]
    fn no_cells_and_empty_pictures_still_make_a_figure() {
        let grid = Grid { title: "Nothing".into(), columns: 0, cell: 0, sharp: false };
        assert!(grid.draw(&[]).width() > 0);
        assert!(grid.draw(&[Cell::new(RgbImage::new(0, 0), "a caption too long for its cell")]).height() > 0);
        assert!(beside(&[]).width() > 0 && below(&[]).width() > 0);
    }
}
