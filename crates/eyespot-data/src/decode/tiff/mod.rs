//! TIFF files to pixels.
//!
//! The `tiff` crate reads the directory; what lies in strips and tiles is decompressed and converted here, chunk by
//! chunk, because the crate has no palettes, no chroma of fewer samples, no Lab, no LZMA, and Zstandard only in C. Why:
//! `docs/decisions/0007-image-formats.md`.

mod color;
mod compression;
mod directory;
mod samples;
mod xz;

use super::deep::Deep;
use super::header::Need;
use super::{DecodeOptions, Note, Stored, allocate};
use crate::{DecodeError, Limits};
use color::{Color, YCbCr};
use compression::{Chunk, decompress};
use directory::Directory;
use std::borrow::Cow;

fn damaged(cause: &str) -> DecodeError {
    DecodeError::Damaged { format: "TIFF", cause: cause.into() }
}

fn unsupported(cause: &str) -> DecodeError {
    DecodeError::Unsupported { format: "TIFF", cause: cause.into() }
}

/// What reading the first image of a file takes.
pub(super) fn need(file: &[u8], limits: &Limits) -> Result<Need, DecodeError> {
    let directory = Directory::read(file, limits)?;
    readable(&directory)?;
    let size = (directory.width as u32, directory.height as u32);
    Ok(Need::of(size, directory.orientation, compression::scratch(file, &directory)?))
}

/// Reads the first image of a file.
pub(super) fn decode(file: &[u8], options: &DecodeOptions) -> Result<Stored, DecodeError> {
    let directory = Directory::read(file, &options.limits)?;
    let image = allocate(directory.width as u32, directory.height as u32)?;
    let samples = directory.width.saturating_mul(directory.height).saturating_mul(directory.samples);
    let deep = Deep::new(options, samples::full_range(&directory), samples);
    let mut painter = Painter {
        color: Color::of(&directory),
        levels: vec![0; directory.chunk_width * directory.samples],
        image,
        directory: &directory,
        deep,
        damage: None,
    };
    for down in 0..directory.down() {
        for across in 0..directory.across() {
            painter.chunk(file, options, across, down)?;
        }
    }
    let Painter { image, deep, damage, .. } = painter;
    let (mut notes, levels) = deep.finish();
    notes.extend(
        damage.map(|cause| Note::Damaged { format: "TIFF", cause: format!("in its JPEG data: {cause}") }),
    );
    Ok(Stored { image, orientation: directory.orientation, notes, levels })
}

/// Refuses by name what nothing here understands.
fn readable(directory: &Directory) -> Result<(), DecodeError> {
    match directory.photometric {
        0..=6 | 8 | 9 => {}
        10 => return Err(unsupported("ITU Lab colours")),
        32803 | 34892 => {
            return Err(unsupported(
                "a camera's raw sensor data; export it as JPEG, or as TIFF of 16 bits, with the camera's own program",
            ));
        }
        32844 | 32845 => return Err(unsupported("LogLuv colours")),
        other => return Err(unsupported(&format!("colours of kind {other}"))),
    }
    let ycbcr = directory.photometric == 6 && directory.compression != 7;
    if ycbcr && directory.planar && directory.subsampling != (1, 1) {
        return Err(unsupported("planes of chroma smaller than luma's"));
    }
    if (ycbcr || directory.compression == 7) && directory.bits != 8 {
        return Err(unsupported(&format!("YCbCr or JPEG data of {} bits", directory.bits)));
    }
    if matches!(directory.photometric, 8 | 9) && !matches!(directory.bits, 8 | 16) {
        return Err(unsupported(&format!("Lab colours of {} bits", directory.bits)));
    }
    Ok(())
}

/// What turns chunks into pixels.
struct Painter<'a> {
    directory: &'a Directory,
    color: Color,
    /// A row of levels, all samples of its pixels.
    levels: Vec<u8>,
    image: image::RgbImage,
    deep: Deep,
    /// What is wrong with JPEG data that could be read all the same.
    damage: Option<&'static str>,
}

