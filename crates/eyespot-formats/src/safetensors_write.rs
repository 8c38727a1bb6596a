//! Writing safetensors files.

use crate::checksum::{self, PIECE};
use crate::{FormatError, parallel};
use eyespot_graph::Tensor;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

/// Numbers that are hashed and written at once.
const NUMBERS: usize = PIECE / size_of::<f32>();

/// Writes tensors as a safetensors file, whole or not at all. They keep their order; the same tensors and metadata
/// give the same bytes.
///
/// A checksum over everything is put into the metadata under `eyespot.blake3`; all readers of this crate check it.
pub fn write_safetensors<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), FormatError> {
    let tensors: Vec<(&str, &Tensor)> = tensors.into_iter().collect();
    let header = header(&tensors, metadata).map_err(|error| FormatError::CannotSave(error.to_string()))?;
    eyespot_system::write_atomically(path, |writer| write_to(writer, &header, &tensors))
        .map_err(|source| FormatError::io("write", path, source))
}

/// What [`write_safetensors`] would write.
pub fn safetensors_bytes<'a>(
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, FormatError> {
    let failed = |error: &dyn fmt::Display| FormatError::CannotSave(error.to_string());
    let tensors: Vec<(&str, &Tensor)> = tensors.into_iter().collect();
    let header = header(&tensors, metadata).map_err(|error| failed(&error))?;
    let mut bytes = Vec::new();
    write_to(&mut bytes, &header, &tensors).map_err(|error| failed(&error))?;
    Ok(bytes)
}

fn write_to(writer: &mut dyn Write, header: &[u8], tensors: &[(&str, &Tensor)]) -> io::Result<()> {
    writer.write_all(&(header.len() as u64).to_le_bytes())?;
    writer.write_all(header)?;
    let mut buffer = Vec::new();
    for (_, tensor) in tensors {
        let numbers = tensor.as_standard_layout();
        for block in numbers.as_slice().unwrap_or_default().chunks(NUMBERS) {
            to_bytes(block, &mut buffer);
            writer.write_all(&buffer)?;
        }
    }
    Ok(())
}

fn to_bytes(numbers: &[f32], buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

/// The JSON header, filled up with spaces so that the tensors begin at a multiple of 8 bytes.
///
/// The crate's own writer keeps metadata in a hash map, so its bytes differ from run to run.
fn header(tensors: &[(&str, &Tensor)], metadata: &BTreeMap<String, String>) -> serde_json::Result<Vec<u8>> {
    let mut metadata = metadata.clone();
    metadata.insert(checksum::KEY.to_owned(), checksum_of(tensors, &metadata));
    let mut header = serde_json::to_vec(&Header { tensors, metadata: &metadata })?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

fn checksum_of(tensors: &[(&str, &Tensor)], metadata: &BTreeMap<String, String>) -> String {
    let layouts: Vec<_> = tensors.iter().map(|(_, tensor)| tensor.as_standard_layout()).collect();
    let mut jobs: Vec<(&[f32], Option<blake3::Hash>)> = layouts
        .iter()
        .flat_map(|layout| layout.as_slice().unwrap_or_default().chunks(NUMBERS))
        .map(|block| (block, None))
        .collect();
    parallel::for_each(&mut jobs, |(block, hash), buffer| {
        to_bytes(block, buffer);
        *hash = Some(blake3::hash(buffer));
    });
    let hashes: Vec<blake3::Hash> = jobs.into_iter().filter_map(|(_, hash)| hash).collect();
    let mut start = 0;
    let described = tensors.iter().map(|(name, tensor)| {
        let first = start;
        start += tensor.len().div_ceil(NUMBERS);
        (*name, tensor.shape(), &hashes[first..start])
    });
    checksum::text(metadata, described)
}

struct Header<'a> {
    tensors: &'a [(&'a str, &'a Tensor)],
    metadata: &'a BTreeMap<String, String>,
}

#[derive(serde::Serialize)]
struct TensorHeader<'a> {
    dtype: &'static str,
    shape: &'a [usize],
    data_offsets: [usize; 2],
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.metadata.is_empty() {
            map.serialize_entry("__metadata__", self.metadata)?;
        }
        let mut start = 0;
        for &(name, tensor) in self.tensors {
            if name == "__metadata__" {
                return Err(serde::ser::Error::custom("a tensor may not be called `__metadata__`"));
            }
            let end = start + bytes_of(tensor);
            let entry = TensorHeader { dtype: "F32", shape: tensor.shape(), data_offsets: [start, end] };
            map.serialize_entry(name, &entry)?;
            start = end;
        }
        map.end()
    }
}

fn bytes_of(tensor: &Tensor) -> usize {
    tensor.len() * size_of::<f32>()
}
