//! JPEG 2000.

use super::header::Need;
use super::{Stored, allocate, zeros};
use crate::{DecodeError, Limits};
use hayro_jpeg2000::{ColorSpace, DecodeSettings, DecoderContext, Image};
use image::metadata::Orientation;

const FORMAT: &str = "JPEG 2000";

fn damaged(cause: impl ToString) -> DecodeError {
    DecodeError::Damaged { format: FORMAT, cause: cause.to_string() }
}

fn open(bytes: &[u8]) -> Result<Image<'_>, DecodeError> {
    Image::new(bytes, &DecodeSettings { strict: true, ..DecodeSettings::default() }).map_err(damaged)
}

/// What reading a file takes.
pub(super) fn need(bytes: &[u8], limits: &Limits) -> Result<Need, DecodeError> {
    let image = open(bytes)?;
    let size = (image.width(), image.height());
    limits.check(size.0, size.1)?;
    let scratch = Layout::of(bytes).ok_or_else(|| damaged("its headers make no sense"))?.bytes(size);
    Ok(Need::of(size, Orientation::NoTransforms, scratch))
}

/// Reads a JPEG 2000 file or bare codestream. Samples of more than 8 bits are scaled to 8.
pub(super) fn decode(bytes: &[u8]) -> Result<Stored, DecodeError> {
    let image = open(bytes)?;
    let (width, height) = (image.width(), image.height());
    let grey = match image.color_space() {
        ColorSpace::Gray => true,
        ColorSpace::RGB => false,
        ColorSpace::Icc { num_channels: 1, .. } | ColorSpace::Unknown { num_channels: 1 } => true,
        ColorSpace::Icc { num_channels: 3, .. } | ColorSpace::Unknown { num_channels: 3 } => false,
        _ => {
            return Err(DecodeError::Unsupported {
                format: FORMAT,
                cause: "colours other than grey and RGB".into(),
            });
        }
    };
    let channels = if grey { 1 } else { 3 } + usize::from(image.has_alpha());
    let mut out = allocate(width, height)?;
    let mut samples = zeros(width as usize * height as usize * channels)?;
    image.decode_into(&mut samples, &mut DecoderContext::default()).map_err(damaged)?;
    for (out, pixel) in out.pixels_mut().zip(samples.chunks_exact(channels)) {
        out.0 = if grey { [pixel[0]; 3] } else { [pixel[0], pixel[1], pixel[2]] };
    }
    Ok(Stored::sound(out))
}

/// What decides how much memory the crate takes, which has no limit of its own: a few bytes can ask for 32 layers of a
/// block for each few pixels.
///
/// Source: ITU-T T.800, annexes A and I.
#[derive(Debug, Clone, Copy)]
struct Layout {
    components: u64,
    tiles: u64,
    /// The most that any tile has.
    layers: u64,
    /// Components that a palette makes.
    mapped: u64,
    /// Powers of two: sides of the smallest block of coefficients.
    block: (u32, u32),
}

impl Layout {
    fn of(bytes: &[u8]) -> Option<Layout> {
        let (mut mapped, mut codestream) = (0, None);
        if bytes.starts_with(&[0xff, 0x4f]) {
            codestream = Some(bytes);
        }
        let mut rest = if codestream.is_some() { &[] } else { bytes };
        while let Some((kind, content, behind)) = of_box(rest) {
            match kind {
                b"jp2c" => codestream = codestream.or(Some(content)),
                b"jp2h" => mapped = mapped.max(palette_channels(content)),
                _ => {}
            }
            rest = behind;
        }
        let (components, tiles) = size(segment(codestream?, 2)?.1)?;
        let layout = Layout { components, tiles, layers: 1, mapped, block: (10, 10) };
        layout.with_styles(codestream?)
    }

    /// Looks through the main header and those of tiles.
    fn with_styles(mut self, codestream: &[u8]) -> Option<Layout> {
        let (mut place, mut tile_end) = (2, codestream.len());
        while let Some((marker, content)) = segment(codestream, place) {
            match marker {
                // A tile's part, with its length from here on, or 0 up to the end.
                0x90 => {
                    tile_end = match u32::from_be_bytes(content.get(2..6)?.try_into().ok()?) as usize {
                        0 => codestream.len(),
                        length => place.checked_add(length)?,
                    };
                }
                0x52 => {
                    self.layers = self.layers.max(number(content, 2)?);
                    self.style(*content.first()?, content.get(5..)?)?;
                }
                0x53 => {
                    let skipped = if self.components < 257 { 1 } else { 2 };
                    self.style(*content.get(skipped)?, content.get(skipped + 1..)?)?;
                }
                _ => {}
            }
            place += 4 + content.len();
            // Data begin; the next tile's part comes behind.
            if codestream.get(place..place + 2) == Some(&[0xff, 0x93]) {
                place = tile_end.max(place + 2);
            }
        }
        Some(self)
    }

