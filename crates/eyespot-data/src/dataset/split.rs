//! Setting validation pictures aside.

use crate::Sample;
use crate::random::{Random, purpose};

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
