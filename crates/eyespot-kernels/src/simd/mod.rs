//! One source for every instruction set.
//!
//! A kernel is an [`Op`] whose `run` is generic over [`Simd`]; [`Isa::run`] enters it through a function compiled for
//! the chosen instruction set. Everything between that entry and the instructions must be `#[inline(always)]` (also
//! closures, so kernels use plain loops): code that is not inlined there is compiled for the baseline and slow.

#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

/// The operations on vectors of `f32` that kernels are written in.
///
/// # Safety
/// Every function may only be called where the CPU has the instruction set; loads and stores reach `LANES` floats
/// (or `n`) from the pointer, with no alignment.
pub(crate) trait Simd: Copy {
    /// A vector.
    type V: Copy;
    /// Floats in a vector.
    const LANES: usize;
    /// Vectors in a full block of output channels: with 6 pixels, as many accumulators as the registers hold.
    const VECTORS: usize;

    /// All lanes `x`.
    unsafe fn splat(x: f32) -> Self::V;
    /// `LANES` floats from `p`.
    unsafe fn load(p: *const f32) -> Self::V;
    /// Writes `LANES` floats.
    unsafe fn store(p: *mut f32, v: Self::V);
    /// `n ≤ LANES` floats from `p`, the other lanes zero.
    unsafe fn load_partial(p: *const f32, n: usize) -> Self::V;
    /// Writes the first `n ≤ LANES` lanes.
    unsafe fn store_partial(p: *mut f32, n: usize, v: Self::V);
    /// `a + b`.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// `a − b`.
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// `a · b`.
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`, rounded once where the hardware can.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `x` held between `low` and `high`; NaN stays NaN.
    unsafe fn clamp(x: Self::V, low: Self::V, high: Self::V) -> Self::V;
    /// The sum of all lanes.
    unsafe fn sum(v: Self::V) -> f32;

    /// Asks for the cache line at `p`, which may be any address, ahead of its use. A wish only.
    #[inline(always)]
    unsafe fn prefetch(p: *const f32) {
        let _ = p;
    }

    /// As [`prefetch`](Self::prefetch), for later use: into the second-level cache.
    #[inline(always)]
    unsafe fn prefetch_later(p: *const f32) {
        let _ = p;
    }
}

/// A kernel, generic over the instruction set.
pub(crate) trait Op {
    /// What it returns.
    type Output;

    /// Does the work; must be `#[inline(always)]`.
    ///
    /// # Safety
    /// The CPU has `S`'s instructions, and whatever the kernel asks of its fields.
    unsafe fn run<S: Simd>(self) -> Self::Output;
}

/// A feature of the CPU by its name in `target_feature`, and whether the CPU has it.
type Feature = (&'static str, fn() -> bool);

/// Whether the CPU has all of these.
#[inline]
fn has_all(features: &[Feature]) -> bool {
    features.iter().all(|(_, has)| has())
}

/// An instruction set this program was compiled with and the CPU has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

impl Isa {
    /// All that this machine has, the fastest first.
    pub(crate) fn available() -> impl Iterator<Item = Isa> {
        Isa::ALL.iter().filter(|(_, features)| has_all(features)).map(|&(isa, _)| isa)
    }

    /// All that this program was compiled with, the fastest first, and what each enables.
    const ALL: &[(Isa, &[Feature])] = &[
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512, &x86::AVX512),
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx2, &x86::AVX2),
        #[cfg(target_arch = "aarch64")]
        (Isa::Neon, &neon::NEON),
        (Isa::Portable, &[]),
    ];

    /// The fastest that this machine has.
    pub(crate) fn best() -> Isa {
        Isa::available().next().unwrap_or(Isa::Portable)
    }

    /// Floats in a vector.
    pub(crate) fn lanes(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => x86::Avx512::LANES,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => x86::Avx2::LANES,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => neon::Neon::LANES,
            Isa::Portable => portable::Portable::LANES,
        }
    }

    /// Vectors in a full block of output channels.
    pub(crate) fn vectors(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => x86::Avx512::VECTORS,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => x86::Avx2::VECTORS,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => neon::Neon::VECTORS,
            Isa::Portable => portable::Portable::VECTORS,
        }
    }

    /// Runs a kernel.
    ///
    /// # Safety
    /// What the kernel asks of its fields. (An `Isa` is only made by `available`, so the CPU has it.)
    pub(crate) unsafe fn run<O: Op>(self, op: O) -> O::Output {
        // SAFETY: the CPU has the instruction set; the rest is the caller's promise.
        unsafe {
            match self {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => x86::run_avx512(op),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => x86::run_avx2(op),
                #[cfg(target_arch = "aarch64")]
                Isa::Neon => neon::run_neon(op),
                Isa::Portable => op.run::<portable::Portable>(),
            }
        }
    }
}

#[cfg(test)]
mod tests;
