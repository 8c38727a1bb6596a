//! Pictures to work on and the binary to run.

use image::{Rgb, RgbImage};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What came back from the binary.
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Answer {
    /// What it wrote on stdout, where it must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self.out
    }

    /// What it wrote on stderr, where it must have ended with this code.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self.err
    }
}

/// The command, in `folder`, with a cache of its own.
pub fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eyespot"));
    command.current_dir(folder).args(args).env("XDG_CACHE_HOME", folder.join("cache")).stdin(Stdio::null());
    command
}

/// Runs `eyespot` with these arguments, divided at spaces.
pub fn eyespot(folder: &Path, args: &str) -> Answer {
    eyespot_with(folder, &args.split_whitespace().collect::<Vec<_>>())
}

pub fn eyespot_with(folder: &Path, args: &[&str]) -> Answer {
    let done = command(folder, args).output().expect("the binary starts");
    Answer {
        code: done.status.code().expect("it ends by itself"),
        out: String::from_utf8(done.stdout).expect("it writes UTF-8"),
        err: String::from_utf8(done.stderr).expect("it writes UTF-8"),
    }
}

/// A folder with `photos/{red,green,blue}/*.png`: each picture mostly of its class' colour.
pub fn photos(each: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (class, name) in ["blue", "green", "red"].iter().enumerate() {
        for n in 0..each {
            save(&folder.path().join(format!("photos/{name}/{n}.png")), 2 - class, n as u32);
        }
    }
    folder
}

/// A picture of 40 × 36 pixels with channel `strong` bright, the rest dark and all of it uneven.
pub fn save(path: &Path, strong: usize, seed: u32) {
    let uneven = |x: u32, y: u32, c: u32| {
        let place = x * 7 + y * 13 + seed * 31 + c * 57;
        (place.wrapping_mul(2_654_435_761) >> 24) as u8 % 90
    };
    let pixel = |x: u32, y: u32| {
        let mut color = [uneven(x, y, 0), uneven(x, y, 1), uneven(x, y, 2)];
        color[strong] += 150;
        Rgb(color)
    };
    std::fs::create_dir_all(path.parent().expect("has a folder")).expect("makes the folder");
    RgbImage::from_fn(40, 36, pixel).save(path).expect("writes the picture");
}

/// Quick settings: tiny pictures, few epochs.
pub const QUICK: &str = "--crop 32 --resize 32 --batch-size 8 --augment none";

/// A trained run in `folder/run`.
pub fn trained(each: usize) -> tempfile::TempDir {
    let folder = photos(each);
    eyespot(folder.path(), &format!("train photos --output run --epochs 6 {QUICK}")).ok();
    folder
}

/// How many images of each of these classes a run was validated by: which ones follows from their content, and the counts vary
/// as a binomial distribution does.
pub fn validated<const N: usize>(run: &Path, classes: [&str; N]) -> [usize; N] {
    let csv = std::fs::read_to_string(run.join("predictions.csv")).expect("reads");
    let labels: Vec<&str> = csv.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
    classes.map(|class| labels.iter().filter(|label| **label == class).count())
}

/// The real data, or `None` after saying that a test is skipped.
pub fn real_data(test: &str) -> Option<PathBuf> {
    let named = std::env::var_os("EYESPOT_TEST_DATA").map(PathBuf::from);
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    let path = named.clone().unwrap_or_else(beside);
    if path.exists() {
        return Some(path);
    }
    assert!(named.is_none(), "EYESPOT_TEST_DATA is set, but there is no {}", path.display());
    // Past the test harness, which shows nothing that a passing test prints.
    let _ = writeln!(std::io::stderr(), "skipped: {test}; EYESPOT_TEST_DATA says where the data is");
    None
}

/// JSON objects, one a line.
pub fn json_lines(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}
