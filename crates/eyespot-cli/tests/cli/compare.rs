//! `eyespot evaluate A B … DATA`: models side by side on the same images.

use crate::support::{QUICK, eyespot, json_lines, save, trained, validated};
use serde_json::Value;
use std::path::Path;

/// Images of each class that no run has seen; of every class the second is named as the next class.
fn new_images(folder: &Path, each: u32) {
    let classes = ["red", "green", "blue"];
    for strong in 0..3 {
        for n in 0..each {
            let class = classes[(strong + usize::from(n == 1)) % 3];
            save(&folder.join(class).join(format!("{strong}-{n}.png")), strong, 800 + n);
        }
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn models_are_compared_on_the_same_images_with_their_classes_in_any_order() {
    let folder = trained(10);
    let root = folder.path();
    new_images(&root.join("new"), 10);
    // The classes in another order, and hardly trained.
    let csv: String = ["red", "blue", "green"]
        .iter()
        .flat_map(|class| (0..10).map(move |n| format!("photos/{class}/{n}.png,{class}\n")))
        .collect();
    std::fs::write(root.join("photos.csv"), format!("path,label\n{csv}")).expect("writes");
    eyespot(root, &format!("train photos.csv --output weak --epochs 1 --lr 1e-6 --optimizer sgd {QUICK}"))
        .ok();
    let answer = eyespot(root, "evaluate run weak new --json");
    let report = json_lines(&answer.ok()).remove(0);
    assert_eq!(report["images"], 30);
    let mut rows: Vec<Vec<(String, String)>> = Vec::new();
    for (place, name) in ["run", "weak"].iter().enumerate() {
        // Each is what it is alone.
        let alone = json_lines(&eyespot(root, &format!("evaluate {name} new --json")).ok()).remove(0);
        let model = &report["models"][place];
        assert_eq!(model["model"], *name);
        for key in ["accuracy", "accuracy_interval", "balanced_accuracy", "confusion", "images"] {
            assert_eq!(model[key], alone[key], "{name}: {key}");
        }
        let (log_loss, loss) = (number(&model["log_loss"]), number(&alone["loss"]));
        // The loss subtracts scores of about 1 in f32: half a unit in the last place, 6e-8.
        assert!((log_loss - loss).abs() < 6e-8, "{name}: {log_loss}, {loss}");
        let named = eyespot(root, &format!("predict {name} new --format json")).ok();
        let text = |line: &Value, key: &str| line[key].as_str().expect("is text").to_owned();
        rows.push(
            json_lines(&named).iter().map(|line| (text(line, "label"), text(line, "prediction"))).collect(),
        );
    }
    let right = |place: usize, image: usize| rows[place][image].0 == rows[place][image].1;
    let only = |this: usize, other: usize| {
        (0..30).filter(|&image| right(this, image) && !right(other, image)).count()
    };
    let difference = &report["differences"][0];
    assert_eq!(difference["model"], "weak");
    assert_eq!(difference["only_first_right"], only(0, 1));
    assert_eq!(difference["only_this_right"], only(1, 0));
    let expected = (only(1, 0) as f64 - only(0, 1) as f64) / 30.0;
    assert!((number(&difference["accuracy_difference"]) - expected).abs() < 1e-12, "{report}");
    let [low, high] = [0, 1].map(|end| number(&difference["interval"][end]));
    assert!(low <= expected && expected <= high && low < high, "{report}");
    let differ = (0..30).filter(|&image| rows[0][image].1 != rows[1][image].1).count();
    assert!(differ > 0, "the weak model is as good");
    assert_eq!(report["disagreements"].as_array().expect("a list").len(), differ);

    // The same words each time, on any number of threads.
    let text = eyespot(root, "evaluate run weak new --threads 1").ok();
    assert_eq!(text, eyespot(root, "evaluate run weak new --threads 2 --batch 5").ok());
    for said in ["30 images; ", "weak against run: ", "McNemar's p ", &format!("named alike ({differ})")] {
        assert!(text.contains(said), "`{said}` is missing:\n{text}");
    }
    // A model against itself.
    let same = eyespot(root, "evaluate run run/model.safetensors new").ok();
    assert!(
        same.contains("+0.0 points of accuracy (95 % interval: +0.0 to +0.0)")
            && same.contains("McNemar's p 1.0000: no difference"),
        "{same}"
    );
    assert!(same.contains("all models name all images alike"), "{same}");
}

#[test]
fn images_that_any_model_learned_from_are_left_out_for_all() {
    let folder = trained(10);
    let root = folder.path();
    new_images(&root.join("others"), 4);
    eyespot(root, &format!("train others --output second --epochs 1 {QUICK}")).ok();
    // Both data sets together: 30 and 12 images, of which most were learned from.
    let learned = |run: &str, images: usize| {
        images - validated(&root.join(run), ["blue", "green", "red"]).iter().sum::<usize>()
    };
    let (first, second) = (learned("run", 30), learned("second", 12));
    for (from, count) in [("photos", 10), ("others", 4)] {
        for class in ["red", "green", "blue"] {
            let to = root.join("all").join(class);
            std::fs::create_dir_all(&to).expect("makes the folder");
            let files = std::fs::read_dir(root.join(from).join(class)).expect("lists");
            let mut copied = 0;
            for file in files.map(|file| file.expect("is there")) {
                let name = format!("{from}-{}", file.file_name().to_string_lossy());
                std::fs::copy(file.path(), to.join(name)).expect("copies");
                copied += 1;
            }
            assert_eq!(copied, count);
        }
    }
    let answer = eyespot(root, "evaluate run second all --json");
    let said = format!("run learned from {first}, second learned from {second}");
    assert!(answer.err.contains(&said), "{}", answer.err);
    let report = json_lines(&answer.ok()).remove(0);
    assert_eq!(
        (&report["images"], &report["left_out"]["trained_on"]),
        (&(42 - first - second).into(), &(first + second).into())
    );
    let all = json_lines(&eyespot(root, "evaluate run second all --json --include-training").ok()).remove(0);
    assert_eq!((&all["images"], &all["left_out"]["trained_on"]), (&42.into(), &0.into()));
}

#[test]
fn what_is_no_model_or_no_data_is_told_with_what_was_understood() {
    let folder = trained(6);
    let root = folder.path();
    new_images(&root.join("new"), 3);
    for (args, said) in [
        ("evaluate run new new", "new is a folder without a model.safetensors"),
        (
            "evaluate run gone new",
            "gone is not there; of several paths the last one is the labelled images (new)",
        ),
        ("evaluate run resnet18 new", "resnet18 is a network without weights"),
        ("evaluate run photos.csv new", "photos.csv is a CSV, not a model"),
        ("evaluate run run", "run and run are models, and there are no images"),
        (
            "evaluate run run run/model.safetensors",
            "run/model.safetensors is a model, so there are no images",
        ),
        ("evaluate run run new --threshold 0.5", "--threshold is for one model"),
    ] {
        std::fs::write(root.join("photos.csv"), "path,label\n").expect("writes");
        let err = eyespot(root, args).fails(2);
        assert!(err.contains(said), "`{args}` says:\n{err}");
    }
    std::fs::create_dir_all(root.join("two")).expect("makes the folder");
    for class in ["red", "green"] {
        for n in 0..6 {
            let to = root.join(format!("two/{class}/{n}.png"));
            std::fs::create_dir_all(to.parent().expect("has a folder")).expect("makes the folder");
            std::fs::copy(root.join(format!("photos/{class}/{n}.png")), to).expect("copies");
        }
    }
    eyespot(root, &format!("train two --output pair --epochs 1 {QUICK}")).ok();
    let err = eyespot(root, "evaluate run pair new").fails(2);
    assert!(err.contains("run and pair know different classes: only run knows blue;"), "{err}");
    let err = eyespot(root, "evaluate run run/model.safetensors gone").fails(1);
    assert!(err.contains("gone"), "{err}");
}
