//! `eyespot evaluate`: what is measured, and what is said of it.

use crate::support::{QUICK, eyespot, json_lines, photos, save, trained, validated};
use serde_json::Value;
use std::path::Path;

/// Images by which `run` was validated.
fn set_aside(root: &Path) -> usize {
    validated(&root.join("run"), ["blue", "green", "red"]).iter().sum()
}

fn report(folder: &Path, args: &str) -> Value {
    json_lines(&eyespot(folder, &format!("{args} --json")).ok()).remove(0)
}

/// A picture of each class that no run has seen.
fn new_pictures(folder: &Path) {
    for (strong, class) in ["red", "green", "blue"].iter().enumerate() {
        save(&folder.join(class).join("new.png"), strong, 500);
    }
}

#[test]
fn images_that_trained_the_model_are_left_out_wherever_they_turn_up() {
    let folder = trained(10);
    let root = folder.path();
    // Other names, other folders, one more of each class, and the model alone.
    for class in ["red", "green", "blue"] {
        std::fs::create_dir_all(root.join("copies").join(class)).expect("makes the folder");
        for n in 0..10 {
            let copy = root.join(format!("copies/{class}/IMG_{}.png", 9000 + n));
            std::fs::copy(root.join(format!("photos/{class}/{n}.png")), copy).expect("copies");
        }
    }
    new_pictures(&root.join("copies"));
    std::fs::create_dir(root.join("alone")).expect("makes the folder");
    std::fs::copy(root.join("run/model.safetensors"), root.join("alone/m.safetensors")).expect("copies");
    let (new, known) = (set_aside(root) + 3, 30 - set_aside(root));
    for model in ["run", "alone/m.safetensors"] {
        let answer = eyespot(root, &format!("evaluate {model} copies --json"));
        let said = format!("{known} are left out because the model learned from them");
        assert!(answer.err.contains(&said), "{}", answer.err);
        let report = json_lines(&answer.ok()).remove(0);
        assert_eq!((&report["images"], &report["left_out"]["trained_on"]), (&new.into(), &known.into()));
        let all = self::report(root, &format!("evaluate {model} copies --include-training"));
        assert_eq!((&all["images"], &all["left_out"]["trained_on"]), (&33.into(), &0.into()));
        let robust = self::report(root, &format!("evaluate {model} copies --robustness"));
        assert_eq!(
            (&robust["models"][0]["images"], &robust["models"][0]["left_out"]["trained_on"]),
            (&new.into(), &known.into())
        );
    }
    // With nothing else to measure it says so.
    for class in ["red", "green", "blue"] {
        for file in ["new.png".to_owned()].into_iter().chain((0..10).map(|n| format!("IMG_{}.png", 9000 + n)))
        {
            let path = root.join("copies").join(class).join(file);
            let bytes = std::fs::read(&path).expect("reads");
            let learned = (0..10).any(|n| {
                let photo = format!("photos/{class}/{n}.png");
                let validated = std::fs::read_to_string(root.join("run/predictions.csv")).expect("reads");
                !validated.contains(&photo) && std::fs::read(root.join(photo)).expect("reads") == bytes
            });
            if !learned {
                std::fs::remove_file(path).expect("removes");
            }
        }
    }
    let said = eyespot(root, "evaluate run copies").fails(1);
    assert!(
        said.contains(&format!("learned from all {known} images")) && said.contains("--include-training"),
        "{said}"
    );
}

#[test]
fn frozen_features_remember_their_images_too() {
    let folder = photos(6);
    let flags = "--model cifar_resnet20 --freeze backbone --epochs 2";
    eyespot(folder.path(), &format!("train photos --output run {flags}")).ok();
    let new = set_aside(folder.path());
    std::fs::rename(folder.path().join("photos"), folder.path().join("renamed")).expect("renames");
    let report = report(folder.path(), "evaluate run/model.safetensors renamed");
    assert_eq!((&report["images"], &report["left_out"]["trained_on"]), (&new.into(), &(18 - new).into()));
}

