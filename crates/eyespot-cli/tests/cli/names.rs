//! Names of files and classes that would steer the terminal or forge lines of the output.

use crate::support::{Answer, QUICK, command, photos, save};
use std::path::Path;

/// Ends the line, begins a false one, clears the screen, reverses what follows, is long.
#[cfg(unix)]
const NAME: &str = "a\nerror: forged\r\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}b";

#[cfg(unix)]
fn run(folder: &Path, args: &[&str]) -> Answer {
    let done = command(folder, args).output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
    let answer =
        Answer { code: done.status.code().expect("ends"), out: text(done.stdout), err: text(done.stderr) };
    harmless(args, &answer.err);
    answer
}

#[cfg(unix)]
#[track_caller]
fn harmless(args: &[&str], text: &str) {
    let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!text.contains(steers), "{args:?} says {text:?}");
    assert!(!text.lines().any(|line| line.starts_with("error: forged")), "{args:?} says {text}");
    assert!(text.lines().all(|line| line.chars().count() < 1500), "{args:?} says {text}");
}

#[cfg(unix)]
#[test]
fn no_command_lets_a_name_steer_the_terminal() {
    let folder = photos(6);
    let root = folder.path();
    let long = "l".repeat(250);
    // A class, pictures, an unreadable picture, and a file that is passed over.
    for n in 0..6 {
        save(&root.join(format!("photos/{NAME}/{n}{NAME}.png")), 1, 200 + n);
    }
    save(&root.join(format!("photos/red/{long}.png")), 0, 77);
    std::fs::write(root.join(format!("photos/red/bad{NAME}.png")), b"no picture").expect("writes");
    std::fs::write(root.join(format!("photos/red/{NAME}.txt{NAME}")), b"text").expect("writes");
    let run_folder = format!("run{NAME}");
    let mut train = vec!["train", "photos", "--output", &run_folder, "--epochs", "2"];
    train.extend(QUICK.split(' '));
    let answer = run(root, &train);
    harmless(&train, &answer.out);
    answer.ok();

    let gone = format!("gone{NAME}");
    let class = format!("photos/{NAME}");
    let figure = format!("figure{NAME}.png");
    let table = format!("table{NAME}.npy");
    let toml = format!("settings{NAME}.toml");
    std::fs::write(root.join(&toml), "epochs = 0\n").expect("writes");
    let broken = format!("broken{NAME}.toml");
    std::fs::write(root.join(&broken), "epochs = 1 \u{1b}[2J\n").expect("writes");
    let key = "\"b\\nerror: forged\\u001b[2J\" = 1\n";
    std::fs::write(root.join("key.toml"), key).expect("writes");
    for args in [
        &["predict", &run_folder, "photos"][..],
        &["predict", &run_folder, "photos", "--threshold", "1", "--top-k", "9"],
        &["predict", &run_folder, &gone],
        &["predict", &gone, "photos"],
        &["predict", &run_folder],
        &["predict", &class],
        &["evaluate", &run_folder, "photos"],
        &["evaluate", &run_folder, &gone],
        &["evaluate", &run_folder, &gone, &gone],
        &["evaluate", &run_folder, &run_folder, "photos", "--robustness", "--output", &figure],
        &["embed", &run_folder, "photos", "--output", &table],
        &["embed", &class, "--output", &table],
        &["embed", "photos", "--features", NAME, "--output", "x.npy"],
        &["embed", "photos", "--features", "color", "--output", &gone],
        &["inspect", &run_folder],
        &["inspect", &gone],
        &["inspect", &run_folder, "--filters", NAME],
        &["inspect", &run_folder, "--filters", "stage1.conv1", "--output", &figure],
        &["inspect", &run_folder, "--maps", "stage1.conv1", "--image", &gone],
        &["demo", "--vary", NAME],
        &["demo", "--output", &class],
        &["bench", "--model", NAME],
        &["bench", "--mode", "data", "--data", &gone],
        &["train", &gone],
        &["train", "photos", "--output", &class],
        &["train", "photos", "--output", &run_folder],
        &["train", "--resume", "--output", &run_folder],
        &["train", "--resume", "--output", &gone],
        &["train", "photos", "--model", NAME],
        &["train", "photos", "--weights", &gone],
        &["train", "photos", "--features", NAME],
        &["train", "photos", "--freeze", NAME],
        &["train", "photos", "--config", &gone],
        &["train", "photos", "--config", &toml],
        &["train", "photos", "--config", &broken],
        &["train", "photos", "--config", "key.toml"],
        &["train", "photos", "--optimizer", NAME],
        &["train", "photos", "--epochs", NAME],
        &["--\u{1b}[2J"],
        &[NAME],
    ] {
        let answer = run(root, args);
        harmless(args, &answer.out);
        assert!((0..=2).contains(&answer.code), "{args:?} ends with {}", answer.code);
    }

    // Tables and JSON have the names as they are.
    let path = format!("{class}/0{NAME}.png");
    let csv = run(root, &["predict", &run_folder, &path, "--format", "csv"]).ok();
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let row = rows.records().next().expect("has a row").expect("is sound");
    assert_eq!((&row[0], &row[1]), (path.as_str(), NAME));
    let json = run(root, &["predict", &run_folder, &path, "--format", "json"]).ok();
    let line: serde_json::Value = serde_json::from_str(&json).expect("is JSON");
    assert_eq!((line["path"].as_str(), line["label"].as_str()), (Some(path.as_str()), Some(NAME)));
}

/// A file whose name is no Unicode text, as old archives leave them.
#[cfg(unix)]
#[test]
fn names_that_are_no_text_cost_no_report() {
    use std::os::unix::ffi::OsStrExt;
    let folder = crate::support::trained(6);
    let root = folder.path();
    for (strong, class) in [(0, "red"), (1, "green"), (2, "blue")] {
        for n in 0..2u8 {
            let name = [b'x', 0xff, b'0' + n, b'.', b'p', b'n', b'g'];
            // Of another class' colour, so that all are mistakes.
            let shown = (strong + 1) % 3;
            save(&root.join("other").join(class).join(std::ffi::OsStr::from_bytes(&name)), shown, n.into());
        }
    }
    let json = |args: &[&str]| -> serde_json::Value {
        serde_json::from_str(&run(root, args).ok()).expect("one object")
    };
    let report = json(&["evaluate", "run", "other", "--json", "--include-training"]);
    let paths = report["mistakes"].as_array().expect("a list");
    assert!(paths.iter().any(|m| m["path"] == "other/red/x\u{fffd}0.png"), "{report}");
    json(&["evaluate", "run", "other", "--json", "--include-training", "--robustness"]);

    let train = ["train", "other", "--output", "again", "--epochs", "1"];
    run(root, &[&train[..], &QUICK.split(' ').collect::<Vec<_>>()].concat()).ok();
    let own = json(&["evaluate", "again", "--json"]);
    assert!(own["images"].as_u64().is_some_and(|images| images > 0), "{own}");
}
