//! How fast this machine multiplies and adds at best.

use crate::Threads;
use crate::simd::{Isa, Op, Simd};
use std::time::Instant;

/// Chains of multiply-adds that don't wait for each other: enough to hide the latency of two units of any core.
const CHAINS: usize = 12;

/// Multiply-adds of one measurement, per chain: less than a millisecond, so that some measurement isn't disturbed.
const LENGTH: usize = 1 << 18;

/// The `f32` operations (a multiply-add counts as two) per second that all threads reach together with nothing but
/// fused multiply-adds in registers: the best of `rounds` measurements.
pub fn peak_flops(threads: &Threads, rounds: usize) -> f64 {
    let isa = Isa::best();
    let count = threads.count();
    let mut best = 0.0f64;
    for _ in 0..rounds.max(1) {
        let mut ends = vec![0.0f32; count];
        let start = Instant::now();
        threads.chunks(&mut ends, 1, |index, end| {
            // SAFETY: the loop asks nothing but the instruction set, which `Isa::best` has checked.
            end[0] = unsafe { isa.run(Chains { start: 1.0 + index as f32 }) };
        });
        let seconds = start.elapsed().as_secs_f64();
        // Without a look at the results the compiler would leave the work out.
        std::hint::black_box(&ends);
        let lanes = isa_lanes(isa);
        best = best.max((2 * CHAINS * LENGTH * lanes * count) as f64 / seconds);
    }
    best
}

fn isa_lanes(isa: Isa) -> usize {
    struct Lanes;
    impl Op for Lanes {
        type Output = usize;
        #[inline(always)]
        unsafe fn run<S: Simd>(self) -> usize {
            S::LANES
        }
    }
    // SAFETY: as above; no vector is touched.
    unsafe { isa.run(Lanes) }
}

struct Chains {
    start: f32,
}

impl Op for Chains {
    type Output = f32;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f32 {
        // SAFETY: the caller has checked the instruction set; no memory is touched.
        unsafe {
            let (a, b) = (S::splat(0.999_999), S::splat(0.000_001));
            let mut chains = [S::splat(self.start); CHAINS];
            for _ in 0..LENGTH {
                for chain in &mut chains {
                    *chain = S::fma(*chain, a, b);
                }
            }
            let mut sum = chains[0];
            for chain in &chains[1..] {
                sum = S::add(sum, *chain);
            }
            S::sum(sum)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_a_speed() {
        let peak = peak_flops(&Threads::new(1), 1);
        assert!(peak.is_finite() && peak > 1e6, "{peak}");
    }
}
