//! Images of more than 8 bits a sample: `--range`.

use crate::support::{QUICK, eyespot, json_lines};
use image::{ImageBuffer, Luma};
use serde_json::Value;
use std::path::Path;

/// 12 bits in 16, as microscopes and thermal cameras write them: light at the left or at the right.
fn samples(right: bool, seed: u32) -> Vec<u16> {
    let sample = |place: u32| {
        let (x, y) = (place % 40, place / 40);
        let uneven = ((x * 7 + y * 13 + seed * 31).wrapping_mul(2_654_435_761) >> 24) as u16;
        if (x >= 20) == right { 2600 + 4 * uneven } else { 200 + 3 * uneven }
    };
    (0..40 * 36).map(sample).collect()
}

fn save_deep(path: &Path, samples: &[u16]) {
    std::fs::create_dir_all(path.parent().expect("has a folder")).expect("makes the folder");
    let image = ImageBuffer::<Luma<u16>, _>::from_raw(40, 36, samples.to_vec()).expect("is whole");
    image.save(path).expect("writes");
}

/// The same image with what `range` makes of each sample, by its definition.
fn save_shallow(path: &Path, samples: &[u16], [low, high]: [f64; 2]) {
    std::fs::create_dir_all(path.parent().expect("has a folder")).expect("makes the folder");
    let level = |s: &u16| ((f64::from(*s) - low) / (high - low) * 255.0).round().clamp(0.0, 255.0) as u8;
    let levels = samples.iter().map(level).collect();
    image::GrayImage::from_raw(40, 36, levels).expect("is whole").save(path).expect("writes");
}

/// As NumPy has it, between two samples.
fn percentile(sorted: &[u16], percent: f64) -> f64 {
    let place = (sorted.len() - 1) as f64 * percent / 100.0;
    let (below, above) = (f64::from(sorted[place as usize]), f64::from(sorted[place.ceil() as usize]));
    below + (above - below) * place.fract()
}

/// Lines of JSON without what names the files.
fn nameless(text: &str) -> Vec<Value> {
    let mut lines = json_lines(text);
    for line in &mut lines {
        if let Some(line) = line.as_object_mut() {
            line.remove("path");
        }
    }
    lines
}

/// Photos in `photos/{train,val}/{left,right}`; returns the samples of those that train.
fn photos(root: &Path, endings: &[&str]) -> Vec<u16> {
    let mut all = Vec::new();
    for (part, count, first) in [("train", 8, 0), ("val", 4, 100)] {
        for (class, right) in [("left", false), ("right", true)] {
            for n in 0..count {
                let samples = samples(right, first + n);
                let ending = endings[n as usize % endings.len()];
                save_deep(&root.join(format!("photos/{part}/{class}/{n}.{ending}")), &samples);
                if part == "train" {
                    all.extend(samples);
                }
            }
        }
    }
    all.sort_unstable();
    all
}

#[test]
fn a_figure_shows_a_deep_image_as_the_model_sees_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    photos(root, &["png"]);
    eyespot(root, &format!("train photos --output run --epochs 1 --range 0..4095 {QUICK}")).ok();
    let samples = samples(true, 7);
    save_deep(&root.join("deep.png"), &samples);
    save_shallow(&root.join("shallow.png"), &samples, [0.0, 4095.0]);
    let figure = |image: &str| {
        let answer = eyespot(root, &format!("inspect run --maps stage1 --image {image} --output f-{image}"));
        assert!(!answer.err.contains("note:"), "{}", answer.err);
        answer.ok();
        std::fs::read(root.join(format!("f-{image}"))).expect("is there")
    };
    assert!(figure("deep.png") == figure("shallow.png"));
}

