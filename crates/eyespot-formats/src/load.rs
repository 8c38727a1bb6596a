//! Reading the numbers of tensors: straight from the file into place, piece by piece and on several threads, so that
//! loading takes little more memory than the numbers themselves.

use crate::ReadError;
use crate::checksum::{self, PIECE};
use crate::element::Element;
use crate::error::{damaged, quoted, too_much};
use crate::limits::Budget;
use crate::parallel;
use crate::source::{Section, Source, zeros};
use crate::tensors::{Data, Entry, Storage, Tensors};
use eyespot_graph::Tensor;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;
use std::ops::Range;

/// A file that tensors are read from.
#[derive(Debug)]
pub(crate) struct File<'a> {
    pub source: Source<'a>,
    /// The metadata of a safetensors file.
    pub metadata: BTreeMap<String, String>,
}

/// A piece of a tensor, and what was found in it.
struct Piece<'t> {
    entry: usize,
    source: &'t Source<'t>,
    at: u64,
    length: u64,
    element: Element,
    /// Where its numbers go; empty where only the checksum needs them.
    out: &'t mut [f32],
    check: Check,
    /// The first number that is none.
    bad: Option<usize>,
    failed: Option<ReadError>,
}

/// The checksum of a piece, if one is wanted.
enum Check {
    None,
    Crc(crc32fast::Hasher),
    Blake3(blake3::Hash),
}

/// The wanted entries as tensors of `f32`, in their order.
pub(crate) fn load(
    files: &[File<'_>],
    tensors: &Tensors,
    wanted: &[usize],
    budget: &mut Budget,
) -> Result<Vec<Tensor>, ReadError> {
    let mut numbers: Vec<Vec<f32>> = Vec::new();
    for &index in wanted {
        let (_, count) = tensors.reach(&tensors.entries[index])?;
        budget.take(count)?;
        numbers.push(zeros(count)?);
    }
    let mut verified = HashSet::new();
    let mut pieces = Vec::new();
    for (&index, out) in wanted.iter().zip(&mut numbers) {
        let entry = &tensors.entries[index];
        let storage = &tensors.storages[entry.storage];
        let (range, _) = tensors.reach(entry)?;
        let source = &files[storage.file].source;
        let Data::Plain(at) = storage.data else {
            read_aside(source, entry, storage, range, out, budget)?;
            continue;
        };
        let whole = range == (0..storage.length);
        let in_a_row = entry.strides.is_none();
        if storage.crc.is_some() && !(whole && in_a_row) && verified.insert(entry.storage) {
            verify(source, at, storage, &entry.name)?;
        }
        if in_a_row {
            let crc = storage.crc.is_some() && whole;
            let blake3 = files[storage.file].metadata.contains_key(checksum::KEY);
            let check = || match (crc, blake3) {
                (true, _) => Check::Crc(crc32fast::Hasher::new()),
                (false, true) => Check::Blake3(blake3::Hash::from_bytes([0; 32])),
                (false, false) => Check::None,
            };
            pieces.extend(cut(index, entry, source, at + range.start, range.end - range.start, out, check));
        } else {
            read_aside(source, entry, storage, range, out, budget)?;
        }
    }
    let checked = others_to_check(files, tensors, wanted)?;
    for &(index, ref range) in &checked {
        let entry = &tensors.entries[index];
        let storage = &tensors.storages[entry.storage];
        let Data::Plain(at) = storage.data else { continue };
        let check = || Check::Blake3(blake3::Hash::from_bytes([0; 32]));
        let length = range.end - range.start;
        pieces.extend(cut(
            index,
            entry,
            &files[storage.file].source,
            at + range.start,
            length,
            &mut [],
            check,
        ));
    }
    parallel::for_each(&mut pieces, Piece::read);
    judge(files, tensors, pieces)?;
    for (&index, numbers) in wanted.iter().zip(&mut numbers) {
        finish(&tensors.entries[index], numbers)?;
    }
    let shaped = |(&index, numbers): (&usize, Vec<f32>)| tensor(&tensors.entries[index].shape, numbers);
    wanted.iter().zip(numbers).map(shaped).collect()
}

/// Entries that nobody wants but the checksum of their file covers.
fn others_to_check(
    files: &[File<'_>],
    tensors: &Tensors,
    wanted: &[usize],
) -> Result<Vec<(usize, Range<u64>)>, ReadError> {
    let has_checksum: Vec<bool> = files
        .iter()
        .map(|file| checksum::declared(&file.metadata).map(|text| text.is_some()))
        .collect::<Result<_, _>>()?;
    let wanted: HashSet<usize> = wanted.iter().copied().collect();
    let others = (0..tensors.entries.len()).filter(|index| !wanted.contains(index));
    let others = others.filter(|&index| has_checksum[tensors.storages[tensors.entries[index].storage].file]);
    others.map(|index| Ok((index, tensors.reach(&tensors.entries[index])?.0))).collect()
}

/// A tensor's pieces.
fn cut<'t>(
    index: usize,
    entry: &Entry,
    source: &'t Source<'t>,
    at: u64,
    length: u64,
    out: &'t mut [f32],
    check: impl Fn() -> Check,
) -> Vec<Piece<'t>> {
    let element = entry.element;
    let mut outs = out.chunks_mut(PIECE / element.size());
    let starts = (0..length).step_by(PIECE);
    let piece = |start: u64| Piece {
        entry: index,
        source,
        at: at + start,
        length: (length - start).min(PIECE as u64),
        element,
        out: outs.next().unwrap_or_default(),
        check: check(),
        bad: None,
        failed: None,
    };
    starts.map(piece).collect()
}

