//! `eyespot evaluate --robustness`.

use crate::support::{eyespot, json_lines, save, trained};
use serde_json::Value;
use std::path::Path;

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// Pictures that no run has learned from, in the folder `name`.
fn new_pictures(root: &Path, name: &str, classes: &[&str], each: u32) {
    for class in classes {
        let strong = ["red", "green", "blue"].iter().position(|c| c == class).expect("a colour");
        for n in 0..each {
            save(&root.join(name).join(class).join(format!("new{n}.png")), strong, 100 + n);
        }
    }
}

#[test]
fn a_robustness_report_is_whole_and_begins_with_the_plain_accuracy() {
    let folder = trained(10);
    new_pictures(folder.path(), "new", &["blue", "green", "red"], 10);
    let plain = json_lines(&eyespot(folder.path(), "evaluate run new --json").ok()).remove(0);
    let answer = eyespot(folder.path(), "evaluate run new --robustness --json");
    assert!(answer.err.contains("figure: robustness.png"), "{}", answer.err);
    let report = json_lines(&answer.ok()).remove(0);
    let figure = folder.path().join(report["figure"].as_str().expect("a path"));
    let figure = image::open(figure).expect("a picture");
    assert!(figure.width() > 1000 && figure.height() > 600);

    let strengths: Vec<f64> = report["strengths"].as_array().expect("a list").iter().map(number).collect();
    assert_eq!(strengths.len(), 6);
    assert!(strengths[0] == 0.0 && strengths[5] == 1.0 && strengths.windows(2).all(|w| w[0] < w[1]));
    let models = report["models"].as_array().expect("a list");
    assert_eq!(models.len(), 1);
    let model = &models[0];
    assert_eq!(model["model"], "run");
    assert_eq!(model["images"], plain["images"]);
    assert_eq!(model["accuracy"], plain["accuracy"]);
    assert_eq!(model["accuracy_interval"], plain["accuracy_interval"]);
    let mut names = Vec::new();
    for varied in model["variations"].as_array().expect("a list") {
        let accuracy: Vec<f64> = varied["accuracy"].as_array().expect("a list").iter().map(number).collect();
        assert_eq!(accuracy.len(), 6);
        assert!(accuracy.iter().all(|share| (0.0..=1.0).contains(share)), "{varied}");
        assert_eq!(accuracy[0], number(&plain["accuracy"]), "strength 0 is the plain accuracy");
        assert_eq!(varied["accuracy_interval"][0], plain["accuracy_interval"]);
        let mean = accuracy[1..].iter().sum::<f64>() / 5.0;
        assert!((number(&varied["mean"]) - mean).abs() < 1e-12);
        names.push(varied["variation"].as_str().expect("a name"));
    }
    assert_eq!(names, ["illumination", "viewpoint", "scale", "occlusion", "background"]);

    // Ten pictures of a class are one group.
    let groups = model["groups"].as_array().expect("a list");
    let told: Vec<_> = groups.iter().map(|g| (g["class"].as_str().expect("a name"), &g["images"])).collect();
    let ten = Value::from(10);
    assert_eq!(told, [("blue", &ten), ("green", &ten), ("red", &ten)]);
    for example in model["worst_group"]["examples"].as_array().expect("a list") {
        assert!(folder.path().join(example.as_str().expect("a path")).is_file(), "{example}");
    }

    // The classes differ by colour alone: turning a picture leaves it, painting over most of it doesn't.
    let hardest = |place: usize| number(&model["variations"][place]["accuracy"][5]);
    assert!(hardest(1) > 0.9, "{model}");
    assert!(hardest(3) < hardest(1), "{model}");
}

