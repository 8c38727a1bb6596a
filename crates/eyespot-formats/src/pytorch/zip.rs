//! Checkpoints as PyTorch writes them since 1.6: a zip archive with `data.pkl` and an entry for each storage.

use super::{pickle, state};
use crate::ReadError;
use crate::error::{damaged, quoted, too_much, unsupported};
use crate::limits::{Budget, MAX_ENTRIES, MAX_HEADER};
use eyespot_graph::Params;
use rawzip::{CompressionMethod, ZipArchive};
use std::collections::HashMap;

/// Reads an archive that is in memory.
pub(crate) fn read(bytes: &[u8], budget: &mut Budget) -> Result<Params, ReadError> {
    let entries = entries(bytes)?;
    let mut pickles = entries.keys().filter_map(|name| name.strip_suffix("data.pkl"));
    let folders = pickles.by_ref().filter(|folder| folder.is_empty() || folder.ends_with('/'));
    let folders: Vec<&str> = folders.collect();
    let [folder] = *folders else {
        return Err(unsupported(
            "it is a zip archive, but not one with a PyTorch checkpoint (one `data.pkl`)",
        ));
    };
    if entries.contains_key(format!("{folder}constants.pkl").as_str()) {
        return Err(unsupported(
            "it is a TorchScript program; in Python, save its weights with \
             torch.save(torch.jit.load(PATH).state_dict(), OTHER)",
        ));
    }
    if let Some(order) = entries.get(format!("{folder}byteorder").as_str())
        && order.checked()? != b"little"
    {
        return Err(unsupported("it was written on a big-endian machine; save it again on another"));
    }
    let description = entries[format!("{folder}data.pkl").as_str()].checked()?;
    if description.len() > MAX_HEADER {
        return Err(too_much(format!("its description of the weights has {} bytes", description.len())));
    }
    let pickle = pickle::read(description)?;
    // Each checksum is verified once, however many tensors share the storage.
    let mut verified = HashMap::new();
    for storage in &pickle.heap.storages {
        if !verified.contains_key(storage.key) {
            let missing = || damaged(format!("its storage {} is missing", quoted(storage.key)));
            let entry = entries.get(format!("{folder}data/{}", storage.key).as_str()).ok_or_else(missing)?;
            verified.insert(storage.key, entry.checked()?);
        }
    }
    state::read(&pickle, budget, |storage| {
        verified.get(storage.key).copied().ok_or_else(|| damaged("a storage is missing"))
    })
}

struct Entry<'a> {
    name: &'a str,
    data: &'a [u8],
    checksum: u32,
}

impl<'a> Entry<'a> {
    /// The bytes, if they are the ones that were written.
    fn checked(&self) -> Result<&'a [u8], ReadError> {
        if rawzip::crc32(self.data) != self.checksum {
            return Err(damaged(format!("the checksum of its entry {} is wrong", quoted(self.name))));
        }
        Ok(self.data)
    }
}

/// Every entry by name. Entries are stored, not compressed, so nothing in the archive is larger than the file;
/// names are unique and entries don't overlap.
fn entries(bytes: &[u8]) -> Result<HashMap<&str, Entry<'_>>, ReadError> {
    let broken = |error: rawzip::Error| damaged(format!("the zip archive can't be understood ({error})"));
    let archive = ZipArchive::from_slice(bytes).map_err(broken)?;
    let mut entries = HashMap::new();
    let mut ranges = Vec::new();
    for record in archive.entries() {
        let record = record.map_err(broken)?;
        if entries.len() >= MAX_ENTRIES {
            return Err(too_much(format!("its zip archive has more than {MAX_ENTRIES} entries")));
        }
        let entry = archive.get_entry(record.wayfinder()).map_err(broken)?;
        let (start, end) = entry.compressed_data_range();
        let name = name_at(bytes, &record)?;
        if record.compression_method() != CompressionMethod::STORE {
            return Err(unsupported(format!(
                "its entry {} is compressed, which PyTorch never does; load and save it again with PyTorch",
                quoted(name)
            )));
        }
        if record.compressed_size_hint() != record.uncompressed_size_hint() {
            return Err(damaged(format!("its entry {} declares two sizes", quoted(name))));
        }
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let data = range.and_then(|(start, end)| bytes.get(start..end));
        let data = data.ok_or_else(|| damaged("it ends too early"))?;
        ranges.push((record.local_header_offset(), end, name));
        if entries.insert(name, Entry { name, data, checksum: record.crc32() }).is_some() {
            return Err(damaged(format!("its entry {} appears twice", quoted(name))));
        }
    }
    if entries.len() as u64 != archive.entries_hint() {
        return Err(damaged("its zip archive declares another number of entries than it has"));
    }
    ranges.sort_unstable();
    if let Some(pair) = ranges.windows(2).find(|pair| pair[1].0 < pair[0].1) {
        return Err(damaged(format!("its entries {} and {} overlap", quoted(pair[0].2), quoted(pair[1].2))));
    }
    Ok(entries)
}

/// The entry's name, borrowed from the file.
fn name_at<'a>(bytes: &'a [u8], record: &rawzip::ZipFileHeaderRecord<'_>) -> Result<&'a str, ReadError> {
    /// Bytes of a directory record before its name (APPNOTE 4.3.12).
    const RECORD: u64 = 46;
    let length = record.file_path().as_bytes().len();
    let start = usize::try_from(record.central_directory_offset().saturating_add(RECORD)).ok();
    let name = start.and_then(|start| bytes.get(start..start.checked_add(length)?));
    let name = name.ok_or_else(|| damaged("it ends too early"))?;
    std::str::from_utf8(name).map_err(|_| damaged("the name of an entry is no text"))
}
