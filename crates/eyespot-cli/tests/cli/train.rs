//! Training, evaluating, stopping and going on.

use crate::support::{QUICK, command, eyespot, json_lines, photos, save, trained, validated as validated_of};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn a_trained_run_has_its_files_and_knows_the_colours() {
    let folder = trained(10);
    let run = folder.path().join("run");
    for file in ["model.safetensors", "last.checkpoint", "metrics.jsonl", "config.toml", "predictions.csv"] {
        assert!(run.join(file).is_file(), "{file} is missing");
    }
    let metrics = json_lines(&std::fs::read_to_string(run.join("metrics.jsonl")).expect("reads"));
    assert_eq!(metrics.len(), 6);
    let predictions = std::fs::read_to_string(run.join("predictions.csv")).expect("reads");
    assert_eq!(
        predictions.lines().next(),
        Some("path,label,prediction,probability,probability of blue,probability of green,probability of red")
    );
    let validated = predictions.lines().count() - 1;
    assert!((3..=15).contains(&validated), "{validated}");

    // Only photos that it didn't learn from are measured, also where one came later.
    save(&folder.path().join("photos/red/later.png"), 0, 99);
    let answer = eyespot(folder.path(), "evaluate run photos --json");
    let said = format!("measured on {} images; {} are left out", validated + 1, 30 - validated);
    assert!(answer.err.contains(&said), "{}", answer.err);
    let report = &json_lines(&answer.ok())[0];
    assert_eq!(report["images"], validated + 1);
    // A renamed folder changes nothing.
    std::fs::rename(folder.path().join("photos"), folder.path().join("others")).expect("renames");
    std::fs::create_dir(folder.path().join("photos")).expect("makes the folder");
    let report = eyespot(folder.path(), "evaluate run others --json").ok();
    let report = &json_lines(&report)[0];
    assert_eq!(report["images"], validated + 1);
    assert!(report["accuracy"].as_f64().expect("a number") > 0.9, "{report}");
    assert_eq!(report["classes"][0]["name"], "blue");
    let [red] = validated_of(&run, ["red"]);
    assert_eq!(report["classes"][2]["support"], red + 1);
    assert_eq!(report["confusion"].as_array().map(Vec::len), Some(3));
    for key in ["balanced_accuracy", "loss", "auc", "mistakes", "unreadable"] {
        assert!(report.get(key).is_some(), "{key} is missing");
    }
    let text = eyespot(folder.path(), "evaluate run others").ok();
    assert!(text.starts_with("accuracy ") && text.contains("precision"), "{text}");
    assert!(text.contains("at least this sure") && text.contains("calibration error"), "{text}");

    // A red picture among the blue ones and a blue one where it belongs.
    save(&folder.path().join("mixed/blue/red.png"), 0, 77);
    save(&folder.path().join("mixed/blue/right.png"), 2, 78);
    let report = eyespot(folder.path(), "evaluate run mixed --json").ok();
    let report = &json_lines(&report)[0];
    let mistakes = report["mistakes"].as_array().expect("a list");
    assert_eq!(mistakes.len(), 1, "{report}");
    assert!(mistakes[0]["path"].as_str().expect("a path").ends_with("red.png"), "{report}");
    assert_eq!((&mistakes[0]["label"], &mistakes[0]["prediction"]), (&"blue".into(), &"red".into()));
    assert!(mistakes[0]["probability"].as_f64().expect("a number") > 0.5, "{report}");
}

#[test]
fn one_or_two_threads_give_the_same_bytes() {
    let folder = photos(8);
    let mut models = Vec::new();
    for threads in [1, 2] {
        let flags =
            format!("train photos --output run{threads} --threads {threads} --epochs 2 --seed 3 {QUICK}");
        eyespot(folder.path(), &flags).ok();
        models.push(
            std::fs::read(folder.path().join(format!("run{threads}/model.safetensors"))).expect("reads"),
        );
    }
    assert!(models[0] == models[1], "the models differ");
    eyespot(folder.path(), &format!("train photos --output run3 --epochs 2 --seed 4 {QUICK}")).ok();
    let other = std::fs::read(folder.path().join("run3/model.safetensors")).expect("reads");
    assert!(models[0] != other, "another seed gives another model");
}

