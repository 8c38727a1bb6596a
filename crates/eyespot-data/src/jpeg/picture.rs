//! A picture in several scans: its coefficients or samples are collected until all are read.

use super::color::{Colors, Pixels, Rows};
use super::header::{Frame, Header, Scan};
use super::huffman::Bits;
use super::idct::Block;
use super::{Damage, Plane, Quantiser, damaged, scan};
use crate::DecodeError;
use eyespot_kernels::vectorised;

/// More scans than any program writes: a small file could keep a computer busy for hours with them.
const MAX_SCANS: usize = 200;

/// A picture whose scans are being read.
pub(super) struct Picture {
    planes: Vec<Plane>,
    /// The coefficients of a progressive picture.
    blocks: Vec<Vec<Block>>,
    /// The quantisation steps of each channel that a scan has begun.
    steps: Vec<Option<Quantiser>>,
    scans: usize,
}

/// Blocks of each channel.
pub(super) fn counts(frame: &Frame) -> impl Iterator<Item = usize> {
    frame.components.iter().map(|c| c.blocks_across * c.blocks_down)
}

/// Bytes that a picture takes: a sample a byte, a coefficient two.
pub(super) fn bytes(frame: &Frame) -> u64 {
    let blocks: usize = counts(frame).sum();
    let rows = 8 * frame.v_max * frame.width * 3 + 64 * frame.width;
    (blocks * 64 * if frame.progressive { 3 } else { 1 } + rows) as u64
}

impl Picture {
    pub fn new(frame: &Frame) -> Picture {
        let plane = |c: &super::header::Component| Plane::new(8 * c.blocks_across, 8 * c.blocks_down);
        let coefficients = |count| if frame.progressive { vec![[0; 64]; count] } else { Vec::new() };
        Picture {
            planes: frame.components.iter().map(plane).collect(),
            blocks: counts(frame).map(coefficients).collect(),
            steps: vec![None; frame.components.len()],
            scans: 0,
        }
    }

    /// Whether every channel's scan has been read, which is all in a sequential picture.
    pub fn complete(&self) -> bool {
        self.steps.iter().all(Option::is_some)
    }

    /// Reads a scan that begins at `place`; returns where it ends.
    pub fn read(
        &mut self,
        header: &Header,
        frame: &Frame,
        scan: &Scan,
        data: &[u8],
        place: usize,
    ) -> Result<(usize, Option<Damage>), DecodeError> {
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
            scan::sequential(header, frame, scan, &mut bits, |row, channels| {
                for channel in channels {
                    let Some(steps) = &steps[channel.index] else { continue };
                    for (y, blocks) in channel.rows(row) {
                        planes[channel.index].set(y, blocks, steps);
                    }
                }
            })?;
        }
        Ok((bits.end(), bits.damage()))
    }

    /// Hands out all rows, a row of groups at a time.
    pub fn finish(
        mut self,
        header: &Header,
        frame: &Frame,
        sink: &mut dyn FnMut(usize, &[u8], usize),
    ) -> Option<Damage> {
        let mut damage = None;
        for (index, steps) in self.steps.iter().enumerate() {
            let Some(steps) = steps else {
                self.planes[index].samples.fill(128);
                damage = Some(Damage::ChannelMissing);
                continue;
            };
            let rows = self.blocks[index].chunks_exact(frame.components[index].blocks_across);
            for (row, blocks) in rows.enumerate() {
                self.planes[index].set(row, blocks, steps);
            }
        }
        let colors = Colors::of(header, frame);
        let height = 8 * frame.v_max;
        let mut rows = Rows::new(frame);
        let mut out = vec![0; height * frame.width * 3];
        for first in (0..frame.height).step_by(height) {
            let out = &mut out[..height.min(frame.height - first) * frame.width * 3];
            let planes = &self.planes;
            vectorised::run(Pixels { frame, planes, colors, first, rows: &mut rows, out });
            sink(first, out, frame.width * 3);
        }
        damage
    }
}
