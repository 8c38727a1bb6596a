//! Checkpoints as PyTorch writes them since 1.6: a zip archive with `data.pkl` and an entry for each storage.

use super::{pickle, state};
use crate::ReadError;
use crate::error::{damaged, quoted, too_much, unsupported};
use crate::limits::{MAX_ENTRIES, MAX_HEADER};
use crate::load::inflate;
use crate::source::{Section, Source};
use crate::tensors::{Data, Tensors};
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ZipLocator};
use std::collections::HashMap;

/// Lists the tensors of an archive.
pub(crate) fn list(source: &Source<'_>, file: usize, tensors: &mut Tensors) -> Result<(), ReadError> {
    let entries = entries(source)?;
    let pickles = entries.keys().filter_map(|name| name.strip_suffix("data.pkl"));
    let folders: Vec<&str> = pickles.filter(|folder| folder.is_empty() || folder.ends_with('/')).collect();
    let [folder] = *folders else { return Err(another_archive(&entries)) };
    if entries.contains_key(format!("{folder}constants.pkl").as_str()) {
        return Err(unsupported(
            "it is a TorchScript program; in Python, save its weights with \
             torch.save(torch.jit.load(PATH).state_dict(), OTHER)",
        ));
    }
    let mut buffer = Vec::new();
    if let Some(order) = entries.get(format!("{folder}byteorder").as_str())
        && order.read(source, 16, &mut buffer)? != b"little"
    {
        return Err(unsupported("it was written on a big-endian machine; save it again on another"));
    }
    let name = format!("{folder}data.pkl");
    let mut buffer = Vec::new();
    let description = entries[name.as_str()].read(source, MAX_HEADER as u64, &mut buffer)?;
    let pickle = pickle::read(description)?;
    state::list(&pickle, file, tensors, |storage| {
        let missing = || damaged(format!("its storage {} is missing", quoted(storage.key)));
        let entry = entries.get(format!("{folder}data/{}", storage.key).as_str()).ok_or_else(missing)?;
        if storage.length() != Some(entry.length) {
            return Err(damaged(format!(
                "its storage {} has another size than declared",
                quoted(storage.key)
            )));
        }
        let data = match entry.deflated {
            true => Data::Deflated(entry.at, entry.packed),
            false => Data::Plain(entry.at),
        };
        Ok((data, Some(entry.crc)))
    })
}

/// What an archive is that holds no checkpoint.
fn another_archive(entries: &HashMap<String, Entry>) -> ReadError {
    let has = |end: &str| entries.keys().any(|name| name.ends_with(end));
    unsupported(if has("serialized_exported_program.json") || has("models/model.json") {
        "it is a program that torch.export wrote; in Python, save its weights with \
         torch.save(torch.export.load(PATH).state_dict, OTHER)"
    } else if has(".npy") {
        "it is an archive of NumPy arrays (.npz); in Python, save them as safetensors with \
         safetensors.numpy.save_file(dict(numpy.load(PATH)), OTHER)"
    } else if has("model.weights.h5") {
        "it is a network of Keras, whose weights are laid out in another way; give weights of PyTorch"
    } else {
        "it is a zip archive, but not one with a PyTorch checkpoint (one `data.pkl`); if there is one inside, unpack it"
    })
}

#[derive(Debug)]
struct Entry {
    name: String,
    at: u64,
    /// Bytes in the archive.
    packed: u64,
    /// Bytes once unpacked, as declared.
    length: u64,
    deflated: bool,
    crc: u32,
}

impl Entry {
    /// The bytes, if they are the ones that were written and no more than `limit`.
    fn read<'b>(
        &self,
        source: &'b Source<'_>,
        limit: u64,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], ReadError> {
        if self.length > limit {
            return Err(too_much(format!("its entry {} has {} bytes", quoted(&self.name), self.length)));
        }
        if self.deflated {
            let section = Section::new(source, self.at, self.packed);
            *buffer = inflate(section, self.length, Some(self.crc), 0..self.length)
                .map_err(|reason| damaged(format!("its entry {} {reason}", quoted(&self.name))))?;
            return Ok(buffer);
        }
        let bytes = source.window(self.at, self.length, buffer)?;
        if crc32fast::hash(bytes) != self.crc {
            return Err(damaged(format!("the checksum of its entry {} is wrong", quoted(&self.name))));
        }
        Ok(bytes)
    }
}

/// Every entry by name. Names are unique and entries don't overlap.
fn entries(source: &Source<'_>) -> Result<HashMap<String, Entry>, ReadError> {
    let broken = |error: rawzip::Error| damaged(format!("the zip archive can't be understood ({error})"));
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive = ZipLocator::new()
        .locate_in_reader(source, &mut buffer, source.len())
        .map_err(|(_, error)| broken(error))?;
    let mut entries = HashMap::new();
    let mut ranges = Vec::new();
    let mut records = archive.entries(&mut buffer);
    while let Some(record) = records.next_entry().map_err(broken)? {
        if entries.len() >= MAX_ENTRIES {
            return Err(too_much(format!("its zip archive has more than {MAX_ENTRIES} entries")));
        }
        let (start, end) = archive.get_entry(record.wayfinder()).map_err(broken)?.compressed_data_range();
        let name = std::str::from_utf8(record.file_path().as_bytes());
        let name = name.map_err(|_| damaged("the name of an entry is no text"))?.to_owned();
        let (packed, length) = (record.compressed_size_hint(), record.uncompressed_size_hint());
        let deflated = match record.compression_method() {
            CompressionMethod::STORE if packed != length => {
                return Err(damaged(format!("its entry {} declares two sizes", quoted(&name))));
            }
            CompressionMethod::STORE => false,
            CompressionMethod::DEFLATE => true,
            _ => {
                return Err(unsupported(format!(
                    "its entry {} is compressed in a way that PyTorch never uses; load and save it again with PyTorch",
                    quoted(&name)
                )));
            }
        };
        if end > source.len() || end.checked_sub(start) != Some(packed) {
            return Err(damaged("it ends too early"));
        }
        ranges.push((record.local_header_offset(), end, name.clone()));
        let entry = Entry { name: name.clone(), at: start, packed, length, deflated, crc: record.crc32() };
        if let Some(twice) = entries.insert(name, entry) {
            return Err(damaged(format!("its entry {} appears twice", quoted(&twice.name))));
        }
    }
    if entries.len() as u64 != archive.entries_hint() {
        return Err(damaged("its zip archive declares another number of entries than it has"));
    }
    ranges.sort_unstable();
    if let Some(pair) = ranges.windows(2).find(|pair| pair[1].0 < pair[0].1) {
        return Err(damaged(format!(
            "its entries {} and {} overlap",
            quoted(&pair[0].2),
            quoted(&pair[1].2)
        )));
    }
    Ok(entries)
}
