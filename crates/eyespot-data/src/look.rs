//! What an image looks like in 255 bits, to find shots of one scene and crops of one photo.

use crate::opened::Wanted;
use crate::resize::Scratch;
use crate::strips::Strips;
use crate::{DecodeOptions, Fit, Limits, Sample, Transform};
use eyespot_system::Budget;
use std::sync::LazyLock;

/// Side of the grey image that is looked at.
const SIDE: usize = 64;
/// Side of what the cosine transform sees.
const SMALL: usize = 32;
/// Frequencies along each axis.
const FREQUENCIES: usize = 16;
/// The shares of the sides that centred crops keep: the whole image, and what photos are commonly cut to.
const CROPS: [f32; 4] = [1.0, 0.9, 0.8, 0.7];
/// Bits in which two images that look alike differ at most: a quarter. A JPEG of low quality, another size or brightness
/// changes 5 %, a shift by 4 % of the side about 20 %; of 397 photos of ants and bees, the two most alike differ in 36 %.
const DIFFERENT: u32 = 64;
/// Grey levels that an image deviates from its mean at least; a look at less sees noise.
const LEAST_DEVIATION: f32 = 2.0;

type Bits = [u64; 4];

/// The perceptual hash of an image and of its centred crops.
#[derive(Debug, Clone)]
pub(crate) struct Look([Bits; CROPS.len()]);

impl Look {
    /// The look of an image; `None` where it can't be read, is a single tone, or has fewer pixels than are looked at: digits
    /// and icons look alike without being the same.
    pub fn of(sample: &Sample, limits: &Limits) -> Option<Look> {
        let side = SIDE as u32;
        let transform = Transform {
            resize: None,
            crop: (side, side),
            fit: Fit::Squash,
            mean: vec![0.0],
            std: vec![1.0],
            ..Transform::imagenet()
        };
        let options = DecodeOptions { limits: limits.clone(), ..DecodeOptions::default() };
        let mut image = sample.open(&options, Budget::process(), Wanted::Scaled(&transform)).ok()?;
        let (width, height) = image.size();
        if width.min(height) < side {
            return None;
        }
        // Most photos are JPEGs of more pixels than needed, whose means take half the time of decoding.
        if let Some(means) = image.means().filter(|means| means.width().min(means.height()) >= SMALL as u32) {
            let grey: Vec<f32> = means.as_raw().iter().map(|&sample| f32::from(sample) / 255.0).collect();
            return Look::of_grey(&grey, means.width() as usize);
        }
        let mut grey = vec![0.0; SIDE * SIDE];
        let table = transform.table();
        transform.apply_with(&mut Scratch::default(), &table, &mut image, &mut grey).ok()?;
        Look::of_grey(&grey, SIDE)
    }

    /// Of samples in 0..1, rows of `width`.
    fn of_grey(grey: &[f32], width: usize) -> Option<Look> {
        let mean = grey.iter().sum::<f32>() / grey.len() as f32;
        let variance = grey.iter().map(|sample| (sample - mean).powi(2)).sum::<f32>() / grey.len() as f32;
        let enough = variance.sqrt() * 255.0 >= LEAST_DEVIATION;
        enough.then(|| Look(CROPS.map(|share| hash(grey, width, share))))
    }

    /// Whether the two show the same, or one a centred crop of the other.
    pub fn is_like(&self, other: &Look) -> bool {
        let near = |a: &Bits, b: &Bits| {
            // Low frequencies first: most pairs differ enough there.
            let differing =
                |words: std::ops::Range<usize>| words.map(|i| (a[i] ^ b[i]).count_ones()).sum::<u32>();
            let first = differing(0..2);
            first <= DIFFERENT && first + differing(2..4) <= DIFFERENT
        };
        self.0.iter().any(|crop| near(crop, &other.0[0]))
            || other.0[1..].iter().any(|crop| near(crop, &self.0[0]))
    }
}

/// Which of the lowest frequencies but the mean of a centred crop are above their median (C. Zauner, "Implementation and
/// Benchmarking of Perceptual Image Hash Functions", 2010, with 16 × 16 in place of 8 × 8 frequencies).
fn hash(grey: &[f32], width: usize, share: f32) -> Bits {
    // Along rows, then along columns.
    let across = project(width, share);
    let mut rows = Vec::with_capacity(grey.len() / width);
    for row in grey.chunks_exact(width) {
        let mut of_row = [0.0; FREQUENCIES];
        for (sample, weights) in row.iter().zip(&across) {
            add(&mut of_row, *sample, weights);
        }
        rows.push(of_row);
    }
    let mut frequencies = [[0.0; FREQUENCIES]; FREQUENCIES];
    for (row, weights) in rows.iter().zip(project(rows.len(), share)) {
        for (sums, weight) in frequencies.iter_mut().zip(weights) {
            add(sums, weight, row);
        }
    }
    let frequencies = frequencies.as_flattened();
    let mut sorted = frequencies[1..].to_vec();
    let (_, &mut median, _) =
        sorted.select_nth_unstable_by(FREQUENCIES * FREQUENCIES / 2 - 1, f32::total_cmp);
    let mut bits = Bits::default();
    for (i, frequency) in frequencies.iter().enumerate().skip(1) {
        bits[i / 64] |= u64::from(*frequency > median) << (i % 64);
    }
    bits
}

/// `sums += factor · numbers`.
fn add(sums: &mut [f32; FREQUENCIES], factor: f32, numbers: &[f32; FREQUENCIES]) {
    sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += factor * number);
}

