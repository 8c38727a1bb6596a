//! Images that are there more than once.

use eyespot_data::{Dataset, SplitOptions};
use image::{Rgb, RgbImage};
use std::path::Path;
use tempfile::TempDir;

/// A folder with an image at each path; equal numbers make equal images.
fn folder(files: &[(&str, u8)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (file, number) in files {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        RgbImage::from_pixel(5, 5, Rgb([*number; 3])).save(path).unwrap();
    }
    root
}

fn open(root: &Path, validation: f64) -> Dataset {
    Dataset::open(root, &SplitOptions { validation, ..SplitOptions::default() }).unwrap()
}

fn names(root: &Path, samples: &[eyespot_data::Sample]) -> Vec<String> {
    samples.iter().map(|s| s.path.strip_prefix(root).unwrap().display().to_string()).collect()
}

#[test]
fn an_image_with_two_labels_is_left_out_under_both() {
    let root = folder(&[("a/1.png", 1), ("a/2.png", 2), ("a/3.png", 2), ("b/1.png", 3), ("b/2.png", 2)]);
    let data = open(root.path(), 0.0);
    assert_eq!(names(root.path(), &data.train), ["a/1.png", "b/1.png"]);
    assert!(data.duplicates.len() == 3 && data.duplicates.iter().all(|d| d.contradicts));
    let said = data.notices.join("\n");
    for pair in
        ["a/2.png (the same as b/2.png)", "a/3.png (the same as b/2.png)", "b/2.png (the same as a/2.png)"]
    {
        assert!(said.contains(pair), "{said}");
    }
    assert!(said.contains("another label") && said.contains(": 3 ("), "{said}");
}

#[test]
fn copies_with_one_label_are_used_once_and_three_are_named() {
    let files: Vec<(String, u8)> =
        (0..6).map(|i| (format!("a/{i}.png"), 7)).chain([("b/1.png".into(), 1)]).collect();
    let root = folder(&files.iter().map(|(file, number)| (file.as_str(), *number)).collect::<Vec<_>>());
    let data = open(root.path(), 0.0);
    assert_eq!(names(root.path(), &data.train), ["a/0.png", "b/1.png"]);
    let said = data.notices.join("\n");
    assert!(said.contains("more than once; each is used once: 5 (a/1.png (the same as a/0.png)"), "{said}");
    assert!(said.contains("a/3.png") && !said.contains("a/4.png") && said.contains("2 more"), "{said}");
    // Before validation images are set aside: no copy stands on both sides.
    let divided = open(root.path(), 0.5);
    assert_eq!(divided.train.len() + divided.val.len(), 2);
}

#[test]
fn what_measures_is_kept_and_its_copy_left_out_of_training() {
    let root = folder(&[
        ("train/a/1.png", 1),
        ("train/a/2.png", 2),
        ("train/b/3.png", 3),
        ("train/b/6.png", 6),
        ("val/a/x.png", 2),
        ("val/b/4.png", 4),
        ("test/a/5.png", 5),
        ("test/b/y.png", 4),
        ("test/b/z.png", 6),
    ]);
    let data = open(root.path(), 0.2);
    assert_eq!(names(root.path(), &data.train), ["train/a/1.png", "train/b/3.png"]);
    assert_eq!(names(root.path(), &data.val), ["val/a/x.png"]);
    assert_eq!(names(root.path(), &data.test), ["test/a/5.png", "test/b/y.png", "test/b/z.png"]);
    let said = data.notices.join("\n");
    assert!(said.contains("left out of training because validation or testing has them too: 2"), "{said}");
    assert!(said.contains("left out of validation because testing has them too: 1"), "{said}");
    assert_eq!(data.evaluation_duplicates().count(), 0, "nothing is missing from the test part");
}

#[cfg(unix)]
#[test]
fn an_image_reached_through_a_link_is_used_once() {
    let root = folder(&[("a/1.png", 1), ("b/2.png", 2)]);
    std::os::unix::fs::symlink(root.path().join("a/1.png"), root.path().join("a/link.png")).unwrap();
    std::os::unix::fs::symlink(root.path().join("b"), root.path().join("b/again")).unwrap();
    std::fs::create_dir(root.path().join("more")).unwrap();
    std::fs::copy(root.path().join("b/2.png"), root.path().join("more/2.png")).unwrap();
    std::os::unix::fs::symlink(root.path().join("more"), root.path().join("b/more")).unwrap();
    std::fs::remove_dir_all(root.path().join("more")).unwrap();
    let data = open(root.path(), 0.0);
    assert_eq!(names(root.path(), &data.train)[..2], ["a/1.png", "b/2.png"]);
    assert_eq!(data.duplicates.len(), 1);
    assert!(data.duplicates[0].path.ends_with("a/link.png") && data.duplicates[0].of.ends_with("a/1.png"));
}

#[cfg(unix)]
#[test]
fn a_link_back_to_the_data_set_takes_no_image_from_its_class() {
    let root = folder(&[("a/1.png", 1), ("b/2.png", 2), ("b/3.png", 3)]);
    std::os::unix::fs::symlink(root.path(), root.path().join("b/loop")).unwrap();
    std::os::unix::fs::symlink(root.path().join("b/3.png"), root.path().join("a/3.png")).unwrap();
    let data = open(root.path(), 0.0);
    assert_eq!(names(root.path(), &data.train), ["a/1.png", "b/2.png", "b/3.png"]);
    assert_eq!(data.train.iter().map(|sample| sample.label).collect::<Vec<_>>(), [0, 1, 1]);
    assert!(data.duplicates.iter().all(|duplicate| !duplicate.contradicts), "{:?}", data.duplicates);
    // Two links to one file elsewhere contradict each other.
    let elsewhere = folder(&[("pool/x.png", 9)]);
    for class in ["a", "b"] {
        let link = root.path().join(class).join("x.png");
        std::os::unix::fs::symlink(elsewhere.path().join("pool/x.png"), link).unwrap();
    }
    let data = open(root.path(), 0.0);
    assert_eq!(data.train.len(), 3);
    assert!(data.duplicates.iter().filter(|duplicate| duplicate.contradicts).count() >= 2);
}

#[test]
fn a_file_that_stands_twice_in_a_table_is_used_once_or_left_out() {
    let root = folder(&[("1.png", 1), ("2.png", 2), ("3.png", 3)]);
    let table = root.path().join("table.csv");
    std::fs::write(&table, "path,label\n1.png,dog\n2.png,dog\n3.png,cat\n2.png,cat\n3.png,cat\n").unwrap();
    let data = open(&table, 0.0);
    assert_eq!(names(root.path(), &data.train), ["1.png", "3.png"]);
    let contradicts: Vec<bool> = data.duplicates.iter().map(|duplicate| duplicate.contradicts).collect();
    assert_eq!(contradicts, [true, true, false]);
}

#[test]
fn empty_and_missing_files_are_no_copies_of_each_other() {
    let root = folder(&[("a/1.png", 1), ("b/1.png", 2)]);
    for file in ["a/empty.png", "b/empty.png"] {
        std::fs::write(root.path().join(file), b"").unwrap();
    }
    let data = open(root.path(), 0.0);
    assert_eq!((data.train.len(), data.duplicates.len()), (4, 0));
}

#[test]
fn names_cannot_forge_lines_in_notices() {
    let root = folder(&[("a/1.png", 1), ("b/1.png", 2), ("a/x\nerror: none.png", 1)]);
    let said = open(root.path(), 0.0).notices.join("|");
    assert!(said.contains("x\\nerror: none.png") && !said.contains('\n'), "{said}");
}
