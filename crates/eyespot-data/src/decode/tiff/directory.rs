//! What a TIFF says about its first image.

use super::{damaged, unsupported};
use crate::decode::{metadata, out_of_memory};
use crate::{DecodeError, Limits};
use image::metadata::Orientation;
use std::io::Cursor;
use tiff::TiffError;
use tiff::decoder::Decoder;
use tiff::tags::{ByteOrder, Tag};

/// What kind of numbers samples are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Numbers {
    Unsigned,
    Signed,
    Float,
}

/// The tags of the first image, checked.
pub(super) struct Directory {
    pub width: usize,
    pub height: usize,
    /// Samples per pixel.
    pub samples: usize,
    /// Bits per sample, 1 to 64.
    pub bits: usize,
    pub numbers: Numbers,
    /// What samples mean: 0 white is zero, 1 black is zero, 2 RGB, 3 palette, 5 CMYK, 6 YCbCr, 8 and 9 Lab.
    pub photometric: u16,
    pub compression: u16,
    /// 1 none, 2 differences to the left neighbour, 3 the same on the bytes of floats.
    pub predictor: u16,
    /// Each sample in a plane (that is, in chunks) of its own.
    pub planar: bool,
    /// Bytes have to be mirrored before anything else.
    pub mirrored: bool,
    pub little_endian: bool,
    /// Strips are as wide as the image, tiles may reach over its edges.
    pub tiled: bool,
    pub chunk_width: usize,
    pub chunk_height: usize,
    pub offsets: Vec<u64>,
    pub lengths: Vec<u64>,
    pub jpeg_tables: Vec<u8>,
    /// All reds, all greens, all blues.
    pub palette: Vec<u16>,
    /// The sample that is alpha by which the colours were multiplied.
    pub multiplied_by: Option<usize>,
    /// Pixels that share a sample of chroma, across and down.
    pub subsampling: (usize, usize),
    /// Shares of red, green and blue in luma.
    pub luma: [f32; 3],
    /// Black and white of Y, Cb and Cr.
    pub reference: [f32; 6],
    /// Options of CCITT group 3.
    pub fax_options: u32,
    pub orientation: Orientation,
}

type Tags<'a> = Decoder<Cursor<&'a [u8]>>;

impl Directory {
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Directory, DecodeError> {
        let mut tags = Decoder::new(Cursor::new(bytes)).map_err(explain)?;
        let (width, height) = tags.dimensions().map_err(explain)?;
        limits.check(width, height)?;
        let numbers = match first(&mut tags, Tag::SampleFormat)?.unwrap_or(1) {
            1 | 4 => Numbers::Unsigned,
            2 => Numbers::Signed,
            3 => Numbers::Float,
            other => return Err(unsupported(&format!("samples of format {other}, such as complex numbers"))),
        };
        let samples = first(&mut tags, Tag::SamplesPerPixel)?.unwrap_or(1);
        let photometric = required(&mut tags, Tag::PhotometricInterpretation)? as u16;
        refuse_raw(&mut tags)?;
        let extra = list(&mut tags, Tag::ExtraSamples)?;
        let multiplied_by = extra.iter().position(|kind| *kind == 1);
        let tiled = tags.get_chunk_type() == tiff::decoder::ChunkType::Tile;
        let (chunk_width, chunk_height) = match tiled {
            true => (required(&mut tags, Tag::TileWidth)?, required(&mut tags, Tag::TileLength)?),
            false => {
                let rows = first(&mut tags, Tag::RowsPerStrip)?.unwrap_or(u64::from(height));
                (u64::from(width), rows.min(u64::from(height)))
            }
        };
        let side = |length: u64| u32::try_from(length).unwrap_or(u32::MAX);
        limits.check(side(chunk_width), side(chunk_height))?;
        let (offsets, lengths) = match tiled {
            true => (list(&mut tags, Tag::TileOffsets)?, list(&mut tags, Tag::TileByteCounts)?),
            false => (list(&mut tags, Tag::StripOffsets)?, list(&mut tags, Tag::StripByteCounts)?),
        };
        let planar = first(&mut tags, Tag::PlanarConfiguration)? == Some(2) && samples > 1;
        let subsampling = match (photometric, &list(&mut tags, Tag::ChromaSubsampling)?[..]) {
            (6, [across, down, ..]) => (*across as usize, *down as usize),
            (6, _) => (2, 2),
            _ => (1, 1),
        };
        let directory = Directory {
            width: width as usize,
            height: height as usize,
            samples: samples as usize,
            bits: first(&mut tags, Tag::BitsPerSample)?.unwrap_or(1) as usize,
            numbers,
            photometric,
            compression: first(&mut tags, Tag::Compression)?.unwrap_or(1) as u16,
            predictor: first(&mut tags, Tag::Predictor)?.unwrap_or(1) as u16,
            planar,
            mirrored: first(&mut tags, Tag::FillOrder)? == Some(2),
            little_endian: tags.byte_order() == ByteOrder::LittleEndian,
            tiled,
            chunk_width: chunk_width as usize,
            chunk_height: chunk_height as usize,
            offsets,
            lengths,
            jpeg_tables: bytes_of(&mut tags, Tag::JPEGTables)?,
            palette: list(&mut tags, Tag::ColorMap)?.into_iter().map(|level| level as u16).collect(),
            multiplied_by: multiplied_by.map(|place| (samples as usize).saturating_sub(extra.len()) + place),
            subsampling,
            luma: numbers_of(&mut tags, Tag::Unknown(529))?.unwrap_or([0.299, 0.587, 0.114]),
            reference: numbers_of(&mut tags, Tag::Unknown(532))?
                .unwrap_or([0.0, 255.0, 128.0, 255.0, 128.0, 255.0]),
            fax_options: first(&mut tags, Tag::Unknown(292))?.unwrap_or(0) as u32,
            orientation: orientation(&mut tags)?,
        };
        directory.check(limits)?;
        Ok(directory)
    }

