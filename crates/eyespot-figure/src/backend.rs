//! Lets plotters draw on an [`RgbImage`] with the built-in font.

use crate::text::{Size, blend, draw_text, text_width};
use image::{Rgb, RgbImage};
use plotters::style::FontTransform;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendTextStyle, DrawingBackend, DrawingErrorKind};
use std::convert::Infallible;

pub(crate) struct Backend<'a>(pub &'a mut RgbImage);

impl DrawingBackend for Backend<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.0.dimensions()
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn draw_pixel(
        &mut self,
        at: BackendCoord,
        color: BackendColor,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        blend(self.0, at.0, at.1, rgb(color), color.alpha as f32);
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        at: BackendCoord,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let size = size_of(style);
        let (width, height) = (text_width(text, size) as i32, size.height() as i32);
        let anchor = style.anchor();
        let shift_x = match anchor.h_pos {
            HPos::Left => 0,
            HPos::Center => width / 2,
            HPos::Right => width,
        };
        let shift_y = match anchor.v_pos {
            VPos::Top => 0,
            VPos::Center => height / 2,
            VPos::Bottom => height,
        };
        let color = rgb(style.color());
        if matches!(style.transform(), FontTransform::None) {
            draw_text(self.0, at.0 - shift_x, at.1 - shift_y, text, size, color);
            return Ok(());
        }
        // The y axis' name, read upwards: drawn flat, then turned by 270 degrees.
        let mut flat = RgbImage::from_pixel(width.max(1) as u32, height as u32, Rgb([255; 3]));
        draw_text(&mut flat, 0, 0, text, size, Rgb([0; 3]));
        let turned = image::imageops::rotate270(&flat);
        for (x, y, pixel) in turned.enumerate_pixels() {
            let ink = 1.0 - f32::from(pixel.0[0]) / 255.0;
            blend(self.0, at.0 - shift_y + x as i32, at.1 - width / 2 + y as i32, color, ink);
        }
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let size = size_of(style);
        Ok((text_width(text, size), size.height()))
    }
}

fn size_of<S: BackendTextStyle>(style: &S) -> Size {
    if style.size() > 17.0 { Size::Large } else { Size::Small }
}

fn rgb(color: BackendColor) -> Rgb<u8> {
    Rgb([color.rgb.0, color.rgb.1, color.rgb.2])
}
