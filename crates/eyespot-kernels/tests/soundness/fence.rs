//! Slices with forbidden memory on both sides: whoever reaches over their end, be it to read, is killed on the spot.

use std::ops::{Deref, DerefMut};

/// The end of the slice that lies at the very border. At the other one there may be room up to the next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    Start,
    End,
}

/// Floats, all 0.5; zeros where there are very many.
pub struct Fenced {
    memory: Memory,
    start: *mut f32,
    len: usize,
}

impl Fenced {
    pub fn new(len: usize, edge: Edge) -> Self {
        let bytes = len.checked_mul(size_of::<f32>()).expect("a slice that fits into the address space");
        let memory = Memory::new(bytes);
        let room = if edge == Edge::End { memory.len - bytes } else { 0 };
        let start = memory.start.wrapping_add(room).cast();
        let mut fenced = Self { memory, start, len };
        fenced.renew();
        fenced
    }

    /// As if it were new.
    pub fn renew(&mut self) {
        // Large ones are only asked for, never used to the end.
        if self.len < 1 << 20 {
            self.fill(0.5);
        }
    }

    /// The same memory as half as many doubles.
    pub fn doubles(&mut self) -> &mut [f64] {
        let len = self.len / 2;
        let unaligned = !self.start.cast::<f64>().is_aligned();
        let start = self.start.wrapping_add(usize::from(unaligned)).cast::<f64>();
        // SAFETY: aligned, and inside the slice, whose length is odd where its start isn't aligned; any bits are a double.
        unsafe { std::slice::from_raw_parts_mut(start, len) }
    }

    /// The same memory as `u16`, as many as there are floats.
    pub fn shorts(&mut self) -> &mut [u16] {
        let start = self.start.cast::<u16>().wrapping_add(self.len);
        // SAFETY: the latter half of the slice, and any bits are a `u16`.
        unsafe { std::slice::from_raw_parts_mut(start, self.len) }
    }
}

impl Deref for Fenced {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        debug_assert!(self.memory.len >= self.len * size_of::<f32>());
        // SAFETY: `memory` holds that many bytes from `start` on and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl DerefMut for Fenced {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and `self` is borrowed by nobody else.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

/// Pages between two forbidden ones.
#[cfg(target_os = "linux")]
struct Memory {
    start: *mut u8,
    len: usize,
}

#[cfg(target_os = "linux")]
impl Memory {
    const PAGE: usize = 1 << 16;

    fn new(bytes: usize) -> Self {
        let len = bytes.checked_next_multiple_of(Self::PAGE).unwrap().max(Self::PAGE);
        let all = len.checked_add(2 * Self::PAGE).unwrap();
        // SAFETY: new pages at an address of the system's choice touch nothing that exists; those made accessible lie
        // among them.
        unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            let map = libc::mmap(std::ptr::null_mut(), all, libc::PROT_NONE, flags, -1, 0);
            assert!(map != libc::MAP_FAILED, "memory for {bytes} bytes");
            let start = map.cast::<u8>().add(Self::PAGE);
            let access = libc::PROT_READ | libc::PROT_WRITE;
            assert_eq!(libc::mprotect(start.cast(), len, access), 0, "memory for {bytes} bytes");
            Self { start, len }
        }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped, and no slice of it is left.
        unsafe { libc::munmap(self.start.sub(Self::PAGE).cast(), self.len + 2 * Self::PAGE) };
    }
}

/// Elsewhere there is no fence, and only the panics are checked.
#[cfg(not(target_os = "linux"))]
struct Memory {
    start: *mut u8,
    len: usize,
    _words: Vec<u64>,
}

#[cfg(not(target_os = "linux"))]
impl Memory {
    fn new(bytes: usize) -> Self {
        let mut words = vec![0u64; bytes.div_ceil(8)];
        Self { start: words.as_mut_ptr().cast(), len: 8 * words.len(), _words: words }
    }
}
