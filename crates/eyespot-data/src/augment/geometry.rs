//! Which part is seen, and from where.

use super::ResizedCrop;
use crate::random::Random;

/// Left, top, width and height of a random part, as torchvision's `RandomResizedCrop.get_params` chooses: ten tries, then
/// the largest central part with a permitted ratio.
pub(super) fn random_part(crop: &ResizedCrop, width: u32, height: u32, random: &mut Random) -> [u32; 4] {
    let area = f64::from(width) * f64::from(height);
    let (low, high) = crop.ratio;
    for _ in 0..10 {
        let part_area = area * random.between(crop.scale);
        let ratio = random.between((low.ln(), high.ln())).exp();
        let part_width = (part_area * ratio).sqrt().round_ties_even() as u32;
        let part_height = (part_area / ratio).sqrt().round_ties_even() as u32;
        if (1..=width).contains(&part_width) && (1..=height).contains(&part_height) {
            let top = random.below((height - part_height + 1) as usize) as u32;
            let left = random.below((width - part_width + 1) as usize) as u32;
            return [left, top, part_width, part_height];
        }
    }
    let ratio = f64::from(width) / f64::from(height);
    let side = |length: f64| (length.round_ties_even() as u32).max(1);
    let (part_width, part_height) = if ratio < low {
        (width, side(f64::from(width) / low).min(height))
    } else if ratio > high {
        (side(f64::from(height) * high).min(width), height)
    } else {
        (width, height)
    };
    [(width - part_width) / 2, (height - part_height) / 2, part_width, part_height]
}

/// Moves a picture; what comes in is black.
pub(super) fn shift(width: usize, pixels: &mut [u8], down: isize, right: isize) {
    let row = width * 3;
    let moved = (down.unsigned_abs() * row).min(pixels.len());
    let kept = pixels.len() - moved;
    if down >= 0 {
        pixels.copy_within(..kept, moved);
        pixels[..moved].fill(0);
    } else {
        pixels.copy_within(moved.., 0);
        pixels[kept..].fill(0);
    }
    let moved = (right.unsigned_abs() * 3).min(row);
    for row in pixels.chunks_exact_mut(row) {
        let kept = row.len() - moved;
        if right >= 0 {
            row.copy_within(..kept, moved);
            row[..moved].fill(0);
        } else {
            row.copy_within(moved.., 0);
            row[kept..].fill(0);
        }
    }
}

pub(super) fn flip_horizontally(width: usize, pixels: &mut [u8]) {
    for row in pixels.chunks_exact_mut(width * 3) {
        for left in 0..width / 2 {
            let right = width - 1 - left;
            for channel in 0..3 {
                row.swap(left * 3 + channel, right * 3 + channel);
            }
        }
    }
}

pub(super) fn flip_vertically(width: usize, pixels: &mut [u8]) {
    let row = width * 3;
    let rows = pixels.len() / row;
    let (top, bottom) = pixels.split_at_mut(rows / 2 * row);
    for (upper, lower) in top.chunks_exact_mut(row).zip(bottom.rchunks_exact_mut(row)) {
        upper.swap_with_slice(lower);
    }
}

/// Turns a picture counter-clockwise about its centre; what comes in is black.
pub(super) fn rotate(height: usize, width: usize, pixels: &mut [u8], degrees: f64) {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (middle_x, middle_y) = (width as f64 / 2.0, height as f64 / 2.0);
    warp(height, width, pixels, |x, y| {
        let (x, y) = (x - middle_x, y - middle_y);
        // y points down, so this is the inverse of a counter-clockwise turn as seen.
        (cos * x - sin * y + middle_x, sin * x + cos * y + middle_y)
    });
}

/// A corner's x and y.
pub(super) type Corner = [f64; 2];

