//! The tensors in what was saved, under the keys that lead to them.

use super::global::element_of_numpy;
use super::pickle::Pickle;
use super::value::{Heap, NumpyArray, Storage as Described, Value, View};
use crate::ReadError;
use crate::error::{damaged, quoted, too_much, unsupported};
use crate::limits::MAX_ENTRIES;
use crate::tensors::{Data, Entry, Storage, Tensors, unless_contiguous};
use std::collections::{HashMap, HashSet};

/// Containers inside each other that are looked through.
const MAX_DEPTH: usize = 16;

/// Bytes of a name with all its keys.
const MAX_NAME: usize = 1000;

/// Lists the tensors; `data` says where the bytes of a storage are and what their checksum is.
pub(super) fn list<'p>(
    pickle: &Pickle<'p>,
    file: usize,
    tensors: &mut Tensors,
    data: impl FnMut(&Described<'p>) -> Result<(Data, Option<u32>), ReadError>,
) -> Result<(), ReadError> {
    let Value::Dict(root) = pickle.root else {
        return Err(unsupported(
            "what was saved is no dict of named tensors; in Python, save the weights with \
             torch.save(model.state_dict(), PATH)",
        ));
    };
    let before = tensors.entries.len();
    let (storages, names, seen) = Default::default();
    let mut walk = Walk { heap: &pickle.heap, file, tensors, data, storages, names, seen };
    walk.container(pickle.root, "", 0)?;
    if walk.tensors.entries.len() == before {
        return Err(no_weights(&pickle.heap, root));
    }
    Ok(())
}

struct Walk<'w, 'p, F> {
    heap: &'w Heap<'p>,
    file: usize,
    tensors: &'w mut Tensors,
    data: F,
    /// Places of storages by key.
    storages: HashMap<&'p str, usize>,
    names: HashSet<String>,
    /// Containers that have been looked through: they may refer to each other.
    seen: HashSet<usize>,
}

impl<'p, F: FnMut(&Described<'p>) -> Result<(Data, Option<u32>), ReadError>> Walk<'_, 'p, F> {
    fn container(&mut self, container: Value<'p>, keys: &str, depth: usize) -> Result<(), ReadError> {
        let (Value::Dict(place) | Value::List(place) | Value::Tuple(place)) = container else {
            return Ok(());
        };
        if depth > MAX_DEPTH || !self.seen.insert(place) {
            return Ok(());
        }
        let heap = self.heap;
        if let Value::Dict(_) = container {
            for (key, value) in heap.pairs(place) {
                match key {
                    // An optimizer's state holds tensors as well, but they are nobody's weights.
                    Value::Text(key) if key.contains("optim") || key.contains("sched") => {}
                    Value::Text(key) => self.value(value, keys, key, depth)?,
                    Value::Int(key) => self.value(value, keys, &key.to_string(), depth)?,
                    _ => {}
                }
            }
        } else {
            for (index, &value) in heap.items(place).iter().enumerate() {
                self.value(value, keys, &index.to_string(), depth)?;
            }
        }
        Ok(())
    }

    fn value(&mut self, value: Value<'p>, keys: &str, key: &str, depth: usize) -> Result<(), ReadError> {
        if !matches!(
            value,
            Value::Dict(_) | Value::List(_) | Value::Tuple(_) | Value::Tensor(_) | Value::NumpyArray(_)
        ) {
            return Ok(());
        }
        let dot = if keys.is_empty() { "" } else { "." };
        let name = format!("{keys}{dot}{key}");
        if name.len() > MAX_NAME {
            return Err(too_much(format!("it has a name of {} bytes", name.len())));
        }
        let heap = self.heap;
        let entry = match value {
            Value::Tensor(view) => {
                let view = heap.views.get(view).ok_or_else(|| damaged("a tensor is missing"))?;
                self.tensor(&name, view)?
            }
            Value::NumpyArray(array) => match heap.numpy_arrays.get(array) {
                Some(Some(array)) => self.numpy_array(&name, array)?,
                _ => return Ok(()),
            },
            container => return self.container(container, &name, depth + 1),
        };
        if !self.names.insert(name) {
            return Err(damaged(format!("tensor {} appears twice", quoted(&entry.name))));
        }
        if self.tensors.entries.len() >= MAX_ENTRIES {
            return Err(too_much(format!("it has more than {MAX_ENTRIES} tensors")));
        }
        self.tensors.entries.push(entry);
        Ok(())
    }

    fn tensor(&mut self, name: &str, view: &View) -> Result<Entry, ReadError> {
        let described =
            self.heap.storages.get(view.storage).ok_or_else(|| damaged("a storage is missing"))?;
        let storage = match self.storages.get(described.key) {
            Some(&place) => place,
            None => {
                let (data, crc) = (self.data)(described)?;
                let length = described.length().ok_or_else(|| damaged("it ends too early"))?;
                self.tensors.storages.push(Storage { file: self.file, data, length, crc });
                self.storages.insert(described.key, self.tensors.storages.len() - 1);
                self.tensors.storages.len() - 1
            }
        };
        Ok(Entry {
            name: name.to_owned(),
            element: view.element,
            shape: view.shape.clone(),
            storage,
            offset: view.offset,
            strides: unless_contiguous(&view.shape, view.strides.clone()),
            negative: view.negative,
        })
    }

    fn numpy_array(&mut self, name: &str, array: &NumpyArray<'p>) -> Result<Entry, ReadError> {
        let kind = self.heap.numpy_types.get(array.kind).ok_or_else(|| damaged("an array has no type"))?;
        let element = element_of_numpy(kind.code);
        let mut bytes = match array.data {
            Value::Raw(bytes) => bytes.to_vec(),
            // Characters beyond Latin-1 are no bytes; the array then has another size than its shape.
            Value::Latin(text) => text.chars().filter_map(|c| u8::try_from(u32::from(c)).ok()).collect(),
            _ => Vec::new(),
        };
        let needed = array.shape.iter().try_fold(element.size(), |size, &axis| size.checked_mul(axis));
        if needed != Some(bytes.len()) && !matches!(element, crate::element::Element::Foreign { .. }) {
            return Err(damaged(format!("array {} has another size than its shape", quoted(name))));
        }
        if kind.big_endian {
            bytes.chunks_exact_mut(element.size()).for_each(<[u8]>::reverse);
        }
        let mut strides = vec![1usize; array.shape.len()];
        if array.fortran {
            for axis in 1..strides.len() {
                strides[axis] = strides[axis - 1].saturating_mul(array.shape[axis - 1]);
            }
        }
        let strides = if array.fortran { unless_contiguous(&array.shape, strides) } else { None };
        let (length, data) = (bytes.len() as u64, Data::Memory(bytes));
        self.tensors.storages.push(Storage { file: self.file, data, length, crc: None });
        let storage = self.tensors.storages.len() - 1;
        let shape = array.shape.clone();
        Ok(Entry { name: name.to_owned(), element, shape, storage, offset: 0, strides, negative: false })
    }
}

fn no_weights(heap: &Heap<'_>, root: usize) -> ReadError {
    let names: Vec<String> = heap
        .pairs(root)
        .filter_map(|(key, _)| if let Value::Text(name) = key { Some(quoted(name)) } else { None })
        .take(10)
        .collect();
    let entries = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    unsupported(format!(
        "it has no named tensors (it holds {entries}); in Python, save the weights with \
         torch.save(model.state_dict(), PATH)"
    ))
}
