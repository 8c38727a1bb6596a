//! Setting validation pictures aside.

use crate::Sample;
use crate::random::{Random, purpose};

/// Parts the samples into fold `index` of `folds` and the others, each class on its own and by the seed; both keep the order
/// given. The folds together are all samples.
pub(super) fn fold(
    samples: &[Sample],
    classes: usize,
    (index, folds): (usize, usize),
    seed: u64,
) -> (Vec<Sample>, Vec<Sample>) {
    let mut of_class: Vec<Vec<usize>> = vec![Vec::new(); classes];
    for (place, sample) in samples.iter().enumerate() {
        of_class[sample.label].push(place);
    }
    let mut inside = vec![false; samples.len()];
    for (class, members) in of_class.iter_mut().enumerate() {
        Random::new([seed, class as u64, 1, purpose::SPLIT]).shuffle(members);
        // Classes begin with different folds, so that small ones don't all meet in the first.
        let in_fold = |(place, _): &(usize, &usize)| (place + class) % folds == index;
        for (_, &place) in members.iter().enumerate().filter(in_fold) {
            inside[place] = true;
        }
    }
    let pick = |wanted: bool| {
        let chosen = samples.iter().zip(&inside).filter(|(_, inside)| **inside == wanted);
        chosen.map(|(sample, _)| sample.clone()).collect()
    };
    (pick(true), pick(false))
}

/// Moves `share` of each class, chosen by the seed, to a second list; both keep the order given.
///
/// At least one picture of a class goes and at least one stays, so a class with a single picture isn't touched.
pub(super) fn stratified(
    samples: Vec<Sample>,
    classes: usize,
    share: f64,
    seed: u64,
) -> (Vec<Sample>, Vec<Sample>) {
    let mut of_class: Vec<Vec<usize>> = vec![Vec::new(); classes];
    for (index, sample) in samples.iter().enumerate() {
        of_class[sample.label].push(index);
    }
    let mut moves = vec![false; samples.len()];
    for (class, members) in of_class.iter_mut().enumerate() {
        // A stream of its own for every class: pictures added to one don't move those of another.
        Random::new([seed, class as u64, 0, purpose::SPLIT]).shuffle(members);
        let count = (members.len() as f64 * share).round() as usize;
        let count = count.max(1).min(members.len().saturating_sub(1));
        for &index in &members[..count] {
            moves[index] = true;
        }
    }
    let mut train = Vec::new();
    let mut val = Vec::new();
    for (sample, moved) in samples.into_iter().zip(moves) {
        if moved { val.push(sample) } else { train.push(sample) }
    }
    (train, val)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_divide_each_class_evenly_and_hold_every_sample_once() {
        let sample = |i: usize| Sample::file(format!("{i}.png"), if i < 13 { 0 } else { 1 });
        let samples: Vec<Sample> = (0..20).map(sample).collect();
        let mut seen = Vec::new();
        for index in 0..5 {
            let (inside, others) = fold(&samples, 2, (index, 5), 3);
            assert_eq!(inside.len() + others.len(), 20);
            assert!(inside.iter().all(|sample| !others.iter().any(|other| other.path == sample.path)));
            let of = |label| inside.iter().filter(|sample| sample.label == label).count();
            assert!((2..=3).contains(&of(0)) && (1..=2).contains(&of(1)), "{} {}", of(0), of(1));
            seen.extend(inside.into_iter().map(|sample| sample.path));
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 20);
        let first = |seed| fold(&samples, 2, (0, 5), seed).0.into_iter().map(|s| s.path).collect::<Vec<_>>();
        assert_eq!(first(3), first(3));
        assert_ne!(first(3), first(4));
    }
}
