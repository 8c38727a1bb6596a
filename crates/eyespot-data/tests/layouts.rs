//! Which folders are splits and which are classes.

use eyespot_data::{DataError, Dataset, Layout, SplitOptions};
use image::{Rgb, RgbImage};
use std::path::Path;
use tempfile::TempDir;

/// A folder with an image of its own in each of these folders.
fn folder(folders: &[&str]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (number, folder) in folders.iter().enumerate() {
        let folder = root.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        RgbImage::from_pixel(3, 3, Rgb([number as u8; 3])).save(folder.join("1.png")).unwrap();
    }
    root
}

fn open(root: &Path) -> Result<Dataset, DataError> {
    Dataset::open(root, &SplitOptions::default())
}

/// What is said of a folder that isn't clear.
#[track_caller]
fn refused(folders: &[&str]) -> String {
    let root = folder(folders);
    let error = open(root.path()).unwrap_err();
    assert!(matches!(error, DataError::Layout { .. }), "{error}");
    error.to_string().replace(&root.path().display().to_string(), "DATA")
}

#[test]
fn split_folders_in_any_case_and_spelling_are_splits() {
    for (train, val, test) in [
        ("Train", "Val", "Test"),
        ("Training", "Validation", "Testing"),
        ("training_set", "dev", "test_set"),
        ("TRAIN", "Valid", "TEST"),
        ("trn", "val", "testing"),
        ("train_set", "DEV", "Test-Set"),
        ("train", "eval", "tst"),
    ] {
        let paths: Vec<String> = [train, val, test]
            .iter()
            .flat_map(|split| ["cat", "dog"].map(|class| format!("{split}/{class}")))
            .collect();
        let root = folder(&paths.iter().map(String::as_str).collect::<Vec<_>>());
        let data = open(root.path()).unwrap();
        assert_eq!(
            (data.layout, data.classes.join(" ")),
            (Layout::SplitFolders, "cat dog".into()),
            "{train}"
        );
        assert_eq!((data.train.len(), data.val.len(), data.test.len()), (2, 2, 2), "{train} {val} {test}");
    }
}

#[test]
fn two_splits_are_enough_and_a_missing_validation_is_set_aside() {
    let root =
        folder(&["Training/a", "Training/a/2", "Training/b", "Training/b/2", "Testing/a", "Testing/b"]);
    let data = open(root.path()).unwrap();
    assert_eq!((data.train.len(), data.val.len(), data.test.len()), (2, 2, 2));
}

#[test]
fn a_class_called_train_stays_possible() {
    let root = folder(&["Train", "car", "dev", "bus"]);
    let data = open(root.path()).unwrap();
    assert_eq!((data.layout, data.classes.join(" ")), (Layout::ClassFolders, "Train bus car dev".into()));
    // Inside splits, too.
    let root = folder(&["train/train", "train/car", "val/train", "val/car"]);
    let data = open(root.path()).unwrap();
    assert_eq!((data.train.len(), data.val.len(), data.classes.join(" ")), (2, 2, "car train".into()));
    // A class with folders of its own may be meant, and so may a split.
    let said = refused(&["Train/diesel", "Train/steam", "car/sedan", "car/van"]);
    assert!(said.contains("a split (of diesel, steam) or a class beside car"), "{said}");
}

#[test]
fn two_spellings_of_one_split_are_refused_by_name() {
    let said = refused(&["train/a", "train/b", "Training/a", "Training/b", "val/a", "val/b"]);
    assert!(said.contains("Training and train") && said.contains("the train split"), "{said}");
    let said = refused(&["train/a", "train/b", "dev/a", "dev/b", "valid/a", "valid/b"]);
    assert!(said.contains("dev and valid") && said.contains("the val split"), "{said}");
}

#[test]
fn images_of_a_split_without_class_folders_are_told() {
    // Unlabelled test images beside labelled ones are common.
    let root = folder(&["train/a", "train/b", "test"]);
    let data = open(root.path()).unwrap();
    assert_eq!((data.layout, data.classes.join(" ")), (Layout::SplitFolders, "a b".into()));
    assert!(data.notices.join("").contains("1 pictures outside the class folders"), "{:?}", data.notices);
    let said = refused(&["train", "test"]);
    assert!(said.contains("no class folders in test, train"), "{said}");
    assert!(said.contains("DATA/test/cats/1.jpg") && said.contains("path,label,split"), "{said}");
    let said = refused(&["train", "val/a", "val/b"]);
    assert!(said.contains("no class folders in train"), "{said}");
}

