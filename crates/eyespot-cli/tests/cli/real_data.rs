//! Real photos and real weights.

use crate::support::{eyespot, json_lines, real_data};
use std::collections::HashMap;
use std::path::Path;

fn published(data: &Path) -> String {
    let data = data.display();
    format!(
        "--model squeezenet1_1 --weights {data}/weights/squeezenet1_1.safetensors --classes {data}/imagenet_classes.txt"
    )
}

/// PyTorch's answers lie beside the weights.
#[test]
fn squeezenet_names_what_pytorch_names() {
    let Some(data) = real_data("squeezenet_names_what_pytorch_names") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = std::fs::read_to_string(data.join("weights/squeezenet1_1.expected.json")).expect("reads");
    let expected: Vec<serde_json::Value> = serde_json::from_str(&text).expect("is JSON");
    let classes = std::fs::read_to_string(data.join("imagenet_classes.txt")).expect("reads");
    let names: HashMap<&str, &str> = classes.lines().filter_map(|line| line.split_once(' ')).collect();
    let files: Vec<String> = expected
        .iter()
        .map(|picture| data.join(picture["file"].as_str().expect("a path")).display().to_string())
        .collect();
    let flags = format!("predict {} {} --format json --top-k 1000", published(&data), files.join(" "));
    let lines = json_lines(&eyespot(folder.path(), &flags).ok());
    assert_eq!(lines.len(), expected.len());
    let number = |value: &serde_json::Value| value.as_f64().expect("a number");
    let mut worst: f64 = 0.0;
    for (line, picture) in lines.iter().zip(&expected) {
        let file = &picture["file"];
        let top = line["top"].as_array().expect("a list");
        let range = number(&top[0]["logit"]) - number(&top[999]["logit"]);
        let wanted = picture["top5"].as_array().expect("a list");
        let name = |wanted: &serde_json::Value| names[wanted[0].as_str().expect("an id")];
        assert_eq!(line["prediction"], name(&wanted[0]), "{file}");
        for wanted in wanted {
            // Two of ImageNet's names stand for two classes each: the nearer logit is meant.
            let of_name = top.iter().filter(|score| score["class"] == name(wanted));
            let error = of_name.map(|score| (number(&score["logit"]) - number(&wanted[1])).abs());
            worst = worst.max(error.fold(f64::INFINITY, f64::min) / range);
        }
    }
    println!("logits are off by {worst:.6} of their range at most");
    assert!(worst < 0.01, "logits are off by {worst} of their range");
}

/// PyTorch gets 166 of 300.
#[test]
fn squeezenet_is_as_good_as_in_pytorch_on_imagenette() {
    let Some(data) = real_data("squeezenet_is_as_good_as_in_pytorch_on_imagenette") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let flags = format!("evaluate {} {}/imagenette-mini/val --json", published(&data), data.display());
    let report = &json_lines(&eyespot(folder.path(), &flags).ok())[0];
    assert_eq!(report["images"], 300);
    let right = (report["accuracy"].as_f64().expect("a number") * 300.0).round();
    assert!((right - 166.0).abs() <= 3.0, "{right} of 300");
}

/// PyTorch gets 400 of 500.
#[test]
fn a_legacy_checkpoint_knows_cifar() {
    let Some(data) = real_data("a_legacy_checkpoint_knows_cifar") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let test = data.join("cifar10-mini/test");
    let mut classes: Vec<String> = std::fs::read_dir(&test)
        .expect("reads the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    classes.sort();
    std::fs::write(folder.path().join("classes.txt"), classes.join("\n")).expect("writes");
    let flags = format!(
        "evaluate --model cifar_resnet20 --weights {}/weights/cifar_resnet20.th --classes classes.txt {} --json",
        data.display(),
        test.display()
    );
    let report = &json_lines(&eyespot(folder.path(), &flags).ok())[0];
    let right = (report["accuracy"].as_f64().expect("a number") * 500.0).round();
    assert!(right >= 398.0, "{right} of 500");
}

#[test]
fn squeezenet_features_tell_ants_from_bees() {
    let Some(data) = real_data("squeezenet_features_tell_ants_from_bees") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = data.display();
    let flags = format!(
        "train {data}/hymenoptera --model squeezenet1_1 --weights {data}/weights/squeezenet1_1.safetensors --output run"
    );
    eyespot(folder.path(), &flags).ok();
    let report = eyespot(folder.path(), &format!("evaluate run {data}/hymenoptera --json")).ok();
    let report = &json_lines(&report)[0];
    assert_eq!(report["images"], 153);
    assert!(report["accuracy"].as_f64().expect("a number") >= 0.90, "{report}");
}

/// The vectors of scripts/reference/embeddings.py: torchvision's network before its last layer, on Pillow's pixels.
#[test]
fn squeezenet_gives_torchvisions_vectors() {
    let Some(data) = real_data("squeezenet_gives_torchvisions_vectors") else { return };
    let expected: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../data/embeddings.json")).expect("the committed numbers");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files: Vec<String> = expected
        .iter()
        .map(|photo| data.join(photo["file"].as_str().expect("a path")).display().to_string())
        .collect();
    let weights = data.join("weights/squeezenet1_1.safetensors");
    let flags = format!(
        "embed {} --model squeezenet1_1 --weights {} --output v.csv",
        files.join(" "),
        weights.display()
    );
    let out = eyespot(folder.path(), &flags).ok();
    assert!(out.contains("4 pictures, 512 numbers each"), "{out}");
    let table = std::fs::read_to_string(folder.path().join("v.csv")).expect("reads");
    let mut worst = 0.0f64;
    for (line, photo) in table.lines().skip(1).zip(&expected) {
        let vector: Vec<f64> = line.split(',').skip(1).map(|n| n.parse().expect("a number")).collect();
        assert_eq!(vector.len(), 512);
        let reference: Vec<f64> = serde_json::from_value(photo["every7th"].clone()).expect("numbers");
        let largest = reference.iter().copied().fold(0.0, f64::max);
        let errors =
            vector.iter().step_by(7).zip(&reference).map(|(own, other)| (own - other).abs() / largest);
        worst = errors.fold(worst, f64::max);
    }
    assert!(worst <= 1e-4, "off by {worst:.1e} of the largest number");
}
