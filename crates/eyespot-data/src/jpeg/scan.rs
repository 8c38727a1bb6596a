//! The entropy-coded data to coefficients. ITU-T T.81, annexes F (sequential) and G (progressive).

use super::damaged;
use super::header::{Component, Frame, Header, Scan, ZIGZAG};
use super::huffman::{Bits, Table};
use super::idct::Block;
use crate::DecodeError;

/// Groups of blocks in a scan, across and down, and the blocks of one channel in a group: several channels take turns
/// by groups, a single one goes block by block and leaves out those that only fill up.
struct Groups {
    across: usize,
    down: usize,
    several: bool,
}

impl Groups {
    fn new(frame: &Frame, scan: &Scan) -> Groups {
        match scan.components[..] {
            [(only, ..)] => {
                let Component { width, height, .. } = frame.components[only];
                Groups { across: width.div_ceil(8), down: height.div_ceil(8), several: false }
            }
            _ => Groups {
                across: frame.width.div_ceil(8 * frame.h_max),
                down: frame.height.div_ceil(8 * frame.v_max),
                several: true,
            },
        }
    }

    /// Blocks of a channel in a group, across and down.
    fn blocks(&self, component: &Component) -> (usize, usize) {
        if self.several { (component.h, component.v) } else { (1, 1) }
    }
}

/// Counts groups and reads the restart markers between them.
struct Restarts {
    interval: usize,
    left: usize,
    number: u8,
}

impl Restarts {
    fn new(interval: usize) -> Restarts {
        Restarts { interval, left: interval, number: 0 }
    }

    /// Whether reading starts afresh before the next group.
    #[inline]
    fn next(&mut self, bits: &mut Bits) -> bool {
        if self.interval == 0 {
            return false;
        }
        let restart = self.left == 0;
        if restart {
            bits.restart(self.number);
            self.number = (self.number + 1) % 8;
            self.left = self.interval;
        }
        self.left -= 1;
        restart
    }
}

fn table(tables: &[Option<Table>; 4], number: usize) -> Result<&Table, DecodeError> {
    tables[number].as_ref().ok_or_else(|| damaged("a Huffman table is missing"))
}

/// One channel in a sequential scan.
pub(super) struct Channel<'a> {
    /// In the frame.
    pub index: usize,
    dc: &'a Table,
    ac: &'a Table,
    last_dc: i32,
    /// Blocks across and down in a group.
    group: (usize, usize),
    /// A row of groups.
    blocks: Vec<Block>,
    blocks_across: usize,
}

impl Channel<'_> {
    /// The rows of blocks in row `row` of groups, with their numbers.
    pub fn rows(&self, row: usize) -> impl Iterator<Item = (usize, &[Block])> {
        (row * self.group.1..).zip(self.blocks.chunks_exact(self.blocks_across))
    }
}

/// Reads a sequential scan. `done` gets the number of each row of groups, and the channels with its blocks. Where the data
/// run out, the rest is grey.
pub(super) fn sequential(
    header: &Header,
    frame: &Frame,
    scan: &Scan,
    bits: &mut Bits,
    mut done: impl FnMut(usize, &[Channel]),
) -> Result<(), DecodeError> {
    let groups = Groups::new(frame, scan);
    let mut channels = Vec::new();
    for &(index, dc, ac) in &scan.components {
        let group = groups.blocks(&frame.components[index]);
        let blocks_across = groups.across * group.0;
        channels.push(Channel {
            index,
            dc: table(&header.dc_tables, dc)?,
            ac: table(&header.ac_tables, ac)?,
            last_dc: 0,
            group,
            blocks: vec![[0; 64]; blocks_across * group.1],
            blocks_across,
        });
    }
    let mut restarts = Restarts::new(header.restart_interval);
    for row in 0..groups.down {
        for channel in &mut channels {
            channel.blocks.as_flattened_mut().fill(0);
        }
        for column in 0..groups.across {
            if restarts.next(bits) {
                channels.iter_mut().for_each(|channel| channel.last_dc = 0);
            }
            if bits.ran_out() {
                continue;
            }
            for channel in &mut channels {
                let (across, down) = channel.group;
                for place in (0..down).map(|y| y * channel.blocks_across + column * across) {
                    for block in &mut channel.blocks[place..place + across] {
                        channel.last_dc =
                            sequential_block(bits, channel.dc, channel.ac, channel.last_dc, block);
                    }
                }
            }
        }
        done(row, &channels);
    }
    Ok(())
}

