//! Two classifiers on the same images: whether one is better beyond chance.

use crate::TrainError;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Two classifiers counted on the same images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paired {
    /// All images.
    pub images: usize,
    /// Images that only the first one names rightly.
    pub only_first: usize,
    /// Images that only the second one names rightly.
    pub only_second: usize,
}

impl Paired {
    /// How often the bootstrap draws.
    pub const RESAMPLES: usize = 10_000;

    /// Counts what each got right, image by image.
    ///
    /// # Errors
    /// Lists of different length, or empty ones.
    pub fn count(first: &[bool], second: &[bool]) -> Result<Self, TrainError> {
        if first.len() != second.len() || first.is_empty() {
            let (a, b) = (first.len(), second.len());
            return Err(TrainError::Data(format!("{a} and {b} images can't be compared one by one")));
        }
        let pairs = || first.iter().zip(second);
        Ok(Self {
            images: first.len(),
            only_first: pairs().filter(|(first, second)| **first && !**second).count(),
            only_second: pairs().filter(|(first, second)| !**first && **second).count(),
        })
    }

    /// The second one's accuracy less the first one's.
    pub fn difference(&self) -> f64 {
        (self.only_second as f64 - self.only_first as f64) / self.images as f64
    }

    /// The 95 % confidence interval of the difference by the paired bootstrap (Efron and Tibshirani, "An Introduction to
    /// the Bootstrap", 1993, percentile method): as many images as there are get drawn with replacement, each with both
    /// answers to it, 10,000 times; the interval reaches from the 250th to the 9,751st of the differences in order.
    ///
    /// The draws are the same every time. Where the two never differ the interval is 0 to 0, which says nothing about other
    /// images.
    ///
    /// ```
    /// let paired = eyespot_train::Paired { images: 100, only_first: 2, only_second: 12 };
    /// let [low, high] = paired.interval();
    /// assert!(0.0 < low && low < 0.05 && 0.15 < high && high < 0.2);
    /// ```
    pub fn interval(&self) -> [f64; 2] {
        let mut random = ChaCha8Rng::seed_from_u64(0);
        // Which image is drawn matters only by its outcome, so the images may be thought of as sorted by it.
        let second = self.only_second;
        let either = second + self.only_first;
        let mut differences: Vec<i64> = (0..Self::RESAMPLES)
            .map(|_| (0..self.images).map(|_| outcome(below(&mut random, self.images), second, either)).sum())
            .collect();
        differences.sort_unstable();
        let cut = Self::RESAMPLES / 40;
        let share = |place: usize| differences[place] as f64 / self.images as f64;
        [share(cut - 1), share(Self::RESAMPLES - cut)]
    }

    /// McNemar's exact test ("Note on the Sampling Error of the Difference Between Correlated Proportions or Percentages",
    /// 1947): how likely the images that only one names rightly fall apart at least as unevenly if each were as likely to
    /// be the one's as the other's. With `n` of them and `k` of the rarer kind it is the two-sided binomial
    /// `p = min(1, 2 · Σᵢ₌₀ᵏ C(n, i) / 2ⁿ)`. 1 where the two never differ.
    ///
    /// ```
    /// let paired = eyespot_train::Paired { images: 100, only_first: 1, only_second: 5 };
    /// assert!((paired.mcnemar() - 2.0 * (1.0 + 6.0) / 64.0).abs() < 1e-15);
    /// ```
    pub fn mcnemar(&self) -> f64 {
        let n = self.only_first + self.only_second;
        let rarer = self.only_first.min(self.only_second);
        // The largest term by its logarithm, since 2ⁿ is no f64 from 1,024 on; the others by the ratio to the one before.
        let ln = |x: usize| (x as f64).ln();
        let choose: f64 = (1..=rarer).map(|i| ln(n - rarer + i) - ln(i)).sum();
        let mut term = (choose - n as f64 * std::f64::consts::LN_2).exp();
        let mut sum = term;
        for i in (1..=rarer).rev() {
            term *= i as f64 / (n - i + 1) as f64;
            sum += term;
        }
        (2.0 * sum).min(1.0)
    }
}

/// What drawing an image does to the difference.
fn outcome(image: usize, only_second: usize, either: usize) -> i64 {
    if image < only_second {
        1
    } else if image < either {
        -1
    } else {
        0
    }
}

/// A whole number from 0 to `count` − 1. Multiply-shift: the bias is below 2⁻³² for any list that fits in memory.
fn below(random: &mut ChaCha8Rng, count: usize) -> usize {
    ((u128::from(random.next_u64()) * count as u128) >> 64) as usize
}
