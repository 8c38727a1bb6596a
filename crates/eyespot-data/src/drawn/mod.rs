//! Drawn pictures: a small data set made on the spot, with exact control over what makes vision hard.
//!
//! Every picture shows one of the [`KINDS`] in front of a background. Six [`Factors`] say how much pictures differ in
//! light, angle, size, covering, background and individual; at 0 every picture of a kind is the same. The same seed
//! gives the same picture.

mod scene;
mod subject;

use image::RgbImage;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// What can be drawn, in the order of the classes.
pub const KINDS: [&str; 4] = ["butterfly", "fish", "flower", "mushroom"];

/// How much the pictures vary, each from 0 (not at all) to 1 (as hard as it gets).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Factors {
    /// Brightness, contrast, light from a side, colour cast.
    pub illumination: f32,
    /// Rotation, slant, mirrored or not, a shift.
    pub viewpoint: f32,
    /// Size of the subject.
    pub scale: f32,
    /// Leaves in front of the subject.
    pub occlusion: f32,
    /// Colours and things behind the subject.
    pub background: f32,
    /// Colours, proportions and patterns of the individual.
    pub individual: f32,
}

impl Default for Factors {
    /// A moderate variety that a small network can learn.
    fn default() -> Self {
        Self { occlusion: 0.25, ..Self::all(0.5) }
    }
}

impl Factors {
    /// The names, in the order in which tables show them.
    pub const NAMES: [&'static str; 6] =
        ["illumination", "viewpoint", "scale", "occlusion", "background", "individual"];

    /// The same strength for all six.
    pub fn all(strength: f32) -> Self {
        Self {
            illumination: strength,
            viewpoint: strength,
            scale: strength,
            occlusion: strength,
            background: strength,
            individual: strength,
        }
    }

    /// The factor of this name, to set it; `None` if there is no such factor.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut f32> {
        match name {
            "illumination" => Some(&mut self.illumination),
            "viewpoint" => Some(&mut self.viewpoint),
            "scale" => Some(&mut self.scale),
            "occlusion" => Some(&mut self.occlusion),
            "background" => Some(&mut self.background),
            "individual" => Some(&mut self.individual),
            _ => None,
        }
    }
}

/// Draws a square picture of `KINDS[kind % 4]` with `size` pixels a side (8 to 1024; other sizes are brought there).
/// `seed` decides everything that varies.
///
/// ```
/// use eyespot_data::drawn::{Factors, draw};
/// let picture = draw(0, 64, &Factors::default(), 7);
/// assert_eq!(picture.dimensions(), (64, 64));
/// assert_eq!(picture, draw(0, 64, &Factors::default(), 7));
/// ```
pub fn draw(kind: usize, size: u32, factors: &Factors, seed: u64) -> RgbImage {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
    scene::draw(kind % KINDS.len(), size.clamp(8, 1024), factors, &mut dice)
}

/// Draws random numbers; each factor takes the same count whatever its strength, so that turning one factor up
/// leaves everything else in the picture as it was.
struct Dice(ChaCha8Rng);

impl Dice {
    /// Uniform in 0..1.
    fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    /// Uniform in −`reach`..`reach`.
    fn around(&mut self, reach: f32) -> f32 {
        (self.unit() * 2.0 - 1.0) * reach
    }

    /// `base`, or a value up to `reach` away from it as `strength` goes to 1.
    fn vary(&mut self, base: f32, reach: f32, strength: f32) -> f32 {
        base + self.around(reach) * strength
    }

    /// Dice of its own for a part that takes a varying count of numbers.
    fn fork(&mut self) -> Dice {
        Dice(ChaCha8Rng::seed_from_u64(self.0.next_u64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
        let sum: f64 = a.iter().zip(b.iter()).map(|(x, y)| f64::from(x.abs_diff(*y))).sum();
        sum / a.len() as f64
    }

    #[test]
    fn without_factors_a_kind_always_looks_the_same() {
        for kind in 0..KINDS.len() {
            let still = Factors::all(0.0);
            assert_eq!(draw(kind, 48, &still, 1), draw(kind, 48, &still, 2));
        }
    }

    #[test]
    fn kinds_differ() {
        let still = Factors::all(0.0);
        for a in 0..KINDS.len() {
            for b in 0..a {
                assert!(difference(&draw(a, 64, &still, 1), &draw(b, 64, &still, 1)) > 5.0);
            }
        }
    }

    #[test]
    fn each_factor_changes_pictures_and_more_of_it_more() {
        for name in Factors::NAMES {
            let mean = |strength: f32| {
                let mut factors = Factors::all(0.0);
                *factors.get_mut(name).expect("a factor of that name") = strength;
                let still = Factors::all(0.0);
                let one = |seed| difference(&draw(0, 64, &factors, seed), &draw(0, 64, &still, seed));
                (0..12).map(one).sum::<f64>() / 12.0
            };
            let (little, much) = (mean(0.2), mean(1.0));
            assert!(little > 0.1, "{name} at 0.2 changes {little} grey levels");
            assert!(much > little, "{name}: {much} at 1 against {little} at 0.2");
        }
    }

    #[test]
    fn odd_sizes_are_brought_into_range() {
        assert_eq!(draw(9, 0, &Factors::default(), 3).dimensions(), (8, 8));
    }
}
