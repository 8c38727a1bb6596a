//! The order of samples in an epoch, from the seed and the epoch alone.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Fills `order` for an epoch: every sample once, shuffled.
pub(crate) fn shuffle(order: &mut Vec<usize>, samples: usize, seed: u64, epoch: u64) {
    let mut rng = generator(seed, epoch);
    order.clear();
    order.extend(0..samples);
    for i in (1..samples).rev() {
        order.swap(i, below(&mut rng, i + 1));
    }
}

/// Fills `order` with as many draws as there are samples: first a class, all alike, then one of its samples.
pub(crate) fn draw_balanced(order: &mut Vec<usize>, by_class: &[Vec<usize>], seed: u64, epoch: u64) {
    let mut rng = generator(seed, epoch);
    let samples = by_class.iter().map(Vec::len).sum();
    let present: Vec<&Vec<usize>> = by_class.iter().filter(|class| !class.is_empty()).collect();
    order.clear();
    for _ in 0..samples {
        let class = present[below(&mut rng, present.len())];
        order.push(class[below(&mut rng, class.len())]);
    }
}

fn generator(seed: u64, epoch: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch);
    rng
}

/// A whole number below `n`; the bias of 64 bits is far below anything measurable.
fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_holds_every_sample_once_in_an_order_of_its_own() {
        let (mut first, mut again, mut second) = (Vec::new(), Vec::new(), Vec::new());
        shuffle(&mut first, 100, 7, 0);
        shuffle(&mut again, 100, 7, 0);
        shuffle(&mut second, 100, 7, 1);
        assert_eq!(first, again);
        assert_ne!(first, second);
        second.sort_unstable();
        assert_eq!(second, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn balanced_draws_take_rare_classes_as_often() {
        let by_class = [(0..900).collect(), Vec::new(), (900..1000).collect::<Vec<_>>()];
        let mut order = Vec::new();
        draw_balanced(&mut order, &by_class, 3, 0);
        let rare = order.iter().filter(|&&sample| sample >= 900).count();
        assert_eq!(order.len(), 1000);
        // Five standard deviations of a fair coin.
        assert!((420..580).contains(&rare), "{rare}");
    }
}
