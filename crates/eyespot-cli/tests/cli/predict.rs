//! Naming pictures.

use crate::support::{command, eyespot, json_lines, save, trained};
use std::io::Read;
use std::process::Stdio;

#[test]
fn text_json_and_csv_say_the_same() {
    let folder = trained(10);
    save(&folder.path().join("new.png"), 0, 77);
    let text = eyespot(folder.path(), "predict run photos/red/0.png new.png").ok();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("photos/red/0.png with label red is predicted as red ("), "{text}");
    assert!(lines[1].starts_with("new.png is predicted as red ("), "{text}");

    let json = eyespot(folder.path(), "predict run photos/red/0.png new.png --format json --top-k 2").ok();
    let json = json_lines(&json);
    assert_eq!(json[0]["path"], "photos/red/0.png");
    assert_eq!(json[0]["label"], "red");
    assert!(json[1]["label"].is_null());
    assert_eq!(json[0]["prediction"], "red");
    let top = json[0]["top"].as_array().expect("a list");
    assert_eq!(top.len(), 2);
    assert_eq!(top[0]["class"], "red");
    assert_eq!(top[0]["probability"], json[0]["probability"]);
    assert!(top[0]["logit"].as_f64() > top[1]["logit"].as_f64());

    let csv = eyespot(folder.path(), "predict run photos/red/0.png new.png --format csv --top-k 2").ok();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "path,label,prediction,probability,class_2,probability_2");
    assert!(lines[1].starts_with("photos/red/0.png,red,red,"), "{csv}");
    assert!(lines[2].starts_with("new.png,,red,"), "{csv}");
}

#[test]
fn an_unreadable_picture_is_told_and_the_rest_goes_on() {
    let folder = trained(10);
    std::fs::write(folder.path().join("photos/red/bad.png"), b"no picture").expect("writes");
    let answer = eyespot(folder.path(), "predict run photos/red gone.jpg --format json");
    assert_eq!(answer.code, 1);
    assert!(answer.err.contains("bad.png") && answer.err.contains("gone.jpg"), "{}", answer.err);
    let lines = json_lines(&answer.out);
    assert_eq!(lines.len(), 12);
    assert_eq!(lines.iter().filter(|line| line.get("error").is_some()).count(), 2);
    let text = eyespot(folder.path(), "predict run photos/red gone.jpg");
    assert_eq!(text.code, 1);
    assert_eq!(text.out.lines().count(), 10);
}

#[test]
fn folders_and_globs_are_walked_in_order() {
    let folder = trained(10);
    let out = eyespot(folder.path(), "predict run photos").ok();
    assert_eq!(out.lines().count(), 30);
    assert!(out.starts_with("photos/blue/0.png with label blue"), "{out}");
    let out = eyespot(folder.path(), "predict run photos/*/1.png").ok();
    let paths: Vec<&str> = out.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(paths, ["photos/blue/1.png", "photos/green/1.png", "photos/red/1.png"]);
}

#[test]
fn below_the_threshold_nothing_is_claimed() {
    let folder = trained(10);
    let line = eyespot(folder.path(), "predict run photos/red/0.png --format json --threshold 1").ok();
    let line = &json_lines(&line)[0];
    if line["probability"].as_f64() < Some(1.0) {
        assert!(line["prediction"].is_null(), "{line}");
    }
    let line = eyespot(folder.path(), "predict run photos/red/0.png --format json --threshold 0.1").ok();
    assert_eq!(json_lines(&line)[0]["prediction"], "red");
}

#[test]
fn below_the_threshold_a_table_keeps_the_best_guess() {
    let folder = trained(10);
    let table = |threshold: &str| {
        let args = format!("predict run photos/red photos/blue --format csv --threshold {threshold}");
        let csv = eyespot(folder.path(), &args).ok();
        let mut rows = csv::Reader::from_reader(csv.as_bytes());
        assert_eq!(
            rows.headers().expect("has a header"),
            ["path", "label", "prediction", "probability", "uncertain"].as_slice()
        );
        rows.records().map(|row| row.expect("as wide as the header")).collect::<Vec<_>>()
    };
    let (all, sure) = (table("0"), table("1"));
    assert!(all.iter().all(|row| &row[4] == "false"));
    for (row, before) in sure.iter().zip(&all) {
        assert_eq!(row.iter().take(4).collect::<Vec<_>>(), before.iter().take(4).collect::<Vec<_>>());
        let below = row[3].parse::<f32>().expect("a number") < 1.0;
        assert_eq!(&row[4], if below { "true" } else { "false" });
    }
}

#[test]
fn a_table_is_as_wide_as_there_are_classes() {
    let folder = trained(10);
    save(&folder.path().join("new/one, \"two\"\nthree.png"), 0, 77);
    let csv = eyespot(folder.path(), "predict run new --format csv --top-k 4000000000").ok();
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let header = rows.headers().expect("has a header").iter().collect::<Vec<_>>().join(" ");
    assert_eq!(header, "path label prediction probability class_2 probability_2 class_3 probability_3");
    // The reader refuses rows of another width.
    let rows: Vec<csv::StringRecord> = rows.records().map(|row| row.expect("is sound")).collect();
    assert_eq!((rows.len(), &rows[0][0]), (1, "new/one, \"two\"\nthree.png"));
    let mut classes = [&rows[0][2], &rows[0][4], &rows[0][6]];
    classes.sort_unstable();
    assert_eq!(classes, ["blue", "green", "red"]);
}

#[test]
fn predictions_go_to_a_file_whole_or_not_at_all() {
    let folder = trained(10);
    let root = folder.path();
    let table = eyespot(root, "predict run photos --format csv").ok();
    let out = eyespot(root, "predict run photos --format csv --output new/p.csv").ok();
    assert_eq!(out, "30 pictures: new/p.csv\n");
    assert_eq!(std::fs::read_to_string(root.join("new/p.csv")).expect("reads"), table);
    let excel = eyespot(root, "predict run photos --format excel-csv").ok();
    assert_eq!(excel, format!("\u{feff}{}", table.replace('\n', "\r\n")));
    // Some can't be read: the others are there, and the exit code says so. None can: no file.
    let answer = eyespot(root, "predict run photos/red gone.jpg --output some.txt");
    assert_eq!(answer.fails(1).lines().count(), 2);
    assert_eq!(std::fs::read_to_string(root.join("some.txt")).expect("reads").lines().count(), 10);
    eyespot(root, "predict run gone.jpg --output none.txt").fails(1);
    assert!(!root.join("none.txt").exists());
    let err = eyespot(root, "predict run photos --overwrite").fails(2);
    assert!(err.contains("--output"), "{err}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = trained(10);
    let mut child = command(folder.path(), &["predict", "run", "photos", "--batch", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().expect("is piped").read_to_string(&mut err).expect("reads");
    let status = child.wait().expect("it ends");
    assert!(status.success(), "{status}: {err}");
    assert_eq!(err, "");
}
