//! The weights in what was saved.

use super::pickle::Pickle;
use super::value::{Heap, Storage, Value, View};
use crate::ReadError;
use crate::error::{damaged, quoted, too_much, unsupported};
use crate::limits::{Budget, MAX_ENTRIES, element_count};
use crate::{names, weights};
use eyespot_graph::{Params, Tensor};
use std::collections::HashSet;

/// Keys under which training programs save a state dict, the likeliest first. Plain weights come before averaged
/// ones, because every program that saves both can go on without the average.
const WRAPPERS: [&str; 15] = [
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "net_state_dict",
    "network",
    "module",
    "weights",
    "params",
    "ema_state_dict",
    "state_dict_ema",
    "model_ema",
    "ema",
    "params_ema",
];

/// Wrappings inside wrappings that are looked through.
const MAX_WRAPPINGS: usize = 4;

/// The tensors of the state dict; `bytes_of` gives the bytes of a storage.
pub(super) fn read<'f>(
    pickle: &Pickle<'_>,
    budget: &mut Budget,
    bytes_of: impl Fn(&Storage<'_>) -> Result<&'f [u8], ReadError>,
) -> Result<Params, ReadError> {
    let heap = &pickle.heap;
    let Value::Dict(root) = pickle.root else {
        return Err(unsupported(
            "what was saved is no dict of named tensors; in Python, save the weights with \
             torch.save(model.state_dict(), PATH)",
        ));
    };
    let dict =
        state_dict(heap, root, MAX_WRAPPINGS, &mut HashSet::new()).ok_or_else(|| no_weights(heap, root))?;
    let mut params = Params::new();
    for (key, value) in heap.pairs(dict) {
        let Value::Tensor(view) = value else { continue };
        let Value::Text(name) = key else {
            return Err(unsupported("it has a tensor whose name is no text"));
        };
        if names::is_counter(name) {
            continue;
        }
        if params.get(name).is_some() {
            return Err(damaged(format!("tensor {} appears twice", quoted(name))));
        }
        if params.len() >= MAX_ENTRIES {
            return Err(too_much(format!("it has more than {MAX_ENTRIES} tensors")));
        }
        let view = heap.views.get(view).ok_or_else(|| damaged("a tensor is missing"))?;
        let storage = heap.storages.get(view.storage).ok_or_else(|| damaged("a storage is missing"))?;
        let tensor = tensor(name, view, storage, budget, &bytes_of)?;
        params.insert(name, tensor);
    }
    Ok(params)
}

/// The dict that has the tensors: behind a usual wrapper, else this one, else its only dict that has tensors.
/// `seen` keeps dicts that refer to each other from being searched again and again.
fn state_dict(heap: &Heap<'_>, dict: usize, depth: usize, seen: &mut HashSet<usize>) -> Option<usize> {
    if depth == 0 || !seen.insert(dict) {
        return None;
    }
    for wrapper in WRAPPERS {
        for (key, value) in heap.pairs(dict) {
            if key == Value::Text(wrapper)
                && let Value::Dict(inner) = value
                && let Some(found) = state_dict(heap, inner, depth - 1, seen)
            {
                return Some(found);
            }
        }
    }
    if heap.pairs(dict).any(|(_, value)| matches!(value, Value::Tensor(_))) {
        return Some(dict);
    }
    // An optimizer's state also holds tensors, but they are nobody's weights.
    let is_other = |key| matches!(key, Value::Text(name) if name.contains("optim") || name.contains("sched"));
    let mut only = None;
    for (key, value) in heap.pairs(dict) {
        if let Value::Dict(inner) = value
            && !is_other(key)
            && let Some(found) = state_dict(heap, inner, depth - 1, seen)
            && only.replace(found).is_some()
        {
            return None;
        }
    }
    only
}

fn no_weights(heap: &Heap<'_>, root: usize) -> ReadError {
    let names: Vec<String> = heap
        .pairs(root)
        .filter_map(|(key, _)| if let Value::Text(name) = key { Some(quoted(name)) } else { None })
        .take(10)
        .collect();
    let entries = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    unsupported(format!(
        "it has no one dict of named tensors (it holds {entries}); in Python, save the weights with \
         torch.save(model.state_dict(), PATH)"
    ))
}

fn tensor<'f>(
    name: &str,
    view: &View,
    storage: &Storage<'_>,
    budget: &mut Budget,
    bytes_of: impl Fn(&Storage<'_>) -> Result<&'f [u8], ReadError>,
) -> Result<Tensor, ReadError> {
    let count = element_count(&view.shape)?;
    if count == 0 {
        return weights::tensor(&view.shape, Vec::new());
    }
    let outside = || damaged(format!("tensor {} reaches beyond its storage", quoted(name)));
    let reach =
        |last: usize, (&axis, &stride): (&usize, &usize)| last.checked_add((axis - 1).checked_mul(stride)?);
    let last = view.shape.iter().zip(&view.strides).try_fold(view.offset, reach).ok_or_else(outside)?;
    if last >= storage.numbers {
        return Err(outside());
    }
    let size = storage.element.size();
    let bytes = bytes_of(storage)?;
    if Some(bytes.len()) != storage.numbers.checked_mul(size) {
        return Err(damaged(format!(
            "the storage of tensor {} has another size than declared",
            quoted(name)
        )));
    }
    budget.take(count)?;
    let numbers = if is_contiguous(view) {
        storage.element.decode(&bytes[view.offset * size..(last + 1) * size])
    } else {
        storage.element.decode(&gather(view, bytes, size, count))
    };
    weights::tensor(&view.shape, numbers)
}

/// Whether the numbers stand in the storage as they do in the tensor. An axis of one needs no stride.
fn is_contiguous(view: &View) -> bool {
    let mut expected = 1usize;
    view.shape.iter().zip(&view.strides).rev().all(|(&axis, &stride)| {
        let fits = axis == 1 || stride == expected;
        expected = expected.saturating_mul(axis);
        fits
    })
}

/// The numbers of a view that skips or reorders numbers, in the tensor's order. All places have been checked.
fn gather(view: &View, bytes: &[u8], size: usize, count: usize) -> Vec<u8> {
    let mut gathered = Vec::with_capacity(count * size);
    let mut index = vec![0; view.shape.len()];
    let mut place = view.offset;
    for _ in 0..count {
        gathered.extend_from_slice(&bytes[place * size..(place + 1) * size]);
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            place += view.strides[axis];
            if index[axis] < view.shape[axis] {
                break;
            }
            place -= view.strides[axis] * view.shape[axis];
            index[axis] = 0;
        }
    }
    gathered
}
