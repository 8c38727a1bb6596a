//! Beside torchvision and Pillow: `scripts/reference/transforms.py`.

use super::*;
use crate::Fit;
use image::Rgb;
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Reference {
    evaluation: Vec<Case>,
    normalised: HashMap<String, Vec<f32>>,
    changes: HashMap<String, Vec<u8>>,
}

#[derive(Deserialize)]
struct Case {
    width: u32,
    height: u32,
    fit: Fit,
    resize: Option<u32>,
    crop: (u32, u32),
    pixels: Vec<u8>,
    sum: u64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../tests/data/transforms.json")).unwrap()
}

/// The script's formula.
fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([0, 1, 2].map(|c| {
            let slope = (x * 255 / width * (3 - c) + y * 255 / height * (c + 1)) / 4;
            let edges = ((x / 23 + y / 17 + c) % 3) * 60;
            let stripes = (x * x + y * 3 + x * y * (c + 1)) / 16 % 32;
            ((slope + edges + stripes) % 256) as u8
        }))
    })
}

/// The script's 15 × 15 grid of pixels.
fn grid<T: Copy>(values: &[T], height: usize, width: usize, channels: usize) -> Vec<T> {
    let mut out = Vec::new();
    for row in (0..15).map(|i| i * (height - 1) / 14) {
        for column in (0..15).map(|i| i * (width - 1) / 14) {
            out.extend_from_slice(&values[(row * width + column) * channels..][..channels]);
        }
    }
    out
}

#[test]
fn resizing_and_cropping_are_pillows_bit_for_bit() {
    for case in reference().evaluation {
        let name = format!("{}×{} {:?} {:?} {:?}", case.width, case.height, case.fit, case.resize, case.crop);
        let transform =
            Transform { fit: case.fit, resize: case.resize, crop: case.crop, ..Transform::imagenet() };
        let mut pixels = Vec::new();
        transform
            .frame(&mut Scratch::default(), &mut &picture(case.width, case.height), &mut pixels)
            .unwrap();
        let found = grid(&pixels, case.crop.0 as usize, case.crop.1 as usize, 3);
        assert_eq!(found, case.pixels, "{name}");
        // The sum sees the pixels between those of the grid.
        assert_eq!(pixels.iter().map(|value| u64::from(*value)).sum::<u64>(), case.sum, "{name}");
    }
}

#[test]
fn normalisation_agrees_to_the_last_digits() {
    let reference = reference();
    let close = |found: Vec<f32>, expected: &[f32]| {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= 1e-6, "{found} {expected}");
        }
    };
    let transform = Transform::imagenet();
    let mut out = vec![0.0; transform.len()];
    transform.apply(&picture(256, 256), &mut out).unwrap();
    close(grid(&out, 224, 224, 3), &reference.normalised["imagenet"]);
    let grey = Transform { mean: vec![0.1307], std: vec![0.3081], ..Transform::unscaled(28, 28, 1) };
    let mut out = vec![0.0; 28 * 28];
    grey.apply(&picture(28, 28), &mut out).unwrap();
    close(grid(&out, 28, 28, 1), &reference.normalised["grey"]);
}

#[test]
fn changes_agree_with_torchvision() {
    let (height, width) = (30, 40);
    let corners = [[3.0, 2.0], [35.0, 4.0], [37.0, 26.0], [1.0, 27.0]];
    type Change<'a> = (&'a str, u8, &'a dyn Fn(&mut [u8]));
    let changes: [Change; 17] = [
        ("brightness 0.6", 0, &|p| color::brighten(p, 0.6)),
        ("brightness 1.4", 0, &|p| color::brighten(p, 1.4)),
        ("contrast 0.5", 0, &|p| color::contrast_by(p, 0.5)),
        ("contrast 1.5", 0, &|p| color::contrast_by(p, 1.5)),
        ("saturation 0.3", 0, &|p| color::saturate(p, 0.3)),
        ("saturation 1.7", 0, &|p| color::saturate(p, 1.7)),
        ("hue -0.1", 0, &|p| color::turn_hue(p, -0.1)),
        ("hue 0.35", 0, &|p| color::turn_hue(p, 0.35)),
        ("grey", 0, &|p| color::saturate(p, 0.0)),
        ("hflip", 0, &|p| geometry::flip_horizontally(width, p)),
        ("vflip", 0, &|p| geometry::flip_vertically(width, p)),
        ("shift 3 -2", 0, &|p| geometry::shift(width, p, 3, -2)),
        ("shift -4 4", 0, &|p| geometry::shift(width, p, -4, 4)),
        ("blur 9 1.5", 1, &|p| color::blur(height, width, p, 9, 1.5)),
        ("rotate 20", 1, &|p| geometry::rotate(height, width, p, 20.0)),
        ("rotate -75", 1, &|p| geometry::rotate(height, width, p, -75.0)),
        ("perspective", 1, &|p| geometry::change_perspective(height, width, p, corners)),
    ];
    let expected = reference().changes;
    for (name, tolerance, change) in changes {
        let mut pixels = picture(width as u32, height as u32).into_raw();
        change(&mut pixels);
        let worst = pixels.iter().zip(&expected[name]).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= tolerance, "{name}: {worst} grey levels apart");
    }
    let mut pixels = vec![0; 24 * 24 * 3];
    let source = picture(width as u32, height as u32);
    Scratch::default().resize_box(&mut &source, [7, 4, 27, 20], (24, 24), &mut pixels).unwrap();
    assert_eq!(pixels, expected["crop"], "crop");
}

