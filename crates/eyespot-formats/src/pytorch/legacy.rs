//! Checkpoints as PyTorch wrote them before 1.6: five pickles one after the other (a magic number, the version, the
//! machine, the saved object, the storages' keys), then each storage's length and bytes in the order of the keys.

use super::pickle::{self, Pickle};
use super::state;
use super::value::{Storage, Value};
use crate::ReadError;
use crate::bytes::array;
use crate::error::{damaged, quoted, unsupported};
use crate::limits::MAX_HEADER;
use crate::source::Source;
use crate::tensors::{Data, Tensors};
use std::collections::HashMap;

/// 0x1950a86a20f9469cfc6c
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

const VERSION: i64 = 1001;

/// Lists the tensors of a file; a plain pickle may hold arrays of NumPy.
pub(crate) fn list(source: &Source<'_>, file: usize, tensors: &mut Tensors) -> Result<(), ReadError> {
    let mut buffer = Vec::new();
    let bytes = source.start(MAX_HEADER as u64, &mut buffer)?;
    let mut position = 0;
    let mut next = || -> Result<(Pickle<'_>, usize), ReadError> {
        let pickle = pickle::read(&bytes[position..])?;
        position += pickle.length;
        Ok((pickle, position))
    };
    let (magic, _) = next()?;
    if matches!(magic.root, Value::Dict(_)) {
        return state::list(&magic, file, tensors, |_| Err(damaged("a storage is missing")));
    }
    if magic.root != Value::BigInt(&MAGIC) {
        return Err(unsupported(
            "it is a pickle, but not a PyTorch checkpoint; in Python, save the weights with \
             torch.save(model.state_dict(), PATH)",
        ));
    }
    if next()?.0.root != Value::Int(VERSION) {
        return Err(unsupported(format!("its version of PyTorch's legacy format isn't {VERSION}")));
    }
    check_machine(&next()?.0)?;
    let (object, _) = next()?;
    let (keys, end) = next()?;
    let storages = storages(source, end as u64, &object, &keys)?;
    state::list(&object, file, tensors, |storage| {
        let missing = || damaged(format!("its storage {} is missing", quoted(storage.key)));
        Ok((Data::Plain(*storages.get(storage.key).ok_or_else(missing)?), None))
    })
}

fn check_machine(pickle: &Pickle<'_>) -> Result<(), ReadError> {
    let Value::Dict(info) = pickle.root else {
        return Err(damaged("it doesn't say on what machine it was written"));
    };
    let order = pickle.heap.pairs(info).find(|(key, _)| *key == Value::Text("little_endian"));
    match order {
        Some((_, Value::Bool(false))) => {
            Err(unsupported("it was written on a big-endian machine; save it again on another"))
        }
        _ => Ok(()),
    }
}

/// Where each storage begins, by key.
fn storages<'p>(
    source: &Source<'_>,
    mut position: u64,
    object: &Pickle<'p>,
    keys: &Pickle<'p>,
) -> Result<HashMap<&'p str, u64>, ReadError> {
    let Value::List(list) = keys.root else {
        return Err(damaged("it has no list of storages"));
    };
    let mut declared: HashMap<&str, Storage<'_>> = HashMap::new();
    for storage in &object.heap.storages {
        let first = *declared.entry(storage.key).or_insert(*storage);
        if first != *storage {
            return Err(damaged(format!("its storage {} is described in two ways", quoted(storage.key))));
        }
    }
    let mut found = HashMap::new();
    let mut buffer = Vec::new();
    for &key in keys.heap.items(list) {
        let Value::Text(key) = key else {
            return Err(damaged("the name of a storage is no text"));
        };
        // Without its type nothing says how long the storage is.
        let unknown = || damaged(format!("its storage {} belongs to no tensor", quoted(key)));
        let storage = declared.get(key).ok_or_else(unknown)?;
        let numbers = source.window(position, 8, &mut buffer)?;
        let numbers = i64::from_le_bytes(array(numbers, 0)?);
        if usize::try_from(numbers) != Ok(storage.numbers) {
            let declared = storage.numbers;
            let what =
                format!("its storage {} has {numbers} numbers, not the declared {declared}", quoted(key));
            return Err(damaged(what));
        }
        let start = position + 8;
        let end = storage.length().and_then(|length| start.checked_add(length));
        position = end.filter(|&end| end <= source.len()).ok_or_else(|| damaged("it ends too early"))?;
        if found.insert(key, start).is_some() {
            return Err(damaged(format!("its storage {} appears twice", quoted(key))));
        }
    }
    if position != source.len() {
        return Err(damaged(format!("{} bytes follow its last storage", source.len() - position)));
    }
    Ok(found)
}
