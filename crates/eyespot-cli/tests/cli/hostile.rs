//! Files that would hang a program or take all its memory.
#![cfg(unix)]

use crate::support::{Answer, command, eyespot, save, trained};
use image::{ImageFormat, RgbImage};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Runs a command that must end by itself within two minutes, however busy the machine is.
#[track_caller]
fn ends(folder: &Path, mut command: Command) -> Answer {
    let [out, err] = ["out.txt", "err.txt"].map(|name| folder.join(name));
    command.stdout(File::create(&out).expect("creates")).stderr(File::create(&err).expect("creates"));
    let mut child = command.spawn().expect("starts");
    let end = Instant::now() + Duration::from_secs(120);
    let status = loop {
        if let Some(status) = child.try_wait().expect("runs") {
            break status;
        }
        if Instant::now() > end {
            child.kill().expect("stops");
            panic!("{command:?} hangs; it said {}", fs::read_to_string(err).expect("is text"));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let read = |path| fs::read_to_string(path).expect("is text");
    let (out, err) = (read(out), read(err));
    Answer { code: status.code().unwrap_or_else(|| panic!("{command:?} ended by {status}: {err}")), out, err }
}

/// Photos that the run hasn't seen.
fn others(root: &Path) {
    for (class, name) in ["blue", "green", "red"].iter().enumerate() {
        for n in 0..4 {
            save(&root.join(format!("others/{name}/other{n}.png")), 2 - class, 100 + n);
        }
    }
}

fn words(args: &str) -> Vec<&str> {
    args.split_whitespace().collect()
}

#[test]
fn pipes_sockets_and_devices_among_the_photos_are_named_and_nothing_hangs() {
    let folder = trained(6);
    let root = folder.path();
    others(root);
    let pipe = root.join("others/red/pipe.png");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let _socket =
        std::os::unix::net::UnixListener::bind(root.join("others/red/socket.png")).expect("makes a socket");
    std::os::unix::fs::symlink("/dev/zero", root.join("others/blue/device.png")).expect("links");
    for (args, code) in [
        ("predict run others", 1),
        ("embed run others --output x.npy", 1),
        ("evaluate run others", 0),
        ("train others --output again --epochs 1 --crop 32 --resize 32", 0),
    ] {
        let answer = ends(root, command(root, &words(args)));
        assert_eq!(answer.code, code, "{args}: {}", answer.err);
        for kind in ["pipe", "socket", "device"] {
            let said = format!("{kind}.png is a {kind}, not a regular file");
            assert!(answer.err.contains(&said), "{args}: {}", answer.err);
        }
    }
}

#[test]
fn a_device_in_place_of_any_file_is_an_error_at_once() {
    let folder = trained(3);
    let root = folder.path();
    fs::write(root.join("classes.txt"), "a\nb\n").expect("writes");
    std::os::unix::fs::symlink("/dev/zero", root.join("zero.csv")).expect("links");
    std::os::unix::fs::symlink("/dev/zero", root.join("zero.toml")).expect("links");
    fs::create_dir(root.join("zero")).expect("makes the folder");
    std::os::unix::fs::symlink("/dev/zero", root.join("zero/model.safetensors")).expect("links");
    for args in [
        "predict /dev/zero photos",
        "predict zero photos",
        "predict run /dev/zero",
        "predict --model resnet18 --weights /dev/zero --classes classes.txt photos",
        "predict --model resnet18 --weights run/model.safetensors --classes /dev/zero photos",
        "evaluate run /dev/zero",
        "evaluate run zero.csv",
        "embed run /dev/zero --output x.npy",
        "train /dev/zero",
        "train zero.csv",
        "train photos --config zero.toml",
        "train photos --model resnet18 --weights /dev/zero",
        "inspect /dev/zero",
    ] {
        let answer = ends(root, command(root, &words(args)));
        assert!((1..=2).contains(&answer.code), "{args}: {} {}", answer.code, answer.err);
        assert!(answer.err.contains("zero"), "{args}: {}", answer.err);
    }
}

/// The command with three million kilobytes of address space.
fn limited(folder: &Path, args: &str) -> Command {
    let eyespot = command(folder, &words(args));
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -v 3000000 && exec \"$@\"", "sh"]).arg(eyespot.get_program());
    shell.args(eyespot.get_args()).current_dir(folder).env("XDG_CACHE_HOME", folder.join("cache"));
    shell
}

/// A GIF of 35 bytes and 1.2 GB.
fn gif() -> Vec<u8> {
    let (w, h) = (17_000u16.to_le_bytes(), 17_500u16.to_le_bytes());
    [
        &b"GIF89a"[..],
        &w,
        &h,
        &[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0x2c, 0, 0, 0, 0],
        &w,
        &h,
        &[0, 2, 1, 0x4c, 0, 0x3b],
    ]
    .concat()
}

