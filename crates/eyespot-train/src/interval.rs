//! How far a share may be off because it was counted on few images.

/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The 95 % confidence interval of an accuracy of `right` out of `images`: Wilson's score interval ("Probable Inference,
/// the Law of Succession, and Statistical Inference", 1927),
///
/// `(p + z²/2n ± z · √(p (1 − p) / n + z²/4n²)) / (1 + z²/n)` with `p = right / n`, `n = images` and `z` = 1.96, the
/// 97.5 % quantile of the normal distribution.
///
/// Unlike `p ± z · √(p (1 − p) / n)` it stays within 0 and 1, holds for few images, and doesn't shrink to a point where
/// everything is right or wrong. Of no images it is 0 to 1: nothing is known. `right` counts as `images` at most.
///
/// ```
/// let [low, high] = eyespot_train::wilson_interval(10, 10);
/// assert!((low - 0.722).abs() < 0.001);
/// assert_eq!(high, 1.0);
/// ```
pub fn wilson_interval(right: usize, images: usize) -> [f64; 2] {
    if images == 0 {
        return [0.0, 1.0];
    }
    let (right, n) = (right.min(images), images as f64);
    let p = right as f64 / n;
    let z2 = Z * Z / n;
    let middle = (p + z2 / 2.0) / (1.0 + z2);
    let half = Z / (1.0 + z2) * (p * (1.0 - p) / n + z2 / (4.0 * n)).sqrt();
    // At the ends rounding would leave a bit too much or too little.
    let low = if right == 0 { 0.0 } else { middle - half };
    let high = if right == images { 1.0 } else { middle + half };
    [low, high]
}