impl Painter<'_> {
    /// Reads and paints the chunk in this place: all of its planes.
    fn chunk(
        &mut self,
        file: &[u8],
        options: &DecodeOptions,
        across: usize,
        down: usize,
    ) -> Result<(), DecodeError> {
        let d = self.directory;
        let (left, top) = (across * d.chunk_width, down * d.chunk_height);
        let (columns, rows) = (d.chunk_width.min(d.width - left), d.chunk_height.min(d.height - top));
        let stored_rows = if d.tiled { d.chunk_height } else { rows };
        let planes = if d.planar { d.samples } else { 1 };
        let mut data: Vec<Cow<'_, [u8]>> = Vec::with_capacity(planes);
        for plane in 0..planes {
            let number = (plane * d.down() + down) * d.across() + across;
            match decompress(file, d, number, stored_rows, &options.limits, &mut self.damage)? {
                Chunk::Pixels(pixels) => return self.pixels(&pixels, left, top, columns, rows),
                Chunk::Samples(mut samples) => {
                    if d.predictor != 1 {
                        samples::undo_predictor(samples.to_mut(), d)?;
                    }
                    data.push(samples);
                }
            }
        }
        if let (Color::YCbCr(table), true) = (&self.color, d.in_blocks()) {
            return blocks(table, d, &data[0], &mut self.image, [left, top, columns, rows]);
        }
        let row_bytes = d.row_bytes()?;
        for y in 0..rows {
            let part = |plane: &Cow<'_, [u8]>| {
                plane
                    .get(y * row_bytes..(y + 1) * row_bytes)
                    .map(<[u8]>::to_vec)
                    .ok_or_else(|| damaged("a tile or strip is too short"))
            };
            let parts = data.iter().map(part).collect::<Result<Vec<_>, _>>()?;
            self.row(&parts, left, top + y, columns)?;
        }
        Ok(())
    }

    /// Paints pixels as they are.
    fn pixels(
        &mut self,
        pixels: &image::RgbImage,
        left: usize,
        top: usize,
        columns: usize,
        rows: usize,
    ) -> Result<(), DecodeError> {
        let width = pixels.width() as usize;
        if width < columns || (pixels.height() as usize) < rows {
            return Err(damaged("an image inside is smaller than its tile or strip"));
        }
        for y in 0..rows {
            let from = &pixels.as_raw()[y * width * 3..][..columns * 3];
            place(&mut self.image, left, top + y, columns).copy_from_slice(from);
        }
        Ok(())
    }

    /// Paints a row of which the samples stand in one part, or each in its own.
    fn row(&mut self, parts: &[Vec<u8>], left: usize, y: usize, columns: usize) -> Result<(), DecodeError> {
        let d = self.directory;
        let out = place(&mut self.image, left, y, columns);
        if d.photometric == 3 {
            let mut indices = vec![0; columns * d.samples_in_chunk()];
            samples::indices(&parts[0], d, &mut indices);
            let size = 1 << d.bits;
            // Palettes of 8 bits, which some programs write against the rules, are known by all levels being small.
            let shift = if d.palette.iter().any(|level| *level > 255) { 8 } else { 0 };
            for (index, out) in indices.chunks_exact(d.samples_in_chunk()).zip(out.chunks_exact_mut(3)) {
                for (channel, out) in out.iter_mut().enumerate() {
                    *out = (d.palette[channel * size + index[0] as usize] >> shift) as u8;
                }
            }
            return Ok(());
        }
        let levels = &mut self.levels[..columns * d.samples];
        let in_part = d.samples_in_chunk();
        for (plane, part) in parts.iter().enumerate() {
            let mut unpacked = vec![0; columns * in_part];
            if samples::are_bytes(d) {
                samples::bytes(part, d, &mut unpacked);
            } else if matches!(d.photometric, 8 | 9) {
                let mut numbers = vec![0; columns * in_part];
                samples::indices(part, d, &mut numbers);
                unpacked.iter_mut().zip(numbers).for_each(|(level, number)| *level = (number >> 8) as u8);
            } else {
                let mut numbers = vec![0.0; columns * in_part];
                samples::numbers(part, d, &mut numbers)?;
                for (place, (level, number)) in unpacked.iter_mut().zip(numbers).enumerate() {
                    // An alpha has nothing to do with the range of the colours.
                    let sample = if parts.len() > 1 { plane } else { place % in_part };
                    let is_color = sample < d.color_samples();
                    *level = if is_color { self.deep.level(number) } else { self.deep.full_level(number) };
                }
            }
            if parts.len() == 1 {
                levels.copy_from_slice(&unpacked);
            } else {
                for (pixel, level) in levels.chunks_exact_mut(d.samples).zip(unpacked) {
                    pixel[plane] = level;
                }
            }
        }
        self.color.row(levels, d.samples, d.multiplied_by, out);
        Ok(())
    }
}

/// `columns` pixels of a row of the image.
fn place(image: &mut image::RgbImage, left: usize, y: usize, columns: usize) -> &mut [u8] {
    let start = (y * image.width() as usize + left) * 3;
    &mut image.as_flat_samples_mut().samples[start..start + columns * 3]
}

/// Paints YCbCr whose chroma has fewer samples: blocks of luma followed by one Cb and one Cr.
fn blocks(
    table: &YCbCr,
    d: &Directory,
    data: &[u8],
    image: &mut image::RgbImage,
    [left, top, columns, rows]: [usize; 4],
) -> Result<(), DecodeError> {
    let (across, down) = d.subsampling;
    let (size, row_bytes) = (across * down + 2, d.row_bytes()?);
    for y in 0..rows {
        let out = place(image, left, top + y, columns);
        for (x, out) in out.chunks_exact_mut(3).enumerate() {
            let start = y / down * row_bytes + x / across * size;
            let block =
                data.get(start..start + size).ok_or_else(|| damaged("a tile or strip is too short"))?;
            let luma = block[y % down * across + x % across];
            out.copy_from_slice(&table.rgb(luma, block[size - 2], block[size - 1]));
        }
    }
    Ok(())
}
