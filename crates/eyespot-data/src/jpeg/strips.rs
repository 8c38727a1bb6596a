//! A sequential picture in one scan: rows come out while it is read.

use super::color::{Colors, Pixels, Rows};
use super::header::{Frame, Header, Scan};
use super::huffman::Bits;
use super::{Damage, Plane, Quantiser, damaged, scan};
use crate::DecodeError;
use eyespot_kernels::vectorised;

/// Rows of groups that are kept: colours of the first row of one are mixed with those of the row above and below.
const KEPT: usize = 3;

/// Bytes that [`decode`] takes.
pub(super) fn bytes(frame: &Frame) -> u64 {
    // Coefficients (two bytes each) and samples of a row of groups, and its pixels.
    let blocks: usize = frame.components.iter().map(|c| c.blocks_across * c.v).sum();
    (blocks * 64 * (2 + KEPT) + 8 * frame.v_max * frame.width * 3 + 64 * frame.width) as u64
}

/// Reads the scan at `place`; gives the place where it ends.
pub(super) fn decode(
    header: &Header,
    frame: &Frame,
    scan: &Scan,
    data: &[u8],
    place: usize,
    sink: &mut dyn FnMut(usize, &[u8], usize),
) -> Result<(usize, Option<Damage>), DecodeError> {
    let mut steps: Vec<Quantiser> = Vec::new();
    for component in &frame.components {
        let quantiser = header.quantisers[component.table];
        steps.push(quantiser.ok_or_else(|| damaged("a quantisation table is missing"))?);
    }
    let planes = frame.components.iter().map(|c| {
        let rows = (KEPT * 8 * c.v).min(8 * c.blocks_down);
        Plane::new(8 * c.blocks_across, rows)
    });
    let mut planes: Vec<Plane> = planes.collect();
    let colors = Colors::of(header, frame);
    // A single channel goes block by block, whatever its shape is said to be.
    let height = if frame.components.len() == 1 { 8 } else { 8 * frame.v_max };
    let mut rows = Rows::new(frame);
    let mut out = vec![0; height * frame.width * 3];
    let mut hand_out = |row: usize, planes: &[Plane]| {
        let first = row * height;
        let out = &mut out[..height.min(frame.height - first) * frame.width * 3];
        vectorised::run(Pixels { frame, planes, colors, first, rows: &mut rows, out });
        sink(first, out, frame.width * 3);
    };
    let mut bits = Bits::new(data, place);
    scan::sequential(header, frame, scan, &mut bits, |row, channels| {
        for channel in channels {
            for (y, blocks) in channel.rows(row) {
                planes[channel.index].set(y, blocks, &steps[channel.index]);
            }
        }
        if row > 0 {
            hand_out(row - 1, &planes);
        }
    })?;
    hand_out(frame.height.div_ceil(height) - 1, &planes);
    Ok((bits.end(), bits.damage()))
}
