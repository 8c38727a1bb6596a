//! How large blocks of memory are asked for.

use std::mem::MaybeUninit;

/// Asks the system to back memory that was not touched yet by large pages: with small ones, reading activations that
/// don't fit the cache spends much of its time on looking up addresses. A wish only; where it can't be granted, and
/// on other systems than Linux, nothing happens.
///
/// Call it between reserving and filling: `prefer_huge_pages(vec.spare_capacity_mut())`.
pub fn prefer_huge_pages(memory: &mut [MaybeUninit<f32>]) {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        const PAGE: usize = 4096;
        const HUGE: usize = 2 << 20;
        let skip = memory.as_ptr().align_offset(PAGE).saturating_mul(size_of::<f32>());
        let start = memory.as_mut_ptr().cast::<u8>().wrapping_add(skip);
        let len = size_of_val(memory).saturating_sub(skip) / PAGE * PAGE;
        if len >= HUGE {
            // SAFETY: the range lies in the slice; the advice changes no content.
            unsafe { libc::madvise(start.cast(), len, libc::MADV_HUGEPAGE) };
        }
    }
    let _ = memory;
}

/// `len` zeros on large pages where possible.
pub(crate) fn zeros(len: usize) -> Vec<f32> {
    let mut memory = Vec::with_capacity(len);
    prefer_huge_pages(memory.spare_capacity_mut());
    memory.resize(len, 0.0);
    memory
}

#[cfg(test)]
mod tests {
    #[test]
    fn zeros_are_zero_for_any_length() {
        for len in [0, 1, 1000, 1 << 20] {
            let memory = super::zeros(len);
            assert_eq!(memory.len(), len);
            assert!(memory.iter().all(|&v| v == 0.0));
        }
    }
}
