//! safetensors: 8 bytes with the length of a JSON header, the header, the tensors' bytes.

use crate::ReadError;
use crate::element::Element;
use crate::error::{damaged, quoted, too_much};
use crate::limits::{MAX_ENTRIES, MAX_HEADER, element_count};
use crate::source::Source;
use crate::tensors::{Data, Entry, Storage, Tensors};
use safetensors::tensor::{Dtype, Metadata};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::collections::{BTreeMap, HashSet};
use std::fmt;

/// Lists the tensors of a file in the order of their bytes; gives the text under `__metadata__`.
pub(crate) fn list(
    source: &Source<'_>,
    file: usize,
    tensors: &mut Tensors,
) -> Result<BTreeMap<String, String>, ReadError> {
    let mut buffer = Vec::new();
    let declared = source.window(0, 8, &mut buffer)?;
    let declared = u64::from_le_bytes(declared.try_into().map_err(|_| damaged("it ends too early"))?);
    if declared > source.len().saturating_sub(8) {
        return Err(damaged(format!("its header should have {declared} bytes, but the file is shorter")));
    }
    if declared > MAX_HEADER as u64 {
        return Err(too_much(format!("its header has {declared} bytes")));
    }
    let header = source.window(8, declared, &mut buffer)?;
    let json_error = |error: serde_json::Error| damaged(format!("its header can't be understood ({error})"));
    // The crate keeps the last of two equal names; a file that has two is lying about one of them.
    serde_json::from_slice::<UniqueKeys>(header).map_err(json_error)?;
    let metadata: Metadata = serde_json::from_slice(header).map_err(json_error)?;
    let data = 8 + declared;
    let found = source.len() - data;
    if metadata.data_len() as u64 != found {
        let needed = metadata.data_len();
        return Err(damaged(format!("its tensors need {needed} bytes, and {found} follow the header")));
    }
    for name in metadata.offset_keys() {
        let Some(info) = metadata.info(&name) else { continue };
        let element = element(info.dtype);
        let count = element_count(&info.shape)?;
        let (start, end) = info.data_offsets;
        let length = end.saturating_sub(start);
        let foreign = matches!(element, Element::Foreign { .. });
        if !foreign && count.checked_mul(element.size()) != Some(length) {
            return Err(damaged(format!("tensor {} has another size than its shape", quoted(&name))));
        }
        let (at, length) = (data + start as u64, length as u64);
        let storage = tensors.storages.len();
        tensors.storages.push(Storage { file, data: Data::Plain(at), length, crc: None });
        let shape = info.shape.clone();
        tensors.entries.push(Entry {
            name,
            element,
            shape,
            storage,
            offset: 0,
            strides: None,
            negative: false,
        });
    }
    Ok(metadata.metadata().clone().unwrap_or_default().into_iter().collect())
}

fn element(dtype: Dtype) -> Element {
    let foreign = |name, size| Element::Foreign { name, size };
    match dtype {
        Dtype::F64 => Element::F64,
        Dtype::F32 => Element::F32,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::F8_E4M3 => Element::F8E4m3,
        Dtype::F8_E5M2 => Element::F8E5m2,
        Dtype::I64 => foreign("I64", 8),
        Dtype::I32 => foreign("I32", 4),
        Dtype::I16 => foreign("I16", 2),
        Dtype::I8 => foreign("I8", 1),
        Dtype::U64 => foreign("U64", 8),
        Dtype::U32 => foreign("U32", 4),
        Dtype::U16 => foreign("U16", 2),
        Dtype::U8 => foreign("U8", 1),
        Dtype::BOOL => foreign("BOOL", 1),
        Dtype::C64 => foreign("C64", 8),
        Dtype::F8_E8M0 => foreign("F8_E8M0", 1),
        Dtype::F8_E4M3FNUZ => foreign("F8_E4M3FNUZ", 1),
        Dtype::F8_E5M2FNUZ => foreign("F8_E5M2FNUZ", 1),
        _ => foreign("less than a byte", 1),
    }
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
