//! IDX, the format of MNIST and its relatives (<https://yann.lecun.com/exdb/mnist/>): a magic number (two zero bytes,
//! the element type, the number of dimensions), the dimensions as big-endian `u32`, and the elements.

use super::part::Part;
use super::{Found, Layout, Listing, folder};
use crate::DataError;
use eyespot_system::{Budget, Reserved};
use flate2::read::MultiGzDecoder;
use image::{Rgb, RgbImage};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Grey pictures of one size.
#[derive(Debug)]
pub(crate) struct IdxImages {
    pub path: PathBuf,
    pub width: usize,
    pub height: usize,
    pixels: Vec<u8>,
    _held: Reserved<'static>,
}

impl IdxImages {
    pub fn pixels_of(&self, number: usize) -> &[u8] {
        let size = self.width * self.height;
        &self.pixels[number * size..][..size]
    }

    pub fn picture(&self, number: usize) -> RgbImage {
        let pixels = self.pixels_of(number);
        RgbImage::from_fn(self.width as u32, self.height as u32, |x, y| {
            Rgb([pixels[y as usize * self.width + x as usize]; 3])
        })
    }
}

/// The files' names, without `.gz`. Some mirrors write a dot before `idx`.
const PARTS: [(Part, &[&str]); 2] = [(Part::Train, &["train"]), (Part::Test, &["t10k", "test"])];

/// The pictures of a folder of IDX files; `None` if it has no such files.
pub(super) fn list(root: &Path) -> Result<Option<Listing>, DataError> {
    let (_, files) = folder::entries(root)?;
    let mut found = Vec::new();
    for (part, prefixes) in PARTS {
        let images = find(&files, prefixes, "images", 3);
        let labels = find(&files, prefixes, "labels", 1);
        let (images, labels) = match (images, labels) {
            (None, None) => continue,
            (Some(images), Some(labels)) => (images, labels),
            (Some(present), None) | (None, Some(present)) => {
                return Err(DataError::Idx {
                    path: present.clone(),
                    reason: "its partner is missing; images and labels come in two files side by side".into(),
                });
            }
        };
        let labels_read = read(labels, 1)?;
        let images_read = read(images, 3)?;
        let [count, height, width] = images_read.sides[..] else {
            return Err(DataError::Idx { path: images.clone(), reason: "it has no three sides".into() });
        };
        if count != labels_read.elements.len() {
            return Err(DataError::Idx {
                path: labels.clone(),
                reason: format!("{} labels for {count} pictures", labels_read.elements.len()),
            });
        }
        if width == 0 || height == 0 {
            return Err(DataError::Idx {
                path: images.clone(),
                reason: format!("its pictures have {width} × {height} pixels"),
            });
        }
        let pixels = images_read.elements;
        let held = Budget::process().hold(pixels.len() as u64);
        let held =
            held.map_err(|error| DataError::Idx { path: images.clone(), reason: format!("it {error}") })?;
        let images = Arc::new(IdxImages { path: images.clone(), width, height, pixels, _held: held });
        for (number, label) in labels_read.elements.iter().enumerate() {
            found.push(Found {
                path: PathBuf::new(),
                class: label.to_string(),
                part: Some(part),
                memory: Some((images.clone(), number)),
                group: None,
            });
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    // By number, so that class 10 comes after class 9.
    let mut numbers: Vec<u8> = found.iter().filter_map(|found| found.class.parse().ok()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let classes = numbers.iter().map(u8::to_string).collect();
    Ok(Some(Listing { layout: Layout::Idx, classes, found, notices: Vec::new() }))
}

fn find<'a>(files: &'a [PathBuf], prefixes: &[&str], what: &str, dimensions: usize) -> Option<&'a PathBuf> {
    files.iter().find(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        prefixes.iter().any(|prefix| {
            ['-', '.'].iter().any(|dot| name == format!("{prefix}-{what}{dot}idx{dimensions}-ubyte"))
        })
    })
}

/// A table of bytes.
pub(crate) struct Table {
    pub sides: Vec<usize>,
    pub elements: Vec<u8>,
}

fn read(path: &Path, dimensions: usize) -> Result<Table, DataError> {
    let file = eyespot_system::open(path).map_err(|error| DataError::file(path, error))?;
    let file = std::io::BufReader::new(file);
    let zipped = path.extension().is_some_and(|ending| ending == "gz");
    let table = if zipped { parse(MultiGzDecoder::new(file), dimensions) } else { parse(file, dimensions) };
    table.map_err(|reason| DataError::Idx { path: path.into(), reason })
}

/// Reads a table of bytes with a known number of dimensions.
pub(crate) fn parse(mut bytes: impl Read, dimensions: usize) -> Result<Table, String> {
    /// Sixteen times MNIST; more than this is no picture set for memory.
    const MOST: usize = 1 << 30;
    let most = MOST.min(usize::try_from(Budget::process().limit()).unwrap_or(MOST));
    let unreadable = |error: std::io::Error| format!("it ends early or can't be read ({error})");
    let mut magic = [0; 4];
    bytes.read_exact(&mut magic).map_err(unreadable)?;
    if magic != [0, 0, 8, dimensions as u8] {
        return Err(format!("it begins with {magic:?}, not with [0, 0, 8, {dimensions}]"));
    }
    let mut sides = Vec::new();
    let mut size: usize = 1;
    for _ in 0..dimensions {
        let mut side = [0; 4];
        bytes.read_exact(&mut side).map_err(unreadable)?;
        let side = u32::from_be_bytes(side) as usize;
        let product = size.checked_mul(side).filter(|size| *size <= most);
        size = product.ok_or("it declares over 1 GiB, or more than --memory allows")?;
        sides.push(side);
    }
    // Grows with what is there: a lying header costs nothing.
    let mut elements = Vec::new();
    bytes.take(size as u64 + 1).read_to_end(&mut elements).map_err(unreadable)?;
    if elements.len() != size {
        let more = if elements.len() > size { "more than" } else { "only" };
        let there = elements.len().min(size);
        return Err(format!("it declares {size} bytes and has {more} {there}"));
    }
    Ok(Table { sides, elements })
}
