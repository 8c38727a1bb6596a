//! Nothing that eyespot didn't write is replaced or removed, and a folder has one run at a time.

use crate::support::{QUICK, command, eyespot, photos, trained};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// Every file below a folder with its content, without locks, which name the last process.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("lists").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() != ".eyespot-lock" {
                files.insert(entry.path(), std::fs::read(entry.path()).expect("reads"));
            }
        }
    }
    files
}

fn write(path: &Path) {
    std::fs::create_dir_all(path.parent().expect("has a folder")).expect("makes the folder");
    std::fs::write(path, b"mine").expect("writes");
}

fn start(folder: &Path, args: &str) -> Child {
    let args: Vec<&str> = args.split_whitespace().collect();
    command(folder, &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts")
}

fn wait_for(path: &Path) {
    let began = Instant::now();
    while !path.exists() {
        assert!(began.elapsed() < Duration::from_secs(120), "{} never came", path.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn the_demo_and_training_leave_a_folder_of_somebody_else_alone() {
    let folder = photos(4);
    let root = folder.path();
    for file in ["mine/pictures/1.txt", "mine/run/2.txt", "notes/metrics.jsonl"] {
        write(&root.join(file));
    }
    let before = snapshot(root);
    for args in [
        "demo --output mine --images 10 --epochs 1",
        "train photos --output mine --epochs 1",
        "train photos --output notes --epochs 1",
    ] {
        let err = eyespot(root, args).fails(2);
        assert!(err.contains("holds files that eyespot didn't write"), "{args}: {err}");
    }
    assert!(snapshot(root) == before);
}

#[test]
fn a_demo_replaces_an_earlier_demo_and_nothing_else() {
    let folder = tempfile::tempdir().expect("makes a folder");
    let root = folder.path();
    let demo = |args: &str| eyespot(root, &format!("demo --output d --epochs 1 {args}"));
    demo("--images 12").ok();
    let model = std::fs::read(root.join("d/run/model.safetensors")).expect("reads");
    write(&root.join("d/notes.txt"));
    write(&root.join("d/run/notes.txt"));
    demo("--images 10 --seed 1").ok();
    let again = std::fs::read(root.join("d/run/model.safetensors")).expect("reads");
    assert!(model != again, "another seed gives another model");
    let pictures = snapshot(&root.join("d/pictures"));
    assert!(
        pictures.len().is_multiple_of(10),
        "{} pictures: the earlier ones are among them",
        pictures.len()
    );
    assert!(root.join("d/notes.txt").exists() && root.join("d/run/notes.txt").exists());

    // What a demo leaves that is stopped while it draws.
    let (kind, _) = pictures.first_key_value().expect("has pictures");
    for stopped in [".eyespot-Ab12cd.part", "0099.png"] {
        std::fs::write(kind.with_file_name(stopped), b"").expect("writes");
    }
    demo("--images 10 --seed 1").ok();
    assert!(!kind.with_file_name("0099.png").exists());

    // A picture of somebody else would be learned from.
    let (kind, _) = pictures.first_key_value().expect("has pictures");
    let mine = kind.with_file_name("mine.png");
    image::RgbImage::new(9, 9).save(&mine).expect("writes");
    let before = snapshot(root);
    let err = demo("--images 10").fails(1);
    assert!(err.contains("mine.png") && err.contains("move it elsewhere"), "{err}");
    assert!(snapshot(root) == before);
    // A folder that is a demo's is no run's.
    let err = eyespot(root, "train d/pictures --output d --epochs 1").fails(2);
    assert!(err.contains("is the folder of a demo, not of a run"), "{err}");
}

#[test]
fn the_second_run_in_a_folder_names_the_process_of_the_first() {
    let folder = photos(6);
    let root = folder.path();
    let mut first = start(root, &format!("train photos --output run --epochs 100000 {QUICK}"));
    wait_for(&root.join("run/config.toml"));
    let err = eyespot(root, "train --resume --output run").fails(1);
    first.kill().expect("it can be killed");
    first.wait().expect("it ends");
    assert!(err.contains(&format!("is in use by process {}", first.id())), "{err}");
    // The system takes the lock away with the process.
    let err = eyespot(root, "train --resume --output run --epochs 3").fails(2);
    assert!(err.contains("epochs was 100000, now it is 3"), "{err}");
}

#[test]
fn of_two_runs_that_begin_together_one_gets_the_folder() {
    let folder = photos(4);
    let root = folder.path();
    for pair in 0..5 {
        let args = format!("train photos --output run{pair} --epochs 3 {QUICK}");
        let mut both = [start(root, &args), start(root, &args)];
        let done = both.each_mut().map(|child| child.wait().expect("it ends").success());
        assert_eq!(done.iter().filter(|&&done| done).count(), 1, "{done:?}");
        let metrics = std::fs::read_to_string(root.join(format!("run{pair}/metrics.jsonl"))).expect("reads");
        assert_eq!(metrics.lines().count(), 3);
    }
    // Where no folder is named, each takes one of its own.
    let args = format!("train photos --epochs 3 {QUICK}");
    let mut both = [start(root, &args), start(root, &args)];
    assert!(both.each_mut().map(|child| child.wait().expect("it ends").success()) == [true, true]);
    for number in [1, 2] {
        assert!(root.join(format!("runs/photos-small_cnn-{number}/model.safetensors")).exists());
    }
}

#[test]
fn a_run_from_before_folders_were_marked_goes_on() {
    let folder = trained(5);
    let run = folder.path().join("run");
    let model = || std::fs::read(run.join("model.safetensors")).expect("reads");
    let before = model();
    std::fs::remove_file(run.join(".eyespot")).expect("removes");
    std::fs::remove_file(run.join(".eyespot-lock")).expect("removes");
    let answer = eyespot(folder.path(), "train --resume --output run");
    assert!(answer.err.contains("this run was finished already, after epoch 6"), "{}", answer.err);
    answer.ok();
    assert!(model() == before && run.join(".eyespot").exists());

    // Settings that aren't all resolved are nothing a run wrote.
    let other = folder.path().join("other");
    std::fs::create_dir(&other).expect("makes the folder");
    std::fs::write(other.join("config.toml"), "data = \"photos\"\nepochs = 1\n").expect("writes");
    let before = snapshot(&other);
    let err = eyespot(folder.path(), "train --resume --output other").fails(2);
    assert!(err.contains("holds files that eyespot didn't write"), "{err}");
    assert!(snapshot(&other) == before);
}

#[test]
fn half_files_of_dead_processes_are_cleared_at_the_next_start() {
    let folder = trained(5);
    let half = folder.path().join("run/.eyespot-Ab12cd.part");
    std::fs::write(&half, b"half a checkpoint").expect("writes");
    let file = std::fs::File::options().write(true).open(&half).expect("opens");
    file.set_modified(SystemTime::now() - Duration::from_secs(60)).expect("sets the time");
    drop(file);
    eyespot(folder.path(), "train --resume --output run").ok();
    assert!(!half.exists());
}

#[test]
fn a_file_that_exists_is_replaced_only_where_that_is_asked_for() {
    let folder = trained(5);
    let root = folder.path();
    for (args, file) in [
        ("predict run photos/red --output f.txt", "f.txt"),
        ("predict run photos/red --format csv --output f.csv", "f.csv"),
        ("embed photos/red --features color --output e.npy", "e.npy"),
        ("embed photos/red --features color --output p.npy", "p.paths.txt"),
        ("embed photos/red --features color --output e.csv", "e.csv"),
        ("inspect run --filters stage1.conv1 --output i.png", "i.png"),
        ("evaluate run photos --robustness --output r.png", "r.png"),
    ] {
        let file = root.join(file);
        write(&file);
        let before = snapshot(root);
        let err = eyespot(root, args).fails(2);
        assert!(err.contains("exists") && err.contains("--overwrite"), "{args}: {err}");
        assert!(snapshot(root) == before, "{args}");
        eyespot(root, &format!("{args} --overwrite")).ok();
        assert!(std::fs::read(&file).expect("reads") != b"mine", "{args}");
    }
    // A figure that eyespot drew may be drawn again.
    eyespot(root, "evaluate run photos --robustness --output r.png").ok();
}

/// The list of paths would fit on the disk, the table of numbers not.
#[cfg(unix)]
#[test]
fn on_a_full_disk_the_numbers_and_their_paths_stay_as_they_were() {
    let folder = photos(12);
    let root = folder.path();
    eyespot(root, "embed photos/red --features pixels --output e.npy").ok();
    let embed = "embed photos --features pixels --output e.npy --overwrite";
    let limited = format!("trap '' XFSZ; ulimit -f 64; exec '{}' {embed}", env!("CARGO_BIN_EXE_eyespot"));
    let before = snapshot(root);
    let done =
        std::process::Command::new("sh").args(["-c", &limited]).current_dir(root).output().expect("runs");
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.code() == Some(1) && err.contains("e.npy: can't be written"), "{err}");
    assert!(snapshot(root) == before);
    eyespot(root, embed).ok();
    let lines = std::fs::read_to_string(root.join("e.paths.txt")).expect("reads").lines().count();
    assert_eq!(lines, 36);
}
