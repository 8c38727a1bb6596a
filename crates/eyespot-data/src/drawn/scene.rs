//! Background, subject, what is in front of it, and the light.

use super::subject::{self, Brush, hsv};
use super::{Dice, Factors};
use image::{Rgb, RgbImage};
use tiny_skia::{Color, Pixmap, Transform};

pub(super) fn draw(kind: usize, size: u32, factors: &Factors, dice: &mut Dice) -> RgbImage {
    let Some(mut canvas) = Pixmap::new(size, size) else { return RgbImage::new(size, size) };
    let half = size as f32 / 2.0;
    let whole = Transform::from_translate(half, half).pre_scale(half, half);
    // Each factor has dice of its own: changing one leaves the others' draws alone.
    let (mut behind, mut view, mut own) = (dice.fork(), dice.fork(), dice.fork());
    let (mut front, mut light) = (dice.fork(), dice.fork());

    background(&mut Brush { canvas: &mut canvas, place: whole }, factors.background, &mut behind);
    let place = viewed(whole, factors, &mut view);
    subject::draw(kind, &mut Brush { canvas: &mut canvas, place }, factors.individual, &mut own);
    cover(&mut Brush { canvas: &mut canvas, place: whole }, factors.occlusion, &mut front);
    lit(&canvas, factors.illumination, &mut light)
}

/// Where the subject goes: size, slant, rotation, mirroring and a small shift.
fn viewed(whole: Transform, factors: &Factors, dice: &mut Dice) -> Transform {
    let angle = dice.around(75.0) * factors.viewpoint;
    let slant = dice.around(0.45) * factors.viewpoint;
    let narrow = 1.0 - dice.unit() * 0.45 * factors.viewpoint;
    let mirrored = dice.unit() < 0.5 * factors.viewpoint.min(1.0);
    let size = 0.72 * (dice.around(0.75) * factors.scale).exp().min(1.5);
    let room = (1.0 - size).max(0.1);
    let (x, y) = (dice.around(room) * factors.viewpoint, dice.around(room) * factors.viewpoint);
    let flip = if mirrored { -1.0 } else { 1.0 };
    whole
        .pre_translate(x, y)
        .pre_rotate(angle)
        .pre_concat(Transform::from_row(1.0, 0.0, slant, 1.0, 0.0, 0.0))
        .pre_scale(size * narrow * flip, size)
}

/// A meadow under a sky; with strength other colours, and things that are none of the kinds.
fn background(brush: &mut Brush, strength: f32, dice: &mut Dice) {
    let sky = hsv(dice.vary(205.0, 180.0, strength), 0.3, dice.vary(0.92, 0.35, strength));
    let ground = hsv(dice.vary(95.0, 120.0, strength), 0.4, dice.vary(0.7, 0.3, strength));
    let horizon = dice.vary(0.2, 0.7, strength);
    brush.oval(0.0, 0.0, 3.0, 3.0, sky);
    brush.oval(0.0, horizon + 6.0, 9.0, 6.0, ground);
    for _ in 0..(strength * 26.0).round() as usize {
        let color = hsv(dice.unit() * 360.0, dice.unit() * 0.8, 0.3 + 0.6 * dice.unit());
        let (x, y) = (dice.around(1.0), dice.around(1.0));
        let (rx, ry) = (0.05 + 0.2 * dice.unit(), 0.04 + 0.16 * dice.unit());
        let place = brush.place;
        brush.place = place.pre_translate(x, y).pre_rotate(dice.unit() * 180.0);
        brush.oval(0.0, 0.0, rx, ry, color);
        brush.place = place;
    }
}

/// Leaves in front of the subject: at full strength about half of it is hidden.
fn cover(brush: &mut Brush, strength: f32, dice: &mut Dice) {
    let place = brush.place;
    for _ in 0..(strength * 7.0).round() as usize {
        let green = hsv(80.0 + 60.0 * dice.unit(), 0.5 + 0.3 * dice.unit(), 0.25 + 0.35 * dice.unit());
        brush.place = place.pre_translate(dice.around(0.8), dice.around(0.8)).pre_rotate(dice.unit() * 360.0);
        let long = 0.35 + 0.25 * dice.unit();
        brush.oval(0.0, 0.0, 0.13, long, green);
        brush.oval(0.0, 0.0, 0.012, long, hsv(90.0, 0.6, 0.2));
    }
    brush.place = place;
}

/// Exposure, contrast, light from a side and a colour cast.
fn lit(canvas: &Pixmap, strength: f32, dice: &mut Dice) -> RgbImage {
    let exposure = (dice.around(1.0) * strength).exp();
    let contrast = (dice.around(0.6) * strength).exp();
    let angle = dice.unit() * std::f32::consts::TAU;
    let side = dice.unit() * 0.7 * strength;
    let cast = [dice.vary(1.0, 0.3, strength), dice.vary(1.0, 0.2, strength), dice.vary(1.0, 0.3, strength)];
    let (width, height) = (canvas.width(), canvas.height());
    RgbImage::from_fn(width, height, |x, y| {
        let at = canvas.pixel(x, y).map_or(Color::BLACK, |p| {
            let c = p.demultiply();
            Color::from_rgba8(c.red(), c.green(), c.blue(), 255)
        });
        let (u, v) = (x as f32 / width as f32 - 0.5, y as f32 / height as f32 - 0.5);
        let shade = 1.0 + 2.0 * side * (u * angle.cos() + v * angle.sin());
        let tone = |value: f32, cast: f32| {
            let value = ((value - 0.5) * contrast + 0.5) * exposure * shade * cast;
            (value.clamp(0.0, 1.0) * 255.0).round() as u8
        };
        Rgb([tone(at.red(), cast[0]), tone(at.green(), cast[1]), tone(at.blue(), cast[2])])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn place(factors: &Factors, seed: u64) -> Transform {
        viewed(Transform::identity(), factors, &mut Dice(ChaCha8Rng::seed_from_u64(seed)))
    }

    #[test]
    fn scale_changes_the_size_and_only_the_size() {
        let still = place(&Factors::all(0.0), 0);
        for seed in 0..20 {
            let scaled = place(&Factors { scale: 1.0, ..Factors::all(0.0) }, seed);
            assert_eq!(
                Transform { sx: still.sx, sy: still.sy, ..scaled },
                still,
                "moved or turned: {scaled:?}"
            );
            assert!(scaled.sx == scaled.sy && scaled.sx != still.sx, "seed {seed}: {scaled:?}");
        }
    }

    #[test]
    fn viewpoint_turns_and_moves_and_makes_nothing_larger() {
        let still = place(&Factors::all(0.0), 0);
        for seed in 0..20 {
            let seen = place(&Factors { viewpoint: 1.0, ..Factors::all(0.0) }, seed);
            assert!(seen.tx != 0.0 && seen.ty != 0.0 && seen.ky != 0.0, "seed {seed}: {seen:?}");
            let area = (seen.sx * seen.sy - seen.kx * seen.ky).abs();
            assert!(area <= still.sx * still.sy * 1.0001, "seed {seed}: {area}");
        }
    }
}