#[test]
fn a_model_trained_on_remembers_the_images_of_the_first_run_too() {
    let folder = trained(10);
    let root = folder.path();
    new_pictures(&root.join("others"));
    for (strong, class) in ["red", "green", "blue"].iter().enumerate() {
        for n in 0..4 {
            save(&root.join("others").join(class).join(format!("{n}.png")), strong, 600 + n);
        }
    }
    eyespot(root, "train others --weights run --output second --epochs 1").ok();
    let report = report(root, "evaluate second/model.safetensors photos");
    assert_eq!(
        (&report["images"], &report["left_out"]["trained_on"]),
        (&set_aside(root).into(), &(30 - set_aside(root)).into())
    );
}

#[test]
fn a_class_without_a_readable_image_stops_either_measurement() {
    let folder = trained(10);
    let root = folder.path();
    new_pictures(&root.join("new"));
    std::fs::write(root.join("new/green/new.png"), "no image").expect("writes");
    for flags in ["", " --robustness"] {
        let said = eyespot(root, &format!("evaluate run new{flags}")).fails(1);
        assert!(said.contains("none of the 1 images of green can be read"), "{said}");
        assert!(said.contains("new.png"), "{said}");
    }
}

#[test]
fn a_run_alone_is_measured_on_its_own_validation_images() {
    let folder = trained(10);
    let root = folder.path();
    let images = set_aside(root);
    // Later ones don't count.
    new_pictures(&root.join("photos"));
    let answer = eyespot(root, "evaluate run --json");
    assert!(
        answer.err.contains(&format!("measured on {images} images that the run set aside, of photos")),
        "{}",
        answer.err
    );
    let own = json_lines(&answer.ok()).remove(0);
    assert_eq!(own["images"], images);
    let csv = std::fs::read_to_string(root.join("run/predictions.csv")).expect("reads");
    let rows: Vec<Vec<&str>> = csv.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let right = rows.iter().filter(|row| row[1] == row[2]).count();
    assert_eq!(own["accuracy"].as_f64().expect("a number"), right as f64 / images as f64);

    std::fs::remove_file(root.join(rows[0][0])).expect("removes");
    let answer = eyespot(root, "evaluate run");
    assert!(
        answer.err.contains(&format!("on {} images", images - 1)) && answer.err.contains("1 others are gone"),
        "{}",
        answer.err
    );
    std::fs::rename(root.join("photos"), root.join("elsewhere")).expect("renames");
    let said = eyespot(root, "evaluate run").fails(2);
    assert!(said.contains("images of photos, which isn't there"), "{said}");
    std::fs::copy(root.join("run/model.safetensors"), root.join("m.safetensors")).expect("copies");
    let said = eyespot(root, "evaluate m.safetensors").fails(2);
    assert!(said.contains("no run with validation images belongs to this model"), "{said}");
}

#[test]
fn accuracy_stands_beside_balanced_accuracy_and_the_largest_class() {
    let folder = photos(20);
    let root = folder.path();
    for n in 5..20 {
        std::fs::remove_file(root.join(format!("photos/green/{n}.png"))).expect("removes");
    }
    let trained = eyespot(root, &format!("train photos --output run --epochs 3 {QUICK}"));
    let counts = validated(&root.join("run"), ["blue", "green", "red"]);
    let images: usize = counts.iter().sum();
    let largest = *counts.iter().max().expect("three counts");
    let largest_share = 100.0 * largest as f64 / images as f64;
    assert!(trained.err.contains(&format!("the smallest, green, {}", 5 - counts[1])), "{}", trained.err);
    assert!(trained.err.contains("--balance weights"), "{}", trained.err);
    let out = trained.ok();
    assert!(out.contains("\nbalanced accuracy ") && out.contains(" (95 % interval: "), "{out}");
    let first = out.lines().next().expect("a line");
    assert!(first.contains(&format!(" of {images} photos; 95 % interval: ")), "{out}");
    assert!(
        out.contains(&format!("\nlargest class {largest_share:.1} % accuracy by always naming ")),
        "{out}"
    );

    let report = report(root, "evaluate run");
    let recall = |class: usize| report["classes"][class]["recall"].as_f64().expect("a number");
    let balanced = report["balanced_accuracy"].as_f64().expect("a number");
    assert!((balanced - (recall(0) + recall(1) + recall(2)) / 3.0).abs() < 1e-12, "{report}");
    let end = |end: usize| report["balanced_accuracy_interval"][end].as_f64().expect("a number");
    assert!(end(0) < balanced && balanced <= end(1), "{report}");
    let right = (report["accuracy"].as_f64().expect("a number") * images as f64).round() as usize;
    assert_eq!(report["accuracy_interval"], serde_json::json!(eyespot::wilson_interval(right, images)));
    assert_eq!(report["largest_class_accuracy"].as_f64(), Some(largest as f64 / images as f64));
    assert!(report.get("top5_accuracy").is_none(), "of three classes the top five are all");
    let text = eyespot(root, "evaluate run").ok();
    assert!(
        text.starts_with("accuracy  ") && text.contains(&format!(" ({right} of {images}; 95 % interval: ")),
        "{text}"
    );
    assert!(
        text.contains("\nbalanced accuracy  ")
            && text.contains(&format!("\nlargest class      {largest_share:.1} %")),
        "{text}"
    );
}

