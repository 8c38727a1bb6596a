//! The bytes of a strip or tile, decompressed.

use super::directory::Directory;
use super::{damaged, unsupported};
use crate::decode::{DecodeOptions, allocate, others, out_of_memory, read_exactly, zeros};
use crate::{DecodeError, Limits, jpeg};
use image::{ImageFormat, RgbImage};
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
    damage: &mut Option<&'static str>,
) -> Result<Chunk<'a>, DecodeError> {
    let data = chunk(file, directory, number);
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
        7 => return jpeg_chunk(&data, directory, damage),
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

fn lzw(data: &[u8], size: usize) -> Result<Vec<u8>, DecodeError> {
    use weezl::{BitOrder, LzwStatus, decode::Configuration};
    if let [0, second, ..] = data
        && second & 1 == 1
    {
        return Err(unsupported("LZW compression as before TIFF 6"));
    }
    let mut decoder = Configuration::with_tiff_size_switch(BitOrder::Msb, 8).build();
    let mut out = zeros(size)?;
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
    let mut out = zeros(size)?;
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
    let mut out = zeros(row_bytes * rows)?;
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
fn jpeg_chunk(
    data: &[u8],
    directory: &Directory,
    damage: &mut Option<&'static str>,
) -> Result<Chunk<'static>, DecodeError> {
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
    let explain = |error: DecodeError| match error {
        DecodeError::Damaged { cause, .. } => damaged(&format!("its JPEG data: {cause}")),
        DecodeError::Unsupported { cause, .. } => unsupported(&format!("in its JPEG data: {cause}")),
        DecodeError::TooLarge(_) => damaged("its JPEG data are larger than their strip or tile"),
        other => other,
    };
    let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let (max_width, max_height) = (side(directory.chunk_width), side(directory.chunk_height));
    let info = jpeg::info(&whole, &Limits { max_width, max_height, ..Limits::default() }).map_err(explain)?;
    if info.bytes > jpeg_scratch(directory) {
        return Err(out_of_memory(info.bytes));
    }
    let mut image = allocate(info.size.0, info.size.1)?;
    let pixels_of = image.as_flat_samples_mut().samples;
    let found = jpeg::decode(&whole, &info, &mut |strip| {
        let start = strip.first * strip.stride;
        pixels_of[start..start + strip.rows.len()].copy_from_slice(strip.rows);
    });
    *damage = damage.or(found.map_err(explain)?);
    pixels(image, directory)
}

/// Pixels, or where a chunk has but one sample a pixel, the samples.
fn pixels(image: RgbImage, directory: &Directory) -> Result<Chunk<'static>, DecodeError> {
    if directory.samples_in_chunk() > 1 {
        return Ok(Chunk::Pixels(image));
    }
    let mut samples = zeros(directory.chunk_width * image.height() as usize)?;
    let width = directory.chunk_width.max(1);
    for (row, pixels) in samples.chunks_exact_mut(width).zip(image.rows()) {
        for (sample, pixel) in row.iter_mut().zip(pixels) {
            *sample = pixel[0];
        }
    }
    Ok(Chunk::Samples(Cow::Owned(samples)))
}

fn webp_chunk(data: &[u8], directory: &Directory, limits: &Limits) -> Result<Chunk<'static>, DecodeError> {
    if directory.planar || directory.bits != 8 || directory.photometric != 2 {
        return Err(unsupported("WebP compression of anything but RGB"));
    }
    let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let (max_width, max_height) = (side(directory.chunk_width), side(directory.chunk_height));
    let limits = Limits { max_width, max_height, ..limits.clone() };
    let options = DecodeOptions::with_limits(&limits);
    let scratch = webp_scratch(directory);
    Ok(Chunk::Pixels(others::decode(data, ImageFormat::WebP, "WebP", scratch, &options)?.image))
}

/// Bytes that decoding takes beside the picture's pixels, whatever strips and tiles hold.
pub(super) fn scratch(file: &[u8], directory: &Directory) -> Result<u64, DecodeError> {
    let chunk = directory.chunk_bytes(directory.chunk_height)? as u64;
    let planes = if directory.planar { directory.samples as u64 } else { 1 };
    // Compressed data are copied where their bits are mirrored, and to put tables before a JPEG.
    let copied = if directory.mirrored || directory.compression == 7 { file.len() as u64 } else { 0 };
    let pixels = 3 * directory.chunk_width as u64 * directory.chunk_height as u64;
    let codec = match directory.compression {
        7 => jpeg_scratch(directory).saturating_add(pixels),
        // A dictionary as large as the next power of two.
        34925 => chunk.saturating_mul(2).saturating_add(1 << 20),
        // A window is kept twice over.
        50000 => {
            let window = chunks(file, directory).map(zstandard_window).max().unwrap_or(0);
            window.saturating_mul(2).saturating_add(1 << 20)
        }
        50001 => webp_scratch(directory).saturating_add(2 * pixels),
        _ => 0,
    };
    // A row of numbers of eight bytes each, as bytes, and as levels.
    let row = (directory.chunk_width as u64).saturating_mul(32 * directory.samples as u64);
    let unpacked = chunk.saturating_mul(planes);
    Ok([copied, codec, row].into_iter().fold(unpacked, u64::saturating_add))
}

/// Bytes that the JPEG decoder takes at most: progressive, all channels of full size, rounded up to groups of blocks.
fn jpeg_scratch(directory: &Directory) -> u64 {
    let padded = |length: usize| (length as u64).next_multiple_of(32);
    let (across, down) = (padded(directory.chunk_width), padded(directory.chunk_height));
    3 * 4 * across * down + 256 * across
}

/// A frame and planes, in the decoder of WebP.
fn webp_scratch(directory: &Directory) -> u64 {
    2 * 4 * directory.chunk_width as u64 * directory.chunk_height as u64 + (4 << 20)
}

/// The data of all strips and tiles, compressed.
fn chunks<'a>(file: &'a [u8], directory: &Directory) -> impl Iterator<Item = &'a [u8]> {
    (0..directory.offsets.len().min(directory.lengths.len())).map(|number| chunk(file, directory, number))
}

/// The data of one strip or tile, as far as they are there.
fn chunk<'a>(file: &'a [u8], directory: &Directory, number: usize) -> &'a [u8] {
    let start = usize::try_from(directory.offsets[number]).unwrap_or(usize::MAX).min(file.len());
    let length = usize::try_from(directory.lengths[number]).unwrap_or(usize::MAX);
    &file[start..start.saturating_add(length).min(file.len())]
}

/// How far back a Zstandard frame may refer, which its decoder keeps.
///
/// Source: RFC 8878, section 3.1.1.1.
fn zstandard_window(frame: &[u8]) -> u64 {
    let Some([flags, rest @ ..]) = frame.get(4..) else { return 0 };
    let number = |place: usize, size: usize| {
        let bytes = rest.get(place..place + size).unwrap_or_default();
        bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    if flags & 0x20 == 0 {
        let window = number(0, 1);
        let base = 1u64 << (10 + (window >> 3));
        return base + base / 8 * (window & 7);
    }
    // One segment: as large as the content, which is said behind the number of a dictionary.
    let dictionary = [0, 1, 2, 4][usize::from(flags & 3)];
    match flags >> 6 {
        0 => number(dictionary, 1),
        1 => number(dictionary, 2) + 256,
        2 => number(dictionary, 4),
        _ => number(dictionary, 8),
    }
}
