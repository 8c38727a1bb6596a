//! What a JPEG says before its pixels: markers and their segments. ITU-T T.81, annex B.

use super::damaged;
use super::huffman::Table;
use crate::DecodeError;

/// Quantisation steps in the order of the rows, not of the zigzag.
pub(super) type Quantiser = [u16; 64];

/// Where the coefficient that comes at a place of the zigzag stands in its block of 8 rows.
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// One colour channel as it is stored.
pub(super) struct Component {
    pub id: u8,
    /// Samples of this channel where the finest channel has `Frame::h_max` × `Frame::v_max`.
    pub h: usize,
    pub v: usize,
    /// Number of its quantisation table.
    pub table: usize,
    /// Samples across and down.
    pub width: usize,
    pub height: usize,
    /// Blocks across and down, with those that only fill up the last group of blocks.
    pub blocks_across: usize,
    pub blocks_down: usize,
}

/// The picture's size and channels.
pub(super) struct Frame {
    pub progressive: bool,
    pub width: usize,
    pub height: usize,
    pub h_max: usize,
    pub v_max: usize,
    pub components: Vec<Component>,
}

/// What the segments so far have said.
#[derive(Default)]
pub(super) struct Header<'a> {
    pub frame: Option<Frame>,
    pub quantisers: [Option<Quantiser>; 4],
    pub dc_tables: [Option<Table>; 4],
    pub ac_tables: [Option<Table>; 4],
    /// Groups of blocks between two restart markers; 0 for none.
    pub restart_interval: usize,
    pub jfif: bool,
    /// The colour transform in Adobe's segment.
    pub adobe: Option<u8>,
    pub exif: Option<&'a [u8]>,
}

/// A part of the picture's data, and what it contributes.
pub(super) struct Scan {
    /// Indices of its channels in the frame, with the numbers of their DC and AC tables.
    pub components: Vec<(usize, usize, usize)>,
    /// First and last coefficient, in zigzag order.
    pub first: usize,
    pub last: usize,
    /// Lowest bit of the coefficients that earlier scans have given, or 0 if there were none.
    pub high: u32,
    /// Lowest bit that this scan gives.
    pub low: u32,
}

pub(super) const HUFFMAN_TABLES: u8 = 0xc4;
pub(super) const START_OF_SCAN: u8 = 0xda;
pub(super) const END: u8 = 0xd9;

/// Where the next marker's 0xff stands, or the length of the data. Whatever comes before it is skipped.
pub(super) fn next_marker(data: &[u8], mut place: usize) -> usize {
    while let Some(pair) = data.get(place..place + 2) {
        if pair[0] == 0xff && pair[1] != 0 && pair[1] != 0xff {
            return place;
        }
        place += 1;
    }
    data.len()
}

/// The content of the segment at `place`, which begins with its length, and where it ends.
pub(super) fn segment(data: &[u8], place: usize) -> Result<(&[u8], usize), DecodeError> {
    let cut = || damaged("it ends within its header");
    let length = data.get(place..place + 2).ok_or_else(cut)?;
    let end = place + usize::from(u16::from_be_bytes([length[0], length[1]]));
    let content = data.get(place + 2..end).ok_or_else(cut)?;
    Ok((content, end))
}

/// Takes the next bytes off the front.
fn bytes<'a>(content: &mut &'a [u8], count: usize) -> Result<&'a [u8], DecodeError> {
    content.split_off(..count).ok_or_else(|| damaged("a segment of its header is too short"))
}

