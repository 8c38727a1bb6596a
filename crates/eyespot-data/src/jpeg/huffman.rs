//! The entropy-coded part of a JPEG, bit by bit. ITU-T T.81, annexes C, F.2.2 and G.

use super::header::END;
use super::{Damage, damaged};
use crate::DecodeError;

/// Codes of up to this many bits are found in one look.
const LOOK: u32 = 10;

/// A Huffman table.
#[derive(Clone)]
pub(super) struct Table {
    /// What the next [`LOOK`] bits begin with, see [`entry`]; 0 for a longer code.
    look: Box<[u32; 1 << LOOK]>,
    /// The largest code of each length, left-aligned in 16 bits, plus 1; grows with the length.
    limit: [u32; 17],
    /// What to add to a code of each length to get the place of its symbol.
    offset: [i32; 17],
    symbols: Vec<u8>,
}

/// A code's length (8 bits), its symbol (8), and the number behind it (16) where the look reaches that far, else 0.
fn entry(length: u32, symbol: u8, number: i32) -> u32 {
    length | u32::from(symbol) << 8 | (number as u32) << 16
}

impl Table {
    /// From the number of codes of each length 1 to 16, and the symbols in the order of their codes.
    pub fn new(counts: &[u8], symbols: &[u8]) -> Result<Table, DecodeError> {
        let mut look = Box::new([0; 1 << LOOK]);
        let (mut limit, mut offset) = ([0; 17], [0; 17]);
        let (mut code, mut place) = (0u32, 0usize);
        for (length, &count) in (1u32..).zip(counts) {
            offset[length as usize] = place as i32 - code as i32;
            for _ in 0..count {
                let symbol = *symbols.get(place).ok_or_else(|| damaged("a Huffman table is cut off"))?;
                if code >> length != 0 {
                    return Err(damaged("a Huffman table has more codes than fit their lengths"));
                }
                if length <= LOOK {
                    let rest = LOOK - length;
                    for below in 0..1 << rest {
                        let size = u32::from(symbol & 15);
                        let known = (1..=rest).contains(&size);
                        let number = if known { extend(below >> (rest - size), size) } else { 0 };
                        look[(code << rest | below) as usize] = entry(length, symbol, number);
                    }
                }
                (code, place) = (code + 1, place + 1);
            }
            limit[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Ok(Table { look, limit, offset, symbols: symbols.to_vec() })
    }
}

/// The number that `size` bits stand for: those that begin with 0 are negative.
fn extend(bits: u32, size: u32) -> i32 {
    let half = 1 << (size - 1);
    if bits < half { bits as i32 - (2 * half as i32 - 1) } else { bits as i32 }
}

/// Zeros to skip and the number behind them. A number of 0 means that no number follows.
#[derive(Clone, Copy)]
pub(super) struct Coded {
    pub zeros: u32,
    pub number: i32,
}

/// Reads the bits of one scan. A marker ends them; after it come zeros. Nothing that the data hold is an error: as in
/// libjpeg, the rest is made the best of, and [`Damage`] tells.
///
/// A loop over many codes works on a copy: its fields then stay in registers, which doubles the speed. Rare work
/// therefore takes and returns the whole by value.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    place: usize,
    /// The next bits, from the top.
    bits: u64,
    /// How many of them are there.
    count: u32,
    /// Zeros among all bits so far that aren't in the data.
    invented: u32,
    damage: Option<Damage>,
}

impl<'a> Bits<'a> {
    pub fn new(data: &'a [u8], place: usize) -> Bits<'a> {
        Bits { data, place, bits: 0, count: 0, invented: 0, damage: None }
    }

    /// Makes sure that 32 bits are there.
    #[inline(always)]
    fn fill(&mut self) {
        if self.count >= 32 {
            return;
        }
        if let Some(next) = self.data.get(self.place..self.place + 8) {
            let word = u64::from_be_bytes(next.try_into().unwrap_or_default());
            // No byte is 0xff, the sign of a marker or a stuffed zero.
            let inverse = !word;
            if inverse.wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080 == 0 {
                self.bits |= word >> self.count;
                self.place += (63 - self.count as usize) / 8;
                self.count |= 56;
                return;
            }
        }
        *self = self.filled_slowly();
    }

    #[cold]
    #[inline(never)]
    fn filled_slowly(mut self) -> Bits<'a> {
        while self.count <= 56 {
            let byte = match (self.data.get(self.place), self.data.get(self.place + 1)) {
                (Some(0xff), Some(0)) => {
                    self.place += 2;
                    0xff
                }
                // Fill bytes before a marker, or before a stuffed zero.
                (Some(0xff), Some(0xff)) => {
                    self.place += 1;
                    continue;
                }
                (Some(0xff), _) | (None, _) => {
                    self.invented = self.invented.saturating_add(8);
                    0
                }
                (Some(&byte), _) => {
                    self.place += 1;
                    byte
                }
            };
            self.bits |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
        self
    }

    /// Whether bits were read that aren't in the data: the marker, or the file's end, came too early.
    #[inline(always)]
    pub fn ran_out(&self) -> bool {
        self.invented > self.count
    }

    /// What was wrong with the data up to here, whose end the scan has reached.
    pub fn damage(&self) -> Option<Damage> {
        let skipped = self.place..self.end();
        let unread = self.count.saturating_sub(self.invented) >= 8;
        let early = self.ran_out().then_some(Damage::EndsEarly);
        let extra = (unread || !skipped.is_empty()).then_some(Damage::Extraneous);
        self.damage.or(early).or(extra)
    }

    /// 1 to 16 of the bits that [`Bits::fill`] has made sure of.
    #[inline(always)]
    fn take(&mut self, count: u32) -> u32 {
        let bits = (self.bits >> (64 - count)) as u32;
        self.bits <<= count;
        self.count -= count;
        bits
    }

    /// 0 to 16 bits.
    #[inline]
    pub fn read(&mut self, count: u32) -> u32 {
        self.fill();
        if count == 0 { 0 } else { self.take(count) }
    }

    /// The number that 1 to 15 bits stand for.
    #[inline]
    pub fn number(&mut self, size: u32) -> i32 {
        self.fill();
        extend(self.take(size), size)
    }

    /// A symbol of up to 4 + 4 bits and the number that follows it.
    #[inline(always)]
    pub fn coded(&mut self, table: &Table) -> Coded {
        self.fill();
        let found = table.look[(self.bits >> (64 - LOOK)) as usize];
        let (length, symbol, number) = (found & 0xff, (found >> 8) as u8, found as i32 >> 16);
        let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if number != 0 {
            self.take(length + size);
            return Coded { zeros, number };
        }
        let (zeros, size) = if found != 0 {
            self.take(length);
            (zeros, size)
        } else {
            let (rest, symbol) = self.long_code(table);
            *self = rest;
            (u32::from(symbol >> 4), u32::from(symbol & 15))
        };
        let number = if size == 0 { 0 } else { extend(self.take(size), size) };
        Coded { zeros, number }
    }

    /// A symbol without a number: in progressive scans the bits behind it have other meanings.
    #[inline]
    pub fn symbol(&mut self, table: &Table) -> u8 {
        self.fill();
        let found = table.look[(self.bits >> (64 - LOOK)) as usize];
        if found == 0 {
            let (rest, symbol) = self.long_code(table);
            *self = rest;
            return symbol;
        }
        self.take(found & 0xff);
        (found >> 8) as u8
    }

    #[cold]
    #[inline(never)]
    fn long_code(mut self, table: &Table) -> (Bits<'a>, u8) {
        let next = (self.bits >> 48) as u32;
        let length = (1..=16).find(|&length| next < table.limit[length]);
        let Some(length) = length else {
            // A code that isn't defined is taken for a 0 of 17 bits.
            self.take(17);
            self.damage = self.damage.or(Some(Damage::UndefinedCode));
            return (self, 0);
        };
        let code = self.take(length as u32) as i32;
        let symbol = table.symbols.get((code + table.offset[length]) as usize);
        (self, symbol.copied().unwrap_or(0))
    }

    /// Goes on behind the restart marker number 0 to 7. Where another marker comes, one of the next two means that this
    /// one is lost, one of the last two is passed over, and what is no restart marker ends the data.
    pub fn restart(&mut self, number: u8) {
        let mut place = self.end();
        let mut damage = self.damage();
        loop {
            let marker = self.data.get(place + 1).copied().unwrap_or(END);
            let ahead = marker.wrapping_sub(0xd0 + number) & 7;
            if marker != 0xd0 + number {
                damage = damage.or(Some(Damage::Restart));
            }
            let (past, waits) = match marker {
                0xd0..=0xd7 => (ahead >= 6, ahead == 1 || ahead == 2),
                _ => (marker < 0xc0, marker >= 0xc0),
            };
            if past {
                place = super::header::next_marker(self.data, place + 2);
                continue;
            }
            let next = if waits { place } else { place + 2 };
            // What comes before a marker that waits its turn is an empty piece of data.
            let invented = u32::from(waits && self.ran_out());
            *self = Bits { invented, damage, ..Bits::new(self.data, next) };
            return;
        }
    }

    /// Where the next marker begins (or the file ends), whatever is unread before it.
    pub fn end(&self) -> usize {
        // What was read ahead belongs to this scan, so a marker can only come later.
        super::header::next_marker(self.data, self.place)
    }
}
