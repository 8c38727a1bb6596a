//! NEON, which every 64-bit ARM has.

use super::{Feature, Op, Simd};
use std::arch::aarch64::*;
use std::arch::is_aarch64_feature_detected as has;

/// 4 floats, 32 registers.
#[derive(Clone, Copy)]
pub(super) struct Neon;

/// What [`run_neon`] enables.
pub(super) const NEON: [Feature; 1] = [("neon", || has!("neon"))];

/// # Safety
/// The CPU has all of [`NEON`]; the kernel's own conditions hold.
#[target_feature(enable = "neon")]
pub(super) unsafe fn run_neon<O: Op>(op: O) -> O::Output {
    // SAFETY: the caller's promise; these are the instructions that `Neon` uses.
    unsafe { op.run::<Neon>() }
}

// SAFETY (all blocks below): the trait's conditions are the instructions' own.
impl Simd for Neon {
    type V = float32x4_t;
    const LANES: usize = 4;
    const VECTORS: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vdupq_n_f32(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vld1q_f32(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: float32x4_t) {
        // SAFETY: see above.
        unsafe { vst1q_f32(p, v) }
    }
    #[inline(always)]
    unsafe fn load_partial(p: *const f32, n: usize) -> float32x4_t {
        let mut lanes = [0.0; 4];
        // SAFETY: `n ≤ 4` floats are readable.
        unsafe {
            std::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), n);
            vld1q_f32(lanes.as_ptr())
        }
    }
    #[inline(always)]
    unsafe fn store_partial(p: *mut f32, n: usize, v: float32x4_t) {
        let mut lanes = [0.0; 4];
        // SAFETY: `n ≤ 4` floats are writable.
        unsafe {
            vst1q_f32(lanes.as_mut_ptr(), v);
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), p, n);
        }
    }
    #[inline(always)]
    unsafe fn add(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vaddq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vsubq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vmulq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: see above.
        unsafe { vfmaq_f32(c, a, b) }
    }
    #[inline(always)]
    unsafe fn clamp(x: float32x4_t, low: float32x4_t, high: float32x4_t) -> float32x4_t {
        // SAFETY: see above. These return NaN when an operand is.
        unsafe { vminq_f32(vmaxq_f32(x, low), high) }
    }
    #[inline(always)]
    unsafe fn sum(v: float32x4_t) -> f32 {
        // SAFETY: see above.
        unsafe { vaddvq_f32(v) }
    }
}
