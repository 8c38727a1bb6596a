//! The range that deep images really use.

use crate::{DecodeOptions, Limits, Sample};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Samples that are looked at in all, at most (but at least [`FEWEST`] of each image).
const MOST: usize = 1 << 22;

/// Samples that are looked at of each image, if it has as many.
const FEWEST: usize = 256;

/// The 0.1 and the 99.9 percentile of the samples in those images that have more than 8 bits a sample: what
/// [`crate::Transform::range`] should be for a microscope, an X-ray or a thermal camera. All samples count where there
/// are few, evenly spaced ones where there are many; between two samples it is interpolated, as NumPy does. `None` where
/// there are no such images, or but one number in all of them. Images that can't be read are passed over.
///
/// The result doesn't depend on the number of threads.
pub fn measure_range(samples: &[Sample], limits: &Limits, threads: usize) -> Option<[f32; 2]> {
    let options = DecodeOptions {
        limits: limits.clone(),
        keep_samples: (MOST / samples.len().max(1)).max(FEWEST),
        ..DecodeOptions::default()
    };
    let next = AtomicUsize::new(0);
    let read = || {
        let mut kept: Vec<f32> = Vec::new();
        while let Some(sample) = samples.get(next.fetch_add(1, Ordering::Relaxed)) {
            kept.extend(sample.read(&options).map(|decoded| decoded.samples).unwrap_or_default());
        }
        kept
    };
    let mut kept = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.max(1))
            .map_while(|_| std::thread::Builder::new().spawn_scoped(scope, read).ok())
            .collect();
        let mut kept = read();
        for other in others {
            // Decoders catch their own panics.
            kept.extend(other.join().unwrap_or_default());
        }
        kept
    });
    kept.retain(|sample| sample.is_finite());
    kept.sort_unstable_by(f32::total_cmp);
    let range = [percentile(&kept, 0.1)?, percentile(&kept, 99.9)?];
    (range[0] < range[1]).then_some(range)
}

/// Of sorted numbers.
fn percentile(sorted: &[f32], percent: f64) -> Option<f32> {
    let place = (sorted.len().checked_sub(1)?) as f64 * percent / 100.0;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some((f64::from(below) + f64::from(above - below) * place.fract()) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numpys() {
        // numpy.percentile([0, 1, …, 1999], [0.1, 99.9]) and of [3, 5] is [1.999, 1997.001] and [3.002, 4.998].
        let numbers: Vec<f32> = (0..2000).map(|n| n as f32).collect();
        assert!((percentile(&numbers, 0.1).unwrap() - 1.999).abs() < 1e-4);
        assert!((percentile(&numbers, 99.9).unwrap() - 1997.001).abs() < 1e-3);
        assert!((percentile(&[3.0, 5.0], 99.9).unwrap() - 4.998).abs() < 1e-6);
        assert_eq!(percentile(&[], 50.0), None);
    }
}
