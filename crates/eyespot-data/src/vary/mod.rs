//! What makes vision hard, applied to pictures on purpose: the robustness test.
//!
//! A [`Variation`] in one of five [`STRENGTHS`] changes a picture the same way every time for the same seed, so two
//! models meet exactly the same pictures.

mod light;
mod things;
mod view;
mod views;

pub use views::Views;

use image::RgbImage;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// The strengths, mild to severe, as shares of the most a variation does.
pub const STRENGTHS: [f32; 5] = [0.2, 0.4, 0.6, 0.8, 1.0];

/// One of the five variations that can be made from a picture. The sixth, variation inside a class, is measured from
/// the data instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variation {
    /// Exposure up to ±1.5 stops, contrast and gamma up to a factor 1.5, light from a side, a colour cast.
    Illumination,
    /// Rotation up to ±60° and perspective. A picture is mirrored or isn't, so what grows with the strength is how many
    /// are: none at 0, half of them at 1.
    Viewpoint,
    /// The subject up to 2.5 times smaller or larger.
    Scale,
    /// Patches of even colour over up to 60 % of the picture.
    Occlusion,
    /// Coloured things around the middle, over up to 70 % of the picture's outer part.
    Background,
}

impl Variation {
    /// All of them, in the order of tables.
    pub const ALL: [Variation; 5] =
        [Self::Illumination, Self::Viewpoint, Self::Scale, Self::Occlusion, Self::Background];

    /// Its name in tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Illumination => "illumination",
            Self::Viewpoint => "viewpoint",
            Self::Scale => "scale",
            Self::Occlusion => "occlusion",
            Self::Background => "background",
        }
    }

    /// The picture under this variation; the size stays. `strength` lies in 0..=1 (0 changes nothing); `seed`
    /// decides direction and place, not the amount.
    ///
    /// ```
    /// use eyespot_data::{drawn, vary::Variation};
    /// let picture = drawn::draw(0, 64, &Default::default(), 1);
    /// let dark_or_bright = Variation::Illumination.apply(&picture, 0.6, 1);
    /// assert_eq!(dark_or_bright.dimensions(), picture.dimensions());
    /// assert_ne!(dark_or_bright, picture);
    /// ```
    pub fn apply(self, picture: &RgbImage, strength: f32, seed: u64) -> RgbImage {
        let strength = if strength.is_finite() { strength.clamp(0.0, 1.0) } else { 0.0 };
        if strength == 0.0 || picture.width() == 0 || picture.height() == 0 {
            return picture.clone();
        }
        // Every variation has a stream of its own, so that none moves in step with another.
        let mut dice =
            Dice(ChaCha8Rng::seed_from_u64(seed ^ (self as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        match self {
            Self::Illumination => light::illumination(picture, strength, &mut dice),
            Self::Viewpoint => view::viewpoint(picture, strength, &mut dice),
            Self::Scale => view::scale(picture, strength, &mut dice),
            Self::Occlusion => things::occlusion(picture, strength, &mut dice),
            Self::Background => things::background(picture, strength, &mut dice),
        }
    }
}

struct Dice(ChaCha8Rng);

impl Dice {
    /// Uniform in 0..1.
    fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    /// −1 or 1.
    fn sign(&mut self) -> f32 {
        if self.unit() < 0.5 { -1.0 } else { 1.0 }
    }

    /// A random direction with a size between half and the whole of `reach`: never nearly nothing.
    fn push(&mut self, reach: f32) -> f32 {
        self.sign() * reach * (0.5 + 0.5 * self.unit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawn;

    fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
        let sum: f64 = a.iter().zip(b.iter()).map(|(x, y)| f64::from(x.abs_diff(*y))).sum();
        sum / a.len() as f64
    }

    #[test]
    fn stronger_changes_more_and_nothing_changes_nothing() {
        for variation in Variation::ALL {
            let mean = |strength| {
                let one = |seed| {
                    let picture = drawn::draw(seed as usize, 96, &Default::default(), seed);
                    difference(&variation.apply(&picture, strength, seed), &picture)
                };
                (0..16).map(one).sum::<f64>() / 16.0
            };
            assert_eq!(mean(0.0), 0.0);
            let changes = STRENGTHS.map(mean);
            assert!(changes[0] > 1.0, "{}: {changes:?}", variation.name());
            assert!(changes[4] > 1.3 * changes[0], "{}: {changes:?}", variation.name());
            assert!(changes.windows(2).all(|w| w[1] > w[0] * 0.98), "{}: {changes:?}", variation.name());
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_picture_and_another_another() {
        let picture = drawn::draw(1, 48, &Default::default(), 5);
        for variation in Variation::ALL {
            assert_eq!(variation.apply(&picture, 0.6, 3), variation.apply(&picture, 0.6, 3));
            assert_ne!(variation.apply(&picture, 0.6, 3), variation.apply(&picture, 0.6, 4));
        }
    }

    #[test]
    fn odd_pictures_and_strengths_are_harmless() {
        for variation in Variation::ALL {
            for (width, height) in [(0, 0), (1, 1), (1, 40), (300, 2)] {
                for strength in [0.5, 1.0, 7.0, -1.0, f32::NAN] {
                    let varied = variation.apply(&RgbImage::new(width, height), strength, 9);
                    assert_eq!(varied.dimensions(), (width, height));
                }
            }
        }
    }
}
