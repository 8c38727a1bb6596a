//! JPEG files to pixels, bit for bit as libjpeg-turbo, and so Pillow and PyTorch, decode them.
//!
//! Damaged data are made the best of as libjpeg does it, and told by a note. The rows come out strip by strip; a sequential
//! picture in one scan, as cameras write them, is never whole in memory.
//!
//! Sequential and progressive Huffman-coded files of 8 bits a sample; one, three or four channels. Why not by a crate:
//! `docs/decisions/0003-pictures.md`.

mod color;
mod header;
mod huffman;
mod idct;
mod means;
mod picture;
mod scan;
mod strips;

use crate::strips::{Strip, Turn};
use crate::{DecodeError, Limits};
use eyespot_kernels::vectorised;
use header::{END, Frame, Header, Quantiser, START_OF_SCAN};
use idct::{Block, BlockRow};
use image::metadata::Orientation;
pub(crate) use means::means;
use picture::Picture;

/// The samples of one channel: all of them, or the last few rows.
struct Plane {
    samples: Vec<u8>,
    stride: usize,
    /// Rows that are kept: a row's number counts modulo this.
    rows: usize,
}

impl Plane {
    fn new(stride: usize, rows: usize) -> Plane {
        Plane { samples: vec![0; stride * rows], stride, rows }
    }

    /// Fills a row of blocks.
    fn set(&mut self, row: usize, blocks: &[Block], steps: &Quantiser) {
        let Plane { samples, stride, rows } = self;
        let samples = &mut samples[row * 8 % *rows * *stride..][..8 * *stride];
        vectorised::run(BlockRow { blocks, steps, samples, stride: *stride });
    }
}

fn damaged(cause: &str) -> DecodeError {
    DecodeError::Damaged { format: "JPEG", cause: cause.into() }
}

/// What is wrong with data that can be read all the same; libjpeg only warns of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    EndsEarly,
    UndefinedCode,
    Restart,
    Extraneous,
    NoEnd,
    ChannelMissing,
}

impl Damage {
    fn note(self) -> &'static str {
        match self {
            Damage::EndsEarly => "its data end early, what is missing counts as grey",
            Damage::UndefinedCode => "its data hold a code that isn't defined, what follows may be wrong",
            Damage::Restart => "a restart marker is wrong or missing, a part may be grey",
            Damage::Extraneous => "some of its bytes belong to nothing",
            Damage::NoEnd => "its end is missing",
            Damage::ChannelMissing => "a colour channel is missing",
        }
    }
}

/// What is known of a picture before its pixels are decoded.
pub(crate) struct Info {
    /// Width and height as stored.
    pub size: (u32, u32),
    pub turn: Turn,
    pub orientation: Orientation,
    /// Bytes that decoding takes beside the file and the pixels handed out.
    pub bytes: u64,
}

/// Reads the segments up to the first scan.
///
/// # Errors
/// No size, a part of the format that can't be read, or a picture larger than allowed.
pub(crate) fn info(data: &[u8], limits: &Limits) -> Result<Info, DecodeError> {
    // Huffman tables take as long to build as small pictures do to decode, and say nothing about the size.
    let mut reader = Reader { passes_over: header::HUFFMAN_TABLES, ..Reader::new(data) };
    let Some(Item::Scan(scan)) = reader.next()? else {
        return Err(damaged("it holds no picture"));
    };
    let header = &reader.header;
    let frame = header.frame.as_ref().ok_or_else(|| damaged("it has no size"))?;
    limits.check(frame.width as u32, frame.height as u32)?;
    // A block takes at least one bit: a file that lies is known before memory is asked for.
    if picture::counts(frame).sum::<usize>() > data.len().saturating_mul(8) {
        return Err(damaged(&format!(
            "its {} bytes can't hold the {} × {} pixels that it declares",
            data.len(),
            frame.width,
            frame.height
        )));
    }
    let orientation = header.exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
    let bytes = if streams(frame, &scan) { strips::bytes(frame) } else { picture::bytes(frame) };
    let size = (frame.width as u32, frame.height as u32);
    Ok(Info { size, turn: Turn::of(orientation), orientation, bytes })
}