    fn check(&self, limits: &Limits) -> Result<(), DecodeError> {
        if !(1..=64).contains(&self.bits) {
            return Err(unsupported(&format!("{} bits a sample", self.bits)));
        }
        if self.samples < self.color_samples() {
            return Err(damaged(&format!("{} samples are no colour of this kind", self.samples)));
        }
        let (across, down) = self.subsampling;
        if !matches!(across, 1 | 2 | 4) || !matches!(down, 1 | 2 | 4) {
            return Err(damaged(&format!("{across} × {down} pixels share a sample of chroma")));
        }
        if self.photometric == 3 && (self.bits > 16 || self.palette.len() < 3 << self.bits) {
            return Err(damaged("its palette is missing or too short"));
        }
        if let Some(alpha) = self.multiplied_by.filter(|alpha| *alpha >= self.samples) {
            return Err(damaged(&format!("sample {alpha} is its alpha, but it has {}", self.samples)));
        }
        let planes = if self.planar { self.samples } else { 1 };
        let chunks = self.across().saturating_mul(self.down()).saturating_mul(planes);
        if self.offsets.len() < chunks || self.lengths.len() < chunks {
            return Err(damaged("it has fewer strips or tiles than its size takes"));
        }
        // Twice, for what is decompressed and what is unpacked of it.
        let needed = (self.chunk_bytes(self.chunk_height)? as u64).saturating_mul(planes as u64);
        if needed > limits.max_pixels.saturating_mul(8) {
            return Err(out_of_memory(needed));
        }
        Ok(())
    }

    /// Chunks beside each other.
    pub fn across(&self) -> usize {
        self.width.div_ceil(self.chunk_width.max(1))
    }

    /// Chunks on top of each other.
    pub fn down(&self) -> usize {
        self.height.div_ceil(self.chunk_height.max(1))
    }

    /// Samples of a pixel that are colour, not alpha or anything else.
    pub fn color_samples(&self) -> usize {
        match self.photometric {
            2 | 6 | 8 | 9 => 3,
            5 => 4,
            _ => 1,
        }
    }

    /// Samples of a pixel in each chunk.
    pub fn samples_in_chunk(&self) -> usize {
        if self.planar { 1 } else { self.samples }
    }

    /// Whether chroma has fewer samples than luma, which then come in blocks.
    pub fn in_blocks(&self) -> bool {
        self.photometric == 6 && self.compression != 7 && !self.planar && self.subsampling != (1, 1)
    }

