//! The file of the feature cache: a head, then records of one length, each with a checksum of its own.
//!
//! Head: 16 bytes of magic, the number of floats per record (u64, little-endian as everything here). Record: the
//! picture's digest (32 bytes), the view (u32), the features (f32 each), and the first 16 bytes of the blake3 hash
//! of all that.

use crate::TrainError;
use crate::cache::Digest;
use crate::checkpoint::write_whole;
use std::collections::HashMap;
use std::path::Path;

const MAGIC: &[u8; 16] = b"eyespot feat 1\r\n";
const CHECK: usize = 16;

/// Digest, view, features.
pub(crate) type Record<'a> = (Digest, u32, &'a [f32]);

/// All sound records with features of this length; damaged ones and a torn end are passed over.
pub(crate) fn read(path: &Path, length: usize) -> HashMap<(Digest, u32), Vec<f32>> {
    let mut known = HashMap::new();
    let Ok(bytes) = eyespot_system::read(path, u64::MAX) else { return known };
    let Some(records) =
        bytes.strip_prefix(MAGIC).and_then(|b| b.strip_prefix(&(length as u64).to_le_bytes()))
    else {
        return known;
    };
    for record in records.chunks_exact(36 + 4 * length + CHECK) {
        let (body, check) = record.split_at(record.len() - CHECK);
        if blake3::hash(body).as_bytes()[..CHECK] != *check {
            continue;
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(&body[..32]);
        let view = u32::from_le_bytes([body[32], body[33], body[34], body[35]]);
        let features = body[36..].as_chunks::<4>().0.iter().map(|&x| f32::from_le_bytes(x)).collect();
        known.insert((digest, view), features);
    }
    known
}

/// Writes the file whole.
pub(crate) fn write(path: &Path, length: usize, records: &[Record<'_>]) -> Result<(), TrainError> {
    let mut bytes = Vec::with_capacity(24 + records.len() * (36 + 4 * length + CHECK));
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(length as u64).to_le_bytes());
    for (digest, view, features) in records {
        let start = bytes.len();
        bytes.extend_from_slice(digest);
        bytes.extend_from_slice(&view.to_le_bytes());
        bytes.extend(features.iter().flat_map(|x| x.to_le_bytes()));
        let check = blake3::hash(&bytes[start..]);
        bytes.extend_from_slice(&check.as_bytes()[..CHECK]);
    }
    write_whole(path, &bytes)
}
