//! Sizes and lengths that callers give, checked once per call: all that follows may rely on them.
//!
//! A product that wraps around would make a short slice look long enough, and code that trusts the comparison would
//! reach out of it. Sizes are therefore multiplied here only, and panic where the result is no number of floats.

/// The product of sizes.
///
/// # Panics
/// When it is more than can be counted.
#[track_caller]
pub(crate) fn product<const N: usize>(sizes: [usize; N]) -> usize {
    // A size of zero makes an empty map, however large the others are.
    if sizes.contains(&0) {
        return 0;
    }
    match sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size)) {
        Some(product) => product,
        None => panic!("{sizes:?} multiplied are more than memory can hold"),
    }
}

/// The sum of sizes.
///
/// # Panics
/// When it is more than can be counted.
#[track_caller]
pub(crate) fn sum<const N: usize>(sizes: [usize; N]) -> usize {
    match sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size)) {
        Some(sum) => sum,
        None => panic!("{sizes:?} added are more than memory can hold"),
    }
}

/// Floats from the first pixel's first channel to the last one's last, where each pixel of `channels` floats begins
/// `stride` after the one before it.
///
/// # Panics
/// When the pixels overlap, or the floats are more than can be counted.
#[track_caller]
pub(crate) fn span(pixels: usize, stride: usize, channels: usize) -> usize {
    assert!(stride >= channels, "pixels of {channels} channels every {stride} floats overlap");
    match pixels.checked_sub(1) {
        Some(others) => sum([product([others, stride]), channels]),
        None => 0,
    }
}

/// Panics unless a slice of `len` holds at least `needed`.
#[track_caller]
pub(crate) fn at_least(what: &str, len: usize, needed: usize) {
    assert!(len >= needed, "{what}: {len} floats where {needed} are needed");
}

/// Panics unless a slice of `len` has exactly as many as are `needed`.
#[track_caller]
pub(crate) fn exactly(what: &str, len: usize, needed: usize) {
    assert!(len == needed, "{what}: {len} floats where there must be {needed}");
}

/// How many pieces of `each` floats a slice of `len` is made of.
///
/// # Panics
/// When they are not a whole number.
#[track_caller]
pub(crate) fn pieces(what: &str, len: usize, each: usize) -> usize {
    assert!(len.is_multiple_of(each), "{what}: {len} floats are no whole number of {each}");
    len.checked_div(each).unwrap_or(0)
}

/// Where the part number `index` of `parts` nearly equal ones of `0..len` begins; the last ends where a further one
/// would begin.
pub(crate) fn part_start(len: usize, parts: usize, index: usize) -> usize {
    (index as u128 * len as u128 / parts as u128) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn sizes_are_multiplied_and_added_or_panic() {
        assert_eq!(product([3, 4, 5]), 60);
        assert_eq!(product([usize::MAX, 2, 0]), 0);
        assert!(catch_unwind(|| product([1 << 32, 1 << 32])).is_err());
        assert_eq!(sum([1, 2, 3]), 6);
        assert!(catch_unwind(|| sum([usize::MAX, 1])).is_err());
    }

    #[test]
    fn a_span_ends_with_the_last_pixels_channels() {
        assert_eq!(span(3, 10, 4), 24);
        assert_eq!(span(1, usize::MAX, 4), 4);
        assert_eq!(span(0, 10, 4), 0);
        assert!(catch_unwind(|| span(3, 3, 4)).is_err());
        assert!(catch_unwind(|| span(3, 1 << 63, 4)).is_err());
    }

    #[test]
    fn pieces_are_whole() {
        assert_eq!((pieces("x", 12, 4), pieces("x", 0, 4), pieces("x", 0, 0)), (3, 0, 0));
        assert!(catch_unwind(|| pieces("x", 13, 4)).is_err());
        assert!(catch_unwind(|| pieces("x", 1, 0)).is_err());
    }

    #[test]
    fn parts_are_cut_without_wrapping() {
        let starts: Vec<usize> = (0..=3).map(|i| part_start(10, 3, i)).collect();
        assert_eq!(starts, [0, 3, 6, 10]);
        assert_eq!(part_start(usize::MAX, usize::MAX, usize::MAX - 5), usize::MAX - 5);
    }
}
