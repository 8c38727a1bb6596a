//! What the `image` crate leaves out of PNG: files without an end, and orientation in XMP and in text.

use super::header::Need;
use super::{DecodeOptions, Note, Stored, metadata, others};
use crate::{DecodeError, Limits};
use image::ImageFormat;
use image::metadata::Orientation;
use std::borrow::Cow;
use std::io::Read;

const SIGNATURE: usize = 8;

/// The last chunk: no bytes, its name and its checksum.
const END: [u8; 12] = [0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82];

/// Metadata that is read once unpacked.
const MOST_METADATA: u64 = 1 << 20;

pub(super) fn need(bytes: &[u8], limits: &Limits) -> Result<Need, DecodeError> {
    let layout = Layout::of(bytes);
    let need = others::need(bytes, ImageFormat::Png, "PNG", limits)?;
    // Without its end it is copied to get one.
    let copied = if layout.ended { 0 } else { bytes.len() as u64 };
    Ok(need.more(copied).turned(layout.orientation))
}

pub(super) fn decode(bytes: &[u8], scratch: u64, options: &DecodeOptions) -> Result<Stored, DecodeError> {
    let layout = Layout::of(bytes);
    let whole = match layout.ended {
        true => Cow::Borrowed(bytes),
        false => Cow::Owned([&bytes[..layout.end], &END].concat()),
    };
    let mut stored = others::decode(&whole, ImageFormat::Png, "PNG", scratch, options)?;
    if let Some(orientation) = layout.orientation {
        stored.orientation = orientation;
    }
    if !layout.ended {
        let cause = "its end is missing; all of its pixels are there".into();
        stored.notes.push(Note::Damaged { format: "PNG", cause });
    }
    Ok(stored)
}

/// What is known from the list of chunks.
struct Layout {
    /// Where the last whole chunk ends.
    end: usize,
    /// Whether that is the one that ends the file.
    ended: bool,
    /// From EXIF, else from ImageMagick's text, else from XMP, as Pillow looks for it.
    orientation: Option<Orientation>,
}

impl Layout {
    fn of(bytes: &[u8]) -> Layout {
        let mut layout = Layout { end: SIGNATURE.min(bytes.len()), ended: false, orientation: None };
        let [mut exif, mut text, mut xmp] = [None; 3];
        while let Some((kind, content, end)) = chunk(bytes, layout.end) {
            layout.end = end;
            match kind {
                b"IEND" => {
                    layout.ended = true;
                    break;
                }
                b"eXIf" => exif = exif.or_else(|| metadata::of_exif(content)),
                b"tEXt" | b"zTXt" => text = text.or_else(|| of_text(kind, content)),
                b"iTXt" => xmp = xmp.or_else(|| of_international_text(content)),
                _ => {}
            }
        }
        layout.orientation = exif.or(text).or(xmp);
        layout
    }
}

/// Kind and content of the chunk that begins here, and where it ends; `None` where it isn't whole.
fn chunk(bytes: &[u8], start: usize) -> Option<(&[u8], &[u8], usize)> {
    let length = u32::from_be_bytes(bytes.get(start..start + 4)?.try_into().ok()?) as usize;
    let content = start + 8;
    let end = content.checked_add(length)?.checked_add(4)?;
    (end <= bytes.len()).then(|| (&bytes[start + 4..content], &bytes[content..end - 4], end))
}

/// What stands before a byte of zero, and what behind.
fn cut(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..place], &bytes[place + 1..]))
}

fn inflated(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    flate2::read::ZlibDecoder::new(bytes).take(MOST_METADATA).read_to_end(&mut out).ok()?;
    Some(out)
}

fn of_text(kind: &[u8], content: &[u8]) -> Option<Orientation> {
    let (keyword, text) = cut(content)?;
    if !matches!(keyword, b"Raw profile type exif" | b"Raw profile type APP1") {
        return None;
    }
    match kind {
        // A byte names the method, of which there is one.
        b"zTXt" => metadata::of_hex_profile(&inflated(text.get(1..)?)?),
        _ => metadata::of_hex_profile(text),
    }
}

fn of_international_text(content: &[u8]) -> Option<Orientation> {
    let (keyword, rest) = cut(content)?;
    if keyword != b"XML:com.adobe.xmp" {
        return None;
    }
    let (compressed, rest) = (*rest.first()? == 1, rest.get(2..)?);
    let (_language, rest) = cut(rest)?;
    let (_translated, text) = cut(rest)?;
    match compressed {
        true => metadata::of_xmp(&inflated(text)?),
        false => metadata::of_xmp(text),
    }
}
