//! Images of unusual formats against `scripts/reference/formats.py`.

use eyespot_data::DecodeOptions;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    /// The file, in base 64.
    file: String,
    /// The pixels that are right, as a PNG in base 64.
    png: String,
    /// The difference of a level that is allowed.
    apart: u8,
}

/// Six bits a letter; `=` fills up.
fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letters = text.bytes().filter(|letter| *letter != b'=');
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for letter in letters {
        let value = LETTERS.iter().position(|known| *known == letter).expect("is base 64");
        (bits, count) = (bits << 6 | value as u32, count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

#[test]
fn unusual_formats_are_as_pillow_reads_them_or_as_their_samples_mean() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("data/formats.json")).expect("is JSON");
    assert!(cases.len() >= 103, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for Case { name, file, png, apart } in cases {
        if name.starts_with("JPEG 2000") && cfg!(not(feature = "jpeg2000")) {
            continue;
        }
        if name.starts_with("JPEG XL") && cfg!(not(feature = "jxl")) {
            continue;
        }
        let right = image::load_from_memory(&base64(&png)).expect("a PNG").into_rgb8();
        let image = match DecodeOptions::default().decode_bytes(&base64(&file)) {
            Ok(decoded) => decoded.image,
            Err(error) => {
                wrong.push(format!("{name} {error}"));
                continue;
            }
        };
        if image.dimensions() != right.dimensions() {
            wrong.push(format!("{name} is {:?}, not {:?}", image.dimensions(), right.dimensions()));
            continue;
        }
        let levels = image.as_raw().iter().zip(right.as_raw());
        let differences: Vec<u8> = levels.map(|(a, b)| a.abs_diff(*b)).filter(|d| *d > apart).collect();
        if let Some(most) = differences.iter().max() {
            wrong.push(format!("{name}: {} levels are apart, up to {most}", differences.len()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
