//! Heads that are solved: judged by cross-validation, the same for any seed and number of threads.

use crate::support::{eyespot, trained};
use std::collections::BTreeSet;
use std::path::Path;

const QUICK: &str = "--crop 32 --resize 32 --cache none";

fn read(folder: &Path, file: &str) -> Vec<u8> {
    std::fs::read(folder.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn text(folder: &Path, file: &str) -> String {
    String::from_utf8(read(folder, file)).expect("is text")
}

#[test]
fn every_image_is_judged_unseen_and_learned_from() {
    let folder = trained(10);
    for (run, flags) in
        [("one", "--threads 1"), ("two", "--threads 2 --seed 7"), ("named", "--optimizer lbfgs")]
    {
        let answer =
            eyespot(folder.path(), &format!("train photos --weights run --output {run} {flags} {QUICK}"));
        assert!(answer.err.contains("judged by cross-validation"), "{}", answer.err);
        assert!(answer.err.contains("head     solved, C "), "{}", answer.err);
        assert!(answer.out.contains("cross-validated accuracy"), "{}", answer.out);
        answer.ok();
    }
    let one = read(folder.path(), "one/model.safetensors");
    for run in ["two", "named"] {
        assert!(one == read(folder.path(), &format!("{run}/model.safetensors")), "{run} has another model");
    }
    // A row for each image, in five folds, and none of the classes in one fold alone.
    let predictions = text(folder.path(), "one/predictions.csv");
    let rows: Vec<Vec<&str>> = predictions.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 30);
    for class in rows.iter().map(|row| row[1]).collect::<BTreeSet<_>>() {
        let folds: BTreeSet<&str> = rows.iter().filter(|row| row[1] == class).map(|row| row[4]).collect();
        assert_eq!(folds, BTreeSet::from(["1", "2", "3", "4", "5"]), "{class}");
    }
    // The run is measured by what was predicted there, in the same figures.
    let answer = eyespot(folder.path(), "evaluate one --json");
    let measured: serde_json::Value = serde_json::from_str(&answer.out).expect("is JSON");
    let right = rows.iter().filter(|row| row[1] == row[2]).count();
    assert_eq!(measured["images"], 30);
    assert_eq!(measured["accuracy"].as_f64(), Some(right as f64 / 30.0));
    answer.ok();
    // It has learned from every image, so the same ones say nothing about new ones.
    let answer = eyespot(folder.path(), "evaluate one photos");
    assert!(answer.err.contains("learned from all 30 images"), "{}", answer.err);
    assert_eq!(answer.code, 1);
}

#[test]
fn images_given_for_validation_are_not_learned_from() {
    let folder = trained(10);
    let photos = folder.path().join("photos");
    for class in std::fs::read_dir(&photos).expect("lists").map(|entry| entry.expect("is there")) {
        for (place, file) in std::fs::read_dir(class.path()).expect("lists").enumerate() {
            let file = file.expect("is there").path();
            let part = if place % 2 == 0 { "train" } else { "val" };
            let to = folder.path().join("divided").join(part).join(class.file_name());
            std::fs::create_dir_all(&to).expect("makes a folder");
            std::fs::copy(&file, to.join(file.file_name().expect("has a name"))).expect("copies");
        }
    }
    let answer = eyespot(folder.path(), &format!("train divided --weights run --output solved {QUICK}"));
    assert!(answer.out.contains("validation accuracy"), "{}", answer.out);
    answer.ok();
    let predictions = text(folder.path(), "solved/predictions.csv");
    assert!(predictions.lines().skip(1).all(|line| line.contains("/val/")), "{predictions}");
    eyespot(folder.path(), "evaluate solved divided").ok();
}

#[test]
fn a_finished_run_is_solved_again_to_the_same_bytes() {
    let folder = trained(10);
    eyespot(folder.path(), &format!("train photos --weights run --output solved {QUICK}")).ok();
    let before = read(folder.path(), "solved/model.safetensors");
    std::fs::remove_file(folder.path().join("solved/model.safetensors")).expect("removes");
    eyespot(folder.path(), "train --resume --output solved").ok();
    assert!(before == read(folder.path(), "solved/model.safetensors"), "the models differ");
}

#[test]
fn settings_of_steps_ask_for_steps() {
    let folder = trained(10);
    let answer = eyespot(
        folder.path(),
        &format!("train photos --weights run --output steps --epochs 2 --optimizer sgd {QUICK}"),
    );
    assert!(answer.err.contains("epoch 2/2"), "{}", answer.err);
    answer.ok();
    for (flags, named) in [
        ("--optimizer lbfgs --epochs 3", "--epochs"),
        ("--optimizer lbfgs --head mlp", "--head mlp"),
        ("--balance auto --epochs 3", "--balance auto"),
    ] {
        let answer =
            eyespot(folder.path(), &format!("train photos --weights run --output no {flags} {QUICK}"));
        assert!(answer.err.contains(named), "{flags}: {}", answer.err);
        assert_eq!(answer.code, 2, "{flags}");
        assert!(!folder.path().join("no").exists(), "{flags}: left a folder");
    }
}
