//! What a file says about its tensors, before any number is read.

use crate::ReadError;
use crate::element::Element;
use crate::error::{damaged, quoted, unsupported};
use crate::limits::element_count;

/// A tensor of a file.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Its name, behind the keys it was saved under: `state_dict.module.conv1.weight`.
    pub name: String,
    pub element: Element,
    pub shape: Vec<usize>,
    /// Its place in [`Tensors::storages`].
    pub storage: usize,
    /// Its first number in the storage.
    pub offset: usize,
    /// Numbers between neighbours along each axis, where the tensor isn't simply one number after the other.
    pub strides: Option<Vec<usize>>,
    /// PyTorch's negative bit: every number stands for its opposite.
    pub negative: bool,
}

/// A block of numbers that tensors are views of.
#[derive(Debug)]
pub(crate) struct Storage {
    /// Its file's place in [`Tensors::files`](crate::weights::WeightsFile).
    pub file: usize,
    pub data: Data,
    /// Bytes, once unpacked.
    pub length: u64,
    /// The checksum that the archive has for it.
    pub crc: Option<u32>,
}

/// Where a storage's bytes are.
#[derive(Debug)]
pub(crate) enum Data {
    /// In the file from here on.
    Plain(u64),
    /// Packed by DEFLATE: from here on, so many bytes.
    Deflated(u64, u64),
    /// Taken out of the file already (NumPy's arrays stand inside the pickle).
    Memory(Vec<u8>),
}

/// All tensors of a file and its shards.
#[derive(Debug, Default)]
pub(crate) struct Tensors {
    pub entries: Vec<Entry>,
    pub storages: Vec<Storage>,
}

impl Tensors {
    /// The bytes of its storage that a tensor reaches, from the first to behind the last, and how many numbers it has.
    pub(crate) fn reach(&self, entry: &Entry) -> Result<(std::ops::Range<u64>, usize), ReadError> {
        if let Element::Foreign { name, .. } = entry.element {
            return Err(foreign(&entry.name, name));
        }
        let storage = &self.storages[entry.storage];
        let size = entry.element.size() as u64;
        let count = element_count(&entry.shape)?;
        let outside = || damaged(format!("tensor {} reaches beyond its storage", quoted(&entry.name)));
        let numbers = match &entry.strides {
            _ if count == 0 => 0,
            None => count,
            Some(strides) => {
                let step = |last: usize, (&axis, &stride): (&usize, &usize)| {
                    last.checked_add((axis - 1).checked_mul(stride)?)
                };
                let last = entry.shape.iter().zip(strides).try_fold(0, step);
                last.and_then(|last| last.checked_add(1)).ok_or_else(outside)?
            }
        };
        let start = (entry.offset as u64).checked_mul(size);
        let end = start.and_then(|start| start.checked_add((numbers as u64).checked_mul(size)?));
        match (start, end) {
            _ if count == 0 => Ok((0..0, 0)),
            (Some(start), Some(end)) if end <= storage.length => Ok((start..end, count)),
            _ => Err(outside()),
        }
    }
}

fn foreign(tensor: &str, numbers: &str) -> ReadError {
    let whole = ["int", "uint", "bool", "qint", "quint", "I", "U", "BOOL"].iter().any(|kind| {
        let rest = numbers.strip_prefix(kind);
        rest.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == 'x'))
    });
    unsupported(if whole {
        format!(
            "tensor {} has whole numbers ({numbers}), as quantised networks do, and not the scale that would make \
             weights of them; give the weights from before quantisation, saved as float32",
            quoted(tensor)
        )
    } else {
        format!(
            "tensor {} has numbers of type {numbers}, which eyespot doesn't read; save it as float32",
            quoted(tensor)
        )
    })
}

/// Strides, unless they are those of numbers that simply follow each other. An axis of one needs no stride.
pub(crate) fn unless_contiguous(shape: &[usize], strides: Vec<usize>) -> Option<Vec<usize>> {
    let mut expected = 1usize;
    let contiguous = shape.iter().zip(&strides).rev().all(|(&axis, &stride)| {
        let fits = axis <= 1 || stride == expected;
        expected = expected.saturating_mul(axis);
        fits
    });
    (!contiguous).then_some(strides)
}
