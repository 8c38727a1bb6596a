//! Dropout whose mask is a function of seed, step, layer and position, so it is the same for any number of threads
//! and need not be stored.

use crate::vectorised::{self, Kernel};
use crate::{BLOCK, Threads};

/// One layer's dropout in one training step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Probability to drop a number, 0 … 1.
    pub p: f32,
    /// The run's seed.
    pub seed: u64,
    /// The optimizer step, counted from 0.
    pub step: u64,
    /// A number that tells this layer from the network's other ones.
    pub layer: u64,
}

impl Dropout {
    /// `y = x / (1 − p)` where kept, else 0. `x` may be the activations (forward) or the gradient at the result
    /// (backward): the same step gives the same mask.
    pub fn apply(&self, threads: &Threads, x: &[f32], y: &mut [f32]) {
        assert_eq!(x.len(), y.len(), "input and output have one length");
        threads.chunks(y, BLOCK, |block, y| {
            y.copy_from_slice(&x[block * BLOCK..][..y.len()]);
            vectorised::run(self.mask(block, y));
        });
    }

    /// As [`Dropout::apply`], in place.
    pub fn apply_in_place(&self, threads: &Threads, x: &mut [f32]) {
        threads.chunks(x, BLOCK, |block, x| vectorised::run(self.mask(block, x)));
    }

    /// # Panics
    /// When the probability is none.
    fn mask<'a>(&self, block: usize, x: &'a mut [f32]) -> Mask<'a> {
        let key =
            [self.seed, self.step, self.layer, block as u64].into_iter().fold(0, |key, part| mix(key ^ part));
        assert!((0.0..=1.0).contains(&self.p), "dropout with a probability of {}", self.p);
        let p = f64::from(self.p);
        let scale = if self.p < 1.0 { (1.0 / (1.0 - p)) as f32 } else { 0.0 };
        // 2^24 steps are as fine as a float's: the lowest draws are dropped.
        let threshold = (p * f64::from(1u32 << 24)).round() as u32;
        Mask { key, threshold, scale, x }
    }
}

/// One step of SplitMix64 (Steele, Lea and Flood 2014).
fn mix(key: u64) -> u64 {
    let z = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

struct Mask<'a> {
    key: u64,
    threshold: u32,
    scale: f32,
    x: &'a mut [f32],
}

impl Kernel for Mask<'_> {
    #[inline(always)]
    fn run(self) {
        let (low, high) = (self.key as u32, (self.key >> 32) as u32);
        for (index, x) in self.x.iter_mut().enumerate() {
            // Two rounds of multiply and xor-shift over 32 bits, which vectorise.
            let mut h = (index as u32).wrapping_mul(0x9e37_79b9) ^ low;
            h = (h ^ (h >> 16)).wrapping_mul(0x7feb_352d);
            h = (h ^ high ^ (h >> 15)).wrapping_mul(0x846c_a68b);
            h ^= h >> 16;
            *x = if (h >> 8) < self.threshold { 0.0 } else { *x * self.scale };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Dropout = Dropout { p: 0.3, seed: 1, step: 2, layer: 3 };

    fn masked(dropout: Dropout, threads: usize) -> Vec<f32> {
        let mut y = vec![0.0; 100_000];
        dropout.apply(&Threads::new(threads), &vec![1.0; y.len()], &mut y);
        y
    }

    fn kept(mask: &[f32]) -> f64 {
        mask.iter().filter(|&&y| y != 0.0).count() as f64 / mask.len() as f64
    }

    #[test]
    fn keeps_the_expected_share_and_scales_it() {
        let y = masked(ONE, 2);
        assert!(y.iter().all(|&y| y == 0.0 || y == 1.0 / 0.7));
        // Four standard deviations of 100,000 draws.
        assert!((kept(&y) - 0.7).abs() < 4.0 * (0.21f64 / 1e5).sqrt());
        assert!(masked(Dropout { p: 0.0, ..ONE }, 1).iter().all(|&y| y == 1.0));
        assert!(masked(Dropout { p: 1.0, ..ONE }, 1).iter().all(|&y| y == 0.0));
    }

    #[test]
    fn masks_are_independent_of_each_other() {
        let base = masked(ONE, 1);
        let others = [Dropout { seed: 2, ..ONE }, Dropout { step: 3, ..ONE }, Dropout { layer: 4, ..ONE }];
        for other in others {
            let other = masked(other, 1);
            let both = base.iter().zip(&other).filter(|(a, b)| **a != 0.0 && **b != 0.0).count();
            assert!((both as f64 / 1e5 - 0.49).abs() < 4.0 * (0.25f64 / 1e5).sqrt());
        }
        // Neighbours are independent as well.
        for distance in [1, 2, 3, 16, BLOCK] {
            let pairs = base.len() - distance;
            let both = (0..pairs).filter(|&i| base[i] != 0.0 && base[i + distance] != 0.0).count();
            assert!((both as f64 / pairs as f64 - 0.49).abs() < 5.0 * (0.25f64 / 8e4).sqrt());
        }
    }

    #[test]
    fn the_same_for_any_number_of_threads_and_in_place() {
        let base = masked(ONE, 1);
        assert_eq!(base, masked(ONE, 3));
        let mut in_place = vec![1.0; base.len()];
        ONE.apply_in_place(&Threads::new(2), &mut in_place);
        assert_eq!(base, in_place);
    }
}
