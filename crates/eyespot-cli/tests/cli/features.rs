//! Traditional features in place of pictures.

use crate::support::{eyespot, json_lines, photos, validated};
use std::path::Path;

fn read(folder: &Path, file: &str) -> Vec<u8> {
    std::fs::read(folder.join(file)).expect("reads")
}

/// Without settings of step-by-step training the linear network on them is solved.
#[test]
fn a_head_on_traditional_features_is_solved_by_default() {
    let folder = photos(10);
    for features in ["color", "hog", "pixels"] {
        let answer =
            eyespot(folder.path(), &format!("train photos --features {features} --output {features}"));
        assert!(answer.err.contains("head     solved, C "), "{}", answer.err);
        assert!(answer.out.contains("cross-validated accuracy"), "{}", answer.out);
        answer.ok();
    }
}

#[test]
fn colours_are_told_apart_by_their_histograms() {
    let folder = photos(10);
    let root = folder.path();
    let first = eyespot(root, "train photos --features color --lr 0.02 --epochs 20 --output run");
    assert!(first.err.contains("features color, 192 numbers a photo"), "{}", first.err);
    let validated: usize = validated(&root.join("run"), ["blue", "green", "red"]).iter().sum();
    let computed = format!("computing features of {} training photos", 30 - validated);
    assert!(first.err.contains(&computed), "{}", first.err);
    first.ok();
    let report = &json_lines(&eyespot(root, "evaluate run photos --json").ok())[0];
    assert_eq!((&report["images"], &report["accuracy"]), (&validated.into(), &1.0.into()), "{report}");

    // Training standardises features from the cache; prediction computes them anew with what the model file says.
    let rows = String::from_utf8(read(root, "run/predictions.csv")).expect("is text");
    for row in rows.lines().skip(1) {
        let [path, _, prediction, probability, ..] = row.split(',').collect::<Vec<_>>()[..] else {
            panic!("too few columns: {row}")
        };
        let named = &json_lines(&eyespot(root, &format!("predict run {path} --format json")).ok())[0];
        assert_eq!(named["prediction"], prediction, "{path}");
        let (again, written) = (named["probability"].as_f64().expect("a number"), probability.parse::<f64>());
        assert!((again - written.expect("a number")).abs() <= 1e-6, "{path}: {again}, {probability}");
    }
    let table = eyespot(root, "inspect run").ok();
    assert!(table.contains("color") && table.contains("192"), "{table}");
    let err = eyespot(root, "predict run photos --crop 64").fails(2);
    assert!(err.contains("features (color)"), "{err}");
}

#[test]
fn the_second_run_computes_no_features_and_ends_at_the_same_model() {
    let folder = photos(5);
    let root = folder.path();
    eyespot(root, "train photos --model mlp --features hog+color --epochs 2 --threads 2 --output a").ok();
    // The settings as they were written down, all resolved.
    let again = eyespot(root, "train --config a/config.toml --threads 1 --output b");
    assert!(!again.err.contains("computing features"), "{}", again.err);
    again.ok();
    assert!(read(root, "a/model.safetensors") == read(root, "b/model.safetensors"), "the models differ");
    // Another kind of feature has another place in the cache.
    let pixels = eyespot(root, "train photos --features pixels --epochs 1 --output c");
    assert!(pixels.err.contains("computing features"), "{}", pixels.err);
    pixels.ok();
}

#[test]
fn two_classes_may_share_one_output_here_too() {
    let folder = photos(6);
    let root = folder.path();
    std::fs::remove_dir_all(root.join("photos/green")).expect("removes");
    eyespot(root, "train photos --features color --loss bce --lr 0.02 --epochs 20 --output run").ok();
    let report = &json_lines(&eyespot(root, "evaluate run photos --json").ok())[0];
    assert_eq!(report["accuracy"], 1.0, "{report}");
}