#[test]
fn a_range_found_in_training_is_stored_and_obeyed_by_predict_evaluate_and_embed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    let sorted = photos(root, &["png", "tif"]);
    let answer =
        eyespot(root, &format!("train photos --output run --range auto --epochs 6 --seed 1 {QUICK}"));
    assert!(answer.err.contains("0.1 to 99.9 percentile"), "{}", answer.err);
    assert!(!answer.err.contains("has samples from"), "{}", answer.err);
    answer.ok();
    let config = std::fs::read_to_string(root.join("run/config.toml")).expect("reads");
    let stored = config.lines().find_map(|line| line.strip_prefix("range = \"")).expect("a range");
    let (low, high) = stored.trim_end_matches('"').split_once("..").expect("two numbers");
    let range = [low, high].map(|number| number.parse::<f64>().expect("a number"));
    for (found, percent) in range.into_iter().zip([0.1, 99.9]) {
        let right = percentile(&sorted, percent);
        assert!((found - right).abs() < 0.01, "{found} is the {percent} percentile, not {right}");
    }

    // The same images in 8 bits give the same answers.
    for (class, right) in [("left", false), ("right", true)] {
        for n in 0..5 {
            let samples = samples(right, 200 + n);
            save_deep(&root.join(format!("deep/{class}/{n}.png")), &samples);
            save_deep(&root.join(format!("tiff/{class}/{n}.tif")), &samples);
            save_shallow(&root.join(format!("shallow/{class}/{n}.png")), &samples, range);
        }
    }
    let shallow = nameless(&eyespot(root, "predict run shallow --format json").ok());
    for data in ["deep", "tiff"] {
        assert_eq!(
            nameless(&eyespot(root, &format!("predict run {data} --format json")).ok()),
            shallow,
            "{data}"
        );
    }
    let evaluated = |data: &str, flags: &str| {
        json_lines(&eyespot(root, &format!("evaluate run {data} --json {flags}")).ok()).remove(0)
    };
    let (a, b) = (evaluated("deep", ""), evaluated("shallow", ""));
    assert_eq!((&a["loss"], &a["accuracy"], &a["images"]), (&b["loss"], &b["accuracy"], &10.into()));
    assert!(a["accuracy"].as_f64().expect("a number") > 0.9, "{a}");
    let robust = evaluated("deep", "--robustness");
    assert_eq!(robust["models"][0]["accuracy"], a["accuracy"]);
    assert_eq!(robust["models"][0]["variations"][0]["accuracy"][0], a["accuracy"]);
    let vectors = |data: &str| {
        eyespot(root, &format!("embed run {data} --output {data}.npy")).ok();
        std::fs::read(root.join(format!("{data}.npy"))).expect("reads")
    };
    assert!(vectors("deep") == vectors("shallow"), "embed obeys another range");
}

#[test]
fn without_a_range_deep_images_are_noted_and_a_given_one_is_obeyed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    for n in 0..3 {
        let samples = samples(n == 1, n);
        save_deep(&root.join(format!("deep/{n}.tif")), &samples);
        save_shallow(&root.join(format!("shallow/{n}.png")), &samples, [0.0, 4080.0]);
    }
    let embedded = |data: &str, flags: &str| {
        let answer = eyespot(root, &format!("embed {data} --features color --output {data}.npy {flags}"));
        let err = answer.err.clone();
        answer.ok();
        (std::fs::read(root.join(format!("{data}.npy"))).expect("reads"), err)
    };
    let (shallow, err) = embedded("shallow", "");
    assert!(!err.contains("has samples"), "{err}");
    let (full, err) = embedded("deep", "");
    assert!(full != shallow, "black images are as good");
    assert!(err.contains("has samples from") && err.contains("--range"), "{err}");
    let (ranged, err) = embedded("deep", "--range 0..4080 --overwrite");
    assert!(ranged == shallow, "the range is not obeyed");
    assert!(!err.contains("has samples"), "{err}");

    let auto = eyespot(root, "embed deep --features color --output x.npy --range auto").fails(2);
    assert!(auto.contains("eyespot train") && auto.contains("LOW..HIGH"), "{auto}");
    let wrong = eyespot(root, "embed deep --features color --output x.npy --range 9..2").fails(2);
    assert!(wrong.contains("9..2"), "{wrong}");
}

#[test]
fn a_range_that_is_resumed_stays_as_it_was_found() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    photos(root, &["png"]);
    eyespot(root, &format!("train photos --output run --range auto --epochs 1 --seed 1 {QUICK}")).ok();
    let config = std::fs::read_to_string(root.join("run/config.toml")).expect("reads");
    // Taken over into another run it is a range like any that is given.
    eyespot(root, "train photos --config run/config.toml --output again --epochs 1").ok();
    let again = std::fs::read_to_string(root.join("again/config.toml")).expect("reads");
    let range = |text: &str| text.lines().find(|line| line.starts_with("range")).map(str::to_owned);
    assert!(range(&config).is_some_and(|line| line.contains("..")), "{config}");
    assert_eq!(range(&config), range(&again));
}
