//! Histograms of oriented gradients (Dalal and Triggs, 2005), as scikit-image computes them.

use image::RgbImage;

/// Settings of [`hog()`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HogSettings {
    /// Directions that gradients are sorted into, over half a turn; default 9.
    pub orientations: usize,
    /// Pixels of a square cell's side; default 16.
    pub cell: usize,
    /// Cells of a square block's side; default 2.
    pub block: usize,
}

impl Default for HogSettings {
    fn default() -> Self {
        Self { orientations: 9, cell: 16, block: 2 }
    }
}

impl HogSettings {
    /// How many numbers a picture of this size gives; 0 if it is too small for one block.
    pub fn len(&self, width: usize, height: usize) -> usize {
        let (columns, rows) = (self.blocks(width), self.blocks(height));
        columns * rows * self.block * self.block * self.orientations
    }

    fn blocks(&self, side: usize) -> usize {
        (side / self.cell.max(1) + 1).saturating_sub(self.block.max(1))
    }
}

/// Histograms of oriented gradients of a picture, `[block row, block column, cell row, cell column, orientation]`.
///
/// Per pixel the channel with the largest central difference counts (0 along the edges); its magnitude goes into the
/// bin of its direction (no interpolation) of its cell; blocks of cells are normalised by L2-Hys: to length 1, cut at
/// 0.2, to length 1 again. Equal to `skimage.feature.hog(picture, channel_axis=-1, block_norm="L2-Hys")` with the
/// same settings. Settings of 0 count as 1.
///
/// ```
/// use eyespot_data::features::{HogSettings, hog};
/// let numbers = hog(&image::RgbImage::new(128, 128), &HogSettings::default());
/// assert_eq!(numbers.len(), 7 * 7 * 2 * 2 * 9);
/// ```
pub fn hog(picture: &RgbImage, settings: &HogSettings) -> Vec<f32> {
    let (bins, cell, block) = (settings.orientations.max(1), settings.cell.max(1), settings.block.max(1));
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (columns, rows) = (width / cell, height / cell);
    let mut cells = vec![0.0f64; rows * columns * bins];
    for y in 0..rows * cell {
        for x in 0..columns * cell {
            let (dx, dy) = gradient(picture, x, y);
            let angle = dy.atan2(dx).to_degrees().rem_euclid(180.0);
            let bin = (0..bins).find(|&b| angle < 180.0 / bins as f64 * (b + 1) as f64);
            // An angle that rounds up to 180 belongs to no bin, as in scikit-image.
            if let Some(bin) = bin {
                cells[((y / cell) * columns + x / cell) * bins + bin] += dx.hypot(dy) / (cell * cell) as f64;
            }
        }
    }
    let mut numbers = Vec::with_capacity(settings.len(width, height));
    let mut values = vec![0.0f64; block * block * bins];
    for row in 0..(rows + 1).saturating_sub(block) {
        for column in 0..(columns + 1).saturating_sub(block) {
            for (index, part) in values.chunks_exact_mut(bins).enumerate() {
                let (r, c) = (row + index / block, column + index % block);
                part.copy_from_slice(&cells[(r * columns + c) * bins..][..bins]);
            }
            to_length_one(&mut values);
            values.iter_mut().for_each(|v| *v = v.min(0.2));
            to_length_one(&mut values);
            numbers.extend(values.iter().map(|&v| v as f32));
        }
    }
    numbers
}

/// Central differences of the channel in which they are largest; the first wins a tie.
fn gradient(picture: &RgbImage, x: usize, y: usize) -> (f64, f64) {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let at = |x: usize, y: usize, c: usize| f64::from(picture.as_raw()[(y * width + x) * 3 + c]);
    let one = |c: usize| {
        let dx = if x == 0 || x + 1 == width { 0.0 } else { at(x + 1, y, c) - at(x - 1, y, c) };
        let dy = if y == 0 || y + 1 == height { 0.0 } else { at(x, y + 1, c) - at(x, y - 1, c) };
        (dx, dy)
    };
    let mut best = one(0);
    for other in [one(1), one(2)] {
        // Whole numbers up to 255: squares compare as exactly as lengths.
        if other.0 * other.0 + other.1 * other.1 > best.0 * best.0 + best.1 * best.1 {
            best = other;
        }
    }
    best
}

fn to_length_one(values: &mut [f64]) {
    const EPS: f64 = 1e-5;
    let length = (values.iter().map(|v| v * v).sum::<f64>() + EPS * EPS).sqrt();
    values.iter_mut().for_each(|v| *v /= length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn a_ramp_has_one_direction() {
        // Brighter to the right: the gradient lies at 0 degrees, in the first bin.
        let ramp = RgbImage::from_fn(64, 64, |x, _| Rgb([(x * 2) as u8; 3]));
        let settings = HogSettings { orientations: 9, cell: 16, block: 1 };
        for cell in hog(&ramp, &settings).chunks_exact(9) {
            assert!(cell[0] > 0.99 && cell[1..].iter().all(|&v| v == 0.0), "{cell:?}");
        }
    }

    #[test]
    fn brightness_does_not_matter() {
        let picture =
            |gain: f32| RgbImage::from_fn(64, 64, |x, y| Rgb([((x * y % 37) as f32 * gain) as u8; 3]));
        let (one, three) = (hog(&picture(2.0), &Default::default()), hog(&picture(6.0), &Default::default()));
        assert!(one.iter().zip(&three).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn too_small_pictures_give_nothing() {
        for (width, height) in [(0, 0), (1, 1), (15, 200), (31, 31)] {
            assert_eq!(hog(&RgbImage::new(width, height), &Default::default()), Vec::<f32>::new());
        }
    }
}
