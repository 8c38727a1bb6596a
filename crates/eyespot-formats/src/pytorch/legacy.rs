//! Checkpoints as PyTorch wrote them before 1.6: five pickles one after the other (a magic number, the version, the
//! machine, the saved object, the storages' keys), then each storage's length and bytes in the order of the keys.

use super::pickle::{self, Pickle};
use super::state;
use super::value::{Storage, Value};
use crate::ReadError;
use crate::bytes::{array, slice};
use crate::error::{damaged, quoted, unsupported};
use crate::limits::Budget;
use eyespot_graph::Params;
use std::collections::HashMap;

/// 0x1950a86a20f9469cfc6c
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

const VERSION: i64 = 1001;

/// Reads a file that is in memory.
pub(crate) fn read(bytes: &[u8], budget: &mut Budget) -> Result<Params, ReadError> {
    let mut rest = bytes;
    let mut next = || -> Result<Pickle<'_>, ReadError> {
        let pickle = pickle::read(rest)?;
        rest = &rest[pickle.length..];
        Ok(pickle)
    };
    if next()?.root != Value::BigInt(&MAGIC) {
        return Err(unsupported(
            "it is a pickle, but not a PyTorch checkpoint; in Python, save the weights with \
             torch.save(model.state_dict(), PATH)",
        ));
    }
    if next()?.root != Value::Int(VERSION) {
        return Err(unsupported(format!("its version of PyTorch's legacy format isn't {VERSION}")));
    }
    check_machine(&next()?)?;
    let object = next()?;
    let keys = next()?;
    let storages = storages(rest, &object, &keys)?;
    state::read(&object, budget, |storage| {
        let missing = || damaged(format!("its storage {} is missing", quoted(storage.key)));
        storages.get(storage.key).copied().ok_or_else(missing)
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

/// The bytes of each storage by key.
fn storages<'a>(
    bytes: &'a [u8],
    object: &Pickle<'a>,
    keys: &Pickle<'a>,
) -> Result<HashMap<&'a str, &'a [u8]>, ReadError> {
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
    let mut position = 0;
    for &key in keys.heap.items(list) {
        let Value::Text(key) = key else {
            return Err(damaged("the name of a storage is no text"));
        };
        // Without its type nothing says how long the storage is.
        let unknown = || damaged(format!("its storage {} belongs to no tensor", quoted(key)));
        let storage = declared.get(key).ok_or_else(unknown)?;
        let numbers = i64::from_le_bytes(array(bytes, position)?);
        if usize::try_from(numbers) != Ok(storage.numbers) {
            let declared = storage.numbers;
            let what =
                format!("its storage {} has {numbers} numbers, not the declared {declared}", quoted(key));
            return Err(damaged(what));
        }
        position += 8;
        let length = storage.numbers.checked_mul(storage.element.size());
        let data = slice(bytes, position, length.ok_or_else(|| damaged("it ends too early"))?)?;
        position += data.len();
        if found.insert(key, data).is_some() {
            return Err(damaged(format!("its storage {} appears twice", quoted(key))));
        }
    }
    if position != bytes.len() {
        return Err(damaged(format!("{} bytes follow its last storage", bytes.len() - position)));
    }
    Ok(found)
}