/// A grey TIFF of one strip, whose last rows are missing on the disk: a file with a hole takes no room there.
fn tiff(path: &Path, width: u32, height: u32) {
    let mut file = b"II*\0\x08\0\0\0\x08\0".to_vec();
    for (tag, value) in [
        (256u16, width),
        (257, height),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 200),
        (278, height),
        (279, width * height),
    ] {
        file.extend(tag.to_le_bytes());
        file.extend([4, 0, 1, 0, 0, 0]);
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    file.resize(200, 0);
    fs::write(path, file).expect("writes");
    let whole = File::options().write(true).open(path).expect("opens");
    whole.set_len(200 + u64::from(width) * u64::from(height)).expect("grows");
}

#[test]
fn with_little_address_space_hostile_images_are_named_and_the_rest_is_done() {
    let folder = trained(6);
    let root = folder.path();
    others(root);
    let bombs = root.join("others/red");
    for number in 0..4u8 {
        // No two files are alike, or all but one would be left out as copies.
        let copy = [gif(), vec![number]].concat();
        fs::write(bombs.join(format!("gif{number}.png")), copy).expect("writes");
        tiff(&bombs.join(format!("tiff{number}.tif")), 20_000, 20_000 + u32::from(number));
    }
    RgbImage::new(40, 36).save_with_format(bombs.join("sound.bmp"), ImageFormat::Bmp).expect("writes");
    for (args, code) in [
        ("predict run others --threads 4", 1),
        ("evaluate run others --threads 4", 0),
        ("embed run others --output x.npy --threads 4", 1),
        ("train others --output again --epochs 1 --crop 32 --resize 32 --threads 4", 0),
    ] {
        let answer = ends(root, limited(root, args));
        assert_eq!(answer.code, code, "{args}: {}", answer.err);
        for bomb in ["gif0", "gif3", "tiff0", "tiff3"] {
            assert!(answer.err.contains(bomb), "{args}: {bomb} isn't named in {}", answer.err);
        }
        assert!(answer.err.contains("--memory"), "{args}: {}", answer.err);
        assert!(!answer.err.contains("sound.bmp"), "{args}: {}", answer.err);
    }
}

/// A model whose network takes images of 8,192 × 8,192 pixels, from one of 32 × 32.
fn enlarge(from: &Path, to: &Path) {
    let file = fs::read(from).expect("reads");
    let length = u64::from_le_bytes(file[..8].try_into().expect("has eight bytes")) as usize;
    let mut header = String::from_utf8(file[8..8 + length].to_vec()).expect("is JSON");
    // Without its checksum a file is read as those from before there was one.
    header = header.replace(r#""eyespot.blake3":"blake3:"#, r#""other":""#);
    for side in [32, 16, 8, 4, 2] {
        let shape = |side: u32| format!("\\\"height\\\":{side},\\\"width\\\":{side}}}");
        header = header.replace(&shape(side), &shape(side * 256).replace('}', " }"));
    }
    let settings =
        header.replace("[32,32]", "[8192,8192]").replace("\\\"resize\\\":32", "\\\"resize\\\":8192");
    assert!(settings.len() > header.len() && header.contains("\\\"height\\\":8192"), "{header}");
    let mut bytes = (settings.len() as u64).to_le_bytes().to_vec();
    bytes.extend(settings.as_bytes());
    bytes.extend(&file[8 + length..]);
    fs::write(to, bytes).expect("writes");
}

#[test]
fn a_network_that_takes_more_memory_than_there_is_is_refused_before_it_takes_any() {
    let folder = trained(6);
    let root = folder.path();
    enlarge(&root.join("run/model.safetensors"), &root.join("large.safetensors"));
    for args in [
        "predict large.safetensors photos --threads 4",
        "evaluate large.safetensors photos",
        "embed large.safetensors photos --output x.npy",
    ] {
        let start = Instant::now();
        let err = ends(root, limited(root, args)).fails(1);
        assert!(
            err.contains("the network") && err.contains("GiB of memory") && err.contains("--memory"),
            "{err}"
        );
        assert!(start.elapsed() < Duration::from_secs(20), "{args} took {:?}", start.elapsed());
    }
}

#[test]
fn the_budget_is_a_flag_of_every_command_and_names_the_cure() {
    let folder = trained(3);
    let root = folder.path();
    image::RgbImage::new(3000, 2000).save(root.join("large.png")).expect("writes");
    eyespot(root, "predict run large.png").ok();
    let err = eyespot(root, "predict run large.png --memory 20M").fails(1);
    assert!(err.contains("large.png needs") && err.contains("--memory"), "{err}");
    let err = eyespot(root, "predict run photos --memory 4K").fails(1);
    assert!(err.contains("--memory"), "{err}");
    let err = eyespot(root, "predict run photos --memory much").fails(2);
    assert!(err.contains("2G"), "{err}");
}
