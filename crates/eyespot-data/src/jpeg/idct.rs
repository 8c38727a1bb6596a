//! Coefficients to samples: the accurate integer inverse cosine transform, bit for bit as libjpeg's "islow".
//!
//! After C. Loeffler, A. Ligtenberg and G. Moschytz, "Practical fast 1-D DCT algorithms with 11 multiplications",
//! ICASSP 1989: first the columns, then the rows, with 13 bits behind the point, 2 of which stay between the two.

use super::header::Quantiser;
use eyespot_kernels::vectorised::Kernel;

pub(super) type Block = [i16; 64];

/// One row of blocks becomes eight rows of samples.
pub(super) struct BlockRow<'a> {
    pub blocks: &'a [Block],
    pub steps: &'a Quantiser,
    /// 8 × `stride`.
    pub samples: &'a mut [u8],
    /// At least eight samples a block.
    pub stride: usize,
}

impl Kernel for BlockRow<'_> {
    #[inline(always)]
    fn run(self) {
        for (x, block) in self.blocks.iter().enumerate() {
            let samples = if block[1..].iter().fold(0, |any, c| any | c) == 0 {
                // The formula below with all other terms 0.
                let level = ((i32::from(block[0]) * i32::from(self.steps[0]) + 4) >> 3) + 128;
                [[level.clamp(0, 255) as u8; 8]; 8]
            } else {
                samples(block, self.steps)
            };
            for (line, samples) in self.samples.chunks_exact_mut(self.stride).zip(samples) {
                line[8 * x..8 * x + 8].copy_from_slice(&samples);
            }
        }
    }
}

#[inline(always)]
fn samples(block: &Block, steps: &Quantiser) -> [[u8; 8]; 8] {
    let mut columns = [[0i32; 8]; 8];
    for ((value, &c), &step) in columns.as_flattened_mut().iter_mut().zip(block).zip(steps) {
        *value = i32::from(c) * i32::from(step);
    }
    pass(&mut columns, 11);
    let mut rows = transposed(&columns);
    pass(&mut rows, 18);
    // Plain loops: closures would not be compiled for wide vectors.
    let mut samples = [[0; 8]; 8];
    for (sample, value) in samples.as_flattened_mut().iter_mut().zip(transposed(&rows).as_flattened()) {
        *sample = (value + 128).clamp(0, 255) as u8;
    }
    samples
}

#[inline(always)]
fn transposed(m: &[[i32; 8]; 8]) -> [[i32; 8]; 8] {
    let mut t = [[0; 8]; 8];
    for (i, row) in m.iter().enumerate() {
        for (j, value) in row.iter().enumerate() {
            t[j][i] = *value;
        }
    }
    t
}

/// The transform of each column, rounded to `shift` bits less.
#[allow(clippy::needless_range_loop)] // `x` counts within eight rows at once
#[inline(always)]
fn pass(m: &mut [[i32; 8]; 8], shift: u32) {
    for x in 0..8 {
        // Sums can only overflow in a damaged file.
        let add = |a: i32, b: i32| a.wrapping_add(b);
        let sub = |a: i32, b: i32| a.wrapping_sub(b);
        let mul = |a: i32, b: i32| a.wrapping_mul(b);
        // cos and sin of multiples of π/16, and sums of them, times 2¹³.
        let z1 = mul(add(m[2][x], m[6][x]), 4433);
        let (t2, t3) = (add(z1, mul(m[6][x], -15137)), add(z1, mul(m[2][x], 6270)));
        let (t0, t1) = (add(m[0][x], m[4][x]) << 13, sub(m[0][x], m[4][x]) << 13);
        let even = [add(t0, t3), add(t1, t2), sub(t1, t2), sub(t0, t3)];

        let [i1, i3, i5, i7] = [m[1][x], m[3][x], m[5][x], m[7][x]];
        let (z3, z4) = (add(i7, i3), add(i5, i1));
        let z5 = mul(add(z3, z4), 9633);
        let (z1, z2) = (mul(add(i7, i1), -7373), mul(add(i5, i3), -20995));
        let (z3, z4) = (add(mul(z3, -16069), z5), add(mul(z4, -3196), z5));
        let odd = [
            add(mul(i1, 12299), add(z1, z4)),
            add(mul(i3, 25172), add(z2, z3)),
            add(mul(i5, 16819), add(z2, z4)),
            add(mul(i7, 2446), add(z1, z3)),
        ];
        let half = 1 << (shift - 1);
        for k in 0..4 {
            m[k][x] = add(add(even[k], odd[k]), half) >> shift;
            m[7 - k][x] = add(sub(even[k], odd[k]), half) >> shift;
        }
    }
}
