//! What is learned from and what judges: --val, --test, --folds, groups, and images that look alike.

use crate::support::{QUICK, eyespot, photos, save};
use image::{Rgb, RgbImage, imageops};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The rows of a table without its header.
fn rows(file: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn names(file: &Path) -> BTreeSet<String> {
    rows(file).into_iter().map(|mut row| row.swap_remove(0)).collect()
}

#[test]
fn images_kept_for_testing_are_neither_learned_from_nor_validated_by() {
    let folder = photos(20);
    let answer = eyespot(
        folder.path(),
        &format!("train photos --output run --epochs 2 --test 0.25 --val 0.25 {QUICK}"),
    );
    assert!(answer.out.contains("\ntest accuracy "), "{}", answer.out);
    assert!(answer.err.contains(" kept for testing"), "{}", answer.err);
    answer.ok();
    let run = folder.path().join("run");
    let (test, val) = (names(&run.join("test.csv")), names(&run.join("predictions.csv")));
    assert!(!test.is_empty() && !val.is_empty() && test.is_disjoint(&val));
    // What it learned from is neither: `evaluate` leaves just the others.
    let measured = eyespot(folder.path(), "evaluate run photos --json");
    let measured: serde_json::Value = serde_json::from_str(&measured.out).expect("is JSON");
    assert_eq!(measured["images"], test.len() + val.len());
    // Without data the test images are measured, to the same figure as at the end of the run.
    let own = eyespot(folder.path(), "evaluate run");
    let right = rows(&run.join("test.csv")).iter().filter(|row| row[1] == row[2]).count();
    assert!(own.out.contains(&format!("({right} of {};", test.len())), "{}", own.out);
    own.ok();
    // Images that are added move none of the old ones.
    for n in 20..30 {
        save(&folder.path().join(format!("photos/red/{n}.png")), 0, n);
    }
    eyespot(folder.path(), &format!("train photos --output more --epochs 1 --test 0.25 --val 0.25 {QUICK}"))
        .ok();
    let more = folder.path().join("more");
    assert!(test.is_subset(&names(&more.join("test.csv"))));
    assert!(val.is_subset(&names(&more.join("predictions.csv"))));
}

#[test]
fn folds_judge_any_training_by_images_it_has_not_seen() {
    let folder = photos(8);
    let train = format!("train photos --output run --epochs 2 --folds 3 {QUICK}");
    let answer = eyespot(folder.path(), &train);
    assert!(answer.err.contains("judged by cross-validation"), "{}", answer.err);
    assert!(answer.out.contains("cross-validated accuracy"), "{}", answer.out);
    answer.ok();
    let run = folder.path().join("run");
    let table = rows(&run.join("predictions.csv"));
    assert_eq!(names(&run.join("predictions.csv")).len(), 24, "each image once");
    let mut of_fold: BTreeMap<&str, usize> = BTreeMap::new();
    table.iter().for_each(|row| *of_fold.entry(&row[4]).or_default() += 1);
    assert_eq!(of_fold, BTreeMap::from([("1", 9), ("2", 9), ("3", 6)]), "8 of each of 3 classes");
    // The model of a fold has learned from all images but its own: those are all that is left to measure it by.
    for fold in ["1", "2", "3"] {
        let measured = eyespot(folder.path(), &format!("evaluate run/fold-{fold} photos --json"));
        let measured: serde_json::Value = serde_json::from_str(&measured.out).expect("is JSON");
        let (images, right) = table
            .iter()
            .filter(|row| row[4] == fold)
            .fold((0, 0), |(n, right), row| (n + 1, right + usize::from(row[1] == row[2])));
        assert_eq!(measured["images"], images);
        assert_eq!(measured["accuracy"].as_f64(), Some(right as f64 / images as f64));
    }
    // And the model itself from all of them.
    assert!(eyespot(folder.path(), "evaluate run photos").err.contains("learned from all 24 images"));
    // A run that goes on after it has ended says the same.
    let again = eyespot(folder.path(), "train --resume --output run");
    let first = |out: &str| out.split(", in ").next().map(str::to_owned);
    assert_eq!(first(&again.out), first(&answer_of(folder.path())), "{}", again.out);
    again.ok();
    for (flags, said) in
        [("--val 0.2", "leave one of them out"), ("--patience 2", "give --epochs in its place")]
    {
        let answer = eyespot(folder.path(), &format!("{train} {flags}"));
        assert!(answer.err.contains(said), "{}", answer.err);
        assert_eq!(answer.code, 2);
    }
}

/// What the run says once more.
fn answer_of(folder: &Path) -> String {
    eyespot(folder, "train --resume --output run").out
}

/// A scene of rectangles, seen through a window that begins at (x, y).
fn shot(seed: u32, (x, y): (u32, u32)) -> RgbImage {
    let mut scene = RgbImage::from_pixel(140, 140, Rgb([90, 110, 100]));
    let number = |i: u32| (seed * 977 + i).wrapping_mul(2_654_435_761) >> 16;
    for i in 0..40 {
        let (left, top) = (number(7 * i) % 130, number(7 * i + 1) % 130);
        let (width, height) = (10 + number(7 * i + 2) % 40, 10 + number(7 * i + 3) % 40);
        let color = [4, 5, 6].map(|c| number(7 * i + c) as u8);
        for (x, y) in
            (left..(left + width).min(140)).flat_map(|x| (top..(top + height).min(140)).map(move |y| (x, y)))
        {
            scene.put_pixel(x, y, Rgb(color));
        }
    }
    imageops::crop_imm(&scene, x, y, 128, 128).to_image()
}

/// A leak is planted: four shots of each scene. Split one by one, nearly every validation image would have a twin among those
/// learned from.
#[test]
fn shots_of_one_scene_are_on_one_side_of_a_split_and_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scene = |name: &str| name.rsplit('/').next().and_then(|n| n.split('-').next()).map(str::to_owned);
    for class in ["a", "b"] {
        std::fs::create_dir_all(folder.path().join("photos").join(class)).expect("makes the folder");
    }
    for seed in 0..24 {
        for (n, at) in [(0, 0), (2, 1), (3, 3), (1, 2)].into_iter().enumerate() {
            let class = if seed % 2 == 0 { "a" } else { "b" };
            let file = folder.path().join(format!("photos/{class}/{seed}-{n}.png"));
            shot(seed, at).save(file).expect("writes the image");
        }
    }
    let answer = eyespot(folder.path(), &format!("train photos --output run --epochs 1 {QUICK}"));
    assert!(answer.err.contains("96 images look like shots of 24 scenes"), "{}", answer.err);
    answer.ok();
    let val = names(&folder.path().join("run/predictions.csv"));
    let mut of_scene: BTreeMap<String, usize> = BTreeMap::new();
    val.iter().filter_map(|name| scene(name)).for_each(|scene| *of_scene.entry(scene).or_default() += 1);
    assert!(!of_scene.is_empty() && of_scene.values().all(|&shots| shots == 4), "{of_scene:?}");
    // In the folds of a head that is solved, too.
    eyespot(folder.path(), "train photos --output solved --features pixels").ok();
    let mut folds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows(&folder.path().join("solved/predictions.csv")) {
        folds.entry(scene(&row[0]).expect("is named so")).or_default().insert(row[4].clone());
    }
    assert!(folds.len() == 24 && folds.values().all(|folds| folds.len() == 1), "{folds:?}");
    // Where somebody divided them on disk, it is said.
    for (file, to) in
        [("a/0-0.png", "val/a/1.png"), ("b/1-0.png", "val/b/1.png"), ("a/0-1.png", "train/a/1.png")]
    {
        let to = folder.path().join("divided").join(to);
        std::fs::create_dir_all(to.parent().expect("has a folder")).expect("makes the folder");
        std::fs::copy(folder.path().join("photos").join(file), to).expect("copies");
    }
    std::fs::create_dir_all(folder.path().join("divided/train/b")).expect("makes the folder");
    shot(99, (0, 0)).save(folder.path().join("divided/train/b/1.png")).expect("writes the image");
    let answer = eyespot(folder.path(), &format!("train divided --output told --epochs 1 {QUICK}"));
    let said = "1 images for validation or testing belong to 1 groups or scenes that training has images of, such as val/a/1.png \
                and train/a/1.png";
    assert!(answer.err.contains(said), "{}", answer.err);
}

