//! Traditional features: what classifiers were fed before networks learned their own.

mod color;
mod hog;

pub use color::color_histogram;
pub use hog::{HogSettings, hog};

use image::RgbImage;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// One kind of feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Feature {
    /// Histograms of oriented gradients: shape. 1,764 numbers.
    Hog,
    /// Shares of hue, saturation and brightness: colour. 192 numbers.
    Color,
    /// Grey levels of 32 × 32 squares: the picture itself. 1,024 numbers.
    Pixels,
}

/// A list of names of features that can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{}` names no features; use hog, color or pixels, or several joined by +, such as hog+color",
    eyespot_system::printable(.0)
)]
pub struct UnknownFeature(String);

/// Which features a picture is described by, and how each number is standardised: `(x − mean) / std`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// The kinds, one behind the other in the vector.
    pub kinds: Vec<Feature>,
    /// Mean of each number over the training pictures; empty before [`Features::standardise`].
    pub mean: Vec<f32>,
    /// Standard deviation of each number over the training pictures; empty like `mean`.
    pub std: Vec<f32>,
}

/// Side of the square picture that features are computed from, in pixels.
pub const SIDE: u32 = 128;
const PIXELS_SIDE: u32 = 32;

impl FromStr for Features {
    type Err = UnknownFeature;

    /// `hog`, `color`, `pixels`, or several joined by `+`.
    fn from_str(names: &str) -> Result<Self, UnknownFeature> {
        let kind = |name: &str| match name.trim() {
            "hog" => Ok(Feature::Hog),
            "color" => Ok(Feature::Color),
            "pixels" => Ok(Feature::Pixels),
            _ => Err(UnknownFeature(names.to_owned())),
        };
        let kinds: Vec<Feature> = names.split('+').map(kind).collect::<Result<_, _>>()?;
        let twice = kinds.iter().enumerate().any(|(i, kind)| kinds[..i].contains(kind));
        if twice {
            return Err(UnknownFeature(names.to_owned()));
        }
        Ok(Self { kinds, mean: Vec::new(), std: Vec::new() })
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |kind: &Feature| match kind {
            Feature::Hog => "hog",
            Feature::Color => "color",
            Feature::Pixels => "pixels",
        };
        f.write_str(&self.kinds.iter().map(name).collect::<Vec<_>>().join("+"))
    }
}

impl Features {
    /// How many numbers describe a picture.
    pub fn len(&self) -> usize {
        let one = |kind: &Feature| match kind {
            Feature::Hog => HogSettings::default().len(SIDE as usize, SIDE as usize),
            Feature::Color => color::LEN,
            Feature::Pixels => (PIXELS_SIDE * PIXELS_SIDE) as usize,
        };
        self.kinds.iter().map(one).sum()
    }

    /// Whether there are no features.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The numbers of a picture of [`SIDE`] × [`SIDE`] pixels (another size is squashed to it), standardised if
    /// [`Features::standardise`] was called. Each kind is in the order its own function documents.
    pub fn compute(&self, picture: &RgbImage) -> Vec<f32> {
        let squashed;
        let picture = if picture.dimensions() == (SIDE, SIDE) {
            picture
        } else {
            squashed = image::imageops::resize(picture, SIDE, SIDE, image::imageops::FilterType::Triangle);
            &squashed
        };
        let mut numbers = Vec::with_capacity(self.len());
        for kind in &self.kinds {
            match kind {
                Feature::Hog => numbers.extend(hog(picture, &HogSettings::default())),
                Feature::Color => numbers.extend(color_histogram(picture)),
                Feature::Pixels => numbers.extend(grey_pixels(picture)),
            }
        }
        self.apply(&mut numbers);
        numbers
    }

    /// Standardises the numbers of one picture; does nothing before [`Features::standardise`].
    pub fn apply(&self, numbers: &mut [f32]) {
        for ((x, mean), std) in numbers.iter_mut().zip(&self.mean).zip(&self.std) {
            *x = (*x - mean) / std;
        }
    }

