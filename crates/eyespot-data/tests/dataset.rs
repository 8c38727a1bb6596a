//! Layouts on disk, what is said about them, and the loader on top.

use eyespot_data::{
    Augment, DataError, Dataset, DecodeOptions, Layout, Limits, Loader, LoaderOptions, Sample, SplitOptions,
    Transform, content_hashes, pictures, shuffled,
};
use image::{Rgb, RgbImage};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder with small pictures at the paths named.
fn folder(files: &[&str]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (number, file) in files.iter().enumerate() {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match path.extension().is_some_and(|ending| ending == "png") {
            true => RgbImage::from_pixel(10, 10, Rgb([number as u8; 3])).save(path).unwrap(),
            false => std::fs::write(path, "no picture").unwrap(),
        }
    }
    root
}

fn open(root: &Path) -> Result<Dataset, DataError> {
    Dataset::open(root, &SplitOptions::default())
}

fn message(root: &Path) -> String {
    open(root).unwrap_err().to_string()
}

#[test]
fn divided_folders_keep_their_parts() {
    for val in ["val", "valid", "validation"] {
        let b = format!("{val}/b/1.png");
        let root = folder(&["train/b/1.png", "train/a/2.png", "train/a/deep/1.PNG", "test/a/1.png", &b]);
        RgbImage::from_pixel(10, 10, Rgb([99; 3])).save(root.path().join("train/a/deep/1.PNG")).unwrap();
        let data = open(root.path()).unwrap();
        assert_eq!(data.layout, Layout::SplitFolders);
        assert_eq!(data.classes, ["a", "b"]);
        assert_eq!((data.train.len(), data.val.len(), data.test.len()), (3, 1, 1));
        assert_eq!(data.evaluation().len(), 1);
        let said = data.notices.join("\n");
        assert!(
            said.contains("val part has no pictures of a") && said.contains("test part has no pictures of b")
        );
    }
}