    /// The sides of code-blocks, and of precincts, which cut them up.
    fn style(&mut self, flags: u8, style: &[u8]) -> Option<()> {
        let (across, down) = (u32::from(style.get(1)? & 15) + 2, u32::from(style.get(2)? & 15) + 2);
        let mut least = |x: u32, y: u32| self.block = (self.block.0.min(x), self.block.1.min(y));
        least(across, down);
        if flags & 1 == 1 {
            for size in style.get(5..)?.iter().take(usize::from(style[0]) + 1) {
                // A precinct's part of a sub-band has half its sides.
                least(u32::from(size & 15).saturating_sub(1), u32::from(size >> 4).saturating_sub(1));
            }
        }
        Some(())
    }

    /// Bytes that decoding takes: numbers of four bytes as coefficients, samples, in between and sorted; what a palette
    /// makes of them; what is noted of each block and of each layer in it.
    fn bytes(&self, (width, height): (u32, u32)) -> u64 {
        let pixels = u64::from(width) * u64::from(height);
        let (across, down) = (u64::from(width >> self.block.0) + 2, u64::from(height >> self.block.1) + 2);
        // Sub-bands have as many coefficients together as there are samples, but their edges cut blocks.
        let blocks = (across * down * 2 + 400).saturating_mul(self.components);
        let of_blocks = blocks.saturating_mul(400 + 100 * self.layers);
        let of_pixels = pixels.saturating_mul(20 * self.components + 8 * self.mapped + 4);
        let of_tiles = self.tiles.saturating_mul(512 + 1024 * self.components);
        of_pixels.saturating_add(of_blocks).saturating_add(of_tiles)
    }
}

/// Kind and content of the box that begins here, and what stands behind it.
fn of_box(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let kind = bytes.get(4..8)?;
    let (start, length) = match u32::from_be_bytes(bytes[..4].try_into().ok()?) as u64 {
        0 => (8, bytes.len() as u64),
        1 => (16, u64::from_be_bytes(bytes.get(8..16)?.try_into().ok()?)),
        length => (8, length),
    };
    let end = usize::try_from(length).unwrap_or(usize::MAX).clamp(start, bytes.len().max(start));
    Some((kind, bytes.get(start..end)?, &bytes[end..]))
}

/// Entries of four bytes in the boxes that say what a palette's columns become.
fn palette_channels(mut boxes: &[u8]) -> u64 {
    let mut channels = 0;
    while let Some((kind, content, behind)) = of_box(boxes) {
        if kind == b"cmap" {
            channels = channels.max(content.len() as u64 / 4);
        }
        boxes = behind;
    }
    channels
}

/// The marker that begins here, less its 0xff, and what belongs to it.
fn segment(codestream: &[u8], place: usize) -> Option<(u8, &[u8])> {
    let head = codestream.get(place..place + 4)?;
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let content = codestream.get(place + 4..(place + 2).checked_add(length)?)?;
    (head[0] == 0xff).then_some((head[1], content))
}

fn number(bytes: &[u8], place: usize) -> Option<u64> {
    Some(u64::from(u16::from_be_bytes(bytes.get(place..place + 2)?.try_into().ok()?)))
}

/// Components and tiles.
fn size(content: &[u8]) -> Option<(u64, u64)> {
    let side = |place: usize| Some(u32::from_be_bytes(content.get(place..place + 4)?.try_into().ok()?));
    let (width, height, tile_width, tile_height) = (side(2)?, side(6)?, side(18)?, side(22)?);
    let along = |length: u32, tile: u32| u64::from(length / tile.max(1)) + 2;
    Some((number(content, 34)?, along(width, tile_width).saturating_mul(along(height, tile_height))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = include_bytes!("../../tests/data/other_formats/scan.jp2");

    /// The file with bytes behind its default style (`COD`) changed.
    fn styled(changes: &[(usize, u8)]) -> Vec<u8> {
        let mut bytes = FILE.to_vec();
        let place = bytes.windows(2).position(|two| two == b"\xff\x52").expect("has a style");
        changes.iter().for_each(|(behind, byte)| bytes[place + behind] = *byte);
        bytes
    }

    #[test]
    fn what_takes_memory_is_read_from_the_markers() {
        let layout = Layout::of(FILE).expect("is sound");
        assert_eq!((layout.components, layout.layers, layout.block, layout.mapped), (3, 1, (6, 6), 0));
        let small = Layout::of(&styled(&[(7, 32), (10, 0), (11, 0)])).expect("is sound");
        assert_eq!((small.layers, small.block), (32, (2, 2)));
        assert!(open(&styled(&[(7, 32), (10, 0), (11, 0)])).is_ok(), "the crate takes it, too");
        // A block of 4 × 4 coefficients with 32 layers takes far more than its coefficients.
        let size = (4096, 4096);
        assert!(small.bytes(size) > 10 * layout.bytes(size));
        assert!(layout.bytes(size) < 70 * 4096 * 4096, "{}", layout.bytes(size));
        // A tile's own style counts as well: one is put before its data.
        let mut bytes = FILE.to_vec();
        let data = bytes.windows(2).position(|two| two == b"\xff\x93").expect("has data");
        bytes.splice(data..data, *b"\xff\x52\0\x0c\0\0\0\x11\0\x05\x01\x02\0\x01");
        let own = Layout::of(&bytes).expect("is sound");
        assert_eq!((own.layers, own.block), (17, (3, 4)));
    }
}
