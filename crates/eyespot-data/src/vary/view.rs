//! Viewpoint and scale: the picture seen from elsewhere.

use super::Dice;
use image::imageops::thumbnail;
use image::{Rgb, RgbImage};

/// Pixels a side of the blur beyond the edges.
const BLUR: u32 = 8;

pub(super) fn viewpoint(picture: &RgbImage, strength: f32, dice: &mut Dice) -> RgbImage {
    let angle = dice.push(60.0_f32.to_radians() * strength);
    let (tilt_x, tilt_y) = (dice.push(0.45 * strength), dice.push(0.45 * strength));
    let mirror = if dice.unit() < 0.5 * strength { -1.0 } else { 1.0 };
    let (sin, cos) = angle.sin_cos();
    seen(picture, |u, v| {
        let depth = (1.0 + tilt_x * u + tilt_y * v).max(0.1);
        let (u, v) = (u / depth, v / depth);
        ((cos * u + sin * v) * mirror, cos * v - sin * u)
    })
}

pub(super) fn scale(picture: &RgbImage, strength: f32, dice: &mut Dice) -> RgbImage {
    let factor = dice.push(2.5_f32.ln() * strength).exp();
    seen(picture, |u, v| (u * factor, v * factor))
}

/// For each pixel of the result, where it looks in the picture: coordinates count from −1 to 1 along the shorter side
/// around the centre. Shrinking averages over the pixels it covers. Beyond its edges the picture goes on as a blur:
/// mirrored edges would show the subject several times.
fn seen(picture: &RgbImage, place: impl Fn(f32, f32) -> (f32, f32)) -> RgbImage {
    let (width, height) = picture.dimensions();
    let half = width.min(height) as f32 / 2.0;
    let (cx, cy) = (width as f32 / 2.0, height as f32 / 2.0);
    let source = |x: f32, y: f32| {
        let (u, v) = place((x - cx) / half, (y - cy) / half);
        (u * half + cx, v * half + cy)
    };
    let blur = thumbnail(picture, BLUR.min(width), BLUR.min(height));
    let (across, down) = (blur.width() as f32 / width as f32, blur.height() as f32 / height as f32);
    let color = |x: f32, y: f32| match (0.0..=width as f32).contains(&x) && (0.0..=height as f32).contains(&y)
    {
        true => sampled(picture, x - 0.5, y - 0.5),
        false => sampled(&blur, x * across - 0.5, y * down - 0.5),
    };
    RgbImage::from_fn(width, height, |x, y| {
        let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
        let (ax, ay) = source(px - 0.5, py);
        let (bx, by) = source(px + 0.5, py);
        let steps = ((bx - ax).hypot(by - ay).round() as u32).clamp(1, 4);
        let mut sum = [0.0f32; 3];
        for i in 0..steps {
            for j in 0..steps {
                let at = |k: u32| (k as f32 + 0.5) / steps as f32 - 0.5;
                let (sx, sy) = source(px + at(i), py + at(j));
                let sample = color(sx, sy);
                (0..3).for_each(|c| sum[c] += sample[c]);
            }
        }
        Rgb(sum.map(|s| (s / (steps * steps) as f32).round() as u8))
    })
}

/// The colour between pixels, by the four around; beyond the edges the edge's.
fn sampled(picture: &RgbImage, x: f32, y: f32) -> [f32; 3] {
    let (right, bottom) = (picture.width() - 1, picture.height() - 1);
    let (x, y) = (x.clamp(0.0, right as f32), y.clamp(0.0, bottom as f32));
    let (x0, y0) = (x as u32, y as u32);
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let at = |column: u32, row: u32| picture.get_pixel(column, row).0.map(f32::from);
    let (x1, y1) = ((x0 + 1).min(right), (y0 + 1).min(bottom));
    let (a, b, c, d) = (at(x0, y0), at(x1, y0), at(x0, y1), at(x1, y1));
    std::array::from_fn(|i| {
        (a[i] * (1.0 - fx) + b[i] * fx) * (1.0 - fy) + (c[i] * (1.0 - fx) + d[i] * fx) * fy
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_straight_changes_nothing() {
        let picture = RgbImage::from_fn(31, 20, |x, y| Rgb([(x * 8) as u8, (y * 12) as u8, 7]));
        assert_eq!(seen(&picture, |u, v| (u, v)), picture);
    }

    #[test]
    fn mirroring_turns_left_and_right() {
        let picture = RgbImage::from_fn(32, 16, |x, y| Rgb([(x * 8) as u8, (y * 12) as u8, 7]));
        assert_eq!(seen(&picture, |u, v| (-u, v)), image::imageops::flip_horizontal(&picture));
    }

    #[test]
    fn beyond_the_edge_the_picture_goes_on_blurred() {
        // Black on the left, white on the right: seen from far, the sides go on and nothing is repeated.
        let picture = RgbImage::from_fn(80, 40, |x, _| Rgb([if x < 40 { 0 } else { 255 }; 3]));
        let far = seen(&picture, |u, v| (4.0 * u, 4.0 * v));
        assert!((0..40).all(|y| far.get_pixel(2, y).0 == [0; 3] && far.get_pixel(77, y).0 == [255; 3]));
        let row: Vec<u8> = (0..80).map(|x| far.get_pixel(x, 20).0[0]).collect();
        assert!(row.windows(2).all(|pair| pair[0] <= pair[1]), "{row:?}");
    }

    #[test]
    fn a_small_subject_stays_single() {
        let picture = RgbImage::from_fn(90, 90, |x, y| {
            let inside = (30..60).contains(&x) && (30..60).contains(&y);
            Rgb(if inside { [250, 0, 0] } else { [90; 3] })
        });
        let far = seen(&picture, |u, v| (2.5 * u, 2.5 * v));
        let red: Vec<(u32, u32)> =
            far.enumerate_pixels().filter(|(_, _, p)| p.0[0] > 180).map(|(x, y, _)| (x, y)).collect();
        // 30 pixels shrunk to 12 in each direction.
        assert!((120..170).contains(&red.len()), "{}", red.len());
        assert!(red.iter().all(|&(x, y)| (38..52).contains(&x) && (38..52).contains(&y)));
    }
}