#[test]
fn a_folder_that_holds_the_data_set_is_named() {
    let said = refused(&["photos/x", "photos/y"]);
    assert!(said.contains("(x, y)") && said.ends_with("give DATA/photos"), "{said}");
    let said = refused(&["a/photos/x", "a/photos/y"]);
    assert!(said.ends_with("give DATA/a/photos"), "{said}");
    let said = refused(&["photos/train/x", "photos/train/y", "photos/val/x"]);
    assert!(said.ends_with("give DATA/photos"), "{said}");
}

#[test]
fn folders_in_place_of_images_are_refused_with_what_they_look_like() {
    let said = refused(&["fold1/cat", "fold1/dog", "fold2/cat", "fold2/dog"]);
    assert!(
        said.contains("GROUP/CLASS") && said.contains("fold1, fold2 all hold the folders cat, dog"),
        "{said}"
    );
    let said = refused(&["cat/train", "cat/test", "dog/train", "dog/test"]);
    assert!(
        said.contains("CLASS/SPLIT") && said.ends_with("turn it round, such as DATA/test/cat/1.jpg"),
        "{said}"
    );
    let said = refused(&["animal/cat", "animal/dog", "vehicle/bus", "vehicle/car"]);
    assert!(said.contains("in place of images, such as animal/cat"), "{said}");
    // As one data set of natural scenes comes.
    let said = refused(&[
        "seg_pred",
        "seg_test/seg_test/x",
        "seg_test/seg_test/y",
        "seg_train/seg_train/x",
        "seg_train/seg_train/y",
    ]);
    assert!(said.contains("seg_test, seg_train, which look like splits"), "{said}");
}

#[test]
fn class_folders_may_hold_folders_beside_or_around_their_images() {
    for folders in [
        &["cat/images", "dog/images"][..],
        &["cat", "cat/more", "dog", "dog/more"],
        &["cat", "cat/2025", "cat/2026", "dog/2025", "dog/2026"],
        &["test_tube", "train_station"],
    ] {
        let root = folder(folders);
        let data = open(root.path()).unwrap();
        assert_eq!((data.layout, data.classes.len()), (Layout::ClassFolders, 2), "{folders:?}");
        assert_eq!(data.train.len() + data.val.len(), folders.len(), "{folders:?}");
    }
}

#[test]
fn folders_named_as_a_models_classes_are_classes() {
    let root = folder(&["Train/diesel", "Train/steam", "car/sedan", "car/van"]);
    let classes = Some(vec!["car".to_owned(), "Train".to_owned()]);
    let options = SplitOptions { validation: 0.0, classes, ..SplitOptions::default() };
    let data = Dataset::open(root.path(), &options).unwrap();
    assert_eq!(data.train.iter().map(|sample| sample.label).collect::<Vec<_>>(), [1, 1, 0, 0]);
}

#[test]
fn every_usual_ending_of_a_jpeg_is_that_of_an_image() {
    let root = tempfile::tempdir().unwrap();
    for class in ["a", "b"] {
        std::fs::create_dir(root.path().join(class)).unwrap();
        for (number, ending) in ["jpg", "JPEG", "jfif", "JPE"].iter().enumerate() {
            let file = root.path().join(class).join(format!("{number}.{ending}"));
            std::fs::write(file, [class, ending].concat()).unwrap();
        }
    }
    let data = open(root.path()).unwrap();
    assert_eq!(data.train.len() + data.val.len(), 8, "{:?}", data.notices);
}

#[cfg(unix)]
#[test]
fn class_folders_that_differ_only_in_bytes_that_are_no_text_do_not_become_one_class() {
    use std::os::unix::ffi::OsStrExt;
    for split in ["", "train"] {
        let root = folder(&[&format!("{split}/c")]);
        for byte in [0xfe, 0xff] {
            let class = root.path().join(split).join(std::ffi::OsStr::from_bytes(&[b'a', byte]));
            std::fs::create_dir(&class).unwrap();
            std::fs::write(class.join("1.png"), [byte]).unwrap();
        }
        let error = open(root.path()).unwrap_err();
        assert!(matches!(error, DataError::Layout { .. }) && error.to_string().contains("rename"), "{error}");
    }
}
