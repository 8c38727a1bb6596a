//! Text in pictures, from a font that is part of the program: no font files are looked for.

use image::{Rgb, RgbImage};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

/// How tall a line of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 16 pixels.
    Small,
    /// 20 pixels.
    Large,
}

impl Size {
    /// Pixels from line to line.
    pub fn height(self) -> u32 {
        self.raster().val() as u32
    }

    fn raster(self) -> RasterHeight {
        match self {
            Self::Small => RasterHeight::Size16,
            Self::Large => RasterHeight::Size20,
        }
    }
}

/// Pixels one line of `text` takes.
pub fn text_width(text: &str, size: Size) -> u32 {
    let one = get_raster_width(FontWeight::Regular, size.raster());
    (text.chars().count() * one) as u32
}

/// Writes one line with its upper left corner at (`x`, `y`); what falls outside the picture is left out.
/// A character the font lacks is drawn as a question mark.
pub fn draw_text(canvas: &mut RgbImage, x: i32, y: i32, text: &str, size: Size, color: Rgb<u8>) {
    let mut left = x;
    for character in text.chars() {
        let glyph = |c| get_raster(c, FontWeight::Regular, size.raster());
        let Some(raster) = glyph(character).or_else(|| glyph('?')) else { continue };
        for (row, line) in raster.rows().enumerate() {
            for (column, &ink) in line.iter().enumerate() {
                blend(canvas, left + column as i32, y + row as i32, color, f32::from(ink) / 255.0);
            }
        }
        left += raster.width() as i32;
    }
}

/// Lays `color` over a pixel, `ink` (0 to 1) of it.
pub(crate) fn blend(canvas: &mut RgbImage, x: i32, y: i32, color: Rgb<u8>, ink: f32) {
    if x < 0 || y < 0 || x >= canvas.width() as i32 || y >= canvas.height() as i32 {
        return;
    }
    let pixel = canvas.get_pixel_mut(x as u32, y as u32);
    for (under, over) in pixel.0.iter_mut().zip(color.0) {
        *under = (f32::from(*under) * (1.0 - ink) + f32::from(over) * ink).round() as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_leaves_ink_inside_its_box_only() {
        let mut canvas = RgbImage::from_pixel(80, 40, Rgb([255; 3]));
        draw_text(&mut canvas, 10, 10, "ab", Size::Small, Rgb([0; 3]));
        let right = 10 + text_width("ab", Size::Small);
        let dark = |x: u32, y: u32| canvas.get_pixel(x, y).0[0] < 128;
        let inked: Vec<_> =
            (0..40).flat_map(|y| (0..80).map(move |x| (x, y))).filter(|&(x, y)| dark(x, y)).collect();
        assert!(inked.len() > 20);
        assert!(inked.iter().all(|&(x, y)| (10..right).contains(&x) && (10..26).contains(&y)));
    }

    #[test]
    fn text_over_the_edge_and_unknown_characters_are_harmless() {
        let mut canvas = RgbImage::new(20, 10);
        draw_text(&mut canvas, -5, -5, "蟻 ant", Size::Large, Rgb([255; 3]));
        assert!(canvas.iter().any(|&v| v > 0));
    }
}