    /// Bytes of a row of a chunk, or of a row of its blocks.
    pub fn row_bytes(&self) -> Result<usize, DecodeError> {
        let bits = if self.in_blocks() {
            let (across, down) = self.subsampling;
            Some(self.chunk_width.div_ceil(across) * (across * down + 2) * self.bits)
        } else {
            self.chunk_width.checked_mul(self.samples_in_chunk()).and_then(|n| n.checked_mul(self.bits))
        };
        Ok(bits.ok_or_else(|| out_of_memory(u64::MAX))?.div_ceil(8))
    }

    /// Bytes of the first `rows` rows of a chunk.
    pub fn chunk_bytes(&self, rows: usize) -> Result<usize, DecodeError> {
        let rows = if self.in_blocks() { rows.div_ceil(self.subsampling.1) } else { rows };
        self.row_bytes()?.checked_mul(rows).ok_or_else(|| out_of_memory(u64::MAX))
    }
}

/// Raw files of cameras hold a small preview first, which isn't what anybody wants.
fn refuse_raw(tags: &mut Tags<'_>) -> Result<(), DecodeError> {
    const DNG_VERSION: Tag = Tag::Unknown(50_706);
    const SUBDIRECTORIES: Tag = Tag::Unknown(330);
    let has = |tags: &mut Tags<'_>, tag| Ok::<_, DecodeError>(tags.find_tag(tag).map_err(explain)?.is_some());
    let reduced = first(tags, Tag::Unknown(254))?.is_some_and(|kind| kind & 1 == 1);
    if has(tags, DNG_VERSION)? || reduced && has(tags, SUBDIRECTORIES)? && has(tags, Tag::Make)? {
        return Err(crate::decode::foreign::raw());
    }
    Ok(())
}

fn orientation(tags: &mut Tags<'_>) -> Result<Orientation, DecodeError> {
    if let Some(number) = first(tags, Tag::Orientation)? {
        return Ok(metadata::orientation(number));
    }
    let xmp = bytes_of(tags, Tag::Unknown(700))?;
    Ok(metadata::of_xmp(&xmp).unwrap_or(Orientation::NoTransforms))
}

pub(super) fn explain(error: TiffError) -> DecodeError {
    match error {
        TiffError::UnsupportedError(what) => unsupported(&what.to_string()),
        TiffError::LimitsExceeded => DecodeError::TooLarge("a tag of more than a million bytes".into()),
        other => damaged(&other.to_string()),
    }
}

/// A tag's unsigned numbers; none where it is missing.
fn list(tags: &mut Tags<'_>, tag: Tag) -> Result<Vec<u64>, DecodeError> {
    Ok(tags.find_tag_unsigned_vec(tag).map_err(explain)?.unwrap_or_default())
}

fn first(tags: &mut Tags<'_>, tag: Tag) -> Result<Option<u64>, DecodeError> {
    Ok(list(tags, tag)?.first().copied())
}

fn required(tags: &mut Tags<'_>, tag: Tag) -> Result<u64, DecodeError> {
    first(tags, tag)?.ok_or_else(|| damaged(&format!("its tag {tag:?} is missing")))
}

fn bytes_of(tags: &mut Tags<'_>, tag: Tag) -> Result<Vec<u8>, DecodeError> {
    match tags.find_tag(tag).map_err(explain)? {
        // A tag of another type than it should have can't be relied on, and isn't needed.
        Some(value) => Ok(value.into_u8_vec().unwrap_or_default()),
        None => Ok(Vec::new()),
    }
}

/// A tag's rational numbers.
fn numbers_of<const N: usize>(tags: &mut Tags<'_>, tag: Tag) -> Result<Option<[f32; N]>, DecodeError> {
    use tiff::decoder::ifd::Value;
    let values = match tags.find_tag(tag).map_err(explain)? {
        Some(Value::List(values)) => values,
        _ => return Ok(None),
    };
    let number = |value: Value| match value {
        Value::Rational(above, below) => above as f32 / below.max(1) as f32,
        other => other.into_f32().unwrap_or(f32::NAN),
    };
    let numbers: Vec<f32> = values.into_iter().map(number).collect();
    Ok(numbers.try_into().ok().filter(|numbers: &[f32; N]| numbers.iter().all(|n| n.is_finite())))
}
