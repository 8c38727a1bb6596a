//! safetensors: 8 bytes with the length of a JSON header, the header, the tensors' bytes.

use crate::bytes::{array, slice};
use crate::element::Element;
use crate::error::{damaged, quoted, too_much, unsupported};
use crate::limits::{Budget, MAX_ENTRIES, MAX_HEADER, element_count};
use crate::{FormatError, ReadError, names, weights};
use eyespot_graph::{Params, Tensor};
use safetensors::tensor::{Dtype, Metadata};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

/// What stands in one file.
pub(crate) struct Contents {
    /// Tensors in the order of their bytes.
    pub params: Params,
    /// The text under `__metadata__`.
    pub metadata: HashMap<String, String>,
}

/// Reads a file that is in memory.
pub(crate) fn read(bytes: &[u8], budget: &mut Budget) -> Result<Contents, ReadError> {
    let declared = u64::from_le_bytes(array(bytes, 0)?);
    let length = usize::try_from(declared).unwrap_or(usize::MAX);
    if length > bytes.len().saturating_sub(8) {
        return Err(damaged(format!("its header should have {declared} bytes, but the file is shorter")));
    }
    if length > MAX_HEADER {
        return Err(too_much(format!("its header has {declared} bytes")));
    }
    let header = slice(bytes, 8, length)?;
    let json_error = |error: serde_json::Error| damaged(format!("its header can't be understood ({error})"));
    // The crate keeps the last of two equal names; a file that has two is lying about one of them.
    serde_json::from_slice::<UniqueKeys>(header).map_err(json_error)?;
    let metadata: Metadata = serde_json::from_slice(header).map_err(json_error)?;
    let data = &bytes[8 + length..];
    if metadata.data_len() != data.len() {
        let (needed, found) = (metadata.data_len(), data.len());
        return Err(damaged(format!("its tensors need {needed} bytes, and {found} follow the header")));
    }

    let mut params = Params::new();
    for name in metadata.offset_keys() {
        let Some(info) = metadata.info(&name) else { continue };
        if names::is_counter(&name) {
            continue;
        }
        let element = element(info.dtype).ok_or_else(|| {
            unsupported(format!(
                "tensor {} has numbers of type {}, which eyespot doesn't read; save it as float32",
                quoted(&name),
                info.dtype
            ))
        })?;
        let count = element_count(&info.shape)?;
        let (start, end) = info.data_offsets;
        let view = slice(data, start, end.saturating_sub(start))?;
        if count.checked_mul(element.size()) != Some(view.len()) {
            return Err(damaged(format!("tensor {} has another size than its shape", quoted(&name))));
        }
        budget.take(count)?;
        params.insert(name, weights::tensor(&info.shape, element.decode(view))?);
    }
    Ok(Contents { params, metadata: metadata.metadata().clone().unwrap_or_default() })
}

fn element(dtype: Dtype) -> Option<Element> {
    Some(match dtype {
        Dtype::F64 => Element::F64,
        Dtype::F32 => Element::F32,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::I64 => Element::I64,
        Dtype::I32 => Element::I32,
        Dtype::I16 => Element::I16,
        Dtype::I8 => Element::I8,
        Dtype::U64 => Element::U64,
        Dtype::U32 => Element::U32,
        Dtype::U16 => Element::U16,
        Dtype::U8 => Element::U8,
        Dtype::BOOL => Element::Bool,
        _ => return None,
    })
}

/// A JSON object with no key twice and not too many of them, read without keeping its values.
struct UniqueKeys;

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueKeys)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a name for each tensor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            if seen.len() >= MAX_ENTRIES {
                return Err(serde::de::Error::custom(format!("more than {MAX_ENTRIES} tensors")));
            }
            if seen.contains(&key) {
                return Err(serde::de::Error::custom(format!("tensor {} appears twice", quoted(&key))));
            }
            seen.insert(key);
        }
        Ok(self)
    }
}

/// Writes weights as a safetensors file, whole or not at all. The tensors keep their order; the same weights and
/// metadata give the same bytes.
pub fn write_safetensors(
    path: &Path,
    params: &Params,
    metadata: &BTreeMap<String, String>,
) -> Result<(), FormatError> {
    let header = header(params, metadata).map_err(|error| FormatError::CannotSave(error.to_string()))?;
    eyespot_system::write_atomically(path, |writer| write_to(writer, &header, params))
        .map_err(|source| FormatError::io("write", path, source))
}

/// What [`write_safetensors`] would write.
pub fn safetensors_bytes(
    params: &Params,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, FormatError> {
    let failed = |error: &dyn fmt::Display| FormatError::CannotSave(error.to_string());
    let header = header(params, metadata).map_err(|error| failed(&error))?;
    let mut bytes = Vec::new();
    write_to(&mut bytes, &header, params).map_err(|error| failed(&error))?;
    Ok(bytes)
}

fn write_to(writer: &mut dyn Write, header: &[u8], params: &Params) -> io::Result<()> {
    writer.write_all(&(header.len() as u64).to_le_bytes())?;
    writer.write_all(header)?;
    let mut buffer = Vec::new();
    for (_, tensor) in params.iter() {
        let numbers = tensor.as_standard_layout();
        for block in numbers.as_slice().unwrap_or_default().chunks(1 << 16) {
            buffer.clear();
            buffer.extend(block.iter().flat_map(|number| number.to_le_bytes()));
            writer.write_all(&buffer)?;
        }
    }
    Ok(())
}

/// The JSON header, filled up with spaces so that the tensors begin at a multiple of 8 bytes.
///
/// The crate's own writer keeps metadata in a hash map, so its bytes differ from run to run.
fn header(params: &Params, metadata: &BTreeMap<String, String>) -> serde_json::Result<Vec<u8>> {
    let mut header = serde_json::to_vec(&Header { params, metadata })?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

struct Header<'a> {
    params: &'a Params,
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
        for (name, tensor) in self.params.iter() {
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