    /// Takes mean and standard deviation from the training pictures' raw numbers, pictures × [`Features::len`]. A number that never changes gets
    /// the standard deviation 1, so it becomes 0.
    pub fn standardise(&mut self, raw: &[f32]) {
        let rows = || raw.chunks_exact(self.len().max(1));
        let count = rows().len().max(1) as f64;
        let mut mean = vec![0.0f64; self.len()];
        for row in rows() {
            mean.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x) / count);
        }
        let mut variance = vec![0.0f64; self.len()];
        for row in rows() {
            let squares = row.iter().zip(&mean).map(|(&x, m)| (f64::from(x) - m).powi(2) / count);
            variance.iter_mut().zip(squares).for_each(|(sum, square)| *sum += square);
        }
        let spread = |variance: &f64| {
            let std = variance.sqrt() as f32;
            if std > 1e-6 { std } else { 1.0 }
        };
        self.std = variance.iter().map(spread).collect();
        self.mean = mean.iter().map(|&m| m as f32).collect();
    }

    /// What is wrong with features that were read from a file.
    pub fn validate(&self) -> Result<(), String> {
        if self.kinds.is_empty() {
            return Err("no kind of feature is named".to_owned());
        }
        for (name, values) in [("mean", &self.mean), ("std", &self.std)] {
            if !values.is_empty() && values.len() != self.len() {
                return Err(format!("{name} has {} numbers, the features {}", values.len(), self.len()));
            }
        }
        if self.mean.len() != self.std.len() || self.std.iter().any(|s| !s.is_finite() || *s <= 0.0) {
            return Err("mean and std don't belong together, or a std isn't positive".to_owned());
        }
        Ok(())
    }
}

/// Mean grey level (0 to 1, ITU-R 601 weights) of 32 × 32 squares, row after row.
fn grey_pixels(picture: &RgbImage) -> Vec<f32> {
    let small =
        image::imageops::resize(picture, PIXELS_SIDE, PIXELS_SIDE, image::imageops::FilterType::Triangle);
    let grey = |p: &image::Rgb<u8>| {
        (0.299 * f32::from(p.0[0]) + 0.587 * f32::from(p.0[1]) + 0.114 * f32::from(p.0[2])) / 255.0
    };
    small.pixels().map(grey).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_understood_and_written_back() {
        for (text, len) in [("hog", 1764), ("color", 192), ("pixels", 1024), ("hog+color", 1956)] {
            let features: Features = text.parse().expect(text);
            assert_eq!((features.to_string().as_str(), features.len()), (text, len));
            assert_eq!(features.compute(&RgbImage::new(50, 30)).len(), len);
        }
        for wrong in ["", "hogg", "hog+", "hog+hog", "HOG"] {
            assert!(wrong.parse::<Features>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn standardised_numbers_have_mean_0_and_deviation_1() {
        let pictures: Vec<RgbImage> =
            (0..20).map(|s| crate::drawn::draw(s, 64, &Default::default(), s as u64)).collect();
        let mut features: Features = "hog+color+pixels".parse().expect("known names");
        let raw: Vec<Vec<f32>> = pictures.iter().map(|p| features.compute(p)).collect();
        features.standardise(&raw.concat());
        features.validate().expect("sound");
        let done: Vec<Vec<f32>> = pictures.iter().map(|p| features.compute(p)).collect();
        for index in 0..features.len() {
            let mean = done.iter().map(|row| f64::from(row[index])).sum::<f64>() / 20.0;
            let square = done.iter().map(|row| f64::from(row[index]).powi(2)).sum::<f64>() / 20.0;
            assert!(mean.abs() < 1e-3, "number {index}: mean {mean}");
            let constant = raw.iter().all(|row| (row[index] - raw[0][index]).abs() < 1e-6);
            assert!(constant || (square - 1.0).abs() < 1e-2, "number {index}: {square}");
        }
    }
}
