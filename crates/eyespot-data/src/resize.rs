//! Antialiased bilinear resizing, as Pillow's `Image.resize(size, BILINEAR)`.

use fast_image_resize::images::{CroppedImage, Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

/// Buffers a thread keeps between pictures.
#[derive(Default)]
pub(crate) struct Scratch {
    resizer: Resizer,
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
    pub fn resize_part(&mut self, picture: &RgbImage, part: &Part, out: &mut [u8]) -> Result<(), String> {
        let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
        let (across, down) = (width / f64::from(part.width), height / f64::from(part.height));
        let (left, top) = (f64::from(part.left) * across, f64::from(part.top) * down);
        // Rounding must not carry the box over the picture's edge.
        let box_width = (f64::from(part.part_width) * across).min(width - left);
        let box_height = (f64::from(part.part_height) * down).min(height - top);
        let source = view(picture)?;
        let mut target = Image::from_slice_u8(part.part_width, part.part_height, out, PixelType::U8x3)
            .map_err(|error| error.to_string())?;
        let options = bilinear().crop(left, top, box_width, box_height);
        self.resizer.resize(&source, &mut target, &options).map_err(|error| error.to_string())
    }

    /// Cuts a box of whole pixels out of a picture and scales it; pixels outside the box have no influence.
    pub fn resize_box(
        &mut self,
        picture: &RgbImage,
        [left, top, width, height]: [u32; 4],
        (out_width, out_height): (u32, u32),
        out: &mut [u8],
    ) -> Result<(), String> {
        let source = view(picture)?;
        let source =
            CroppedImage::new(&source, left, top, width, height).map_err(|error| error.to_string())?;
        let mut target = Image::from_slice_u8(out_width, out_height, out, PixelType::U8x3)
            .map_err(|error| error.to_string())?;
        self.resizer.resize(&source, &mut target, &bilinear()).map_err(|error| error.to_string())
    }
}

fn view(picture: &RgbImage) -> Result<ImageRef<'_>, String> {
    ImageRef::new(picture.width(), picture.height(), picture.as_raw(), PixelType::U8x3)
        .map_err(|error| error.to_string())
}

fn bilinear() -> ResizeOptions {
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
}
