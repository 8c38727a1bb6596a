//! Wrong inputs: what is said, and the exit code.

use crate::support::{eyespot, eyespot_with, photos, trained};

#[test]
fn wrong_usage_ends_with_2() {
    let folder = photos(3);
    for (args, said) in [
        ("train photos --epoch 3", "--epochs"),
        ("train photos --epochs 0", "epochs"),
        ("train photos --model resnet-50", "did you mean `resnet50`?"),
        ("train photos --optimizer sdg", "sgd"),
        ("train photos --freeze some", "until:LAYER"),
        ("train photos --batch-size 0", "from 1 to"),
        ("train photos --lr -1", "a number from 1e-12"),
        ("train photos --loss bce", "two classes"),
        ("train photos --features hogg", "hog, color or pixels"),
        ("train photos --features hog --model resnet50", "--model linear or --model mlp"),
        ("train photos --features hog --weights resnet50.pth", "--weights are for networks"),
        ("train photos --features hog --freeze backbone", "--freeze"),
        ("train photos --features hog --head mlp", "--head"),
        ("train photos --features hog --augment light", "--augment"),
        ("train photos --fine-tune", "--weights"),
        (
            "train photos --fine-tune --freeze backbone --weights w.pth --model resnet18",
            "--freeze until:LAYER",
        ),
        ("train photos --trials 3", "--tune"),
        ("train photos --tune 0", "a number from 0.01"),
        ("train photos --tune 1 --weights photos", "named after a network"),
        ("train photos --augment flip,wild", "`wild`"),
        ("train photos --augment shift=a", "pixels"),
        ("train photos --features hog --crop 64", "128 × 128"),
        ("train photos --optimizer adam --momentum 0.9", "momentum"),
        ("train", "DATA"),
        ("inspect resnet51", "resnet50"),
        ("predict", "RUN_OR_MODEL"),
        ("predict photos/red/0.png", "run folder"),
        ("predict --model resnet18 photos/red/0.png", "--weights"),
        ("evaluate a b c", "c"),
        ("nonsense", "nonsense"),
    ] {
        let err = eyespot(folder.path(), args).fails(2);
        assert!(err.contains(said), "`{args}` says:\n{err}");
        assert!(!folder.path().join("runs").exists(), "`{args}` left a run folder");
    }
}

#[test]
fn what_is_missing_or_broken_ends_with_1() {
    let folder = photos(3);
    let root = folder.path();
    std::fs::create_dir_all(root.join("empty")).expect("makes the folder");
    std::fs::create_dir_all(root.join("one/red")).expect("makes the folder");
    std::fs::copy(root.join("photos/red/0.png"), root.join("one/red/0.png")).expect("copies");
    std::fs::write(root.join("bad.safetensors"), b"no weights").expect("writes");
    std::fs::write(root.join("resnet18.pth"), b"no weights").expect("writes");
    std::fs::write(root.join("classes.txt"), b"a\nb\n").expect("writes");
    for (args, said) in [
        ("train gone", "gone"),
        ("train empty", "empty"),
        ("train one", "only one class"),
        ("train photos --weights resnet18.pth", "resnet18.pth"),
        ("train photos --model resnet18 --weights gone.pth", "gone.pth"),
        ("predict gone photos", "gone"),
        ("predict bad.safetensors photos", "bad.safetensors"),
        ("predict empty photos", "model.safetensors"),
        ("train photos --memory 1M --output small", "--batch-size"),
        ("predict --model resnet18 --weights resnet18.pth --classes classes.txt photos", "resnet18.pth"),
        ("predict --model resnet18 --weights resnet18.pth --classes gone.txt photos", "gone.txt"),
    ] {
        let err = eyespot(root, args).fails(1);
        assert!(err.contains(said), "`{args}` says:\n{err}");
    }
}

#[test]
fn what_is_refused_is_not_measured_as_read() {
    let folder = photos(3);
    for bad in ["gone", "photos"] {
        if bad == "photos" {
            std::fs::write(folder.path().join("photos/red/0.png"), b"no picture").expect("writes");
        }
        let err = eyespot(folder.path(), &format!("bench --mode data --data {bad}")).fails(1);
        assert!(err.contains(bad), "{err}");
    }
}

#[test]
fn data_of_other_classes_is_refused() {
    let folder = trained(5);
    let other = folder.path().join("other/yellow");
    std::fs::create_dir_all(&other).expect("makes the folder");
    std::fs::copy(folder.path().join("photos/red/0.png"), other.join("0.png")).expect("copies");
    let err = eyespot(folder.path(), "evaluate run other").fails(1);
    assert!(err.contains("yellow") && err.contains("red"), "{err}");
}

#[test]
fn a_model_behind_the_pictures_is_told_to_go_first() {
    let folder = trained(5);
    for args in [
        "predict photos run",
        "predict photos/red/0.png run/model.safetensors",
        "evaluate photos run",
        "evaluate photos run --robustness",
        "embed photos run --output x.npy",
    ] {
        let err = eyespot(folder.path(), args).fails(2);
        assert!(err.contains("the model goes first, then the pictures: run"), "{args}: {err}");
    }
    // A model that is broken is told as such.
    std::fs::write(folder.path().join("bad.safetensors"), b"no weights").expect("writes");
    let err = eyespot(folder.path(), "predict bad.safetensors run").fails(1);
    assert!(err.contains("bad.safetensors"), "{err}");
}

#[test]
fn a_run_is_not_overwritten() {
    let folder = trained(5);
    let err = eyespot(folder.path(), "train photos --output run --epochs 1").fails(2);
    assert!(err.contains("--resume"), "{err}");
}

#[test]
fn help_and_completions_go_to_stdout() {
    let folder = photos(1);
    for args in [&["--help"][..], &["train", "--help"], &["--version"], &["completions", "bash"]] {
        let out = eyespot_with(folder.path(), args).ok();
        assert!(out.contains("eyespot"), "{args:?}");
    }
}
