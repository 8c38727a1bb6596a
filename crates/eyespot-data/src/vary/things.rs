//! Occlusion and background clutter: things in front of the subject, and around it.

use super::Dice;
use image::{Rgb, RgbImage};

/// Even patches anywhere, until the asked share of the picture is covered.
pub(super) fn occlusion(picture: &RgbImage, strength: f32, dice: &mut Dice) -> RgbImage {
    cover(picture, 0.6 * strength, dice, |_, _| true)
}

/// Patches that leave an ellipse in the middle free, where the subject usually is.
pub(super) fn background(picture: &RgbImage, strength: f32, dice: &mut Dice) -> RgbImage {
    cover(picture, 0.7 * strength, dice, |u, v| u * u + v * v > 0.36)
}

/// Covers `share` of the pixels for which `allowed` (coordinates −1 to 1) holds with turned ellipses and boxes.
fn cover(picture: &RgbImage, share: f32, dice: &mut Dice, allowed: impl Fn(f32, f32) -> bool) -> RgbImage {
    let (width, height) = picture.dimensions();
    let unit = |x: u32, y: u32| {
        ((x as f32 + 0.5) * 2.0 / width as f32 - 1.0, (y as f32 + 0.5) * 2.0 / height as f32 - 1.0)
    };
    let pixels = || (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let open = pixels().filter(|&(x, y)| allowed(unit(x, y).0, unit(x, y).1)).count();
    let wanted = (open as f32 * share) as usize;
    let mut covered = vec![false; width as usize * height as usize];
    let mut count = 0;
    let mut varied = picture.clone();
    // 200 patches cover far more than any share asked for; the bound only keeps odd sizes finite.
    for _ in 0..200 {
        if count >= wanted {
            break;
        }
        let (cx, cy) = (dice.unit() * 2.0 - 1.0, dice.unit() * 2.0 - 1.0);
        let (rx, ry) = (0.12 + 0.2 * dice.unit(), 0.12 + 0.2 * dice.unit());
        let (sin, cos) = (dice.unit() * std::f32::consts::PI).sin_cos();
        let boxed = dice.unit() < 0.5;
        let color = Rgb([dice.unit(), dice.unit(), dice.unit()].map(|v| (v * 255.0) as u8));
        // Only the box around the patch has pixels inside it.
        let (reach_x, reach_y) = (cos.abs() * rx + sin.abs() * ry, sin.abs() * rx + cos.abs() * ry);
        let (columns, rows) = (span(cx, reach_x, width), span(cy, reach_y, height));
        for (x, y) in rows.flat_map(|y| columns.clone().map(move |x| (x, y))) {
            let (u, v) = unit(x, y);
            let (du, dv) = (u - cx, v - cy);
            let (a, b) = ((cos * du + sin * dv) / rx, (cos * dv - sin * du) / ry);
            let inside = if boxed { a.abs().max(b.abs()) < 1.0 } else { a * a + b * b < 1.0 };
            let index = (y * width + x) as usize;
            if inside && allowed(u, v) && !covered[index] {
                if count >= wanted {
                    break;
                }
                covered[index] = true;
                count += 1;
                varied.put_pixel(x, y, color);
            }
        }
    }
    varied
}

/// The pixels of `length` whose middles lie within `reach` of `centre`, in coordinates from −1 to 1.
fn span(centre: f32, reach: f32, length: u32) -> std::ops::Range<u32> {
    let place = |at: f32| (at + 1.0) * length as f32 / 2.0 - 0.5;
    let first = place(centre - reach).floor().max(0.0) as u32;
    first..((place(centre + reach).ceil() + 1.0).max(0.0) as u32).min(length)
}

#[cfg(test)]
mod tests {
    use super::super::Variation;
    use super::*;

    /// A grey that patches hardly ever have.
    const GREY: Rgb<u8> = Rgb([128, 127, 126]);

    fn changed(variation: Variation, strength: f32, seed: u64) -> RgbImage {
        variation.apply(&RgbImage::from_pixel(100, 80, GREY), strength, seed)
    }

    #[test]
    fn occlusion_covers_the_share_it_says() {
        for (strength, share) in [(0.2, 0.12), (0.6, 0.36), (1.0, 0.6)] {
            let covered = changed(Variation::Occlusion, strength, 3).pixels().filter(|p| **p != GREY).count();
            assert!((covered as f32 / 8000.0 - share).abs() < 0.01, "{covered} of 8000 at {strength}");
        }
    }

    #[test]
    fn clutter_leaves_the_middle_free() {
        let varied = changed(Variation::Background, 1.0, 3);
        assert!((35..65).all(|x| (30..50).all(|y| *varied.get_pixel(x, y) == GREY)));
        assert!(varied.pixels().filter(|p| **p != GREY).count() > 3000);
    }
}
