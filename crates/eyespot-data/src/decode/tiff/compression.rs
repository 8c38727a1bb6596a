//! The bytes of a strip or tile, decompressed.

use super::directory::Directory;
use super::{damaged, unsupported};
use crate::decode::{out_of_memory, read_exactly};
use crate::{DecodeError, Limits, jpeg};
use image::RgbImage;
use std::borrow::Cow;

/// What a strip or tile holds.
pub(super) enum Chunk<'a> {
    /// Rows of samples, packed as the directory says.
    Samples(Cow<'a, [u8]>),
    /// Pixels, where compression and colour go together.
    Pixels(RgbImage),
}

/// Decompresses `rows` rows of the chunk with this number.
pub(super) fn decompress<'a>(
    file: &'a [u8],
    directory: &Directory,
    number: usize,
    rows: usize,
    limits: &Limits,
) -> Result<Chunk<'a>, DecodeError> {
    let start = usize::try_from(directory.offsets[number]).unwrap_or(usize::MAX).min(file.len());
    let length = usize::try_from(directory.lengths[number]).unwrap_or(usize::MAX);
    let data = &file[start..start.saturating_add(length).min(file.len())];
    let data = match directory.mirrored && directory.compression != 7 {
        true => Cow::Owned(data.iter().map(|byte| byte.reverse_bits()).collect()),
        false => Cow::Borrowed(data),
    };
    let size = directory.chunk_bytes(rows)?;
    let samples = match directory.compression {
        1 => {
            let data = match data {
                Cow::Borrowed(data) => data.get(..size).map(Cow::Borrowed),
                Cow::Owned(data) => data.get(..size).map(|data| Cow::Owned(data.to_vec())),
            };
            return data.map(Chunk::Samples).ok_or_else(too_short);
        }
        3 | 4 => fax(&data, directory, rows)?,
        5 => lzw(&data, size)?,
        7 => return jpeg_chunk(&data, directory, limits),
        8 | 32946 => read_exactly(flate2::read::ZlibDecoder::new(&data[..]), size, "TIFF")?,
        32773 => packbits(&data, size)?,
        34925 => super::xz::decompress(&data, size)?,
        50000 => {
            let stream = ruzstd::decoding::StreamingDecoder::new(&data[..]);
            read_exactly(stream.map_err(|e| damaged(&e.to_string()))?, size, "TIFF")?
        }
        50001 => return webp_chunk(&data, directory, limits),
        other => return Err(unsupported(&format!("{} compression", name(other)))),
    };
    Ok(Chunk::Samples(Cow::Owned(samples)))
}

fn too_short() -> DecodeError {
    damaged("it ends before its pixels do")
}

fn name(compression: u16) -> String {
    match compression {
        2 => "CCITT modified Huffman".into(),
        6 => "old-style JPEG".into(),
        32809 => "ThunderScan".into(),
        33003 | 33005 | 34712 => "JPEG 2000".into(),
        34887 => "LERC".into(),
        50002 | 52546 => "JPEG XL".into(),
        other => format!("number {other}"),
    }
}

/// Zeroed memory for decompressed bytes.
fn room(size: usize) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| out_of_memory(size as u64))?;
    bytes.resize(size, 0);
    Ok(bytes)
}

fn lzw(data: &[u8], size: usize) -> Result<Vec<u8>, DecodeError> {
    use weezl::{BitOrder, LzwStatus, decode::Configuration};
    if let [0, second, ..] = data
        && second & 1 == 1
    {
        return Err(unsupported("LZW compression as before TIFF 6"));
    }
    let mut decoder = Configuration::with_tiff_size_switch(BitOrder::Msb, 8).build();
    let mut out = room(size)?;
    let (mut read, mut written) = (0, 0);
    while written < size {
        let step = decoder.decode_bytes(&data[read..], &mut out[written..]);
        read += step.consumed_in;
        written += step.consumed_out;
        match step.status {
            Ok(LzwStatus::Ok) if step.consumed_in + step.consumed_out > 0 => {}
            Ok(_) => break,
            Err(error) => return Err(damaged(&error.to_string())),
        }
    }
    if written < size { Err(too_short()) } else { Ok(out) }
}

