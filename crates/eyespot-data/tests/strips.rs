//! JPEGs that reach the resizer strip by strip give the same numbers as those that are whole in memory.

use eyespot_data::{
    Augment, Fit, Limits, Loader, LoaderOptions, Perspective, ResizedCrop, Sample, Transform, decode_bytes,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    file: String,
}

/// The JPEGs of `scripts/reference/pictures.py`: every kind of subsampling, tables and scans.
fn jpegs() -> Vec<(String, Vec<u8>)> {
    let cases: Vec<Case> = serde_json::from_str(include_str!("data/pictures.json")).unwrap();
    let unhex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    };
    let files = cases.into_iter().map(|case| (case.name, unhex(&case.file)));
    files.filter(|(_, file)| file.starts_with(b"\xff\xd8")).collect()
}

/// The file with an EXIF segment that says nothing but the orientation.
fn oriented(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
}

fn transforms() -> Vec<Transform> {
    let to = |resize, crop, fit| Transform { resize, crop, fit, ..Transform::imagenet() };
    vec![
        to(Some(20), (16, 16), Fit::Crop),
        to(Some(9), (17, 5), Fit::Crop),
        to(Some(100), (80, 90), Fit::Crop),
        to(None, (24, 30), Fit::Crop),
        to(None, (43, 61), Fit::Crop),
        to(None, (16, 16), Fit::Letterbox),
        to(None, (7, 31), Fit::Squash),
        Transform::unscaled(90, 90, 1),
    ]
}

/// What the loader makes of a file.
fn loaded(path: &std::path::Path, transform: &Transform, augment: &Augment) -> Vec<f32> {
    let augment = augment.clone();
    let options = LoaderOptions { augment, seed: 5, epoch: 3, ..LoaderOptions::new(transform.clone()) };
    let batch = Loader::new(&[Sample::file(path, 0)], vec![0], options).unwrap().next().unwrap().unwrap();
    assert!(batch.failures.is_empty(), "{:?}", batch.failures);
    batch.inputs
}

#[test]
fn every_kind_orientation_and_transform_agrees_with_the_whole_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jpg");
    let jpegs = jpegs();
    assert!(jpegs.len() > 15);
    for (name, jpeg) in &jpegs {
        for orientation in 1..=8 {
            let file = oriented(jpeg, orientation);
            std::fs::write(&path, &file).unwrap();
            let whole = decode_bytes(&file, &Limits::default()).unwrap();
            for transform in transforms() {
                // A picture of few pixels can be too thin for a transform; then it is for both.
                let mut expected = vec![0.0; transform.len()];
                transform.apply(&whole, &mut expected).unwrap();
                let found = loaded(&path, &transform, &Augment::default());
                assert!(found == expected, "{name}, orientation {orientation}, {transform:?}");
            }
        }
    }
}

#[test]
fn random_parts_agree_with_those_of_the_whole_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jpg");
    let augment = Augment {
        resized_crop: Some(ResizedCrop::default()),
        horizontal_flip: 0.5,
        perspective: Some(Perspective::default()),
        ..Augment::default()
    };
    let transform = Transform { crop: (24, 20), ..Transform::imagenet() };
    for (name, jpeg) in jpegs() {
        for orientation in 1..=8 {
            let file = oriented(&jpeg, orientation);
            std::fs::write(&path, &file).unwrap();
            let whole = decode_bytes(&file, &Limits::default()).unwrap();
            let mut expected = vec![0.0; transform.len()];
            augment.apply(&whole, &transform, (5, 3, 0), &mut expected).unwrap();
            assert!(loaded(&path, &transform, &augment) == expected, "{name}, orientation {orientation}");
        }
    }
}
