//! Loops compiled once for each instruction set, the best one chosen at run time.

/// A loop over slices with everything it needs.
///
/// `run` must be `#[inline(always)]`: only then is it compiled again with the wider vectors of each instruction set.
/// It must not fuse multiplications with additions (`mul_add`), so that every set gives the same bits.
pub(crate) trait Kernel {
    fn run(self);
}

/// An instruction set that [`run`] can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum InstructionSet {
    /// What the compiler's target always has: SSE2 or NEON, for example.
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The best instruction set of this machine.
fn best() -> InstructionSet {
    #[cfg(target_arch = "x86_64")]
    {
        // The standard library caches the answers.
        if std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512bw")
            && std::is_x86_feature_detected!("avx512dq")
            && std::is_x86_feature_detected!("avx512vl")
        {
            return InstructionSet::Avx512;
        }
        if std::is_x86_feature_detected!("avx2") {
            return InstructionSet::Avx2;
        }
    }
    InstructionSet::Baseline
}

/// Runs `kernel` with the widest vectors this machine has.
#[inline]
pub(crate) fn run(kernel: impl Kernel) {
    match best() {
        // SAFETY: `best` found these instructions on this machine.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => unsafe { avx512(kernel) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { avx2(kernel) },
        InstructionSet::Baseline => kernel.run(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn avx512(kernel: impl Kernel) {
    kernel.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(kernel: impl Kernel) {
    kernel.run();
}
