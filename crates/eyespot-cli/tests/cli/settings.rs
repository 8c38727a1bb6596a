//! Every setting against absurd values, in a file and as a flag.

use crate::support::{eyespot_with, photos};
use eyespot::{Bounds, TrainingOptions};

const ABSURD: [&str; 8] = ["0", "-1", "nan", "inf", "-inf", "4000000000", "9223372036854775807", "1e300"];

/// What is in bounds all the same.
fn is_sound(key: &str, value: &str) -> bool {
    match value {
        "0" => matches!(
            key,
            "seed"
                | "threads"
                | "val"
                | "test"
                | "momentum"
                | "weight-decay"
                | "warmup"
                | "label-smoothing"
                | "ema"
                | "mean"
        ),
        "4000000000" | "9223372036854775807" => key == "seed",
        _ => false,
    }
}

#[test]
fn absurd_settings_in_a_file_are_named_with_their_bounds() {
    let folder = photos(2);
    for key in TrainingOptions::KEYS {
        for value in ABSURD {
            let value =
                if matches!(key, "mean" | "std") { format!("[{value}, 0.5, 0.5]") } else { value.to_owned() };
            std::fs::write(folder.path().join("s.toml"), format!("\n{key} = {value}\n")).expect("writes");
            // The photos aren't there: what the file lets pass ends there.
            let answer = eyespot_with(folder.path(), &["train", "gone", "--config", "s.toml"]);
            let bare = value.trim_start_matches('[').split(',').next().expect("has a value");
            if is_sound(key, bare) {
                assert!(answer.fails(1).contains("gone does not exist"), "{key} = {value}");
                continue;
            }
            let err = answer.fails(2);
            assert!(err.contains("s.toml") && err.contains(key), "{key} = {value}: {err}");
            assert!(err.contains("line 2"), "{key} = {value}: {err}");
            if let Some(bounds) = Bounds::of(key) {
                assert!(err.contains(&bounds.to_string()), "{key} = {value}: {err}");
            }
        }
    }
}

#[test]
fn flags_have_the_same_bounds_as_files() {
    let folder = photos(2);
    for key in TrainingOptions::KEYS.iter().filter(|key| Bounds::of(key).is_some()) {
        for value in ABSURD.iter().filter(|value| !is_sound(key, value)) {
            let value =
                if matches!(*key, "mean" | "std") { format!("{value},0.5,0.5") } else { (*value).to_owned() };
            let err = eyespot_with(folder.path(), &["train", "gone", &format!("--{key}={value}")]).fails(2);
            assert!(err.contains(key), "--{key}={value}: {err}");
        }
    }
    for args in [
        &["predict", "run", "photos", "--threads", "4000000000"][..],
        &["embed", "photos", "--features", "color", "-o", "x.npy", "--threads", "4000000000"],
        &["evaluate", "run", "photos", "--threads", "4000000000"],
        &["demo", "--threads", "4000000000"],
        &["bench", "--threads", "4000000000"],
        &["inspect", "resnet18", "--crop", "4000000000"],
        &["predict", "run", "photos", "--resize", "4000000000"],
    ] {
        let err = eyespot_with(folder.path(), args).fails(2);
        assert!(err.contains("is not in"), "{args:?}: {err}");
    }
}

#[test]
fn the_library_checks_its_settings_too() {
    let options = TrainingOptions { views: Some(4_000_000_000), ..TrainingOptions::default() };
    let error = options.check().expect_err("is out of bounds").to_string();
    assert_eq!(error, "views: it is a whole number from 1 to 1000, not 4000000000");
    let options = TrainingOptions { std: Some(vec![f32::NAN]), ..TrainingOptions::default() };
    assert!(options.check().is_err());
}
