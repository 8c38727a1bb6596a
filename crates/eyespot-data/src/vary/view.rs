//! Viewpoint and scale: the picture seen from elsewhere.

use super::Dice;
use image::{Rgb, RgbImage};

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
/// around the centre. Beyond the edges the picture goes on mirrored. Shrinking averages over the pixels it covers.
fn seen(picture: &RgbImage, place: impl Fn(f32, f32) -> (f32, f32)) -> RgbImage {
    let (width, height) = picture.dimensions();
    let half = width.min(height) as f32 / 2.0;
    let (cx, cy) = (width as f32 / 2.0, height as f32 / 2.0);
    let source = |x: f32, y: f32| {
        let (u, v) = place((x - cx) / half, (y - cy) / half);
        (u * half + cx, v * half + cy)
    };
    RgbImage::from_fn(width, height, |x, y| {
        let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
        let (ax, ay) = source(px - 0.5, py);
        let (bx, by) = source(px + 0.5, py);
        let steps = ((bx - ax).hypot(by - ay).ceil() as u32).clamp(1, 4);
        let mut sum = [0.0f32; 3];
        for i in 0..steps {
            for j in 0..steps {
                let at = |k: u32| (k as f32 + 0.5) / steps as f32 - 0.5;
                let (sx, sy) = source(px + at(i), py + at(j));
                let sample = sampled(picture, sx - 0.5, sy - 0.5);
                (0..3).for_each(|c| sum[c] += sample[c]);
            }
        }
        Rgb(sum.map(|s| (s / (steps * steps) as f32).round() as u8))
    })
}

fn sampled(picture: &RgbImage, x: f32, y: f32) -> [f32; 3] {
    let (x0, y0) = (x.floor(), y.floor());
    let (fx, fy) = (x - x0, y - y0);
    let at = |dx: i64, dy: i64| {
        let column = mirrored(x0 as i64 + dx, picture.width());
        let row = mirrored(y0 as i64 + dy, picture.height());
        picture.get_pixel(column, row).0.map(f32::from)
    };
    let (a, b, c, d) = (at(0, 0), at(1, 0), at(0, 1), at(1, 1));
    std::array::from_fn(|i| {
        (a[i] * (1.0 - fx) + b[i] * fx) * (1.0 - fy) + (c[i] * (1.0 - fx) + d[i] * fx) * fy
    })
}

fn mirrored(index: i64, length: u32) -> u32 {
    let length = i64::from(length);
    let folded = index.rem_euclid(2 * length);
    (if folded < length { folded } else { 2 * length - 1 - folded }) as u32
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
    fn beyond_the_edge_the_picture_goes_on_mirrored() {
        let cases = [(-1, 0), (-2, 1), (0, 0), (3, 3), (4, 3), (5, 2), (8, 0), (-9, 0)];
        for (index, expected) in cases {
            assert_eq!(mirrored(index, 4), expected, "{index}");
        }
    }
}
