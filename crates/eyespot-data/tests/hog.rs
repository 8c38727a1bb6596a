//! HOG against scikit-image's numbers, made by `scripts/reference/hog.py`.

use eyespot_data::features::{HogSettings, hog};
use image::{Rgb, RgbImage};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    width: u32,
    height: u32,
    orientations: usize,
    cell: usize,
    block: usize,
    len: usize,
    sum: f64,
    every7th: Vec<f32>,
}

fn pattern(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let channel = |c: u32| ((x * x * (3 + c) + y * y * 5 + x * y * (c + 1)) / 16 % 256) as u8;
        Rgb([channel(0), channel(1), channel(2)])
    })
}

#[test]
fn hog_is_scikit_images() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("data/hog.json")).expect("the committed numbers");
    assert_eq!(cases.len(), 3);
    for case in cases {
        let settings = HogSettings { orientations: case.orientations, cell: case.cell, block: case.block };
        let numbers = hog(&pattern(case.width, case.height), &settings);
        assert_eq!(numbers.len(), case.len);
        assert_eq!(settings.len(case.width as usize, case.height as usize), case.len);
        let sum: f64 = numbers.iter().map(|&v| f64::from(v)).sum();
        assert!((sum - case.sum).abs() < 1e-4 * case.sum, "sum {sum}, scikit-image {}", case.sum);
        for (index, (own, reference)) in numbers.iter().step_by(7).zip(&case.every7th).enumerate() {
            assert!((own - reference).abs() < 1e-4, "number {}: {own}, scikit-image {reference}", 7 * index);
        }
    }
}