/// Where the corners (top left, top right, bottom right, bottom left) go, as `RandomPerspective.get_params` chooses.
pub(super) fn random_corners(
    distortion: f64,
    height: usize,
    width: usize,
    random: &mut Random,
) -> [Corner; 4] {
    let most_x = (distortion * (width / 2) as f64) as usize;
    let most_y = (distortion * (height / 2) as f64) as usize;
    let mut inwards = |most: usize| random.below(most + 1) as f64;
    let (right, bottom) = (width as f64 - 1.0, height as f64 - 1.0);
    [
        [inwards(most_x), inwards(most_y)],
        [right - inwards(most_x), inwards(most_y)],
        [right - inwards(most_x), bottom - inwards(most_y)],
        [inwards(most_x), bottom - inwards(most_y)],
    ]
}

/// Moves the corners of a picture; what comes in is black.
pub(super) fn change_perspective(height: usize, width: usize, pixels: &mut [u8], corners: [Corner; 4]) {
    let (right, bottom) = (width as f64 - 1.0, height as f64 - 1.0);
    let from = [[0.0, 0.0], [right, 0.0], [right, bottom], [0.0, bottom]];
    let Some([a, b, c, d, e, f, g, h]) = homography(corners, from) else {
        return; // corners on one line: nothing would be left to see
    };
    warp(height, width, pixels, |x, y| {
        let w = g * x + h * y + 1.0;
        ((a * x + b * y + c) / w, (d * x + e * y + f) / w)
    });
}

/// The eight numbers of the projection that takes four points to four others:
/// `x' = (a x + b y + c) / (g x + h y + 1)`, `y' = (d x + e y + f) / (g x + h y + 1)`.
fn homography(from: [Corner; 4], to: [Corner; 4]) -> Option<[f64; 8]> {
    let mut rows = [[0.0; 9]; 8];
    for (i, ([x, y], [u, v])) in from.into_iter().zip(to).enumerate() {
        rows[2 * i] = [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u];
        rows[2 * i + 1] = [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v];
    }
    // Gauss–Jordan with the largest pivot.
    for column in 0..8 {
        let pivot = (column..8).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        if rows[pivot][column].abs() < 1e-9 {
            return None;
        }
        rows.swap(column, pivot);
        let pivot_row = rows[column].map(|value| value / rows[column][column]);
        rows[column] = pivot_row;
        for (number, row) in rows.iter_mut().enumerate() {
            if number != column {
                let factor = row[column];
                row.iter_mut().zip(pivot_row).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
    }
    Some(rows.map(|row| row[8]))
}

/// Every pixel from where `source` says, between pixels bilinearly, black where that lies outside. Coordinates count from
/// the picture's corner, so that a pixel's centre lies at halves, as in Pillow's `Image.transform`.
fn warp(height: usize, width: usize, pixels: &mut [u8], source: impl Fn(f64, f64) -> (f64, f64)) {
    let before = pixels.to_vec();
    let at = |x: i64, y: i64, channel: usize| {
        let (x, y) = (x.clamp(0, width as i64 - 1) as usize, y.clamp(0, height as i64 - 1) as usize);
        f64::from(before[(y * width + x) * 3 + channel])
    };
    for (place, pixel) in pixels.chunks_exact_mut(3).enumerate() {
        let (x, y) = source((place % width) as f64 + 0.5, (place / width) as f64 + 0.5);
        if !(0.0..width as f64).contains(&x) || !(0.0..height as f64).contains(&y) {
            pixel.fill(0);
            continue;
        }
        let (x, y) = (x - 0.5, y - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let (right_share, bottom_share) = (x - left, y - top);
        let (left, top) = (left as i64, top as i64);
        for (channel, value) in pixel.iter_mut().enumerate() {
            let upper =
                at(left, top, channel) * (1.0 - right_share) + at(left + 1, top, channel) * right_share;
            let lower = at(left, top + 1, channel) * (1.0 - right_share)
                + at(left + 1, top + 1, channel) * right_share;
            // Pillow cuts the fraction off.
            *value = (upper * (1.0 - bottom_share) + lower * bottom_share) as u8;
        }
    }
}
