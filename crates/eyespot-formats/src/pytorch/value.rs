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
    /// A value that no state dict needs: a float.
    Other,
    Raw(&'a [u8]),
    /// Bytes, written as the text that has them as its characters (Latin-1).
    Latin(&'a str),
    Text(&'a str),
    Global(Global<'a>),
    /// What stands for anything built with [`Global::Inert`].
    Inert,
    Tuple(usize),
    List(usize),
    Dict(usize),
    Storage(usize),
    Tensor(usize),
    /// NumPy's, by their places in the heap
    NumpyType(usize),
    NumpyArray(usize),
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

impl Storage<'_> {
    /// Its bytes; none where they can't be counted.
    pub(super) fn length(&self) -> Option<u64> {
        (self.numbers as u64).checked_mul(self.element.size() as u64)
    }
}

/// A view of a storage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    /// Its place in [`Heap::storages`].
    pub storage: usize,
    pub element: Element,
    /// Whether every number stands for its opposite.
    pub negative: bool,
    /// The first number.
    pub offset: usize,
    pub shape: Vec<usize>,
    /// Numbers between neighbours along each axis.
    pub strides: Vec<usize>,
}

/// NumPy's type of numbers, such as `f4`.
#[derive(Debug, Clone, Copy)]
pub(super) struct NumpyType<'a> {
    pub code: &'a str,
    pub big_endian: bool,
}

/// NumPy's array.
#[derive(Debug, Clone)]
pub(super) struct NumpyArray<'a> {
    pub shape: Vec<usize>,
    /// Its place in [`Heap::numpy_types`].
    pub kind: usize,
    /// Whether columns stand one after the other, not rows.
    pub fortran: bool,
    /// [`Value::Raw`] or [`Value::Latin`].
    pub data: Value<'a>,
}

/// Everything that values refer to.
#[derive(Debug, Default)]
pub(super) struct Heap<'a> {
    /// Tuples, lists, and dicts as keys and values in turn.
    pub containers: Vec<Vec<Value<'a>>>,
    pub storages: Vec<Storage<'a>>,
    pub views: Vec<View>,
    pub numpy_types: Vec<NumpyType<'a>>,
    /// Arrays; none until their numbers are there.
    pub numpy_arrays: Vec<Option<NumpyArray<'a>>>,
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