#[test]
fn class_folders_are_divided_by_class_and_seed() {
    let mut files: Vec<String> = (0..10).map(|i| format!("cat/{i}.png")).collect();
    files.extend((0..5).map(|i| format!("dog/{i}.png")));
    files.extend(["ape/1.png".into(), "test/1.png".into(), "test/2.png".into()]);
    let root = folder(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let data = open(root.path()).unwrap();
    assert_eq!((data.layout, data.classes.join(" ")), (Layout::ClassFolders, "ape cat dog test".into()));
    // At least one of each class goes and one stays; the only ape stays.
    let in_val = |label| data.val.iter().filter(|sample| sample.label == label).count();
    assert_eq!((in_val(0), in_val(3)), (0, 1));
    assert!((1..10).contains(&in_val(1)) && (1..5).contains(&in_val(2)));
    assert_eq!(data.evaluation().len(), 18);
    let paths = |data: &Dataset| data.val.iter().map(|sample| sample.path.clone()).collect::<Vec<PathBuf>>();
    assert_eq!(paths(&data), paths(&open(root.path()).unwrap()));
    let other = (1..9).any(|seed| {
        let options = SplitOptions { seed, ..SplitOptions::default() };
        paths(&Dataset::open(root.path(), &options).unwrap()) != paths(&data)
    });
    assert!(other, "another seed sets others aside");
    let none = SplitOptions { validation: 0.0, ..SplitOptions::default() };
    assert!(Dataset::open(root.path(), &none).unwrap().val.is_empty());
}

#[test]
fn hidden_and_other_files_are_passed_over_and_counted() {
    let root = folder(&["a/1.png", "b/1.png", "a/notes.txt", "a/.hidden.png", ".cache/x/1.png", "b/x.gif"]);
    std::fs::create_dir(root.path().join("empty")).unwrap();
    let data = open(root.path()).unwrap();
    assert_eq!(data.classes, ["a", "b", "empty"]);
    assert_eq!(data.train.len() + data.val.len(), 2);
    let said = data.notices.join("\n");
    assert!(said.contains("2 files") && said.contains("1 × .gif") && said.contains("1 × .txt"), "{said}");
    assert!(said.contains("no pictures of empty"), "{said}");
    let single = folder(&["a/1.png", "a/2.png"]);
    assert!(open(single.path()).unwrap().notices.join("").contains("only one class, a"));
}

#[test]
fn folders_that_eyespot_wrote_are_no_classes() {
    let root =
        folder(&["a/1.png", "b/1.png", "demo/pictures/x/1.png", "runs/1/figure.png", "runs/2/figure.png"]);
    for ours in ["demo", "runs/1", "runs/2"] {
        eyespot_system::OwnedFolder::claim(&root.path().join("new").join(ours), "run").unwrap();
        std::fs::copy(
            root.path().join("new").join(ours).join(".eyespot"),
            root.path().join(ours).join(".eyespot"),
        )
        .unwrap();
    }
    std::fs::remove_dir_all(root.path().join("new")).unwrap();
    let data = open(root.path()).unwrap();
    assert_eq!(data.classes, ["a", "b"]);
    let said = data.notices.join("\n");
    assert!(said.contains("eyespot wrote") && said.contains("demo, runs"), "{said}");
    // One folder of somebody else's makes it a class.
    std::fs::create_dir(root.path().join("runs/3")).unwrap();
    assert_eq!(open(root.path()).unwrap().classes, ["a", "b", "runs"]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles() {
    let root = folder(&["a/1.png", "b/1.png"]);
    std::os::unix::fs::symlink(root.path().join("a"), root.path().join("a/again")).unwrap();
    std::os::unix::fs::symlink(root.path().join("b/1.png"), root.path().join("b/2.png")).unwrap();
    let data = open(root.path()).unwrap();
    assert_eq!(data.train.len() + data.val.len() + data.duplicates.len(), 3);
}

#[cfg(unix)]
#[test]
fn links_that_fan_out_come_to_an_end() {
    use std::os::unix::fs::symlink;
    // Twenty folders, each with two links to the next: a million ways to the last one.
    let root = folder(&["a/1.png", "b/1.png", "b/19/2.png"]);
    let level = |n: usize| root.path().join("b").join(n.to_string());
    for n in 0..19 {
        std::fs::create_dir_all(level(n)).unwrap();
        symlink(level(n + 1), level(n).join("x")).unwrap();
        symlink(level(n + 1), level(n).join("y")).unwrap();
        symlink(root.path(), level(n).join("loop")).unwrap();
    }
    let data = open(root.path()).unwrap();
    let files: std::collections::BTreeSet<_> =
        data.train.iter().chain(&data.val).map(|s| s.path.canonicalize().unwrap()).collect();
    // Each is there once, and one has been found in the other class as well, through the loop.
    assert_eq!((data.train.len() + data.val.len(), files.len()), (3, 3));
    assert_eq!(data.duplicates.len(), 1, "{:?}", data.duplicates);
    assert!(data.duplicates[0].path.ends_with("loop/a/1.png") && !data.duplicates[0].contradicts);
    let found = |path: std::path::PathBuf| pictures(vec![path]).filter_map(Result::ok).count();
    assert_eq!(found(root.path().into()), 3);
    assert_eq!(found(root.path().join("**/*.png")), 3);
    assert_eq!(found(root.path().join("b/**/2.png")), 1);
}

#[cfg(unix)]
#[test]
fn pipes_and_sockets_among_the_pictures_are_named_and_the_rest_is_loaded() {
    let root = folder(&["a/1.png", "b/1.png"]);
    let pipe = root.path().join("a/2.png");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(root.path().join("b/3.png")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", root.path().join("b/4.png")).unwrap();
    let paths = pictures(vec![root.path().into()]);
    let loader = Loader::stream(paths, LoaderOptions::new(Transform::unscaled(2, 2, 3))).unwrap();
    let batches: Vec<_> = loader.map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(|batch| batch.len()).sum::<usize>(), 2);
    let said: Vec<String> =
        batches.iter().flat_map(|batch| &batch.failures).map(|failure| failure.cause.to_string()).collect();
    let expected = ["is a pipe, not a regular file", "is a socket, not a regular file"];
    assert_eq!(said[..2], expected);
    assert_eq!(said[2], "is a device, not a regular file");
}

#[cfg(unix)]
#[test]
fn a_table_that_is_a_pipe_is_an_error_at_once() {
    let root = tempfile::tempdir().unwrap();
    let table = root.path().join("table.csv");
    assert!(std::process::Command::new("mkfifo").arg(&table).status().unwrap().success());
    assert!(message(&table).ends_with("table.csv is a pipe, not a regular file"), "{}", message(&table));
}

#[test]
fn errors_name_what_is_there_and_what_to_do() {
    let root = folder(&["1.png", "2.png"]);
    assert!(message(&root.path().join("none")).contains("does not exist"));
    assert!(message(&root.path().join("1.png")).contains("single file"));
    assert!(message(root.path()).contains("2 pictures lie directly in it"));
    assert!(message(tempfile::tempdir().unwrap().path()).contains("it is empty"));
    let empty = folder(&["a/x.txt", "b/y.txt"]);
    assert!(message(empty.path()).contains("no pictures in them"));
}

#[test]
fn a_models_classes_keep_their_numbers() {
    let root = folder(&["bee/1.png", "n01/1.png", "wasp/1.png"]);
    let options = SplitOptions {
        validation: 0.0,
        classes: Some(vec!["zebra".into(), "bee".into(), "ant".into()]),
        aliases: vec![("n01".into(), 2)],
        ..SplitOptions::default()
    };
    let data = Dataset::open(root.path(), &options).unwrap();
    assert_eq!(data.train.iter().map(|sample| sample.label).collect::<Vec<_>>(), [1, 2]);
    assert!(data.notices.join("").contains("no class called wasp"), "{:?}", data.notices);
    let strangers = SplitOptions { classes: Some(vec!["x".into()]), ..SplitOptions::default() };
    let error = Dataset::open(root.path(), &strangers).unwrap_err().to_string();
    assert!(error.contains("bee, n01, wasp"), "{error}");
}

#[test]
fn csv_with_and_without_parts() {
    let root = folder(&["x/1.png", "x/2.png", "y 3.png"]);
    let write = |text: &str| {
        let path = root.path().join("table.csv");
        std::fs::write(&path, text).unwrap();
        Dataset::open(path, &SplitOptions::default())
    };
    let data =
        write("\u{feff}Path, label ,split\nx/1.png,dog,train\nx/2.png,cat,val\n\"y 3.png\",dog,test\n")
            .unwrap();
    assert_eq!((data.layout, data.classes.join(" ")), (Layout::Csv, "cat dog".into()));
    assert_eq!((data.train.len(), data.val.len(), data.test.len()), (1, 1, 1));
    assert!(data.test[0].read(&DecodeOptions::default()).is_ok(), "paths count from the CSV's folder");
    let data = write("label,path\ndog,x/1.png\ndog,x/2.png\n").unwrap();
    assert_eq!((data.train.len(), data.val.len()), (1, 1));
    for (text, expected) in [
        ("a,b\n", "line 1: the first line must name"),
        ("path,label\n", "no pictures below"),
        ("path,label,split\nx/1.png,dog,train\nx/2.png,dog,maybe\n", "line 3: the split is `maybe`"),
        ("path,label\nx/1.png\n", "line 2: has 1 columns, the first line has 2"),
        // Windows line ends and empty lines count as in an editor.
        ("path,label\r\nx/1.png,dog\r\nx/2.png,\r\n", "line 3: path or label is empty"),
        ("path,label\r\n\r\nx/1.png,dog\r\nx/2.png,dog,\r\n", "line 4: has 3 columns"),
        ("path,label\n\n\nx/1.png,\n", "line 4: path or label is empty"),
        ("path,label\rx/1.png,dog\rx/2.png,\r", "line 3: path or label is empty"),
        ("path,label\n\"x\n1.png\",dog\nx/2.png,\n", "line 4: path or label is empty"),
        ("path,label\nx/1.png,\n", "line 2: path or label is empty"),
        ("path;label\nx/1.png;dog\n", "separated by commas, not by semicolons"),
        ("path\tlabel\nx/1.png\tdog\n", "separated by commas, not by tabs"),
    ] {
        let error = write(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    std::fs::write(root.path().join("table.csv"), b"path,label\nx/1.png,K\xe4fer\n").unwrap();
    let error = message(&root.path().join("table.csv"));
    assert!(error.contains("line 2: is not UTF-8 text; save"), "{error}");
}

#[test]
fn idx_files_and_their_lies() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(root.path().join(name), bytes).unwrap();
    write("train-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 2, 7, 3]);
    assert!(message(root.path()).contains("partner is missing"));
    let header = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3];
    write("train-images-idx3-ubyte", &[&header[..], &[1, 2, 3, 4, 5, 6]].concat());
    let whole = SplitOptions { validation: 0.0, ..SplitOptions::default() };
    let data = Dataset::open(root.path(), &whole).unwrap();
    assert_eq!(data.classes, ["3", "7"]);
    assert_eq!(data.train.iter().map(|sample| sample.label).collect::<Vec<_>>(), [1, 0]);
    let picture = data.train[1].read(&DecodeOptions::default()).unwrap().image;
    assert_eq!((picture.dimensions(), picture.as_raw()), ((3, 1), &vec![4, 4, 4, 5, 5, 5, 6, 6, 6]));
    let lies: [(&[u8], &str); 4] = [
        (&[], "ends early"),
        (&[0, 0, 13, 3, 0, 0, 0, 2], "begins with"),
        (&[0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255], "over 1 GiB"),
        (&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1], "has only 1"),
    ];
    for (bytes, expected) in lies {
        write("train-images-idx3-ubyte", bytes);
        let error = message(root.path());
        assert!(error.contains(expected), "{error}");
    }
}

fn options(threads: usize) -> LoaderOptions {
    let mut options = LoaderOptions::new(Transform::unscaled(10, 10, 3));
    (options.batch_size, options.threads) = (4, threads);
    options
}

#[test]
fn batches_come_in_order_whatever_the_threads() {
    let files: Vec<String> = (0..50).map(|i| format!("{}/{i:02}.png", ["a", "b"][i % 2])).collect();
    let root = folder(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let whole = SplitOptions { validation: 0.0, ..SplitOptions::default() };
    let data = Dataset::open(root.path(), &whole).unwrap();
    let order = shuffled(50, 3, 1);
    let run = |threads| {
        let mut options = options(threads);
        (options.augment, options.classes) = (Augment::preset("strong", 224).unwrap(), 2);
        Loader::new(&data.train, order.clone(), options).unwrap().map(Result::unwrap).collect::<Vec<_>>()
    };
    let one = run(1);
    assert_eq!(one.iter().map(|batch| batch.len()).collect::<Vec<_>>().iter().sum::<usize>(), 50);
    assert_eq!(one.iter().flat_map(|batch| batch.indices.clone()).collect::<Vec<_>>(), order);
    for threads in [2, 7] {
        for (a, b) in one.iter().zip(&run(threads)) {
            assert_eq!((&a.inputs, &a.labels, &a.class_shares), (&b.inputs, &b.labels, &b.class_shares));
        }
    }
    // Stopping early must not hang.
    drop(Loader::new(&data.train, order, options(2)).unwrap().next());
}

#[test]
fn unreadable_pictures_are_left_out_or_end_it() {
    let root = folder(&["a/1.png", "a/2.png", "b/3.png", "b/4.png", "b/5.png"]);
    std::fs::write(root.path().join("a/2.png"), "text").unwrap();
    let whole = SplitOptions { validation: 0.0, ..SplitOptions::default() };
    let data = Dataset::open(root.path(), &whole).unwrap();
    let batches: Vec<_> =
        Loader::new(&data.train, (0..5).collect(), options(2)).unwrap().map(Result::unwrap).collect();
    assert_eq!(
        batches.iter().map(|batch| batch.indices.clone()).collect::<Vec<_>>(),
        [vec![0, 2, 3], vec![4]]
    );
    assert!(batches[0].failures[0].path.ends_with("a/2.png"));
    // Picture i holds grey level i; the gap is closed.
    let level = |value: f32| ((value * 0.5 + 0.5) * 255.0).round() as usize;
    let found: Vec<usize> = batches[0].inputs.chunks(300).map(|tensor| level(tensor[0])).collect();
    assert_eq!(found, [0, 2, 3]);
    let strict = LoaderOptions { strict: true, ..options(2) };
    let mut loader = Loader::new(&data.train, (0..5).collect(), strict).unwrap();
    let error = loader.next().unwrap().unwrap_err().to_string();
    assert!(error.contains("2.png is not a picture"), "{error}");
    assert!(loader.next().is_none());
}

#[test]
fn streams_take_files_folders_and_globs() {
    let root = folder(&["a/1.png", "a/deep/2.png", "a/x.txt", "b/3.png", "b/4.png"]);
    let path = |name: &str| root.path().join(name);
    let paths = vec![path("a"), path("b/*.png"), path("none.png"), path("c/*"), path("a/x.txt")];
    let batches: Vec<_> = Loader::stream(pictures(paths), options(3)).unwrap().map(Result::unwrap).collect();
    let names = |paths: Vec<PathBuf>| {
        paths.iter().map(|p| p.strip_prefix(root.path()).unwrap().display().to_string()).collect::<Vec<_>>()
    };
    let read = names(batches.iter().flat_map(|batch| batch.paths.clone()).collect());
    assert_eq!(read, ["a/1.png", "a/deep/2.png", "b/3.png", "b/4.png"]);
    let failed = batches.iter().flat_map(|batch| batch.failures.iter().map(|failure| failure.path.clone()));
    assert_eq!(names(failed.collect()), ["none.png", "c/*", "a/x.txt"]);
}

#[test]
fn equal_content_has_an_equal_hash_on_any_number_of_threads() {
    let root = folder(&["a/1.png", "b/2.png"]);
    std::fs::copy(root.path().join("a/1.png"), root.path().join("b/copy.png")).unwrap();
    let samples: Vec<Sample> = ["a/1.png", "b/2.png", "none.png", "b/copy.png"]
        .map(|file| Sample::file(root.path().join(file), 0))
        .into();
    let read: Vec<&Sample> = samples.iter().collect();
    let hashes = content_hashes(&read, 1, &Limits::default());
    assert!(hashes[0].is_some() && hashes[0] == hashes[3] && hashes[0] != hashes[1] && hashes[2].is_none());
    for threads in [0, 2, 9] {
        assert_eq!(content_hashes(&read, threads, &Limits::default()), hashes);
    }
}

#[test]
fn missing_files_of_a_table_are_named_with_their_lines() {
    let root = folder(&["x/1.png", "x/2.png"]);
    let write = |rows: &str| {
        let path = root.path().join("table.csv");
        std::fs::write(&path, format!("path,label\n{rows}")).unwrap();
        Dataset::open(path, &SplitOptions::default())
    };
    let data =
        write("x/1.png,dog\nx/no.png,dog\n\nx/2.png,cat\nx/a.png,cat\nx/b.png,cat\nx/c.png,cat\n").unwrap();
    let said = data.notices.join("\n");
    assert!(said.contains("4 files of the table are missing: x/no.png (line 3), x/a.png (line 6), x/b.png (line 7) and 1 more"), "{said}");
    assert!(said.contains("paths count from the folder of the table"), "{said}");
    let error = write("x\\1.png,dog\nx\\2.png,cat\n").unwrap_err().to_string();
    assert!(
        error.contains("line 2: 2 files of the table are missing: x\\1.png (line 2), x\\2.png (line 3)"),
        "{error}"
    );
    assert!(error.ends_with("write paths with / in place of \\"), "{error}");
}