#[test]
fn few_images_and_a_choice_among_epochs_are_told() {
    let folder = photos(30);
    let root = folder.path();
    for n in 0..10 {
        std::fs::remove_file(root.join(format!("photos/green/{n}.png"))).expect("removes");
    }
    let chosen = "best of 3 epochs on these images, so the figures are a little too good";
    let trained = eyespot(root, &format!("train photos --output run --epochs 3 {QUICK}"));
    let counts = validated(&root.join("run"), ["blue", "green", "red"]);
    let names = ["blue", "green", "red"].into_iter().zip(counts);
    let few: Vec<String> = names.filter(|(_, n)| *n < 10).map(|(name, n)| format!("{name} ({n})")).collect();
    assert!(!few.is_empty() && trained.err.contains("fewer than 10 images to judge by: "), "{}", trained.err);
    let told = |err: &str| few.iter().all(|class| err.contains(class.as_str()));
    assert!(told(&trained.err), "{}", trained.err);
    assert!(trained.out.contains(chosen), "{}", trained.out);
    trained.ok();
    for data in ["", "photos"] {
        let answer = eyespot(root, &format!("evaluate run {data}"));
        assert!(told(&answer.err) && answer.err.contains(chosen), "{data}: {}", answer.err);
        answer.ok();
    }
    // One epoch is no choice, and ten images are enough.
    let once = eyespot(root, &format!("train photos --output once --epochs 1 {QUICK}"));
    assert!(!once.out.contains("best of"), "{}", once.out);
    once.ok();
    for (strong, class) in ["red", "green", "blue"].iter().enumerate() {
        for n in 0..10 {
            save(&root.join("new").join(class).join(format!("{n}.png")), strong, 700 + n);
        }
    }
    let answer = eyespot(root, "evaluate run new");
    assert!(!answer.err.contains("fewer than") && !answer.err.contains("best of"), "{}", answer.err);
    answer.ok();
}

#[test]
fn below_the_threshold_is_rejected() {
    let folder = trained(10);
    let root = folder.path();
    new_pictures(&root.join("new"));
    save(&root.join("new/red/odd.png"), 2, 501);
    let plain = report(root, "evaluate run new");
    assert!(plain.get("selective").is_none());
    let none = &report(root, "evaluate run new --threshold 0")["selective"];
    assert_eq!(
        (&none["coverage"], &none["rejected"], &none["accuracy"], &none["accuracy_interval"]),
        (&1.0.into(), &0.into(), &plain["accuracy"], &plain["accuracy_interval"])
    );
    let predictions = eyespot(root, "predict run new --format json").ok();
    let mut sure: Vec<(f64, bool)> = json_lines(&predictions)
        .iter()
        .map(|line| (line["probability"].as_f64().expect("a number"), line["label"] == line["prediction"]))
        .collect();
    sure.sort_by(|a, b| b.0.total_cmp(&a.0));
    // Between the second and the third.
    let threshold = (sure[1].0 + sure[2].0) / 2.0;
    let half = &report(root, &format!("evaluate run new --threshold {threshold}"))["selective"];
    assert_eq!(
        (&half["accepted"], &half["rejected"], &half["coverage"]),
        (&2.into(), &2.into(), &0.5.into())
    );
    let right = sure[..2].iter().filter(|(_, right)| *right).count();
    assert_eq!(half["accuracy"].as_f64(), Some(right as f64 / 2.0));
    let text = eyespot(root, &format!("evaluate run new --threshold {threshold}")).ok();
    assert!(text.contains("50.0 % accepted (2 of 4), accuracy on those"), "{text}");
    let wrong = eyespot(root, "evaluate run new --threshold 2").fails(2);
    assert!(wrong.contains("a number from 0 to 1"), "{wrong}");
}

