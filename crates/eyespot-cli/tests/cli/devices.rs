//! What computes: flags, settings, the list of devices. All of it on machines without a GPU, too.

use crate::support::{QUICK, eyespot, photos};

/// Whether this build and machine have a GPU that can be used.
fn has_gpu() -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list = eyespot(folder.path(), "devices --json").ok();
    list.lines().any(|line| line.contains("\"cuda:") && !line.contains("unusable"))
}

#[test]
fn the_list_has_the_cpu_and_a_reason_for_each_gpu_that_is_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list = eyespot(folder.path(), "devices").ok();
    assert!(list.starts_with("cpu     ") && list.contains(" threads\n"), "{list}");
    assert!(list.contains("\ncuda"), "{list}");
    if !has_gpu() {
        assert!(list.contains("can't be used: "), "{list}");
    }
    for line in eyespot(folder.path(), "devices --json").ok().lines() {
        assert!(line.starts_with("{\"choice\":\"c"), "{line}");
    }
}

#[test]
fn wrong_choices_are_wrong_usage() {
    let folder = photos(2);
    for (args, told) in [
        ("train photos --device gpu", "cuda:N"),
        ("predict run photos --device cuda:x", "cuda:N"),
        ("bench --precision fp16", "f32, tf32 or bf16"),
        (
            "embed photos --features color -o x.npy --device cpu --precision bf16",
            "leave out --precision bf16",
        ),
    ] {
        let err = eyespot(folder.path(), args).fails(2);
        assert!(err.contains(told), "{args}: {err}");
    }
    std::fs::write(folder.path().join("s.toml"), "device = \"gpu\"\n").expect("writes");
    let err = eyespot(folder.path(), "train photos --config s.toml").fails(2);
    assert!(err.contains("s.toml") && err.contains("cuda:N"), "{err}");
}

/// A GPU that is asked for and isn't there is an error before anything else is done; `auto` goes to the CPU.
#[test]
fn a_gpu_that_is_not_there_is_an_error_unless_the_choice_is_free() {
    if has_gpu() {
        eprintln!("skipped: this machine has a GPU");
        return;
    }
    let folder = photos(6);
    for args in ["train photos --device cuda", "train photos --precision bf16", "bench --device cuda:3"] {
        let err = eyespot(folder.path(), args).fails(1);
        assert!(err.contains("no GPU can be used: "), "{args}: {err}");
    }
    assert!(!folder.path().join("runs").exists());
    eyespot(folder.path(), &format!("train photos --device auto --epochs 1 --output run {QUICK}")).ok();
}

/// A run's settings say what computed; to go on elsewhere is no other run.
#[test]
fn a_run_goes_on_on_another_device() {
    let folder = photos(6);
    let train = |args: &str| eyespot(folder.path(), &format!("train photos --seed 3 {QUICK} {args}"));
    train("--epochs 2 --device cpu --output run").ok();
    let settings = std::fs::read_to_string(folder.path().join("run/config.toml")).expect("reads");
    assert!(settings.contains("device = \"cpu\""), "{settings}");
    train("--epochs 2 --device auto --output run --resume").ok();
}
