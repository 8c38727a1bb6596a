//! What Pillow reads otherwise than the `image` crate: run-length encoded BMP, where pixels that are skipped have the
//! first colour of the palette, and 16 bits a pixel, where levels are rounded down.

use super::header::Need;
use super::{DecodeOptions, Stored, allocate, others};
use crate::{DecodeError, Limits};
use image::ImageFormat;
use image::metadata::Orientation;

/// Pixels by which the last run may reach over the end.
const LONGEST_RUN: u64 = 256;

fn damaged(cause: &str) -> DecodeError {
    DecodeError::Damaged { format: "BMP", cause: cause.into() }
}

pub(super) fn need(bytes: &[u8], limits: &Limits) -> Result<Need, DecodeError> {
    let Some(header) = Header::of_runs(bytes) else {
        return others::need(bytes, ImageFormat::Bmp, "BMP", limits);
    };
    let size = header.size(limits)?;
    Ok(Need::of(size, Orientation::NoTransforms, u64::from(size.0) * u64::from(size.1) + LONGEST_RUN))
}

pub(super) fn decode(bytes: &[u8], scratch: u64, options: &DecodeOptions) -> Result<Stored, DecodeError> {
    if let Some(header) = Header::of_runs(bytes) {
        return header.decode(bytes, options);
    }
    let mut stored = others::decode(bytes, ImageFormat::Bmp, "BMP", scratch, options)?;
    if let Some(bits) = channel_bits(bytes) {
        for pixel in stored.image.pixels_mut() {
            for (level, bits) in pixel.0.iter_mut().zip(bits) {
                *level = rounded_down(*level, bits);
            }
        }
    }
    Ok(stored)
}

/// Bits of red, green and blue, where a pixel has 16.
fn channel_bits(bytes: &[u8]) -> Option<[u32; 3]> {
    let number = |place: usize| Some(u32::from_le_bytes(bytes.get(place..place + 4)?.try_into().ok()?));
    match (number(14)?, number(28)? & 0xffff, number(30)?) {
        (40.., 16, 0) => Some([5; 3]),
        (40.., 16, 3 | 6) => {
            Some([number(54)?.count_ones(), number(58)?.count_ones(), number(62)?.count_ones()])
        }
        _ => None,
    }
}

/// A level that was scaled from fewer bits to 0..255 and rounded, scaled and rounded down.
fn rounded_down(level: u8, bits: u32) -> u8 {
    if !(1..8).contains(&bits) {
        return level;
    }
    let most = (1 << bits) - 1;
    ((u32::from(level) * most + 127) / 255 * 255 / most) as u8
}

struct Header {
    width: i32,
    /// Negative where the first row stored is the top one.
    height: i32,
    /// 4 or 8.
    bits: u16,
    colors: usize,
    palette_at: usize,
    pixels_at: usize,
}

impl Header {
    fn of_runs(bytes: &[u8]) -> Option<Header> {
        let number = |place: usize| Some(u32::from_le_bytes(bytes.get(place..place + 4)?.try_into().ok()?));
        let (size, compression) = (number(14)?, number(30)?);
        let bits = (number(28)? & 0xffff) as u16;
        if size < 40 || !matches!((compression, bits), (1, 8) | (2, 4)) {
            return None;
        }
        let most = 1 << bits;
        Some(Header {
            width: number(18)? as i32,
            height: number(22)? as i32,
            bits,
            colors: match number(46)? as usize {
                0 => most,
                colors => colors.min(most),
            },
            palette_at: (size as usize).saturating_add(14),
            pixels_at: number(10)? as usize,
        })
    }

    fn size(&self, limits: &Limits) -> Result<(u32, u32), DecodeError> {
        let (Ok(width), height) = (u32::try_from(self.width), self.height.unsigned_abs()) else {
            return Err(damaged("its width is negative"));
        };
        limits.check(width, height)?;
        if width == 0 || height == 0 {
            return Err(damaged("it has no pixels"));
        }
        Ok((width, height))
    }

    fn decode(&self, bytes: &[u8], options: &DecodeOptions) -> Result<Stored, DecodeError> {
        let (width, height) = self.size(&options.limits)?;
        let palette = bytes.get(self.palette_at..).unwrap_or_default();
        let palette: Vec<[u8; 3]> =
            palette.chunks_exact(4).take(self.colors).map(|color| [color[2], color[1], color[0]]).collect();
        let data = bytes.get(self.pixels_at..).ok_or_else(|| damaged("it ends before its pixels"))?;
        let indices = self.indices(data, width as usize, width as usize * height as usize)?;
        let mut image = allocate(width, height)?;
        let row_bytes = width as usize * 3;
        let out = image.as_flat_samples_mut().samples;
        for (y, row) in indices.chunks_exact(width as usize).enumerate() {
            let y = if self.height < 0 { y } else { height as usize - 1 - y };
            for (pixel, index) in out[y * row_bytes..][..row_bytes].chunks_exact_mut(3).zip(row) {
                // Indices beyond the palette are black.
                pixel.copy_from_slice(palette.get(usize::from(*index)).unwrap_or(&[0; 3]));
            }
        }
        Ok(Stored::sound(image))
    }

    /// Unpacks the runs, the first row stored first.
    fn indices(&self, data: &[u8], width: usize, count: usize) -> Result<Vec<u8>, DecodeError> {
        let mut out = Vec::new();
        out.try_reserve_exact(count + LONGEST_RUN as usize)
            .map_err(|_| super::out_of_memory(count as u64))?;
        let nibbles = |byte: u8| [byte >> 4, byte & 15];
        let mut bytes = data.iter().copied();
        let mut next = || bytes.next().ok_or_else(|| damaged("it ends before its pixels do"));
        while out.len() < count {
            let (first, second) = (next()?, next()?);
            let x = out.len() % width;
            match (first, second) {
                (0, 0) if x == 0 && out.last().is_some() => {
                    // The end of a row that is full already; else the row is left as it is.
                }
                (0, 0) => out.resize(out.len() + width - x, 0),
                (0, 1) => break,
                (0, 2) => {
                    let (right, up) = (usize::from(next()?), usize::from(next()?));
                    out.resize((out.len() + right + up * width).min(count), 0);
                }
                (0, length) => {
                    let length = usize::from(length);
                    let stored = if self.bits == 4 { length.div_ceil(2) } else { length };
                    let end = (out.len() + length).min(count);
                    for _ in 0..stored {
                        match self.bits {
                            4 => out.extend(nibbles(next()?)),
                            _ => out.push(next()?),
                        }
                    }
                    out.truncate(end);
                    if stored % 2 == 1 {
                        next()?;
                    }
                }
                (length, colors) => {
                    let length = usize::from(length).min(width - x).min(count - out.len());
                    let pair = if self.bits == 4 { nibbles(colors) } else { [colors; 2] };
                    out.extend((0..length).map(|i| pair[i % 2]));
                }
            }
        }
        out.truncate(count);
        out.resize(count, 0);
        Ok(out)
    }
}