#[test]
fn groups_are_named_by_a_pattern_or_a_column() {
    let folder = photos(12);
    let root = folder.path();
    let mut table = "path,label,group\n".to_owned();
    for class in ["blue", "green", "red"] {
        for n in 0..12 {
            // Three plants a class, four photos each.
            let name = format!("photos/{class}/{class}{}_{n}.png", n / 4);
            std::fs::rename(root.join(format!("photos/{class}/{n}.png")), root.join(&name)).expect("renames");
            table += &format!("{name},{class},{class}{}\n", n / 4);
        }
    }
    std::fs::write(root.join("plants.csv"), table).expect("writes");
    for data in ["photos --group-by ([a-z]+[0-9])_", "plants.csv"] {
        let answer = eyespot(root, &format!("train {data} --output run --folds 3 --epochs 1 {QUICK}"));
        assert!(answer.err.contains("36 of 36 images are in 9 groups"), "{}", answer.err);
        answer.ok();
        let mut folds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in rows(&root.join("run/predictions.csv")) {
            let plant = row[0].rsplit('/').next().and_then(|n| n.split('_').next()).expect("is named so");
            folds.entry(plant.to_owned()).or_default().insert(row[4].clone());
        }
        assert!(folds.len() == 9 && folds.values().all(|folds| folds.len() == 1), "{folds:?}");
        std::fs::remove_dir_all(root.join("run")).expect("removes the run");
    }
    for (pattern, said) in [("zzz", "matches none of the paths, such as "), ("(", "is no regular expression")]
    {
        let answer = eyespot(root, &format!("train photos --group-by {pattern} --output run"));
        assert!(answer.err.contains(said), "{}", answer.err);
    }
}
