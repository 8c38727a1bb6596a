//! Real photos and real MNIST, where they are at hand.

use eyespot_data::{Dataset, Layout, Limits, Loader, LoaderOptions, Sample, SplitOptions, Transform, decode};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

fn data(name: &str) -> Option<PathBuf> {
    let named = std::env::var_os("EYESPOT_TEST_DATA").map(PathBuf::from);
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    let path = named.clone().unwrap_or_else(beside).join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(named.is_none(), "EYESPOT_TEST_DATA is set, but there is no {}", path.display());
    // Past the test harness, which shows nothing that a passing test prints.
    let _ =
        writeln!(std::io::stderr(), "skipped: a test with {name}; EYESPOT_TEST_DATA says where the data is");
    None
}

#[test]
fn hymenoptera_has_the_pictures_pytorch_finds() {
    let Some(path) = data("hymenoptera") else { return };
    let dataset = Dataset::open(path, &SplitOptions::default()).unwrap();
    assert_eq!(dataset.layout, Layout::SplitFolders);
    assert_eq!(dataset.classes, ["ants", "bees"]);
    assert_eq!((dataset.train.len(), dataset.val.len(), dataset.test.len()), (244, 153, 0));
    assert_eq!(dataset.class_counts(), [123, 121]);
    // The intruder is passed over for its ending, and said so.
    assert!(dataset.notices.iter().any(|n| n.contains("imageNotFound.gif")), "{:?}", dataset.notices);
    let mut images = 0;
    for batch in
        Loader::new(&dataset.val, (0..153).collect(), LoaderOptions::new(Transform::imagenet())).unwrap()
    {
        let batch = batch.unwrap();
        assert!(batch.failures.is_empty(), "{:?}", batch.failures);
        assert_eq!(batch.inputs.len(), batch.len() * 224 * 224 * 3);
        images += batch.len();
    }
    assert_eq!(images, 153);
}

/// Photos below a folder, in the order of their paths' bytes.
fn photos(folder: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if path.is_dir() {
                folders.push(path);
            } else if ["jpg", "jpeg", "png"].contains(&ending.as_str()) {
                found.push(path);
            }
        }
    }
    found.sort_by_key(|path| path.as_os_str().as_encoded_bytes().to_vec());
    found
}

/// `scripts/reference/pictures.py FOLDER` made the checksums, with Pillow and torchvision.
#[test]
fn photos_are_decoded_scaled_and_cropped_as_by_pillow_bit_for_bit() {
    let expected: BTreeMap<String, Vec<String>> =
        serde_json::from_str(include_str!("data/photos.json")).unwrap();
    // Samples 0 to 255, so that the tensor shows the levels.
    let levels = Transform { mean: vec![0.0; 3], std: vec![1.0 / 255.0; 3], ..Transform::imagenet() };
    let mut tensor = vec![0.0; levels.len()];
    for (folder, expected) in expected {
        let Some(path) = data(&folder) else { return };
        let photos = photos(path);
        assert_eq!(photos.len(), expected.len(), "{folder}");
        for (photo, expected) in photos.iter().zip(&expected) {
            let picture = decode(photo, &Limits::default()).unwrap();
            let decoded = crc32fast::hash(picture.as_raw());
            levels.apply(&picture, &mut tensor).unwrap();
            let framed: Vec<u8> = tensor.iter().map(|level| level.round() as u8).collect();
            let found = format!("{decoded:08x}{:08x}", crc32fast::hash(&framed));
            assert_eq!(found, *expected, "{}", photo.display());
        }
        // The loader decodes JPEGs strip by strip.
        let samples: Vec<Sample> = photos.iter().map(|photo| Sample::file(photo, 0)).collect();
        let order = (0..samples.len()).collect();
        for batch in Loader::new(&samples, order, LoaderOptions::new(levels.clone())).unwrap() {
            let batch = batch.unwrap();
            assert!(batch.notes.is_empty(), "{:?}", batch.notes);
            for (tensor, index) in batch.inputs.chunks_exact(levels.len()).zip(&batch.indices) {
                let framed: Vec<u8> = tensor.iter().map(|level| level.round() as u8).collect();
                let found = format!("{:08x}", crc32fast::hash(&framed));
                assert_eq!(found, expected[*index][8..], "{}", photos[*index].display());
            }
        }
    }
}

#[test]
fn mnist_has_its_published_counts() {
    let Some(path) = data("mnist") else { return };
    let whole = SplitOptions { validation: 0.0, ..SplitOptions::default() };
    let dataset = Dataset::open(&path, &whole).unwrap();
    assert_eq!(dataset.layout, Layout::Idx);
    assert_eq!((dataset.train.len(), dataset.val.len(), dataset.test.len()), (60_000, 0, 10_000));
    assert_eq!(dataset.classes.join(""), "0123456789");
    // Published: https://en.wikipedia.org/wiki/MNIST_database; the README beside the data confirms the counts.
    assert_eq!(dataset.class_counts(), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    let divided = Dataset::open(&path, &SplitOptions::default()).unwrap();
    assert_eq!((divided.train.len() + divided.val.len(), divided.test.len()), (60_000, 10_000));
    // A fifth, within four deviations of a binomial distribution: 4 √(60,000 · 0.2 · 0.8) = 392.
    assert!(divided.val.len().abs_diff(12_000) <= 392, "{}", divided.val.len());
    let mut options = LoaderOptions::new(Transform::unscaled(28, 28, 1));
    options.batch_size = 100;
    let batch = Loader::new(&dataset.test, (0..100).collect(), options).unwrap().next().unwrap().unwrap();
    assert_eq!(batch.inputs.len(), 100 * 28 * 28);
    assert!(batch.inputs.contains(&-1.0) && batch.inputs.contains(&1.0), "black and white are −1 and 1");
}

#[derive(serde::Deserialize)]
struct HogOfPhoto {
    file: PathBuf,
    size: (u32, u32),
    sum: f64,
    every17th: Vec<f32>,
}

/// Made by scripts/reference/hog.py: scikit-image was given what Pillow reads and squashes; here everything is eyespot's own.
#[test]
fn hog_of_real_photos_is_scikit_images() {
    let Some(hymenoptera) = data("hymenoptera") else { return };
    let root = hymenoptera.parent().expect("lies beside the other photos");
    let photos: Vec<HogOfPhoto> =
        serde_json::from_str(include_str!("data/hog_photos.json")).expect("the committed numbers");
    assert_eq!(photos.len(), 24);
    let transform = Transform::of_features("hog".parse().expect("a known name"));
    let mut numbers = vec![0.0; transform.len()];
    for HogOfPhoto { file, size, sum, every17th } in photos {
        let photo = decode(root.join(&file), &Limits::default()).expect("reads");
        assert_eq!(photo.dimensions(), size, "{}", file.display());
        transform.apply(&photo, &mut numbers).expect("has features");
        let own: f64 = numbers.iter().map(|&v| f64::from(v)).sum();
        assert!((own - sum).abs() < 1e-4 * sum, "{}: sum {own}, scikit-image {sum}", file.display());
        for (index, (own, reference)) in numbers.iter().step_by(17).zip(&every17th).enumerate() {
            let (number, file) = (17 * index, file.display());
            assert!(
                (own - reference).abs() < 1e-4,
                "{file}, number {number}: {own}, scikit-image {reference}"
            );
        }
    }
}