/// Reads a block; returns its DC coefficient.
#[inline]
fn sequential_block(bits: &mut Bits, dc: &Table, ac: &Table, last_dc: i32, block: &mut Block) -> i32 {
    let mut own = *bits;
    let value = last_dc.wrapping_add(own.coded(dc).number);
    block[0] = value as i16;
    let mut k = 1;
    while k < 64 {
        let coded = own.coded(ac);
        k += coded.zeros as usize;
        if coded.number != 0 {
            *coefficient(block, k) = coded.number as i16;
        } else if coded.zeros < 15 {
            break;
        }
        k += 1;
    }
    *bits = own;
    value
}

/// The coefficient at a place of the zigzag; damaged data may lead behind the last one, which stands for them all.
#[inline(always)]
fn coefficient(block: &mut Block, k: usize) -> &mut i16 {
    &mut block[usize::from(ZIGZAG[k.min(63)] & 63)]
}

/// Reads a progressive scan into the blocks of all channels.
pub(super) fn progressive(
    header: &Header,
    frame: &Frame,
    scan: &Scan,
    bits: &mut Bits,
    blocks: &mut [Vec<Block>],
) -> Result<(), DecodeError> {
    let groups = Groups::new(frame, scan);
    let mut restarts = Restarts::new(header.restart_interval);
    let mut last_dc = [0; 4];
    // Blocks that follow without a coefficient of this scan.
    let mut empty = 0;
    for row in 0..groups.down {
        for column in 0..groups.across {
            if restarts.next(bits) {
                (last_dc, empty) = ([0; 4], 0);
            }
            // What the earlier scans have given stays.
            if bits.ran_out() {
                continue;
            }
            for &(index, dc, ac) in &scan.components {
                let component = &frame.components[index];
                let (across, down) = groups.blocks(component);
                for y in row * down..(row + 1) * down {
                    let place = y * component.blocks_across + column * across;
                    for block in &mut blocks[index][place..place + across] {
                        match (scan.first, scan.high) {
                            (0, 0) => {
                                let change = bits.coded(table(&header.dc_tables, dc)?).number;
                                last_dc[index] = i32::wrapping_add(last_dc[index], change);
                                block[0] = (last_dc[index] << scan.low) as i16;
                            }
                            (0, _) => block[0] |= (bits.read(1) << scan.low) as i16,
                            (_, 0) => {
                                first_bits(bits, table(&header.ac_tables, ac)?, scan, &mut empty, block)
                            }
                            _ => next_bit(bits, table(&header.ac_tables, ac)?, scan, &mut empty, block),
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// The highest bits of a band of coefficients.
fn first_bits(bits: &mut Bits, ac: &Table, scan: &Scan, empty: &mut u32, block: &mut Block) {
    if *empty > 0 {
        *empty -= 1;
        return;
    }
    let mut k = scan.first;
    while k <= scan.last {
        let symbol = bits.symbol(ac);
        let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 && zeros < 15 {
            *empty = (1 << zeros) + bits.read(zeros) - 1;
            break;
        }
        k += zeros as usize;
        if size > 0 {
            *coefficient(block, k) = (bits.number(size) << scan.low) as i16;
        }
        k += 1;
    }
}

/// One more bit of a band of coefficients, and those that become 1 or −1 with it.
fn next_bit(bits: &mut Bits, ac: &Table, scan: &Scan, empty: &mut u32, block: &mut Block) {
    let one = 1i16 << scan.low;
    let refine = |bits: &mut Bits, value: &mut i16| {
        if bits.read(1) == 1 && *value & one == 0 {
            *value = value.wrapping_add(if *value > 0 { one } else { -one });
        }
    };
    let mut k = scan.first;
    if *empty == 0 {
        while k <= scan.last {
            let symbol = bits.symbol(ac);
            let (mut zeros, size) = (u32::from(symbol >> 4), symbol & 15);
            let mut new = 0;
            if size > 0 {
                new = if bits.read(1) == 1 { one } else { -one };
            } else if zeros < 15 {
                *empty = (1 << zeros) + bits.read(zeros);
                break;
            }
            // The new one comes after that many zeros; those that aren't zero get their bit on the way.
            while k <= scan.last {
                let value = coefficient(block, k);
                if *value != 0 {
                    refine(bits, value);
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                k += 1;
            }
            if new != 0 {
                *coefficient(block, k) = new;
            }
            k += 1;
        }
    }
    if *empty > 0 {
        for k in k..=scan.last {
            let value = coefficient(block, k);
            if *value != 0 {
                refine(bits, value);
            }
        }
        *empty -= 1;
    }
}
