//! Light, colour and focus. The formulas are Pillow's, which torchvision calls for pictures.

use super::ColorJitter;
use crate::random::Random;
use crate::transform::luma;

/// The four changes in random order. Each draws its factor whether or not it is on.
pub(super) fn jitter(jitter: &ColorJitter, pixels: &mut [u8], random: &mut Random) {
    let mut order = [0, 1, 2, 3];
    random.shuffle(&mut order);
    let mut factor = |spread: f64| random.between(((1.0 - spread).max(0.0), 1.0 + spread)) as f32;
    let brightness = factor(jitter.brightness);
    let contrast = factor(jitter.contrast);
    let saturation = factor(jitter.saturation);
    let hue = random.between((-jitter.hue, jitter.hue));
    for change in order {
        match change {
            0 if jitter.brightness > 0.0 => brighten(pixels, brightness),
            1 if jitter.contrast > 0.0 => contrast_by(pixels, contrast),
            2 if jitter.saturation > 0.0 => saturate(pixels, saturation),
            3 if jitter.hue > 0.0 => turn_hue(pixels, hue),
            _ => {}
        }
    }
}

/// `from + factor · (to − from)`, cut off to a whole number and to 0..255.
fn blend(from: u8, to: u8, factor: f32) -> u8 {
    (f32::from(from) + factor * (f32::from(to) - f32::from(from))) as u8
}

pub(super) fn brighten(pixels: &mut [u8], factor: f32) {
    pixels.iter_mut().for_each(|sample| *sample = blend(0, *sample, factor));
}

pub(super) fn contrast_by(pixels: &mut [u8], factor: f32) {
    let sum: u64 = pixels.chunks_exact(3).map(|p| u64::from(luma(p[0], p[1], p[2]))).sum();
    let mean = (sum as f64 / (pixels.len() / 3).max(1) as f64 + 0.5) as u8;
    pixels.iter_mut().for_each(|sample| *sample = blend(mean, *sample, factor));
}

/// A factor of 0 gives grey, 1 the same picture.
pub(super) fn saturate(pixels: &mut [u8], factor: f32) {
    for pixel in pixels.chunks_exact_mut(3) {
        let grey = luma(pixel[0], pixel[1], pixel[2]);
        pixel.iter_mut().for_each(|sample| *sample = blend(grey, *sample, factor));
    }
}

/// Turns the hue by a share of the colour circle, in steps of 1/255 and through 8-bit HSV.
pub(super) fn turn_hue(pixels: &mut [u8], share: f64) {
    let steps = (share * 255.0) as i32 as u8;
    for pixel in pixels.chunks_exact_mut(3) {
        let [h, s, v] = to_hsv([pixel[0], pixel[1], pixel[2]]);
        pixel.copy_from_slice(&to_rgb([h.wrapping_add(steps), s, v]));
    }
}

fn to_hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    if most == least {
        return [0, 0, most];
    }
    let range = f32::from(most - least);
    let distance = |sample: u8| f32::from(most - sample) / range;
    // Where Pillow rounds to single precision matters: one step of hue is up to six grey levels.
    let sixth = if r == most {
        distance(b) - distance(g)
    } else if g == most {
        (2.0 + f64::from(distance(r)) - f64::from(distance(b))) as f32
    } else {
        (4.0 + f64::from(distance(g)) - f64::from(distance(r))) as f32
    };
    let hue = f64::from(((f64::from(sixth) / 6.0 + 1.0) % 1.0) as f32);
    [(hue * 255.0) as u8, (f64::from(range / f32::from(most)) * 255.0) as u8, most]
}

fn to_rgb([h, s, v]: [u8; 3]) -> [u8; 3] {
    if s == 0 {
        return [v; 3];
    }
    let turn = f64::from(h) * 6.0 / 255.0;
    let sector = turn.floor();
    let (share, s) = (turn - sector, f64::from(s) / 255.0);
    let value = |drop: f64| (f64::from(v) * (1.0 - drop)).round() as u8;
    let (p, q, t) = (value(s), value(s * share), value(s * (1.0 - share)));
    match sector as u8 % 6 {
        0 => [v, t, p],
        1 => [q, v, p],
        2 => [p, v, t],
        3 => [p, q, v],
        4 => [t, p, v],
        _ => [v, p, q],
    }
}

/// Gaussian blur, across and then down, the picture mirrored at its edges without repeating the edge pixel.
pub(super) fn blur(height: usize, width: usize, pixels: &mut [u8], kernel: usize, sigma: f64) {
    let half = (kernel / 2) as i64;
    let weight = |distance: i64| (-0.5 * (distance as f64 / sigma).powi(2)).exp();
    let total: f64 = (-half..=half).map(weight).sum();
    let weights: Vec<f32> = (-half..=half).map(|distance| (weight(distance) / total) as f32).collect();
    let before: Vec<f32> = pixels.iter().map(|sample| f32::from(*sample)).collect();
    let mut across = vec![0.0; before.len()];
    let columns: Vec<Vec<usize>> = (0..width).map(|x| neighbours(x, width, half)).collect();
    for (from, to) in before.chunks_exact(width * 3).zip(across.chunks_exact_mut(width * 3)) {
        for (x, columns) in columns.iter().enumerate() {
            for channel in 0..3 {
                let terms = columns.iter().zip(&weights).map(|(column, w)| from[column * 3 + channel] * w);
                to[x * 3 + channel] = terms.sum();
            }
        }
    }
    let mut sums = vec![0.0f32; width * 3];
    for y in 0..height {
        sums.fill(0.0);
        for (row, w) in neighbours(y, height, half).into_iter().zip(&weights) {
            let row = &across[row * width * 3..][..width * 3];
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * w);
        }
        let out = &mut pixels[y * width * 3..][..width * 3];
        out.iter_mut().zip(&sums).for_each(|(sample, sum)| *sample = sum.round_ties_even() as u8);
    }
}

/// The pixels from `half` before to `half` after one, mirrored at both ends as often as it takes.
fn neighbours(place: usize, length: usize, half: i64) -> Vec<usize> {
    let period = (2 * length as i64 - 2).max(1);
    (place as i64 - half..=place as i64 + half)
        .map(|at| {
            let at = at.rem_euclid(period);
            at.min(period - at).min(length as i64 - 1) as usize
        })
        .collect()
}