/// A count of n < 128 is followed by n + 1 bytes, one of n > 128 by a byte to be repeated 257 − n times.
fn packbits(data: &[u8], size: usize) -> Result<Vec<u8>, DecodeError> {
    let mut out = room(size)?;
    let (mut read, mut written) = (0, 0);
    while written < size {
        let count = *data.get(read).ok_or_else(too_short)? as usize;
        read += 1;
        if count < 128 {
            let length = (count + 1).min(size - written);
            let bytes = data.get(read..read + length).ok_or_else(too_short)?;
            out[written..written + length].copy_from_slice(bytes);
            (read, written) = (read + count + 1, written + length);
        } else if count > 128 {
            let length = (257 - count).min(size - written);
            let byte = *data.get(read).ok_or_else(too_short)?;
            out[written..written + length].fill(byte);
            (read, written) = (read + 1, written + length);
        }
    }
    Ok(out)
}

/// CCITT group 3 in one dimension and group 4, to rows of bits, 1 for black.
fn fax(data: &[u8], directory: &Directory, rows: usize) -> Result<Vec<u8>, DecodeError> {
    if directory.bits != 1 || directory.samples_in_chunk() != 1 {
        return Err(damaged("fax compression is for one bit a pixel"));
    }
    let width = u16::try_from(directory.chunk_width).map_err(|_| unsupported("a fax of that width"))?;
    let row_bytes = directory.row_bytes()?;
    let mut out = room(row_bytes * rows)?;
    let mut lines = out.chunks_exact_mut(row_bytes);
    let mut done = 0;
    let line = |changes: &[u16]| {
        let Some(line) = lines.next() else { return };
        done += 1;
        for (x, color) in fax::decoder::pels(changes, width).enumerate() {
            if color == fax::Color::Black {
                line[x / 8] |= 0x80 >> (x % 8);
            }
        }
    };
    let input = data.iter().copied();
    if directory.compression == 4 {
        let height = u16::try_from(rows).map_err(|_| unsupported("a fax of that height"))?;
        fax::decoder::decode_g4(input, width, Some(height), line)
            .ok_or_else(|| damaged("its fax data make no sense"))?;
    } else if directory.fax_options & 1 == 1 {
        return Err(unsupported("CCITT group 3 compression in two dimensions"));
    } else {
        // The end of the data may be marked or not.
        let _ = fax::decoder::decode_g3(input, line);
    }
    if done < rows {
        return Err(too_short());
    }
    Ok(out)
}

/// A JPEG whose tables may stand in the directory. Its colours are what the directory says.
fn jpeg_chunk(data: &[u8], directory: &Directory, limits: &Limits) -> Result<Chunk<'static>, DecodeError> {
    let samples = directory.samples_in_chunk();
    if !matches!(samples, 1 | 3) {
        return Err(unsupported(&format!("JPEG compression of {samples} samples a pixel")));
    }
    // Adobe's segment tells the decoder whether three channels are YCbCr or RGB.
    let ycbcr = u8::from(directory.photometric == 6);
    let adobe = [0xff, 0xee, 0, 14, b'A', b'd', b'o', b'b', b'e', 0, 100, 0, 0, 0, 0, ycbcr];
    let tables = match &directory.jpeg_tables[..] {
        [0xff, 0xd8, tables @ .., 0xff, 0xd9] | [0xff, 0xd8, tables @ ..] => tables,
        tables => tables,
    };
    let rest = data.strip_prefix(&[0xff, 0xd8]).ok_or_else(|| damaged("its JPEG data make no sense"))?;
    let whole = [&[0xff, 0xd8], &adobe[..], tables, rest].concat();
    let (image, _) = jpeg::decode(&whole, limits).map_err(|error| match error {
        DecodeError::Damaged { cause, .. } => damaged(&format!("its JPEG data: {cause}")),
        DecodeError::Unsupported { cause, .. } => unsupported(&format!("in its JPEG data: {cause}")),
        other => other,
    })?;
    Ok(pixels(image, directory))
}

/// Pixels, or where a chunk has but one sample a pixel, the samples.
fn pixels(image: RgbImage, directory: &Directory) -> Chunk<'static> {
    if directory.samples_in_chunk() > 1 {
        return Chunk::Pixels(image);
    }
    let mut samples = vec![0; directory.chunk_width * image.height() as usize];
    let width = directory.chunk_width.max(1);
    for (row, pixels) in samples.chunks_exact_mut(width).zip(image.rows()) {
        for (sample, pixel) in row.iter_mut().zip(pixels) {
            *sample = pixel[0];
        }
    }
    Chunk::Samples(Cow::Owned(samples))
}

fn webp_chunk(data: &[u8], directory: &Directory, limits: &Limits) -> Result<Chunk<'static>, DecodeError> {
    if directory.planar || directory.bits != 8 || directory.photometric != 2 {
        return Err(unsupported("WebP compression of anything but RGB"));
    }
    let (image, ..) = crate::decode::others::webp(data, limits)?;
    Ok(Chunk::Pixels(image))
}
