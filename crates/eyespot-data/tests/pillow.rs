//! Beside Pillow: `scripts/reference/pictures.py`.

use eyespot_data::{Limits, decode_bytes};
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