#[test]
fn what_is_left_out_is_counted() {
    let folder = trained(6);
    let root = folder.path();
    new_pictures(&root.join("new"));
    let copy = |from: &str, to: &str| std::fs::copy(root.join(from), root.join(to)).expect("copies");
    copy("new/red/new.png", "new/red/again.png");
    save(&root.join("new/green/both.png"), 1, 502);
    copy("new/green/both.png", "new/blue/both.png");
    std::fs::write(root.join("new/green/broken.png"), b"no picture").expect("writes");
    save(&root.join("new/yellow/1.png"), 1, 503);
    let learned = std::fs::read_to_string(root.join("run/predictions.csv")).expect("reads");
    let photo = (0..6).map(|n| format!("photos/red/{n}.png")).find(|photo| !learned.contains(photo));
    copy(&photo.expect("most are for training"), "new/red/known.png");
    let report = report(root, "evaluate run new");
    let expected = serde_json::json!({
        "unreadable": 1, "duplicates": 1, "contradictory": 2, "trained_on": 1, "unknown_class": 1
    });
    assert_eq!((&report["left_out"], &report["images"]), (&expected, &3.into()));
}

#[test]
fn a_class_none_of_whose_images_can_be_read_stops_it() {
    let folder = trained(6);
    let root = folder.path();
    new_pictures(&root.join("new"));
    std::fs::write(root.join("new/green/new.png"), b"no picture").expect("writes");
    let said = eyespot(root, "evaluate run new").fails(1);
    assert!(said.contains("none of the 1 images of green can be read: new/green/new.png is not"), "{said}");

    for n in 0..6 {
        std::fs::write(root.join(format!("photos/green/{n}.png")), format!("no picture {n}"))
            .expect("writes");
    }
    for flags in [QUICK, "--model cifar_resnet20 --freeze backbone", "--features color"] {
        let said = eyespot(root, &format!("train photos --output other --epochs 2 {flags}")).fails(1);
        assert!(said.contains(" images of green can be read: photos/green/"), "{flags}: {said}");
        assert!(said.contains("leave the class out"), "{flags}: {said}");
        assert!(!root.join("other/model.safetensors").exists());
        std::fs::remove_dir_all(root.join("other")).expect("removes");
    }
}

#[test]
fn training_on_what_validates_is_told() {
    let folder = photos(4);
    let root = folder.path();
    for (part, photos) in [("train", 0..4), ("val", 2..4)] {
        for class in ["red", "green", "blue"] {
            std::fs::create_dir_all(root.join("split").join(part).join(class)).expect("makes the folder");
            for n in photos.clone() {
                let to = root.join(format!("split/{part}/{class}/{n}.png"));
                std::fs::copy(root.join(format!("photos/{class}/{n}.png")), to).expect("copies");
            }
        }
    }
    let answer = eyespot(root, &format!("train split --output run --epochs 1 {QUICK}"));
    assert!(
        answer.err.contains("left out of training because validation or testing has them too: 6"),
        "{}",
        answer.err
    );
    assert!(answer.err.contains("6 to learn from, 6 to validate by"), "{}", answer.err);
    answer.ok();
    for n in 0..2 {
        for class in ["red", "green", "blue"] {
            std::fs::remove_file(root.join(format!("split/train/{class}/{n}.png"))).expect("removes");
        }
    }
    let said = eyespot(root, &format!("train split --output other {QUICK}")).fails(1);
    assert!(said.contains("no photos to learn from") && said.contains("leave the folder val away"), "{said}");
}
