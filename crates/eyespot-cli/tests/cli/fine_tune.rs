//! Fine-tuning: two phases, never worse, resumed to the same bytes.

use crate::support::{command, eyespot, json_lines, trained};
use std::process::Stdio;
use std::time::{Duration, Instant};

const QUICK: &str = "--crop 32 --resize 32 --batch-size 8 --cache none";

#[test]
fn the_frozen_backbone_is_epoch_0_and_threads_change_no_byte() {
    let folder = trained(10);
    for (run, flags) in [
        ("two", "--fine-tune --threads 2"),
        ("one", "--freeze none --threads 1"),
        ("part", "--fine-tune --freeze until:stage2"),
        ("auto", "--fine-tune --lr auto --threads 1"),
        ("auto2", "--fine-tune --lr auto --threads 2"),
        // So wild that nothing is learned: what the first phase found stays.
        ("wild", "--fine-tune --optimizer sgd --lr 1000 --clip 1"),
    ] {
        let flags = format!("train photos --weights run --output {run} --epochs 3 {flags} {QUICK}");
        let answer = eyespot(folder.path(), &flags);
        assert!(answer.err.contains("phase 1/2"), "{}", answer.err);
        assert!(answer.err.contains("phase 2/2") && answer.err.contains(", about "), "{}", answer.err);
        answer.ok();
    }
    let file = |run: &str, file: &str| std::fs::read(folder.path().join(run).join(file)).expect("reads");
    assert!(file("two", "model.safetensors") == file("one", "model.safetensors"), "the models differ");
    for run in ["two", "part", "wild"] {
        let metrics = String::from_utf8(file(run, "metrics.jsonl")).expect("is text");
        let metrics = json_lines(&metrics);
        assert_eq!(metrics.len(), 4, "{run}");
        let accuracy = |record: &serde_json::Value| record["val_accuracy"].as_f64().expect("is validated");
        assert_eq!(metrics[0]["epoch"], 0, "{run}");
        let predictions = String::from_utf8(file(run, "predictions.csv")).expect("is text");
        let right = predictions.lines().skip(1).filter(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            fields[1] == fields[2]
        });
        assert!(right.count() as f64 / 6.0 >= accuracy(&metrics[0]), "{run}: worse than the frozen backbone");
    }
    assert!(file("auto", "model.safetensors") == file("auto2", "model.safetensors"), "the models differ");
    let settings = String::from_utf8(file("auto", "config.toml")).expect("is text");
    let rate = |line: &str| line.strip_prefix("lr = ").and_then(|rate| rate.parse::<f64>().ok());
    assert!(settings.lines().any(|line| rate(line).is_some_and(|rate| rate > 1e-7)), "{settings}");
    let settings = String::from_utf8(file("two", "config.toml")).expect("is text");
    assert!(settings.contains("fine-tune = true") && settings.contains("freeze = \"none\""), "{settings}");
}

#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let folder = trained(10);
    let flags = |run: &str| {
        format!("train photos --weights run --fine-tune --output {run} --epochs 60 --threads 1 {QUICK}")
    };
    eyespot(folder.path(), &flags("whole")).ok();
    let args = flags("killed");
    let args: Vec<&str> = args.split_whitespace().collect();
    let mut child = command(folder.path(), &args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let checkpoint = folder.path().join("killed/last.checkpoint");
    let began = Instant::now();
    while !checkpoint.exists() && began.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    assert!(
        !folder.path().join("killed/model.safetensors").exists(),
        "it was done before it could be killed"
    );
    eyespot(folder.path(), "train --resume --output killed").ok();
    let model = |run: &str| std::fs::read(folder.path().join(run).join("model.safetensors")).expect("reads");
    assert!(model("whole") == model("killed"), "the models differ");
}
