//! Antialiased bilinear resizing, as Pillow's `Image.resize(size, BILINEAR)`.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
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
        let options = bilinear().crop(left, top, box_width, box_height);
        let source = (picture.width(), picture.height(), picture.as_raw().as_slice());
        self.scale(source, (part.part_width, part.part_height), out, &options)
    }

    /// Cuts a box of whole pixels out of a picture and scales it; pixels outside the box have no influence.
    pub fn resize_box(
        &mut self,
        picture: &RgbImage,
        [left, top, width, height]: [u32; 4],
        (out_width, out_height): (u32, u32),
        out: &mut [u8],
    ) -> Result<(), String> {
        let (right, bottom) = (left.saturating_add(width), top.saturating_add(height));
        if right > picture.width() || bottom > picture.height() {
            return Err(format!("the box ends at {right}, {bottom}, outside the picture"));
        }
        let row = |y: u32| {
            let start = (y as usize * picture.width() as usize + left as usize) * 3;
            &picture.as_raw()[start..start + width as usize * 3]
        };
        let pixels: Vec<u8> = (top..bottom).flat_map(row).copied().collect();
        self.scale((width, height, &pixels), (out_width, out_height), out, &bilinear())
    }

    /// Everything goes through this one call with concrete types: each further one would compile the whole resizer
    /// once more.
    fn scale(
        &mut self,
        (width, height, pixels): (u32, u32, &[u8]),
        (out_width, out_height): (u32, u32),
        out: &mut [u8],
        options: &ResizeOptions,
    ) -> Result<(), String> {
        let source = TypedImageRef::<U8x3>::from_buffer(width, height, pixels).map_err(|e| e.to_string())?;
        let target = TypedImage::<U8x3>::from_buffer(out_width, out_height, out);
        let mut target = target.map_err(|e| e.to_string())?;
        self.resizer.resize_typed(&source, &mut target, options).map_err(|e| e.to_string())
    }
}

fn bilinear() -> ResizeOptions {
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
}
