//! Looking for settings.

use crate::support::{eyespot, photos};

/// Of each row of what was tried: accuracy, log loss and folds, and the settings.
fn table(out: &str) -> Vec<(String, String)> {
    let rows = out.lines().skip_while(|line| !line.contains("log loss")).skip(1);
    rows.take_while(|line| !line.is_empty())
        .map(|row| {
            let words: Vec<&str> = row.split_whitespace().collect();
            (words[..4].join(" "), words[5..].join(" "))
        })
        .collect()
}

#[test]
fn the_same_seed_and_number_of_trials_give_the_same_result() {
    let folder = photos(10);
    let run = |name: &str, threads: usize| {
        let flags = format!(
            "train photos --tune 60 --trials 4 --output {name} --threads {threads} --epochs 2 --crop 16 --resize 16 \
             --batch-size 8"
        );
        let answer = eyespot(folder.path(), &flags);
        assert!(answer.err.contains("trial "), "{}", answer.err);
        (
            table(&answer.ok()),
            std::fs::read(folder.path().join(name).join("model.safetensors")).expect("reads"),
        )
    };
    let ((first, model), (second, again)) = (run("one", 1), run("two", 2));
    assert_eq!(first, second);
    assert!(model == again, "the models differ");
    // Four on the first fold, two of them on the second, and one is left.
    let folds: Vec<&str> = first.iter().filter_map(|(numbers, _)| numbers.split(' ').next_back()).collect();
    assert_eq!(folds, ["2", "2", "1", "1"], "{first:?}");
    assert!(first.iter().any(|(_, settings)| settings == "the defaults"), "{first:?}");
    let settings = std::fs::read_to_string(folder.path().join("one/config.toml")).expect("reads");
    assert!(!settings.contains("tune") && !settings.contains("trials"), "{settings}");
    // What was found can be repeated as it is.
    eyespot(folder.path(), "train --config one/config.toml --output three").ok();
    let three = std::fs::read(folder.path().join("three/model.safetensors")).expect("reads");
    assert!(model == three, "the models differ");
}

#[test]
fn weights_of_a_folder_and_freezing_are_tried() {
    let folder = photos(10);
    let root = folder.path();
    eyespot(root, "train photos --output run --epochs 2 --crop 16 --resize 16 --batch-size 8").ok();
    std::fs::create_dir(root.join("zoo")).expect("makes the folder");
    for name in ["small_cnn.safetensors", "small_cnn-2.safetensors"] {
        std::fs::copy(root.join("run/model.safetensors"), root.join("zoo").join(name)).expect("copies");
    }
    let flags = "train photos --weights zoo --tune 60 --trials 4 --output tuned --epochs 2 --crop 16 --resize 16 --cache none";
    let out = eyespot(root, flags).ok();
    for said in
        ["small_cnn.safetensors", "small_cnn-2.safetensors", "freeze = \"none\"", "freeze = \"backbone\""]
    {
        assert!(out.contains(said), "{said} is missing in:\n{out}");
    }
}
