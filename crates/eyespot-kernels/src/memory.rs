//! How large blocks of memory are asked for.

use crate::check;

/// `len` zeros, on large pages where the system grants them: with small ones, reading activations that don't fit the
/// cache spends much of its time on looking up addresses. Memory is taken page by page, when it is first used.
pub(crate) fn zeros(len: usize) -> Vec<f32> {
    let mut memory = vec![0.0; len];
    prefer_huge_pages(&mut memory);
    memory
}

/// A block of floats on such pages that begins on a 64-byte boundary: a cache line, the widest vector. Vectors that lie
/// across two lines are read at half the speed.
#[derive(Debug, Clone)]
pub struct Floats {
    data: Vec<f32>,
    start: usize,
}

impl Floats {
    const ALIGNMENT: usize = 16;

    /// `len` zeros.
    ///
    /// # Panics
    /// When there can't be that many; where the system just has no memory left, the process ends, as with any `Vec`.
    pub fn zeroed(len: usize) -> Self {
        let data = zeros(check::sum([len, Self::ALIGNMENT]));
        // The address may be unknown (in an interpreter, say); then alignment is given up, nothing else.
        let start = data.as_ptr().align_offset(Self::ALIGNMENT * size_of::<f32>()).min(Self::ALIGNMENT);
        let mut floats = Self { data, start };
        floats.data.truncate(start + len);
        floats
    }

    /// A copy.
    pub fn copied(from: &[f32]) -> Self {
        let mut floats = Self::zeroed(from.len());
        floats.copy_from_slice(from);
        floats
    }
}

impl std::ops::Deref for Floats {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.data[self.start..]
    }
}

impl std::ops::DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..]
    }
}

/// A wish only; on other systems than Linux nothing happens.
fn prefer_huge_pages(memory: &mut [f32]) {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        const PAGE: usize = 4096;
        const HUGE: usize = 2 << 20;
        let skip = memory.as_ptr().align_offset(PAGE).saturating_mul(size_of::<f32>());
        let start = memory.as_mut_ptr().cast::<u8>().wrapping_add(skip);
        let len = size_of_val(memory).saturating_sub(skip) / PAGE * PAGE;
        if len >= HUGE {
            // SAFETY: `start` and `len` were rounded inwards, so the range lies in the slice, which is borrowed mutably; the
            // advice changes no content.
            unsafe { libc::madvise(start.cast(), len, libc::MADV_HUGEPAGE) };
        }
    }
    let _ = memory;
}

#[cfg(test)]
mod tests {
    #[test]
    fn blocks_are_aligned() {
        for len in [0, 5, 1 << 16] {
            let block = super::Floats::zeroed(len);
            assert_eq!((block.len(), block.as_ptr() as usize % 64), (len, 0));
        }
        assert_eq!(*super::Floats::copied(&[1.0, 2.0]), [1.0, 2.0]);
    }

    #[test]
    fn zeros_are_zero_for_any_length() {
        for len in [0, 1, 1000, 1 << 20] {
            let memory = super::zeros(len);
            assert_eq!(memory.len(), len);
            assert!(memory.iter().all(|&v| v == 0.0));
        }
    }
}
