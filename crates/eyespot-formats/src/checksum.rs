//! A checksum over everything in a file of eyespot's: the metadata, and each tensor's name, shape and numbers.
//!
//! It stands in the metadata under [`KEY`]. Numbers are hashed in pieces of [`PIECE`] bytes, so that several threads can
//! share the work; the checksum is BLAKE3 over the metadata, the names and shapes, and the pieces' hashes.

use crate::ReadError;
use crate::error::{damaged, quoted};
use blake3::{Hash, Hasher};
use std::collections::BTreeMap;

/// The checksum's name in the metadata.
pub(crate) const KEY: &str = "eyespot.blake3";

/// What its text begins with, so that it is known for a checksum even if its name is damaged.
const PREFIX: &str = "blake3:";

/// Bytes that are hashed at once: 2¹⁸ numbers.
pub(crate) const PIECE: usize = 1 << 20;

/// The checksum's text. Each tensor comes with its name, its shape and the hashes of its pieces.
pub(crate) fn text<'a>(
    metadata: &BTreeMap<String, String>,
    tensors: impl Iterator<Item = (&'a str, &'a [usize], &'a [Hash])>,
) -> String {
    let mut hasher = Hasher::new();
    let others = metadata.iter().filter(|(key, _)| *key != KEY);
    hasher.update(&(others.clone().count() as u64).to_le_bytes());
    for (key, value) in others {
        add(&mut hasher, key);
        add(&mut hasher, value);
    }
    // By name: empty tensors at one place have no order in the file.
    let mut tensors: Vec<_> = tensors.collect();
    tensors.sort_unstable_by_key(|&(name, _, _)| name);
    for (name, shape, pieces) in tensors {
        add(&mut hasher, name);
        for number in [&[shape.len()], shape].concat() {
            hasher.update(&(number as u64).to_le_bytes());
        }
        for piece in pieces {
            hasher.update(piece.as_bytes());
        }
    }
    format!("{PREFIX}{}", hasher.finalize().to_hex())
}

fn add(hasher: &mut Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

/// The checksum that a file declares; files without one are older, or somebody else's.
pub(crate) fn declared(metadata: &BTreeMap<String, String>) -> Result<Option<&str>, ReadError> {
    match metadata.get(KEY) {
        Some(text) if text.starts_with(PREFIX) => Ok(Some(text)),
        Some(_) => Err(damaged("its checksum is none")),
        // A flipped bit in the name must not make the checksum disappear.
        None => match metadata.iter().find(|(_, value)| value.starts_with(PREFIX)) {
            Some((key, _)) => Err(damaged(format!("its checksum is called {}", quoted(key)))),
            None => Ok(None),
        },
    }
}

/// What to say where the two differ.
pub(crate) fn differs() -> ReadError {
    damaged(format!(
        "its numbers or its metadata are not those that eyespot wrote (the checksum differs; a program that changed them \
         on purpose has to take `{KEY}` out of the metadata)"
    ))
}
