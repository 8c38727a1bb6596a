//! Files of every format with several bytes changed, left out, doubled or exchanged.

use eyespot_data::{DecodeError, DecodeOptions, Limits};
use serde::Deserialize;
use std::path::Path;
use std::time::{Duration, Instant};

/// Mutations of each file.
const EACH: u64 = 24;

/// None of these files takes a hundredth of this.
const LONGEST: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
struct Case {
    name: String,
    file: String,
}

/// Six bits a letter; `=` fills up.
fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let six = |letter: u8| LETTERS.iter().position(|known| *known == letter).expect("is base 64") as u32;
    let letters: Vec<u8> = text.bytes().filter(|letter| *letter != b'=').collect();
    let bytes = letters.chunks(4).flat_map(|four| {
        let number =
            four.iter().fold(0, |number, letter| number << 6 | six(*letter)) << (6 * (4 - four.len()));
        number.to_be_bytes()[1..four.len()].to_vec()
    });
    bytes.collect()
}

/// Numbers that look like chance (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % most.max(1) as u64) as usize
    }
}

fn mutate(bytes: &mut Vec<u8>, chance: &mut Chance) {
    for _ in 0..=chance.below(5) {
        // Headers are where it hurts.
        let near = if chance.below(2) == 0 { bytes.len().min(160) } else { bytes.len() };
        let place = chance.below(near);
        let Some(byte) = bytes.get_mut(place) else { return };
        match chance.below(6) {
            0 => *byte = chance.below(256) as u8,
            1 => *byte ^= 1 << chance.below(8),
            2 => *byte = [0, 1, 0x7f, 0x80, 0xff][chance.below(5)],
            3 => bytes.truncate(place),
            4 => {
                let end = (place + 1 + chance.below(8)).min(bytes.len());
                let part: Vec<u8> = bytes[place..end].to_vec();
                bytes.splice(place..place, part);
            }
            _ => {
                let end = (place + 4).min(bytes.len());
                bytes[place..end].fill([0, 0xff][chance.below(2)]);
            }
        }
    }
}

#[test]
fn mutated_files_of_every_format_give_an_error_or_an_image_soon() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("data/formats.json")).expect("is JSON");
    let mut files: Vec<(String, Vec<u8>)> =
        cases.into_iter().map(|case| (case.name, base64(&case.file))).collect();
    for folder in ["faults", "other_formats"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
        for entry in std::fs::read_dir(folder).expect("lists") {
            let path = entry.expect("lists").path();
            if !path.to_string_lossy().ends_with(".expected.png") {
                files.push((path.display().to_string(), std::fs::read(&path).expect("reads")));
            }
        }
    }
    let limits = Limits { max_pixels: 1 << 20, ..Limits::default() };
    let options = DecodeOptions { keep_samples: 100, ..DecodeOptions::with_limits(&limits) };
    let (mut images, mut errors) = (0, 0);
    for (number, (name, file)) in files.iter().enumerate() {
        for round in 0..EACH {
            let mut chance = Chance((number as u64) << 32 | round);
            let mut bytes = file.clone();
            mutate(&mut bytes, &mut chance);
            let start = Instant::now();
            match options.decode_bytes(&bytes) {
                Ok(decoded) => {
                    let (width, height) = decoded.image.dimensions();
                    assert!(u64::from(width) * u64::from(height) <= 1 << 20 && decoded.samples.len() <= 100);
                    images += 1;
                }
                Err(DecodeError::Damaged { cause, .. }) if cause.contains("gave up") => {
                    panic!("{name}, round {round}: the decoder panics");
                }
                Err(_) => errors += 1,
            }
            assert!(start.elapsed() < LONGEST, "{name}, round {round}: {:?}", start.elapsed());
        }
    }
    assert!(images > 500 && errors > 500, "{images} images, {errors} errors");
}