#[test]
fn a_killed_run_goes_on_to_the_same_model() {
    let folder = photos(10);
    let flags = |run: &str| {
        format!(
            "train photos --output {run} --epochs 120 --threads 1 --optimizer sgd --schedule onecycle --ema 0.9 --balance \
             sampler --crop 32 --resize 32 --batch-size 8 --augment strong"
        )
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
    assert!(checkpoint.exists(), "no checkpoint was written");
    assert!(
        !folder.path().join("killed/model.safetensors").exists(),
        "it was done before it could be killed"
    );

    // What would lead elsewhere is refused by name, and the run can still go on.
    let other = eyespot(folder.path(), "train --resume --output killed --epochs 7").fails(2);
    assert!(other.contains("epochs was 120, now it is 7"), "{other}");
    let photo = folder.path().join("photos/red/0.png");
    let before = std::fs::read(&photo).expect("reads");
    save(&photo.with_file_name("0.png"), 1, 5);
    std::fs::write(folder.path().join("photos/red/new.png"), &before).expect("writes");
    let other = eyespot(folder.path(), "train --resume --output killed").fails(1);
    assert!(other.contains("have changed:") && other.contains("the photos"), "{other}");
    std::fs::remove_file(folder.path().join("photos/red/new.png")).expect("removes");
    std::fs::write(&photo, before).expect("writes");

    let err = eyespot(folder.path(), "train --resume --output killed").ok();
    assert!(err.contains("validation accuracy"), "{err}");
    let model = |run: &str| std::fs::read(folder.path().join(run).join("model.safetensors")).expect("reads");
    assert!(model("whole") == model("killed"), "the resumed run ended elsewhere");
    // The records, too, but for the seconds.
    let records = |run: &str| {
        let text = std::fs::read_to_string(folder.path().join(run).join("metrics.jsonl")).expect("reads");
        let cut = |line: &str| line.split(",\"seconds\"").next().map(str::to_owned);
        text.lines().map(cut).collect::<Vec<_>>()
    };
    assert_eq!(records("killed").len(), 120);
    assert_eq!(records("killed"), records("whole"));
}

#[test]
fn frozen_features_come_from_the_cache_the_second_time() {
    let folder = photos(6);
    let flags = "--model cifar_resnet20 --freeze backbone --epochs 3";
    let first = eyespot(folder.path(), &format!("train photos --output a {flags}"));
    assert!(first.err.contains("computing features"), "{}", first.err);
    first.ok();
    let second = eyespot(folder.path(), &format!("train photos --output b {flags}"));
    assert!(!second.err.contains("computing features"), "{}", second.err);
    second.ok();
    let model = |run: &str| std::fs::read(folder.path().join(run).join("model.safetensors")).expect("reads");
    assert!(model("a") == model("b"), "cached features give another model");
}

#[test]
fn two_classes_may_share_one_output() {
    let folder = photos(8);
    std::fs::remove_dir_all(folder.path().join("photos/green")).expect("removes");
    for loss in ["bce", "mse"] {
        eyespot(folder.path(), &format!("train photos --output {loss} --loss {loss} --epochs 6 {QUICK}"))
            .ok();
        let report = eyespot(folder.path(), &format!("evaluate {loss} photos --json")).ok();
        let report = &json_lines(&report)[0];
        assert!(report["accuracy"].as_f64().expect("a number") > 0.9, "{loss}: {report}");
        assert!(report["auc"].as_f64().expect("two classes have an AUC") > 0.9, "{loss}: {report}");
    }
}

#[test]
fn an_unreadable_photo_is_named_and_left_out_unless_strict() {
    let folder = photos(6);
    let broken = folder.path().join("photos/red/broken.jpg");
    std::fs::write(&broken, b"\xff\xd8\xff\xe0 and no more").expect("writes");
    let loose = eyespot(folder.path(), &format!("train photos --output loose --epochs 1 {QUICK}"));
    assert!(loose.err.contains("broken.jpg"), "{}", loose.err);
    loose.ok();
    let strict = eyespot(folder.path(), &format!("train photos --output strict --epochs 1 --strict {QUICK}"));
    assert!(strict.fails(1).contains("broken.jpg"));
}

#[test]
fn features_from_the_cache_keep_nothing_back_about_a_damaged_photo() {
    let folder = photos(6);
    let whole = folder.path().join("photos/red/cut.jpg");
    save(&whole, 0, 99);
    let bytes = std::fs::read(&whole).expect("reads");
    std::fs::write(&whole, &bytes[..bytes.len() * 3 / 4]).expect("writes");
    let train = |flags: &str| {
        eyespot(folder.path(), &format!("train photos --features color --epochs 1 --output {flags}"))
    };
    for run in ["first", "second"] {
        let answer = train(run);
        assert!(answer.err.contains("cut.jpg is a damaged JPEG file"), "{run}: {}", answer.err);
        answer.ok();
    }
    assert!(train("third --strict").fails(1).contains("cut.jpg is a damaged JPEG file"));
}

#[test]
fn freezing_up_to_a_layer_and_an_mlp_head() {
    let folder = photos(6);
    save(&folder.path().join("photos/red/more.jpg"), 0, 99);
    let flags = "--model cifar_resnet20 --epochs 1 --head mlp --freeze until:layer2";
    eyespot(folder.path(), &format!("train photos --output run {flags}")).ok();
    let table = eyespot(folder.path(), "inspect run").ok();
    assert!(table.contains("head.2"), "{table}");
    let wrong = eyespot(folder.path(), "train photos --model cifar_resnet20 --freeze until:layer9");
    assert!(wrong.fails(2).contains("layer9"));
    assert!(!Path::new("runs").exists());
}