#[test]
fn several_models_stand_side_by_side_on_the_same_pictures() {
    let folder = trained(8);
    let root = folder.path();
    new_pictures(root, "new", &["blue", "green", "red"], 8);
    // A second model that knows two of the three classes.
    for class in ["blue", "red"] {
        std::fs::create_dir_all(root.join("two").join(class)).expect("makes the folder");
        for n in 0..8 {
            let photo = |folder: &str| root.join(format!("{folder}/{class}/{n}.png"));
            std::fs::copy(photo("photos"), photo("two")).expect("copies");
        }
    }
    eyespot(root, "train two --output small --model linear --epochs 3 --crop 16 --resize 16 --augment none")
        .ok();

    let both = eyespot(root, "evaluate run small new --robustness --json --output figures/both.png");
    assert!(both.err.contains("small: 8 pictures are left out"), "{}", both.err);
    let both = json_lines(&both.ok()).remove(0);
    assert!(root.join("figures/both.png").is_file());
    let models = both["models"].as_array().expect("a list");
    assert_eq!((&models[0]["model"], &models[1]["model"]), (&"run".into(), &"small".into()));
    assert_eq!((&models[0]["images"], &models[1]["images"]), (&24.into(), &16.into()));
    // Company, threads and batch make no difference.
    let alone = "evaluate run new --robustness --json --threads 1 --batch 5";
    let alone = json_lines(&eyespot(root, alone).ok()).remove(0);
    assert_eq!(alone["models"][0], models[0]);

    let text = eyespot(root, "evaluate run small new --robustness").ok();
    for line in [
        "  run ",
        "  small ",
        "occlusion",
        "run: worst group: 8 pictures of",
        "right unchanged (95 % interval: ",
    ] {
        assert!(text.contains(line), "`{line}` is missing:\n{text}");
    }
}

#[test]
fn what_does_not_go_together_is_told_before_anything_is_measured() {
    let folder = trained(4);
    let root = folder.path();
    std::fs::create_dir_all(root.join("other/yellow")).expect("makes the folder");
    std::fs::copy(root.join("photos/red/0.png"), root.join("other/yellow/0.png")).expect("copies");
    std::fs::create_dir_all(root.join("broken/red")).expect("makes the folder");
    std::fs::write(root.join("broken/red/0.png"), b"no picture").expect("writes");
    for (args, code, said) in [
        ("evaluate run other --robustness", 1, "yellow"),
        ("evaluate run gone photos --robustness", 1, "gone"),
        ("evaluate run broken --robustness", 1, "none of the 1 pictures can be read"),
        ("evaluate run --robustness", 2, "no pictures named"),
        ("evaluate photos --robustness", 2, "run folder or model file"),
        ("evaluate run photos --output figure.png", 2, "--robustness"),
    ] {
        let err = eyespot(root, args).fails(code);
        assert!(err.contains(said), "`{args}` says:\n{err}");
        assert!(!root.join("robustness.png").exists(), "`{args}` left a figure");
    }
}

#[test]
fn a_damaged_picture_is_told_of_and_left_out_by_strict() {
    let folder = trained(6);
    let root = folder.path();
    new_pictures(root, "new", &["blue", "green", "red"], 3);
    let cut = root.join("new/red/cut.jpg");
    save(&cut, 0, 200);
    let bytes = std::fs::read(&cut).expect("reads");
    std::fs::write(&cut, &bytes[..bytes.len() * 3 / 4]).expect("writes");
    for (flags, images, told) in [("", 10, "read all the same: new/red/cut.jpg"), (" --strict", 9, "")] {
        let answer = eyespot(root, &format!("evaluate run new --robustness --json{flags}"));
        assert!(answer.err.contains(told), "{}", answer.err);
        let model = &json_lines(&answer.ok())[0]["models"][0];
        assert_eq!(model["images"], images, "{model}");
        assert_eq!(model["left_out"]["unreadable"], 10 - images, "{model}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_told_before_anything_is_measured() {
    let folder = trained(6);
    let root = folder.path();
    new_pictures(root, "new", &["blue", "green", "red"], 3);
    for place in ["run/config.toml/f.png", "new --overwrite"] {
        let err = eyespot(root, &format!("evaluate run new --robustness --output {place}")).fails(1);
        assert!(err.contains("can't be written") && !err.contains("measuring"), "{place}: {err}");
    }
    assert!(root.join("new/red").is_dir());
}
