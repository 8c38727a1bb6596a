//! Groups of similar rows: k-means.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Starts from other centres; the tightest grouping is kept.
const STARTS: u64 = 4;
/// Lloyd's steps at most; a few dozen nearly always suffice.
const STEPS: usize = 100;

/// Divides rows of `length` numbers into at most `k` groups of similar ones: for each row the number of its group.
///
/// Minimises `Σᵢ |xᵢ − c(i)|²`, c(i) being the mean of row i's group, by Lloyd's algorithm ("Least squares quantization
/// in PCM", 1982): every row joins the nearest mean, the means follow, until nothing changes. The first means are drawn
/// by k-means++ (Arthur and Vassilvitskii, 2007), each row with a probability proportional to its squared distance from
/// the means drawn so far, from a fixed seed: the same rows give the same groups.
///
/// Groups are numbered as they first appear; none is empty, so equal rows give fewer than `k`. A row with a number that
/// isn't finite counts as far from everything.
///
/// ```
/// let rows = [0.0, 0.1, 9.0, 9.2, 0.2];
/// assert_eq!(eyespot_train::k_means(&rows, 1, 2), [0, 0, 1, 1, 0]);
/// ```
pub fn k_means(rows: &[f32], length: usize, k: usize) -> Vec<usize> {
    let rows: Vec<&[f32]> = rows.chunks_exact(length.max(1)).collect();
    if rows.is_empty() || k <= 1 {
        return vec![0; rows.len()];
    }
    let mut best: Option<(f64, Vec<usize>)> = None;
    for start in 0..STARTS {
        let mut means = first_means(&rows, k, &mut ChaCha8Rng::seed_from_u64(start));
        let mut groups = vec![usize::MAX; rows.len()];
        let mut spread = f64::INFINITY;
        for _ in 0..STEPS {
            let nearest: Vec<(usize, f64)> = rows.iter().map(|row| nearest(row, &means)).collect();
            spread = nearest.iter().map(|(_, distance)| distance).sum();
            let moved = nearest.iter().zip(&groups).any(|(now, before)| now.0 != *before);
            groups = nearest.into_iter().map(|(group, _)| group).collect();
            if !moved {
                break;
            }
            follow(&mut means, &rows, &groups);
        }
        if best.as_ref().is_none_or(|(least, _)| spread < *least) {
            best = Some((spread, groups));
        }
    }
    numbered_as_they_appear(best.map_or(Vec::new(), |(_, groups)| groups))
}

/// k-means++: the first mean is any row, each further one a row far from those before.
fn first_means(rows: &[&[f32]], k: usize, random: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
    let mut unit = || (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let mean = |row: &[f32]| row.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
    let mut means = vec![mean(rows[(unit() * rows.len() as f64) as usize])];
    while means.len() < k {
        let far: Vec<f64> = rows.iter().map(|row| nearest(row, &means).1).collect();
        let mut left = unit() * far.iter().sum::<f64>();
        // The last row that has a distance, where rounding leaves something over.
        let mut chosen = None;
        for (index, &distance) in far.iter().enumerate().filter(|(_, distance)| **distance > 0.0) {
            chosen = Some(index);
            left -= distance;
            if left < 0.0 {
                break;
            }
        }
        match chosen {
            Some(index) => means.push(mean(rows[index])),
            // Every row is a mean already.
            None => break,
        }
    }
    means
}

/// The nearest mean and its squared distance.
fn nearest(row: &[f32], means: &[Vec<f64>]) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (group, mean) in means.iter().enumerate() {
        let distance: f64 = row.iter().zip(mean).map(|(&x, m)| (f64::from(x) - m).powi(2)).sum();
        if distance < best.1 {
            best = (group, distance);
        }
    }
    // An infinite distance would drown all others in the sum.
    (best.0, if best.1.is_finite() { best.1 } else { f64::from(f32::MAX) })
}

/// Moves every mean that has rows into their middle.
fn follow(means: &mut [Vec<f64>], rows: &[&[f32]], groups: &[usize]) {
    for (group, mean) in means.iter_mut().enumerate() {
        let members = || rows.iter().zip(groups).filter(|(_, own)| **own == group).map(|(row, _)| row);
        let count = members().count();
        if count == 0 {
            continue;
        }
        mean.fill(0.0);
        for row in members() {
            mean.iter_mut().zip(row.iter()).for_each(|(m, &x)| *m += f64::from(x));
        }
        mean.iter_mut().for_each(|m| *m /= count as f64);
    }
}

fn numbered_as_they_appear(mut groups: Vec<usize>) -> Vec<usize> {
    let mut seen = Vec::new();
    for group in &mut groups {
        *group = match seen.iter().position(|other| other == group) {
            Some(number) => number,
            None => {
                seen.push(*group);
                seen.len() - 1
            }
        };
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows around (0, 0), (10, 0) and (0, 10) in turn, each at most 1 away from its centre.
    fn three_heaps(each: usize) -> Vec<f32> {
        let centres = [[0.0f32, 0.0], [10.0, 0.0], [0.0, 10.0]];
        let row = |i: usize| {
            let angle = (i * 7) as f32;
            let [x, y] = centres[i % 3];
            [x + angle.cos(), y + angle.sin()]
        };
        (0..3 * each).flat_map(row).collect()
    }

    #[test]
    fn heaps_that_lie_apart_are_found() {
        let expected: Vec<usize> = (0..60).map(|i| i % 3).collect();
        assert_eq!(k_means(&three_heaps(20), 2, 3), expected);
    }

    #[test]
    fn no_grouping_of_a_few_rows_is_tighter() {
        // All 3^8 ways to divide eight rows, by hand against the algorithm.
        let rows: Vec<f32> = (0..8).map(|i| ((i * i * 37) % 29) as f32).collect();
        let spread = |groups: &[usize]| -> f64 {
            let of = |group: usize| {
                let own: Vec<f64> = (0..8).filter(|&i| groups[i] == group).map(|i| rows[i].into()).collect();
                let mean = own.iter().sum::<f64>() / own.len().max(1) as f64;
                own.iter().map(|x| (x - mean).powi(2)).sum::<f64>()
            };
            (0..3).map(of).sum()
        };
        let all = (0..3usize.pow(8)).map(|n| (0..8).map(|i| n / 3usize.pow(i) % 3).collect::<Vec<_>>());
        let least = all.map(|groups| spread(&groups)).fold(f64::INFINITY, f64::min);
        let found = spread(&k_means(&rows, 1, 3));
        assert!((found - least).abs() < 1e-9, "{found} against {least}");
    }

    #[test]
    fn odd_rows_are_grouped_without_complaint() {
        assert!(k_means(&[], 3, 4).is_empty());
        assert_eq!(k_means(&[1.0, 2.0], 1, 0), [0, 0]);
        assert_eq!(k_means(&[5.0; 6], 1, 4), [0; 6]);
        assert_eq!(k_means(&[1.0, 2.0], 1, 9), [0, 1]);
        let wild = k_means(&[0.0, f32::NAN, 1.0, f32::INFINITY, 0.5], 1, 2);
        assert_eq!(wild.len(), 5);
    }
}
