//! Setting images aside, by their content.

use crate::Sample;
use std::collections::{BTreeMap, HashMap};

/// What images are set aside for; each draws its own numbers, so that one share doesn't move the other's images.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Validation = 1,
    Test = 2,
}

/// Moves about `share` of the images to a second list; both keep the order given.
///
/// Each unit of images that belong together draws a number from 0 to 1 by its content and the seed, and goes if that lies
/// below `share`. So neither the other images nor names and places decide, and images that are added move none of the old
/// ones. In return the share is met on average only, with the spread of a binomial distribution.
///
/// Of a class with two units or more at least one goes and at least one stays; the only one of a class stays.
pub(super) fn by_content(
    samples: Vec<Sample>,
    classes: usize,
    share: f64,
    seed: u64,
    purpose: Purpose,
) -> (Vec<Sample>, Vec<Sample>) {
    // In the order of the units' content, as everything here.
    let mut moves: BTreeMap<[u8; 32], bool> = BTreeMap::new();
    let mut of_class: Vec<BTreeMap<u64, [u8; 32]>> = vec![BTreeMap::new(); classes];
    for sample in &samples {
        let drawn = draw(&sample.unit, seed, purpose);
        moves.insert(sample.unit, (drawn as f64) < share * 2.0f64.powi(64));
        of_class[sample.label].insert(drawn, sample.unit);
    }
    for units in &of_class {
        let (Some((_, first)), Some((_, last))) = (units.first_key_value(), units.last_key_value()) else {
            continue;
        };
        if units.len() > 1 && units.values().all(|unit| !moves[unit]) {
            moves.insert(*first, true);
        }
        if units.values().all(|unit| moves[unit]) {
            moves.insert(*last, false);
        }
    }
    let (moved, stay): (Vec<Sample>, Vec<Sample>) =
        samples.into_iter().partition(|sample| moves[&sample.unit]);
    (stay, moved)
}

fn draw(unit: &[u8; 32], seed: u64, purpose: Purpose) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(&[purpose as u8]).update(unit);
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(first)
}

/// The fold of each image in a cross-validation, 0 to `folds` − 1: units of each class, the largest first and else in the
/// order of their content, go to the fold that has the fewest images of the class so far. So each class is divided as evenly
/// as its units allow, and neither names nor places nor a seed decide.
pub(super) fn folds(samples: &[Sample], folds: usize) -> Vec<usize> {
    let mut units: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
    for (index, sample) in samples.iter().enumerate() {
        units.entry(sample.unit).or_default().push(index);
    }
    let mut units: Vec<Vec<usize>> = units.into_values().collect();
    let key = |unit: &Vec<usize>| {
        let first = &samples[unit[0]];
        (first.label, std::cmp::Reverse(unit.len()), first.unit)
    };
    units.sort_by_key(key);
    let mut fold_of = vec![0; samples.len()];
    let mut counts: HashMap<usize, Vec<usize>> = HashMap::new();
    for unit in units {
        let counts = counts.entry(samples[unit[0]].label).or_insert_with(|| vec![0; folds]);
        let fold = (0..folds).min_by_key(|&fold| counts[fold]).unwrap_or(0);
        counts[fold] += unit.len();
        unit.into_iter().for_each(|index| fold_of[index] = fold);
    }
    fold_of
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images of these classes, each a unit of its own unless `together` are one.
    fn images(labels: &[usize], together: usize) -> Vec<Sample> {
        let unit = |i: usize| *blake3::hash(&(i / together).to_le_bytes()).as_bytes();
        let sample = |(i, &label)| Sample { unit: unit(i), ..Sample::file(format!("{i}.png"), label) };
        labels.iter().enumerate().map(sample).collect()
    }

    fn names(samples: &[Sample]) -> Vec<&str> {
        samples.iter().filter_map(|sample| sample.path.to_str()).collect()
    }

    #[test]
    fn images_that_are_added_move_none_of_the_old_ones() {
        let labels: Vec<usize> = (0..900).map(|i| i % 3).collect();
        let split = |count: usize| by_content(images(&labels[..count], 1), 3, 0.2, 5, Purpose::Validation);
        let ((train, val), (more_train, more_val)) = (split(600), split(900));
        // A fifth, within four deviations of a binomial distribution: √(600 · 0.2 · 0.8) = 9.8.
        assert!((81..=159).contains(&val.len()), "{}", val.len());
        assert!(names(&val).iter().all(|name| names(&more_val).contains(name)));
        assert!(names(&train).iter().all(|name| names(&more_train).contains(name)));
        // Two purposes, two seeds: other images.
        let test = by_content(images(&labels[..600], 1), 3, 0.2, 5, Purpose::Test).1;
        let other = by_content(images(&labels[..600], 1), 3, 0.2, 6, Purpose::Validation).1;
        assert!(names(&test) != names(&val) && names(&other) != names(&val));
    }

    #[test]
    fn each_class_keeps_an_image_and_gives_one() {
        for seed in 0..50 {
            let (train, val) = by_content(images(&[0, 0, 1, 1, 1, 2], 1), 3, 0.2, seed, Purpose::Validation);
            for class in 0..2 {
                assert!(train.iter().any(|sample| sample.label == class));
                assert!(val.iter().any(|sample| sample.label == class));
            }
            assert!(train.iter().any(|sample| sample.label == 2), "the only image of a class stays");
            let (train, _) = by_content(images(&[0, 0, 0], 1), 1, 0.99, seed, Purpose::Validation);
            assert!(!train.is_empty());
        }
    }

    #[test]
    fn what_belongs_together_stays_together() {
        let labels: Vec<usize> = (0..120).map(|i| i / 60).collect();
        let samples = images(&labels, 4);
        let (train, val) = by_content(samples.clone(), 2, 0.3, 1, Purpose::Validation);
        assert_eq!(train.len() + val.len(), 120);
        assert!(!val.is_empty() && val.iter().all(|a| train.iter().all(|b| a.unit != b.unit)));
        let folds = folds(&samples, 5);
        for (a, fold) in samples.iter().zip(&folds) {
            for (b, other) in samples.iter().zip(&folds) {
                assert!(a.unit != b.unit || fold == other);
            }
        }
    }

    #[test]
    fn folds_divide_each_class_evenly() {
        let labels: Vec<usize> = (0..20).map(|i| usize::from(i >= 13)).collect();
        let samples = images(&labels, 1);
        let fold_of = folds(&samples, 5);
        for fold in 0..5 {
            let of = |label| (0..20).filter(|&i| fold_of[i] == fold && labels[i] == label).count();
            assert!((2..=3).contains(&of(0)) && (1..=2).contains(&of(1)), "{} {}", of(0), of(1));
        }
        // The order of the images doesn't count.
        let mut reversed = samples.clone();
        reversed.reverse();
        let mut back = folds(&reversed, 5);
        back.reverse();
        assert_eq!(back, fold_of);
    }
}
