//! Illumination: exposure, contrast, gamma, light from a side, colour cast.

use super::Dice;
use image::{Rgb, RgbImage};

pub(super) fn illumination(picture: &RgbImage, strength: f32, dice: &mut Dice) -> RgbImage {
    let exposure = dice.push(1.5 * strength).exp2();
    let contrast = dice.push(0.6 * strength).exp2();
    let gamma = dice.push(0.6 * strength).exp2();
    let side = dice.unit() * 0.6 * strength;
    let angle = dice.unit() * std::f32::consts::TAU;
    let warmth = dice.push(0.35 * strength);
    let tint = dice.push(0.15 * strength);
    let cast = [1.0 + warmth, 1.0 + tint, 1.0 - warmth];
    let (width, height) = picture.dimensions();
    let (across, down) = (angle.cos() / width as f32, angle.sin() / height as f32);
    let offset = (angle.cos() + angle.sin()) / 2.0;
    // Exposure and gamma per level once, not per pixel.
    let tone: Vec<f32> = (0..256).map(|level| (level as f32 / 255.0).powf(gamma) * exposure).collect();
    RgbImage::from_fn(width, height, |x, y| {
        let shade = 1.0 + 2.0 * side * (x as f32 * across + y as f32 * down - offset);
        let pixel = picture.get_pixel(x, y).0;
        let channel = |c: usize| {
            let value = tone[usize::from(pixel[c])] * cast[c] * shade;
            (((value - 0.5) * contrast + 0.5).clamp(0.0, 1.0) * 255.0).round() as u8
        };
        Rgb([channel(0), channel(1), channel(2)])
    })
}
