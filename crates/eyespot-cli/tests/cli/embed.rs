//! Vectors of pictures.

use crate::support::{eyespot, photos, save, trained};
use eyespot::Embedder;
use std::path::Path;

/// Rows of a `.npy` file, read by what NumPy's documentation says of the format.
fn npy(path: &Path) -> Vec<Vec<f32>> {
    let bytes = std::fs::read(path).expect("reads");
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!(start % 64, 0, "numbers begin at a multiple of 64 bytes");
    let head = std::str::from_utf8(&bytes[10..start]).expect("is text");
    let head = head.strip_suffix('\n').expect("ends with a newline").trim_end();
    let shape = head
        .strip_prefix("{'descr': '<f4', 'fortran_order': False, 'shape': (")
        .and_then(|rest| rest.strip_suffix("), }"))
        .unwrap_or_else(|| panic!("another header: {head}"));
    let shape: Vec<usize> = shape.split(", ").map(|side| side.parse().expect("a number")).collect();
    let numbers: Vec<f32> =
        bytes[start..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    assert_eq!((shape.len(), numbers.len()), (2, shape[0] * shape[1]));
    numbers.chunks_exact(shape[1]).map(<[f32]>::to_vec).collect()
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).expect("reads").lines().map(str::to_owned).collect()
}

#[test]
fn traditional_features_to_numpy_and_csv() {
    let folder = photos(4);
    let root = folder.path();
    let out = eyespot(root, "embed photos --features hog+color --output f.npy --batch 5").ok();
    assert!(out.contains("12 pictures, 1956 numbers each: f.npy") && out.contains("f.paths.txt"), "{out}");
    let (rows, paths) = (npy(&root.join("f.npy")), lines(&root.join("f.paths.txt")));
    assert_eq!((rows.len(), paths.len()), (12, 12));
    assert_eq!(paths[4], "photos/green/0.png");
    let embedder = Embedder::of_features("hog+color").expect("known names");
    for (row, path) in rows.iter().zip(&paths) {
        assert_eq!(*row, embedder.embed_path(root.join(path)).expect("reads"), "{path}");
    }

    eyespot(root, "embed photos --features hog+color --output g.csv --batch 1 --threads 1").ok();
    let table = lines(&root.join("g.csv"));
    assert_eq!(table.len(), 13);
    assert!(table[0].starts_with("path,f0,f1,") && table[0].ends_with(",f1955"), "{}", table[0]);
    for (line, (row, path)) in table[1..].iter().zip(rows.iter().zip(&paths)) {
        let (name, numbers) = line.split_once(',').expect("has numbers");
        let numbers: Vec<f32> = numbers.split(',').map(|n| n.parse().expect("a number")).collect();
        assert!(name == path && numbers == *row, "{path} differs");
    }
}

#[test]
fn a_trained_model_gives_what_its_last_layer_sees() {
    let folder = trained(6);
    let root = folder.path();
    eyespot(root, "embed run photos/red photos/blue/*.png --output out/r.npy").ok();
    let rows = npy(&root.join("out/r.npy"));
    assert_eq!((rows.len(), rows[0].len()), (12, 112));
    let embedder = Embedder::load(root.join("run")).expect("loads");
    let alone = embedder.embed_path(root.join("photos/red/0.png")).expect("reads");
    let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-5 * (1.0 + b.abs());
    assert!(rows[0].iter().zip(&alone).all(close), "a batch gives other numbers");
    let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
    assert!(distance(&rows[0], &rows[1]) < distance(&rows[0], &rows[6]), "red is nearer to blue than to red");
}

#[test]
fn what_cannot_be_read_has_no_row() {
    let folder = photos(3);
    let root = folder.path();
    std::fs::write(root.join("photos/red/bad.png"), b"no picture").expect("writes");
    save(&root.join("one, \"two\".png"), 0, 5);
    let answer = crate::support::eyespot_with(
        root,
        &["embed", "photos/red", "gone.jpg", "one, \"two\".png", "--features", "color", "-o", "f.csv"],
    );
    assert_eq!(answer.code, 1, "{}", answer.err);
    assert!(answer.err.contains("bad.png") && answer.err.contains("gone.jpg"), "{}", answer.err);
    assert!(answer.err.contains("2 could not be read"), "{}", answer.err);
    let table = lines(&root.join("f.csv"));
    assert_eq!(table.len(), 1 + 4);
    assert!(table[4].starts_with("\"one, \"\"two\"\".png\","), "{}", table[4]);

    std::fs::create_dir_all(root.join("empty")).expect("makes the folder");
    eyespot(root, "embed empty --features color --output none.npy").fails(1);
    eyespot(root, "embed gone.jpg --features color --output none.npy").fails(1);
    let left: Vec<_> = std::fs::read_dir(root).expect("reads").flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("none")), "{left:?}");
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".part")), "{left:?}");
}

#[test]
fn wrong_calls_are_explained() {
    let folder = photos(2);
    for (args, said) in [
        ("embed photos --features hog --output f.txt", ".npy"),
        ("embed photos --features hog", "--output"),
        ("embed photos --features hug --output f.npy", "hog, color or pixels"),
        ("embed photos --output f.npy", "--features hog"),
        ("embed photos --model resnet18 --output f.npy", "--weights"),
        ("embed photos --features hog --crop 64 --output f.npy", "--crop"),
        ("embed photos --features hog --model resnet18 --weights w.pth --output f.npy", "--model"),
    ] {
        let err = eyespot(folder.path(), args).fails(2);
        assert!(err.contains(said), "`{args}` says:\n{err}");
    }
}