#[test]
fn presets_are_sound_and_repeatable() {
    let transform = Transform::imagenet();
    let source = picture(300, 200);
    let render = |augment: &Augment, key| {
        let mut out = vec![0.0; transform.len()];
        augment.apply(&source, &transform, key, &mut out).unwrap();
        out
    };
    for (name, side) in Augment::PRESETS.into_iter().flat_map(|name| [(name, 224), (name, 32)]) {
        let augment = Augment::preset(name, side).unwrap();
        augment.validate().unwrap();
        let text = serde_json::to_string(&augment).unwrap();
        assert_eq!(serde_json::from_str::<Augment>(&text).unwrap(), augment);
        let first = render(&augment, (1, 2, 3));
        assert_eq!(first, render(&augment, (1, 2, 3)), "{name}: equal keys, equal numbers");
        for other in [(2, 2, 3), (1, 3, 3), (1, 2, 4)] {
            assert_eq!(first == render(&augment, other), name == "none", "{name}: {other:?}");
        }
        assert!(first.iter().all(|value| value.is_finite()));
    }
    let mut plain = vec![0.0; transform.len()];
    transform.apply(&source, &mut plain).unwrap();
    assert_eq!(plain, render(&Augment::default(), (1, 2, 3)), "no augmentation is the transform itself");
    assert!(Augment::preset("wild", 224).unwrap_err().to_string().contains("none, light, strong, digits"));
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let none = Augment::default;
    let wrong = [
        ("rotation", Augment { rotation: f64::NAN, ..none() }),
        ("mixup", Augment { mixup: -0.1, ..none() }),
        ("blur.kernel", Augment { blur: Some(Blur { kernel: 4, sigma: (1.0, 1.0), p: 1.0 }), ..none() }),
        (
            "resized_crop.scale",
            Augment {
                resized_crop: Some(ResizedCrop { scale: (0.5, 0.2), ..ResizedCrop::default() }),
                ..none()
            },
        ),
    ];
    for (name, augment) in wrong {
        assert!(augment.validate().unwrap_err().to_string().contains(name));
    }
}

