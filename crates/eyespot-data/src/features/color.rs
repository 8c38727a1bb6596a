//! Colour histogram.

use image::RgbImage;

const HUES: usize = 12;
const LEVELS: usize = 4;
/// Numbers in a histogram.
pub(super) const LEN: usize = HUES * LEVELS * LEVELS;

/// Shares of the pixels in 12 ranges of hue × 4 of saturation × 4 of value (HSV), brightness running fastest; the sum
/// is 1. Hue, saturation and value are Smith's (1978); greys count as hue 0.
///
/// ```
/// use image::{Rgb, RgbImage};
/// let red = RgbImage::from_pixel(4, 4, Rgb([255, 0, 0]));
/// let histogram = eyespot_data::features::color_histogram(&red);
/// assert_eq!(histogram.len(), 192);
/// assert_eq!(histogram[15], 1.0); // first hue, highest saturation, highest value
/// ```
pub fn color_histogram(picture: &RgbImage) -> Vec<f32> {
    let mut counts = vec![0u32; LEN];
    for pixel in picture.pixels() {
        counts[bin(pixel.0)] += 1;
    }
    let total = (picture.width() * picture.height()).max(1) as f32;
    counts.iter().map(|&count| count as f32 / total).collect()
}

fn bin([r, g, b]: [u8; 3]) -> usize {
    let (r, g, b) = (i32::from(r), i32::from(g), i32::from(b));
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    let span = max - min;
    // Hue in 1/6 turns × span, kept in whole numbers so that every machine sorts a pixel into the same bin.
    let hue = if span == 0 {
        0
    } else {
        let sixths = if max == r {
            (g - b).rem_euclid(6 * span)
        } else if max == g {
            b - r + 2 * span
        } else {
            r - g + 4 * span
        };
        (sixths * HUES as i32 / (6 * span)) as usize
    };
    let saturation = if max == 0 { 0 } else { (span * LEVELS as i32 / max).min(LEVELS as i32 - 1) as usize };
    let value = max as usize * LEVELS / 256;
    (hue.min(HUES - 1) * LEVELS + saturation) * LEVELS + value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_fall_into_their_bins() {
        // (colour, hue in degrees, saturation, value) by hand from the definition of HSV.
        let cases = [
            ([0, 0, 0], 0, 0.0, 0.0),
            ([255, 255, 255], 0, 0.0, 1.0),
            ([0, 255, 0], 120, 1.0, 1.0),
            ([0, 0, 128], 240, 1.0, 0.502),
            ([255, 128, 128], 0, 0.498, 1.0),
            ([100, 200, 150], 150, 0.5, 0.784),
            ([255, 0, 1], 359, 1.0, 1.0),
        ];
        for (color, hue, saturation, value) in cases {
            let level = |x: f64| ((x * 4.0) as usize).min(3);
            let expected = (hue / 30 * 4 + level(saturation)) * 4 + level(value);
            assert_eq!(bin(color), expected, "{color:?}");
        }
    }
}
