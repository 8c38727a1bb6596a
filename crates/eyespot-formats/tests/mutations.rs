//! Thousands of damaged files: none may panic, and none may give more numbers than a file of its size can hold.
//! The damage is drawn from a fixed seed, so a failure comes again. `fuzz/` looks for more.

mod support;

use eyespot_formats::{ModelFile, weights_from_bytes};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use support::committed;

const ROUNDS: usize = 4000;

fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    rng.next_u32() as usize % bound.max(1)
}

/// One to four changes: a bit, a byte, a length, a piece cut out, doubled or moved; sometimes the end is missing.
fn damage(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    for _ in 0..=below(rng, 4) {
        let place = below(rng, bytes.len());
        let length = below(rng, 32).min(bytes.len() - place);
        match below(rng, 7) {
            0 => bytes[place] ^= 1 << below(rng, 8),
            1 => bytes[place] = rng.next_u32() as u8,
            2 => bytes[place..place + length.min(8)].fill(0xff),
            3 => bytes[place..place + length.min(8)].fill(0),
            4 => drop(bytes.drain(place..place + length)),
            5 => {
                let piece = bytes[place..place + length].to_vec();
                let to = below(rng, bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => bytes.truncate(place),
        }
        if bytes.is_empty() {
            return;
        }
    }
}

fn try_all_kinds_of_damage(original: &[u8], seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..ROUNDS {
        let mut bytes = original.to_vec();
        damage(&mut bytes, &mut rng);
        if let Ok(params) = weights_from_bytes(&bytes) {
            let numbers: usize = params.iter().map(|(_, tensor)| tensor.len()).sum();
            assert!(numbers <= (bytes.len() * 2).max(1 << 20));
        }
        let _ = ModelFile::from_bytes(&bytes);
    }
    for length in 0..original.len() {
        assert!(weights_from_bytes(&original[..length]).is_err(), "cut after {length} bytes");
    }
}

#[test]
fn damaged_zip() {
    try_all_kinds_of_damage(&committed("zip.pth"), 1);
}

#[test]
fn damaged_zip_description() {
    // The checksum hides the description from damage, so here it is damaged before it is packed.
    let original = support::Pickle::one_tensor(4, 1, &[3, 1], &[1, 7]);
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for _ in 0..ROUNDS {
        let mut pickle = original.clone();
        damage(&mut pickle, &mut rng);
        let _ = weights_from_bytes(&support::checkpoint(&pickle, &[0; 16]));
    }
}

#[test]
fn damaged_legacy() {
    try_all_kinds_of_damage(&committed("legacy.pth"), 3);
}

#[test]
fn damaged_safetensors() {
    try_all_kinds_of_damage(&committed("reference.safetensors"), 4);
}