impl<'a> Header<'a> {
    /// Takes note of a segment.
    pub fn read(&mut self, marker: u8, content: &'a [u8]) -> Result<(), DecodeError> {
        match marker {
            0xc0..=0xc2 => self.frame(marker, content),
            HUFFMAN_TABLES => self.huffman_tables(content),
            0xc3 | 0xc5..=0xcf => {
                let how =
                    if marker >= 0xc9 { "arithmetic coding" } else { "lossless or hierarchical coding" };
                Err(unsupported(how))
            }
            0xdb => self.quantisers(content),
            0xdd => {
                let mut content = content;
                let interval = bytes(&mut content, 2)?;
                self.restart_interval = usize::from(u16::from_be_bytes([interval[0], interval[1]]));
                Ok(())
            }
            0xe0 => {
                self.jfif |= content.starts_with(b"JFIF\0");
                Ok(())
            }
            0xe1 => {
                self.exif = self.exif.or_else(|| content.strip_prefix(b"Exif\0\0"));
                Ok(())
            }
            0xee => {
                if content.starts_with(b"Adobe") {
                    self.adobe = content.get(11).copied().or(self.adobe);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn frame(&mut self, marker: u8, mut content: &[u8]) -> Result<(), DecodeError> {
        if self.frame.is_some() {
            return Err(damaged("it declares its size twice"));
        }
        let start = bytes(&mut content, 6)?;
        let (height, width) = (side(&start[1..3]), side(&start[3..5]));
        if start[0] != 8 {
            return Err(unsupported(&format!("{} bits a sample", start[0])));
        }
        if width == 0 || height == 0 {
            return Err(damaged("it has no size"));
        }
        let mut components = Vec::new();
        for _ in 0..start[5] {
            let spec = bytes(&mut content, 3)?;
            let (h, v, table) = (spec[1] as usize >> 4, spec[1] as usize & 15, spec[2] as usize);
            if !(1..=4).contains(&h) || !(1..=4).contains(&v) || table > 3 {
                return Err(damaged("a colour channel's description makes no sense"));
            }
            let [width, height, blocks_across, blocks_down] = [0; 4];
            components.push(Component {
                id: spec[0],
                h,
                v,
                table,
                width,
                height,
                blocks_across,
                blocks_down,
            });
        }
        if !matches!(components.len(), 1 | 3 | 4) {
            return Err(unsupported(&format!("{} colour channels", components.len())));
        }
        let h_max = components.iter().map(|c| c.h).max().unwrap_or(1);
        let v_max = components.iter().map(|c| c.v).max().unwrap_or(1);
        for c in &mut components {
            if h_max % c.h != 0 || v_max % c.v != 0 {
                return Err(unsupported("colour channels whose sizes aren't multiples of each other"));
            }
            c.width = (width * c.h).div_ceil(h_max);
            c.height = (height * c.v).div_ceil(v_max);
            c.blocks_across = width.div_ceil(8 * h_max) * c.h;
            c.blocks_down = height.div_ceil(8 * v_max) * c.v;
        }
        self.frame = Some(Frame { progressive: marker == 0xc2, width, height, h_max, v_max, components });
        Ok(())
    }

    fn quantisers(&mut self, mut content: &[u8]) -> Result<(), DecodeError> {
        while !content.is_empty() {
            let kind = bytes(&mut content, 1)?[0];
            let wide = kind >> 4 != 0;
            let steps = bytes(&mut content, if wide { 128 } else { 64 })?;
            let slot = self.quantisers.get_mut(usize::from(kind & 15));
            let slot = slot.ok_or_else(|| damaged("it numbers a quantisation table above 3"))?;
            let mut quantiser = [0; 64];
            for (k, &place) in ZIGZAG.iter().enumerate() {
                quantiser[usize::from(place)] = match wide {
                    true => u16::from_be_bytes([steps[2 * k], steps[2 * k + 1]]),
                    false => u16::from(steps[k]),
                };
            }
            *slot = Some(quantiser);
        }
        Ok(())
    }

    fn huffman_tables(&mut self, mut content: &[u8]) -> Result<(), DecodeError> {
        while !content.is_empty() {
            let start = bytes(&mut content, 17)?;
            let count = start[1..].iter().map(|&count| usize::from(count)).sum();
            let symbols = bytes(&mut content, count)?;
            let tables = match start[0] >> 4 {
                0 if symbols.iter().all(|&size| size < 16) => &mut self.dc_tables,
                1 => &mut self.ac_tables,
                _ => return Err(damaged("a Huffman table is of no known kind")),
            };
            let slot = tables.get_mut(usize::from(start[0] & 15));
            let slot = slot.ok_or_else(|| damaged("it numbers a Huffman table above 3"))?;
            *slot = Some(Table::new(&start[1..], symbols)?);
        }
        Ok(())
    }

    /// What a scan's header says.
    pub fn scan(&self, mut content: &[u8]) -> Result<Scan, DecodeError> {
        let wrong = || damaged("the header of a scan makes no sense");
        let frame = self.frame.as_ref().ok_or_else(|| damaged("its data begin before it declares a size"))?;
        let mut components: Vec<(usize, usize, usize)> = Vec::new();
        for _ in 0..bytes(&mut content, 1)?[0] {
            let spec = bytes(&mut content, 2)?;
            let index = frame.components.iter().position(|c| c.id == spec[0]).ok_or_else(wrong)?;
            if components.iter().any(|(other, ..)| *other == index) || spec[1] & 0xcc != 0 {
                return Err(wrong());
            }
            components.push((index, usize::from(spec[1] >> 4), usize::from(spec[1] & 15)));
        }
        let rest = bytes(&mut content, 3)?;
        let scan = match frame.progressive {
            // Nothing else is possible there, so other programs don't look at it.
            false => Scan { components, first: 0, last: 63, high: 0, low: 0 },
            true => Scan {
                components,
                first: usize::from(rest[0]),
                last: usize::from(rest[1]),
                high: u32::from(rest[2] >> 4),
                low: u32::from(rest[2] & 15),
            },
        };
        let blocks: usize =
            scan.components.iter().map(|c| frame.components[c.0].h * frame.components[c.0].v).sum();
        let several = scan.components.len() > 1;
        let bands = match frame.progressive {
            false => true,
            true => {
                scan.last < 64
                    && if scan.first == 0 { scan.last == 0 } else { scan.first <= scan.last && !several }
            }
        };
        let bits = scan.low <= 13 && (scan.high == 0 || scan.high == scan.low + 1);
        if scan.components.is_empty() || several && blocks > 10 || !bands || !bits {
            return Err(wrong());
        }
        Ok(scan)
    }
}

fn side(bytes: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
}

fn unsupported(cause: &str) -> DecodeError {
    DecodeError::Unsupported { format: "JPEG", cause: cause.into() }
}
