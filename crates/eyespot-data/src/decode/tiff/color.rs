//! Rows of samples of one byte each to RGB, as libtiff and Pillow do it.

use super::directory::Directory;

/// The conversion of one image's colours, prepared.
pub(super) enum Color {
    /// The sample that counts, and whether white is zero.
    Grey {
        inverted: bool,
    },
    Rgb,
    Cmyk,
    YCbCr(Box<YCbCr>),
    /// Whether the two colour axes are offset by 128, as ICC has them.
    Lab {
        offset: bool,
    },
}

impl Color {
    pub fn of(directory: &Directory) -> Color {
        match directory.photometric {
            0 => Color::Grey { inverted: true },
            2 => Color::Rgb,
            5 => Color::Cmyk,
            6 => Color::YCbCr(Box::new(YCbCr::new(directory.luma, directory.reference))),
            8 => Color::Lab { offset: false },
            9 => Color::Lab { offset: true },
            _ => Color::Grey { inverted: false },
        }
    }

    /// Converts a row of `samples` levels a pixel. Colour that was multiplied by an alpha is divided by it again.
    pub fn row(&self, levels: &[u8], samples: usize, multiplied_by: Option<usize>, out: &mut [u8]) {
        for (pixel, out) in levels.chunks_exact(samples).zip(out.chunks_exact_mut(3)) {
            let mut rgb = match (self, pixel) {
                (Color::Grey { inverted: true }, [grey, ..]) => [255 - grey; 3],
                (Color::Rgb, [r, g, b, ..]) => [*r, *g, *b],
                (Color::Cmyk, [c, m, y, k, ..]) => [*c, *m, *y].map(|ink| printed(ink, *k)),
                (Color::YCbCr(table), [y, cb, cr, ..]) => table.rgb(*y, *cb, *cr),
                (Color::Lab { offset }, [l, a, b, ..]) => lab(*l, axis(*a, *offset), axis(*b, *offset)),
                (_, [grey, ..]) => [*grey; 3],
                (_, []) => [0; 3],
            };
            if let Some(alpha) = multiplied_by.and_then(|place| pixel.get(place)) {
                rgb = rgb.map(|level| divided(level, *alpha));
            }
            out.copy_from_slice(&rgb);
        }
    }
}

/// Pillow's unpacking of `RGBa`.
fn divided(level: u8, alpha: u8) -> u8 {
    match alpha {
        0 => 0,
        255 => level,
        alpha => (u32::from(level) * 255 / u32::from(alpha)).min(255) as u8,
    }
}

/// Pillow's `cmyk2rgb`.
fn printed(ink: u8, black: u8) -> u8 {
    let light = 255 - i32::from(black);
    let product = i32::from(ink) * light + 128;
    (light - (((product >> 8) + product) >> 8)).clamp(0, 255) as u8
}

fn axis(byte: u8, offset: bool) -> f32 {
    if offset { f32::from(byte) - 128.0 } else { f32::from(byte as i8) }
}

/// CIE L*a*b* with the white point D50, as ICC profiles and so Pillow have it, to sRGB.
fn lab(l: u8, a: f32, b: f32) -> [u8; 3] {
    let y = (f32::from(l) * 100.0 / 255.0 + 16.0) / 116.0;
    let linear =
        |t: f32| if t > 6.0 / 29.0 { t * t * t } else { 3.0 * (6.0f32 / 29.0).powi(2) * (t - 4.0 / 29.0) };
    let (x, y, z) = (0.9642 * linear(y + a / 500.0), linear(y), 0.8249 * linear(y - b / 200.0));
    // XYZ under D50 to linear sRGB, Bradford-adapted (brucelindbloom.com).
    let channels = [
        3.133_856 * x - 1.616_866_7 * y - 0.490_614_6 * z,
        -0.978_768_4 * x + 1.916_141_5 * y + 0.033_454_0 * z,
        0.071_945_3 * x - 0.228_991_4 * y + 1.405_242_7 * z,
    ];
    channels.map(|channel| {
        let level = match channel {
            c if c <= 0.003_130_8 => 12.92 * c,
            c => 1.055 * c.powf(1.0 / 2.4) - 0.055,
        };
        (level * 255.0).round().clamp(0.0, 255.0) as u8
    })
}

/// libtiff's tables (`TIFFYCbCrToRGBInit`).
pub(super) struct YCbCr {
    luma: [i32; 256],
    red_of_cr: [i32; 256],
    blue_of_cb: [i32; 256],
    green_of_cr: [i32; 256],
    green_of_cb: [i32; 256],
}

impl YCbCr {
    fn new([red, green, blue]: [f32; 3], reference: [f32; 6]) -> YCbCr {
        let fixed = |x: f32| (x.clamp(0.0, 2.0) * 65_536.0 + 0.5) as i32;
        let green = if green == 0.0 { 1.0 } else { green };
        let (for_red, for_blue) = (2.0 - 2.0 * red, 2.0 - 2.0 * blue);
        let (d1, d3) = (fixed(for_red), fixed(for_blue));
        let (d2, d4) = (-fixed(red * for_red / green), -fixed(blue * for_blue / green));
        // A code between reference black and white to a value.
        let value = |code: i32, black: f32, white: f32, range: f32| {
            let span = if white == black { 1.0 } else { white - black };
            (code.saturating_sub(black as i32) as f32 * range / span).clamp(-4096.0, 4096.0) as i32
        };
        let [y_black, y_white, cb_black, cb_white, cr_black, cr_white] = reference;
        let cb = |i: usize| value(i as i32 - 128, cb_black - 128.0, cb_white - 128.0, 127.0);
        let cr = |i: usize| value(i as i32 - 128, cr_black - 128.0, cr_white - 128.0, 127.0);
        YCbCr {
            luma: std::array::from_fn(|i| value(i as i32, y_black, y_white, 255.0)),
            red_of_cr: std::array::from_fn(|i| (d1 * cr(i) + 32_768) >> 16),
            blue_of_cb: std::array::from_fn(|i| (d3 * cb(i) + 32_768) >> 16),
            green_of_cr: std::array::from_fn(|i| d2 * cr(i)),
            green_of_cb: std::array::from_fn(|i| d4 * cb(i) + 32_768),
        }
    }

    pub fn rgb(&self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let (cb, cr) = (cb as usize, cr as usize);
        let luma = self.luma[y as usize];
        let green = (self.green_of_cb[cb] + self.green_of_cr[cr]) >> 16;
        [luma + self.red_of_cr[cr], luma + green, luma + self.blue_of_cb[cb]]
            .map(|level| level.clamp(0, 255) as u8)
    }
}