/// Decodes a picture and hands its rows out as they are stored, a few at a time. Gives a note where the data are damaged.
pub(crate) fn decode(
    data: &[u8],
    info: &Info,
    sink: &mut dyn FnMut(Strip),
) -> Result<Option<&'static str>, DecodeError> {
    let turn = info.turn;
    let mut sink = |first: usize, rows: &[u8], stride: usize| sink(Strip { first, rows, stride, turn });
    let mut reader = Reader::new(data);
    let mut picture: Option<Picture> = None;
    loop {
        let item = match (reader.next(), &picture) {
            (Ok(item), _) => item,
            (Err(error), None) => return Err(error),
            // What was read before stands.
            (Err(_), Some(_)) => {
                reader.tell(Damage::EndsEarly);
                break;
            }
        };
        let Some(Item::Scan(scan)) = item else { break };
        let Reader { header, place, .. } = &mut reader;
        let frame = header.frame.as_ref().ok_or_else(|| damaged("it has no size"))?;
        if picture.is_none() && streams(frame, &scan) {
            let (end, damage) = strips::decode(header, frame, &scan, data, *place, &mut sink)?;
            *place = end;
            reader.damage = reader.damage.or(damage);
            reader.finish();
            return Ok(reader.note());
        }
        let picture = match &mut picture {
            Some(picture) => picture,
            none => none.insert(Picture::new(frame)),
        };
        let (end, damage) = picture.read(header, frame, &scan, data, *place)?;
        *place = end;
        let complete = !frame.progressive && picture.complete();
        reader.damage = reader.damage.or(damage);
        if complete {
            reader.finish();
            break;
        }
    }
    let (Some(frame), Some(picture)) = (&reader.header.frame, picture) else {
        return Err(damaged("it holds no picture"));
    };
    let damage = picture.finish(&reader.header, frame, &mut sink);
    reader.damage = reader.damage.or(damage);
    Ok(reader.note())
}

/// Whether a picture comes in one pass from top to bottom: all channels in one scan.
fn streams(frame: &Frame, scan: &header::Scan) -> bool {
    !frame.progressive && scan.components.len() == frame.components.len()
}

/// Goes from segment to segment.
struct Reader<'a> {
    data: &'a [u8],
    place: usize,
    header: Header<'a>,
    damage: Option<Damage>,
    /// A segment that isn't read; 0 for none.
    passes_over: u8,
}

enum Item {
    Scan(header::Scan),
    End,
}

impl<'a> Reader<'a> {
    fn new(data: &'a [u8]) -> Self {
        Reader { data, place: 2, header: Header::default(), damage: None, passes_over: 0 }
    }

    fn tell(&mut self, damage: Damage) {
        self.damage = self.damage.or(Some(damage));
    }

    fn note(&self) -> Option<&'static str> {
        self.damage.map(Damage::note)
    }

    /// Reads segments up to the next scan, whose data begin at `place` then.
    fn next(&mut self) -> Result<Option<Item>, DecodeError> {
        loop {
            let marker_place = header::next_marker(self.data, self.place);
            let skipped = self.data.get(self.place..marker_place).unwrap_or_default();
            if skipped.iter().any(|byte| *byte != 0xff) {
                self.tell(Damage::Extraneous);
            }
            let Some(&marker) = self.data.get(marker_place + 1) else {
                self.tell(Damage::NoEnd);
                return Ok(None);
            };
            self.place = marker_place + 2;
            match marker {
                END => return Ok(Some(Item::End)),
                // Restart markers and others without content that have no business here.
                0x01 | 0xd0..=0xd8 => {}
                _ => {
                    let (content, end) = header::segment(self.data, self.place)?;
                    self.place = end;
                    if marker == START_OF_SCAN {
                        return Ok(Some(Item::Scan(self.header.scan(content)?)));
                    }
                    if marker != self.passes_over {
                        self.header.read(marker, content)?;
                    }
                }
            }
        }
    }

    /// Looks for the end behind the last data that are needed.
    fn finish(&mut self) {
        let end = header::next_marker(self.data, self.place);
        if self.data.get(end + 1).is_none() {
            self.tell(Damage::NoEnd);
        }
    }
}
