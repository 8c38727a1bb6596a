//! Beside Pillow: `scripts/reference/pictures.py`.

use eyespot_data::{Limits, Loader, LoaderOptions, Note, Noted, Sample, Transform, decode_bytes};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    file: String,
    size: (u32, u32),
    checksum: String,
    middle_row: Vec<u8>,
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |i| u8::from_str_radix(&text[i..i + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

/// `scripts/reference/damaged.py` made the files and the pixels.
#[test]
fn damaged_jpegs_are_read_as_by_libjpeg_and_noted() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("data/damaged.json")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut apart, mut unnoted) = (Vec::new(), Vec::new());
    for (number, case) in cases.iter().enumerate() {
        let file = unhex(&case.file);
        let found = match decode_bytes(&file, &Limits::default()) {
            Ok(found) => found,
            Err(error) => {
                apart.push(format!("{}: {error}", case.name));
                continue;
            }
        };
        assert_eq!(found.dimensions(), case.size, "{}", case.name);
        if format!("{:08x}", crc32fast::hash(found.as_raw())) != case.checksum {
            let middle = found.rows().nth(case.size.1 as usize / 2).unwrap();
            let middle: Vec<u8> = middle.flat_map(|pixel| pixel.0).collect();
            let worst = middle.iter().zip(&case.middle_row).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            apart.push(format!("{}: {worst} levels in the middle row", case.name));
        }
        let path = folder.path().join(format!("{number}.jpg"));
        std::fs::write(&path, &file).unwrap();
        let read = |refuse_damaged| {
            let transform = Transform::unscaled(8, 8, 3);
            let options = LoaderOptions { refuse_damaged, ..LoaderOptions::new(transform) };
            let mut loader = Loader::new(&[Sample::file(&path, 0)], vec![0], options).unwrap();
            loader.next().unwrap().unwrap()
        };
        let noted = matches!(
            read(false).notes.first(),
            Some(Noted { note: Note::Damaged { format: "JPEG", .. }, .. })
        );
        // Wrong or additional bytes may make codes that all have a meaning.
        if !noted && !case.name.contains("wrong byte") && !case.name.starts_with("bytes after") {
            unnoted.push(&case.name);
        }
        assert_eq!(read(true).is_empty(), noted, "{}", case.name);
    }
    assert!(apart.is_empty(), "{} of {}: {apart:#?}", apart.len(), cases.len());
    assert!(unnoted.is_empty(), "{unnoted:#?}");
}

#[test]
fn every_format_decodes_as_in_pillow() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("data/pictures.json")).unwrap();
    let mut apart = Vec::new();
    for case in &cases {
        let found = decode_bytes(&unhex(&case.file), &Limits::default());
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                apart.push(format!("{}: {error}", case.name));
                continue;
            }
        };
        assert_eq!(found.dimensions(), case.size, "{}", case.name);
        let middle = found.rows().nth(case.size.1 as usize / 2).unwrap();
        let middle: Vec<u8> = middle.flat_map(|pixel| pixel.0).collect();
        let worst = middle.iter().zip(&case.middle_row).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        if worst > 0 || format!("{:08x}", crc32fast::hash(found.as_raw())) != case.checksum {
            apart.push(format!("{}: {worst} levels in the middle row", case.name));
        }
    }
    assert!(apart.is_empty(), "{apart:#?}");
}
