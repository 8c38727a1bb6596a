//! Random numbers that depend on what they are for, not on when or where they are drawn.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// A generator of its own for every purpose, such as `[seed, epoch, index, what]`.
    pub fn new(purpose: [u64; 4]) -> Random {
        let mut seed = [0; 32];
        for (bytes, number) in seed.chunks_exact_mut(8).zip(purpose) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        Random(ChaCha8Rng::from_seed(seed))
    }

    /// Evenly in 0 to below 1, in steps of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Evenly between two numbers.
    pub fn between(&mut self, (low, high): (f64, f64)) -> f64 {
        low + (high - low) * self.unit()
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A whole number from 0 to `count` − 1. Multiply-shift: the bias is below 2⁻³² for any list that fits in memory.
    pub fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.0.next_u64()) * count as u128) >> 64) as usize
    }

    /// Fisher–Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let chosen = self.below(last + 1);
            items.swap(chosen, last);
        }
    }

    /// Beta(α, α), by Jöhnk's method (1964): simple, and quick for the small α in use.
    pub fn beta(&mut self, alpha: f64) -> f64 {
        loop {
            let (a, b) = (self.unit().powf(1.0 / alpha), self.unit().powf(1.0 / alpha));
            if a + b > 0.0 && a + b <= 1.0 {
                return a / (a + b);
            }
        }
    }
}

/// What a generator is for, the last of its four numbers.
pub(crate) mod purpose {
    pub const ORDER: u64 = 1;
    pub const PICTURE: u64 = 3;
    pub const BATCH: u64 = 4;
}

/// The numbers 0 to `count` − 1 in an order of their own for every seed and epoch.
pub fn shuffled(count: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    Random::new([seed, epoch, 0, purpose::ORDER]).shuffle(&mut order);
    order
}
