//! What a pickle describes.

use super::global::Global;
use crate::element::Element;

/// A value. Containers stand in a [`Heap`] and are named by their place there, so values are small, copying one
/// is cheap, and neither cycles nor deep nesting can hurt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer beyond 64 bits: little-endian two's complement.
    BigInt(&'a [u8]),
    /// A value that no state dict needs: a float, raw bytes.
    Other,
    Text(&'a str),
    Global(Global<'a>),
    /// What stands for anything built with [`Global::Inert`].
    Inert,
    Tuple(usize),
    List(usize),
    Dict(usize),
    Storage(usize),
    Tensor(usize),
}

/// A block of numbers that stands outside the pickle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Storage<'a> {
    /// Its name: an entry of the archive, or a key in the legacy file's list.
    pub key: &'a str,
    pub element: Element,
    /// How many numbers it holds.
    pub numbers: usize,
}

/// A view of a storage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    /// Its place in [`Heap::storages`].
    pub storage: usize,
    /// The first number.
    pub offset: usize,
    pub shape: Vec<usize>,
    /// Numbers between neighbours along each axis.
    pub strides: Vec<usize>,
}

/// Everything that values refer to.
#[derive(Debug, Default)]
pub(super) struct Heap<'a> {
    /// Tuples, lists, and dicts as keys and values in turn.
    pub containers: Vec<Vec<Value<'a>>>,
    pub storages: Vec<Storage<'a>>,
    pub views: Vec<View>,
}

impl<'a> Heap<'a> {
    /// The items of a tuple, list or dict.
    pub(super) fn items(&self, container: usize) -> &[Value<'a>] {
        self.containers.get(container).map_or(&[], Vec::as_slice)
    }

    /// Keys and values of a dict.
    pub(super) fn pairs(&self, dict: usize) -> impl Iterator<Item = (Value<'a>, Value<'a>)> {
        self.items(dict).as_chunks::<2>().0.iter().map(|&[key, value]| (key, value))
    }
}