/// What is written is what is set, and a mistake is named with what is known.
#[test]
fn operations_are_read_as_they_are_written() {
    let none = Augment::default;
    let crop = |scale| Some(ResizedCrop { scale, ..ResizedCrop::default() });
    let color = |x| ColorJitter { brightness: x, contrast: x, saturation: x, hue: x / 4.0 };
    let cases = [
        ("none", 224, none()),
        ("flip", 224, Augment { horizontal_flip: 0.5, ..none() }),
        ("shift", 40, Augment { shift: 5, ..none() }),
        ("light", 32, Augment { shift: 4, horizontal_flip: 0.5, ..none() }),
        ("light", 224, Augment { resized_crop: crop((0.35, 1.0)), horizontal_flip: 0.5, ..none() }),
        (
            " light , vflip = 0.1, mixup",
            32,
            Augment { shift: 4, horizontal_flip: 0.5, vertical_flip: 0.1, mixup: 0.2, ..none() },
        ),
        ("mixup,none,rotate=3", 224, Augment { rotation: 3.0, ..none() }),
        (
            "flip=1,shift=4,crop=0.5..1,color=0.2,erase=0.25,grey=0.5,cutmix",
            224,
            Augment {
                horizontal_flip: 1.0,
                shift: 4,
                resized_crop: crop((0.5, 1.0)),
                jitter: Some(color(0.2)),
                erasing: Some(Erasing { p: 0.25, ..Erasing::default() }),
                grey: 0.5,
                cutmix: 1.0,
                ..none()
            },
        ),
    ];
    for (text, side, expected) in cases {
        assert_eq!(Augment::parse(text, side).unwrap(), expected, "{text}");
    }
    for (text, named) in [
        ("flipp", "operations: flip, vflip, shift"),
        ("light,", "``"),
        ("light=3", "`light`"),
        ("shift=1.5", "pixels"),
        ("shift=9000", "shift"),
        ("crop=0.5", "smallest..largest"),
        ("crop=1..0.5", "resized_crop.scale"),
        ("flip=2", "horizontal_flip"),
        ("mixup=x", "`x`"),
        ("mixup=nan", "`nan`"),
        ("blur=-1", "blur.p"),
    ] {
        let refused = Augment::parse(text, 224).unwrap_err().to_string();
        assert!(refused.contains(named), "{text}: {refused}");
    }
}

#[test]
fn random_parts_keep_to_their_bounds() {
    let crop = ResizedCrop { scale: (0.2, 0.6), ratio: (0.5, 2.0) };
    let mut random = Random::new([5; 4]);
    for _ in 0..2_000 {
        let [left, top, width, height] = geometry::random_part(&crop, 200, 100, &mut random);
        assert!(left + width <= 200 && top + height <= 100);
        let (area, ratio) = (f64::from(width * height) / 20_000.0, f64::from(width) / f64::from(height));
        assert!((0.19..0.61).contains(&area) && (0.48..2.06).contains(&ratio), "{area} {ratio}");
    }
    // No part of a 1000 × 10 picture has so square a shape: the largest permitted one, from the middle.
    let part =
        geometry::random_part(&ResizedCrop { scale: (1.0, 1.0), ratio: (0.5, 2.0) }, 1000, 10, &mut random);
    assert_eq!(part, [490, 0, 20, 10]);
}

#[test]
fn erasing_takes_a_rectangle_of_the_wanted_size() {
    let erasing = Erasing { p: 1.0, scale: (0.1, 0.2), ratio: (0.5, 2.0) };
    for key in 0..50 {
        let mut tensor = vec![1.0; 40 * 30 * 3];
        mix::erase(&erasing, (40, 30), 3, &mut Random::new([key; 4]), &mut tensor);
        let share = tensor.iter().filter(|value| **value == 0.0).count() as f64 / tensor.len() as f64;
        assert!((0.08..0.22).contains(&share), "{share}");
    }
}

#[test]
fn mixing_keeps_labels_and_pictures_in_step() {
    let transform = Transform::unscaled(8, 6, 1);
    for (mixup, cutmix) in [(0.4, 0.0), (0.0, 1.0), (0.4, 1.0)] {
        let augment = Augment { mixup, cutmix, ..Augment::default() };
        for key in 0..40 {
            // Picture i is all i and of class i: its mean must be what the shares say.
            let mut batch: Vec<f32> = (0..3).flat_map(|i| vec![i as f32; 48]).collect();
            let shares = augment.mix(&mut batch, &[0, 1, 2], 3, &transform, &mut Random::new([key; 4]));
            for (picture, shares) in batch.chunks(48).zip(shares.chunks(3)) {
                let mean = picture.iter().sum::<f32>() / 48.0;
                let expected = shares[1] + 2.0 * shares[2];
                assert!((mean - expected).abs() < 1e-5, "{mean} {expected}");
                assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn beta_has_its_mean_and_variance() {
    for alpha in [0.2, 1.0, 4.0] {
        let mut random = Random::new([9; 4]);
        let values: Vec<f64> = (0..20_000).map(|_| random.beta(alpha)).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!((mean - 0.5).abs() < 0.01, "{alpha}: mean {mean}");
        // Var Beta(α, α) = 1 / (4 (2α + 1)).
        assert!((variance - 0.25 / (2.0 * alpha + 1.0)).abs() < 0.005, "{alpha}: variance {variance}");
    }
}
