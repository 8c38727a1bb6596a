//! How large blocks of memory are asked for.

/// `len` zeros, on large pages where the system grants them: with small ones, reading activations that don't fit the
/// cache spends much of its time on looking up addresses. Memory is taken page by page, when it is first used.
pub fn zeros(len: usize) -> Vec<f32> {
    let mut memory = vec![0.0; len];
    prefer_huge_pages(&mut memory);
    memory
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
            // SAFETY: the range lies in the slice; the advice changes no content.
            unsafe { libc::madvise(start.cast(), len, libc::MADV_HUGEPAGE) };
        }
    }
    let _ = memory;
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