impl Piece<'_> {
    fn read(&mut self, buffer: &mut Vec<u8>) {
        let bytes = match self.source.window(self.at, self.length, buffer) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.failed = Some(error);
                return;
            }
        };
        match &mut self.check {
            Check::None => {}
            Check::Crc(hasher) => hasher.update(bytes),
            Check::Blake3(hash) => *hash = blake3::hash(bytes),
        }
        self.element.decode(bytes, self.out);
        self.bad = first_bad(self.out);
    }
}

/// The first number that is infinite or none at all.
fn first_bad(numbers: &[f32]) -> Option<usize> {
    let is_bad = |number: &f32| number.to_bits() & 0x7f80_0000 == 0x7f80_0000;
    // Without an early end the loop is a handful of vector instructions.
    if numbers.iter().fold(false, |bad, number| bad | is_bad(number)) {
        numbers.iter().position(is_bad)
    } else {
        None
    }
}

/// Says what is wrong with any piece: checksums first, because they explain the rest.
fn judge(files: &[File<'_>], tensors: &Tensors, pieces: Vec<Piece<'_>>) -> Result<(), ReadError> {
    let mut crcs: HashMap<usize, crc32fast::Hasher> = HashMap::new();
    let mut hashes: HashMap<usize, Vec<blake3::Hash>> = HashMap::new();
    let mut bad = None;
    let mut place = (usize::MAX, 0);
    for piece in pieces {
        if let Some(error) = piece.failed {
            return Err(error);
        }
        if place.0 != piece.entry {
            place = (piece.entry, 0);
        }
        if let Some(index) = piece.bad {
            bad.get_or_insert((piece.entry, piece.out[index], place.1 + index));
        }
        place.1 += piece.out.len();
        match piece.check {
            Check::None => {}
            Check::Crc(hasher) => crcs.entry(piece.entry).or_default().combine(&hasher),
            Check::Blake3(hash) => hashes.entry(piece.entry).or_default().push(hash),
        }
    }
    for (index, hasher) in crcs {
        let entry = &tensors.entries[index];
        if tensors.storages[entry.storage].crc != Some(hasher.finalize()) {
            return Err(wrong_crc(&entry.name));
        }
    }
    for (number, file) in files.iter().enumerate() {
        let Some(declared) = checksum::declared(&file.metadata)? else { continue };
        let mine = |(_, entry): &(usize, &Entry)| tensors.storages[entry.storage].file == number;
        let none = Vec::new();
        let described = tensors.entries.iter().enumerate().filter(mine).map(|(index, entry)| {
            (entry.name.as_str(), entry.shape.as_slice(), hashes.get(&index).unwrap_or(&none).as_slice())
        });
        if checksum::text(&file.metadata, described) != declared {
            return Err(checksum::differs());
        }
    }
    match bad {
        Some((index, number, place)) => Err(not_finite(&tensors.entries[index].name, number, place)),
        None => Ok(()),
    }
}

/// The checksum of a storage that isn't read whole otherwise.
fn verify(source: &Source<'_>, at: u64, storage: &Storage, name: &str) -> Result<(), ReadError> {
    let (mut hasher, mut buffer, mut done) = (crc32fast::Hasher::new(), Vec::new(), 0);
    while done < storage.length {
        let length = (storage.length - done).min(PIECE as u64);
        hasher.update(source.window(at + done, length, &mut buffer)?);
        done += length;
    }
    if storage.crc == Some(hasher.finalize()) { Ok(()) } else { Err(wrong_crc(name)) }
}

fn wrong_crc(name: &str) -> ReadError {
    damaged(format!("the checksum of the numbers of tensor {} is wrong", quoted(name)))
}

/// A tensor that doesn't lie in the file as it is: packed, in memory, or with gaps.
fn read_aside(
    source: &Source<'_>,
    entry: &Entry,
    storage: &Storage,
    range: Range<u64>,
    out: &mut [f32],
    budget: &mut Budget,
) -> Result<(), ReadError> {
    let mut buffer = Vec::new();
    let length = range.end - range.start;
    let bytes = match &storage.data {
        Data::Plain(at) => {
            budget.work(length)?;
            source.window(at + range.start, length, &mut buffer)?
        }
        Data::Memory(bytes) => {
            bytes.get(range.start as usize..range.end as usize).ok_or_else(|| damaged("it ends too early"))?
        }
        Data::Deflated(at, packed) => {
            budget.work(storage.length)?;
            let section = Section::new(source, *at, *packed);
            buffer = inflate(section, storage.length, storage.crc, range)
                .map_err(|reason| damaged(format!("tensor {} {reason}", quoted(&entry.name))))?;
            &buffer
        }
    };
    match &entry.strides {
        None => entry.element.decode(bytes, out),
        Some(strides) => gather(entry, strides, bytes, out),
    }
    match first_bad(out) {
        Some(place) => Err(not_finite(&entry.name, out[place], place)),
        None => Ok(()),
    }
}

/// The bytes of `range` out of what a packed section of `length` bytes holds; the rest only passes by.
pub(crate) fn inflate(
    section: Section<'_>,
    length: u64,
    crc: Option<u32>,
    range: Range<u64>,
) -> Result<Vec<u8>, String> {
    let mut kept = Vec::new();
    let size = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    kept.try_reserve_exact(size).map_err(|_| format!("needs {size} bytes of memory, which aren't there"))?;
    let mut reader = flate2::read::DeflateDecoder::new(section);
    let mut hasher = crc32fast::Hasher::new();
    let mut block = vec![0; 1 << 16];
    let mut done = 0u64;
    loop {
        let read = reader.read(&mut block).map_err(|error| format!("can't be unpacked ({error})"))?;
        if read == 0 {
            break;
        }
        hasher.update(&block[..read]);
        let clamp = |end: u64| end.saturating_sub(done).min(read as u64) as usize;
        kept.extend_from_slice(&block[clamp(range.start)..clamp(range.end)]);
        done += read as u64;
        if done > length {
            break;
        }
    }
    if done != length {
        return Err(format!("has another size than the {length} bytes declared"));
    }
    if crc.is_some_and(|crc| crc != hasher.finalize()) {
        return Err("has a wrong checksum".to_owned());
    }
    Ok(kept)
}

/// The numbers of a view that skips, repeats or reorders numbers. All places have been checked.
fn gather(entry: &Entry, strides: &[usize], bytes: &[u8], out: &mut [f32]) {
    let size = entry.element.size();
    let mut index = vec![0; entry.shape.len()];
    let mut place = 0;
    for number in out {
        entry.element.decode(&bytes[place * size..(place + 1) * size], std::slice::from_mut(number));
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            place += strides[axis];
            if index[axis] < entry.shape[axis] {
                break;
            }
            place -= strides[axis] * entry.shape[axis];
            index[axis] = 0;
        }
    }
}

/// What is left to do once the numbers are there.
fn finish(entry: &Entry, numbers: &mut [f32]) -> Result<(), ReadError> {
    if entry.negative {
        numbers.iter_mut().for_each(|number| *number = -*number);
    }
    if entry.name.ends_with("running_var")
        && let Some(place) = numbers.iter().position(|&number| number < 0.0)
    {
        return Err(ReadError::Numbers(format!(
            "tensor {} is a variance, but its number {place} is negative ({})",
            quoted(&entry.name),
            numbers[place]
        )));
    }
    Ok(())
}

fn not_finite(name: &str, number: f32, place: usize) -> ReadError {
    ReadError::Numbers(format!(
        "tensor {} has a number that isn't finite ({number}, at {place})",
        quoted(name)
    ))
}

/// A tensor from its numbers.
pub(crate) fn tensor(shape: &[usize], numbers: Vec<f32>) -> Result<Tensor, ReadError> {
    let count = numbers.len();
    Tensor::from_shape_vec(shape, numbers)
        .map_err(|_| too_much(format!("{count} numbers can't have the shape {shape:?}")))
}