/// `cos(π/n · (i + ½) · k)` for each of n samples i and each frequency k.
static COSINES: LazyLock<[[f32; FREQUENCIES]; SMALL]> = LazyLock::new(|| {
    let angle = |i: usize, k: usize| std::f32::consts::PI / SMALL as f32 * (i as f32 + 0.5) * k as f32;
    std::array::from_fn(|i| std::array::from_fn(|k| angle(i, k).cos()))
});

/// The weight of each of `count` samples in each frequency, along one axis: the crop, scaled to [`SMALL`] samples by their
/// mean, under the cosine transform (DCT-II) `Σ x[i] cos(π/n · (i + ½) · k)`.
fn project(count: usize, share: f32) -> Vec<[f32; FREQUENCIES]> {
    let mut weights = vec![[0.0; FREQUENCIES]; count];
    let width = share * count as f32 / SMALL as f32;
    let start = (1.0 - share) * count as f32 / 2.0;
    for (i, cosines) in COSINES.iter().enumerate() {
        let (from, to) = (start + i as f32 * width, start + (i + 1) as f32 * width);
        let end = count.min(to.ceil() as usize);
        for (sample, weights) in weights.iter_mut().enumerate().take(end).skip(from as usize) {
            let covered = (to.min(sample as f32 + 1.0) - from.max(sample as f32)).max(0.0) / width;
            add(weights, covered, cosines);
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blobs drawn at these places, seen through a window that begins at `at` and is `scale` wide.
    fn scene(seed: u64, at: (f32, f32), scale: f32) -> Vec<f32> {
        let mut random = crate::random::Random::new([seed, 0, 0, 0]);
        let blobs: Vec<[f32; 4]> =
            (0..24).map(|_| [0.0, 0.0, 0.0, 0.0].map(|_: f32| random.unit() as f32)).collect();
        let value = |x: f32, y: f32| {
            let blob = |b: &[f32; 4]| {
                let radius = 0.03 + 0.12 * b[2];
                (b[3] - 0.5) * (-((x - b[0]).powi(2) + (y - b[1]).powi(2)) / (2.0 * radius * radius)).exp()
            };
            0.5 + blobs.iter().map(blob).sum::<f32>()
        };
        let place = |i: usize, at: f32| at + scale * (i as f32 + 0.5) / SIDE as f32;
        (0..SIDE * SIDE).map(|i| value(place(i % SIDE, at.0), place(i / SIDE, at.1))).collect()
    }

    fn look(grey: &[f32]) -> Look {
        Look::of_grey(grey, SIDE).expect("has contrast")
    }

    #[test]
    fn shots_and_crops_of_one_scene_look_alike_and_others_do_not() {
        for seed in 0..20 {
            let whole = look(&scene(seed, (0.0, 0.0), 1.0));
            let brighter: Vec<f32> = scene(seed, (0.0, 0.0), 1.0).iter().map(|x| 0.1 + 1.2 * x).collect();
            assert!(whole.is_like(&look(&brighter)), "brightness, scene {seed}");
            assert!(whole.is_like(&look(&scene(seed, (0.02, 0.01), 1.0))), "a moved camera, scene {seed}");
            for share in [0.95, 0.85, 0.75, 0.7] {
                let crop = look(&scene(seed, (0.5 - share / 2.0, 0.5 - share / 2.0), share));
                assert!(whole.is_like(&crop) && crop.is_like(&whole), "crop to {share}, scene {seed}");
            }
            for other in 0..seed {
                assert!(!whole.is_like(&look(&scene(other, (0.0, 0.0), 1.0))), "scenes {seed} and {other}");
            }
        }
        assert!(Look::of_grey(&[0.5; SIDE * SIDE], SIDE).is_none(), "a single tone has no look");
    }

    /// A JPEG's means give the look of its pixels, also where it is to be turned.
    #[test]
    fn the_means_of_a_jpeg_look_like_its_pixels() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let grey = scene(3, (0.0, 0.0), 1.0);
        let pixel = |x: u32, y: u32| {
            let level = grey[(y * 64 / 406) as usize * SIDE + (x * 64 / 517) as usize] * 255.0;
            image::Rgb([level as u8, (level * 0.9) as u8, 40])
        };
        let image = image::RgbImage::from_fn(517, 406, pixel);
        let of = |name: &str| {
            let path = folder.path().join(name);
            image.save(&path).expect("writes the image");
            path
        };
        let sample = Sample::file(of("image.jpg"), 0);
        let options = DecodeOptions::default();
        let transform = Transform::imagenet();
        let opened = sample.open(&options, Budget::process(), Wanted::Scaled(&transform)).expect("opens");
        let means = opened.means().expect("is a sequential JPEG");
        assert_eq!(means.dimensions(), (64, 50));
        // The middle of a block, in luma.
        let decoded = sample.read(&options).expect("decodes").image;
        for (x, y) in [(0, 0), (31, 20), (63, 49)] {
            let block = image::imageops::crop_imm(&decoded, 8 * x, 8 * y, 8, 8).to_image();
            let luma = |p: &image::Rgb<u8>| crate::transform::luma(p[0], p[1], p[2]);
            let mean = block.pixels().map(|p| f32::from(luma(p))).sum::<f32>() / 64.0;
            assert!((mean - f32::from(means.get_pixel(x, y)[0])).abs() < 2.0, "block {x}, {y}");
        }
        let look = |sample: &Sample| Look::of(sample, &Limits::default()).expect("has a look");
        assert!(look(&sample).is_like(&look(&Sample::file(of("image.png"), 0))));
    }
}
