//! Balanced accuracy and its confidence interval.

use crate::wilson_interval;

/// The mean of the classes' recalls, each class counting the same however many images it has (scikit-learn's
/// `balanced_accuracy_score`), and its 95 % confidence interval. Classes without images don't count; 0 where there are
/// none at all.
///
/// The interval is made of Wilson's score intervals of the recalls ([`wilson_interval`]), combined by the square-and-add method of
/// Newcombe (1998), in the general form of Zou and Donner (2008, "MOVER"): with recall `rᵢ` in `lᵢ..uᵢ` for each of `k`
/// classes, it reaches from `r̄ − √Σ(rᵢ − lᵢ)² / k` to `r̄ + √Σ(uᵢ − rᵢ)² / k`. Unlike the normal approximation it
/// doesn't shrink to a point where everything is right, and it holds for few images.
///
/// `recalls` are right images and images of each class.
///
/// ```
/// let (value, [low, high]) = eyespot_train::balanced_accuracy(&[(8, 8), (3, 6)]);
/// assert_eq!(value, 0.75);
/// assert!(0.5 < low && low < 0.6 && 0.9 < high && high < 0.95);
/// ```
pub fn balanced_accuracy(recalls: &[(usize, usize)]) -> (f64, [f64; 2]) {
    let (mut sum, mut below, mut above, mut classes) = (0.0, 0.0, 0.0, 0.0);
    for &(right, images) in recalls.iter().filter(|(_, images)| *images > 0) {
        let recall = right as f64 / images as f64;
        let [low, high] = wilson_interval(right, images);
        sum += recall;
        below += (recall - low).powi(2);
        above += (high - recall).powi(2);
        classes += 1.0;
    }
    if classes == 0.0 {
        return (0.0, [0.0, 0.0]);
    }
    let mean = sum / classes;
    let interval = [mean - below.sqrt() / classes, mean + above.sqrt() / classes];
    (mean, interval.map(|end| end.clamp(0.0, 1.0)))
}
