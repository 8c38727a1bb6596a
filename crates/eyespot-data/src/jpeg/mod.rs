//! JPEG files to pixels, bit for bit as libjpeg-turbo, and so Pillow and PyTorch, decode them.
//!
//! Sequential and progressive Huffman-coded files of 8 bits a sample; one, three or four channels. Why not by a crate:
//! `docs/decisions/0003-pictures.md`.

mod color;
mod header;
mod huffman;
mod idct;
mod scan;

use crate::{DecodeError, Limits};
use color::{Colors, Pixels};
use eyespot_kernels::vectorised;
use header::{END, Frame, Header, Quantiser, START_OF_SCAN};
use huffman::Bits;
use idct::{Block, BlockRow};
use image::RgbImage;
use image::metadata::Orientation;

/// More scans than any program writes: a small file could keep a computer busy for hours with them.
const MAX_SCANS: usize = 200;

/// The samples of one channel.
struct Plane {
    samples: Vec<u8>,
    stride: usize,
}

impl Plane {
    /// Fills a row of blocks.
    fn set(&mut self, row: usize, blocks: &[Block], steps: &Quantiser) {
        let Plane { samples, stride } = self;
        let samples = &mut samples[row * 8 * *stride..(row + 1) * 8 * *stride];
        vectorised::run(BlockRow { blocks, steps, samples, stride: *stride });
    }
}

fn damaged(cause: &str) -> DecodeError {
    DecodeError::Damaged { format: "JPEG", cause: cause.into() }
}

/// Reads a picture as it is stored, and how it is to be turned.
pub(crate) fn decode(data: &[u8], limits: &Limits) -> Result<(RgbImage, Orientation), DecodeError> {
    let mut header = Header::default();
    let mut picture = None;
    let mut place = 2;
    loop {
        let marker_place = header::next_marker(data, place);
        let Some(&marker) = data.get(marker_place + 1) else {
            return Err(damaged("it ends before the picture's data do"));
        };
        place = marker_place + 2;
        match marker {
            END => break,
            // Restart markers and others without content that have no business here.
            0x01 | 0xd0..=0xd8 => {}
            _ => {
                let (content, end) = header::segment(data, place)?;
                place = end;
                if marker != START_OF_SCAN {
                    header.read(marker, content)?;
                    continue;
                }
                let scan = header.scan(content)?;
                let frame = header.frame.as_ref().ok_or_else(|| damaged("it has no size"))?;
                let picture = match &mut picture {
                    Some(picture) => picture,
                    none => none.insert(Picture::new(frame, data, limits)?),
                };
                place = picture.read(&header, frame, &scan, data, place)?;
                if !frame.progressive && picture.complete() {
                    break;
                }
            }
        }
    }
    let (Some(frame), Some(picture)) = (&header.frame, picture) else {
        return Err(damaged("it holds no picture"));
    };
    let pixels = picture.finish(&header, frame)?;
    let orientation = header.exif.and_then(Orientation::from_exif_chunk);
    Ok((pixels, orientation.unwrap_or(Orientation::NoTransforms)))
}

/// A picture whose scans are being read.
struct Picture {
    planes: Vec<Plane>,
    /// The coefficients of a progressive picture.
    blocks: Vec<Vec<Block>>,
    /// The quantisation steps of each channel that a scan has begun.
    steps: Vec<Option<Quantiser>>,
    scans: usize,
}

impl Picture {
    fn new(frame: &Frame, data: &[u8], limits: &Limits) -> Result<Picture, DecodeError> {
        limits.check(frame.width as u32, frame.height as u32)?;
        let counts: Vec<usize> = frame.components.iter().map(|c| c.blocks_across * c.blocks_down).collect();
        // A block takes at least one bit: a file that is cut off, or lies, is known before memory is asked for.
        if counts.iter().sum::<usize>() > data.len().saturating_mul(8) {
            return Err(damaged(&format!(
                "its {} bytes can't hold the {} × {} pixels that it declares",
                data.len(),
                frame.width,
                frame.height
            )));
        }
        let plane = |count: usize, across: usize| Plane { samples: vec![0; count * 64], stride: across * 8 };
        let planes = counts.iter().zip(&frame.components).map(|(&count, c)| plane(count, c.blocks_across));
        let coefficients = |count: &usize| if frame.progressive { vec![[0; 64]; *count] } else { Vec::new() };
        Ok(Picture {
            planes: planes.collect(),
            blocks: counts.iter().map(coefficients).collect(),
            steps: vec![None; counts.len()],
            scans: 0,
        })
    }

    fn complete(&self) -> bool {
        self.steps.iter().all(Option::is_some)
    }

    /// Reads a scan that begins at `place`; returns where it ends.
    fn read(
        &mut self,
        header: &Header,
        frame: &Frame,
        scan: &header::Scan,
        data: &[u8],
        place: usize,
    ) -> Result<usize, DecodeError> {
        self.scans += 1;
        if self.scans > MAX_SCANS {
            return Err(damaged("it has more scans than any picture needs"));
        }
        for &(index, ..) in &scan.components {
            let steps = header.quantisers[frame.components[index].table];
            let steps = steps.ok_or_else(|| damaged("a quantisation table is missing"))?;
            // A table that changes later counts for other channels only.
            self.steps[index].get_or_insert(steps);
        }
        let mut bits = Bits::new(data, place);
        if frame.progressive {
            scan::progressive(header, frame, scan, &mut bits, &mut self.blocks)?;
        } else {
            let (planes, steps) = (&mut self.planes, &self.steps);
            scan::sequential(header, frame, scan, &mut bits, |index, row, blocks| {
                if let Some(steps) = &steps[index] {
                    planes[index].set(row, blocks, steps);
                }
            })?;
        }
        Ok(bits.end())
    }

    fn finish(mut self, header: &Header, frame: &Frame) -> Result<RgbImage, DecodeError> {
        for (index, steps) in self.steps.iter().enumerate() {
            let steps = steps.as_ref().ok_or_else(|| damaged("a colour channel is missing"))?;
            let rows = self.blocks[index].chunks_exact(frame.components[index].blocks_across);
            for (row, blocks) in rows.enumerate() {
                self.planes[index].set(row, blocks, steps);
            }
        }
        // The coefficients' memory serves the pixels.
        self.blocks = Vec::new();
        let mut pixels = vec![0; frame.width * frame.height * 3];
        let colors = Colors::of(header, frame);
        vectorised::run(Pixels { frame, planes: &self.planes, colors, out: &mut pixels });
        RgbImage::from_raw(frame.width as u32, frame.height as u32, pixels)
            .ok_or_else(|| damaged("the size and the pixels disagree"))
    }
}
