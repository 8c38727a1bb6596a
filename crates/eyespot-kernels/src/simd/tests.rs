mod features;

use super::*;

struct Sample([f32; 16], [f32; 16]);

impl Op for Sample {
    type Output = Vec<f32>;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> Vec<f32> {
        let mut out = vec![0.0; 6 * S::LANES + 1];
        let p = out.as_mut_ptr();
        // SAFETY: both inputs hold LANES floats, the output six vectors and one float.
        unsafe {
            let (a, b) = (S::load(self.0.as_ptr()), S::load(self.1.as_ptr()));
            S::store(p, S::add(a, b));
            S::store(p.add(S::LANES), S::sub(a, b));
            S::store(p.add(2 * S::LANES), S::mul(a, b));
            S::store(p.add(3 * S::LANES), S::fma(a, b, S::splat(2.0)));
            S::store(p.add(4 * S::LANES), S::clamp(a, S::splat(-1.0), S::splat(2.0)));
            S::store_partial(p.add(5 * S::LANES), 3, S::load_partial(self.0.as_ptr(), 2));
            *p.add(6 * S::LANES) = S::sum(a);
        }
        out
    }
}

#[test]
fn operations_are_what_they_are_called() {
    let (mut a, mut b) = ([0.0; 16], [0.0; 16]);
    for i in 0..16 {
        a[i] = i as f32 - 2.0;
        b[i] = (i * i) as f32;
    }
    for isa in Isa::available() {
        let n = isa.lanes();
        // SAFETY: the sample holds 16 floats, the widest vector.
        let out = unsafe { isa.run(Sample(a, b)) };
        for i in 0..n {
            assert_eq!(out[i], a[i] + b[i], "{isa:?}");
            assert_eq!(out[n + i], a[i] - b[i], "{isa:?}");
            assert_eq!(out[2 * n + i], a[i] * b[i], "{isa:?}");
            assert_eq!(out[3 * n + i], a[i] * b[i] + 2.0, "{isa:?}");
            assert_eq!(out[4 * n + i], a[i].clamp(-1.0, 2.0), "{isa:?}");
            assert_eq!(out[5 * n + i], if i < 2 { a[i] } else { 0.0 }, "{isa:?}");
        }
        assert_eq!(out[6 * n], a[..n].iter().sum::<f32>(), "{isa:?}");
    }
}

#[test]
fn clamping_keeps_nan() {
    let mut a = [0.0; 16];
    a[0] = f32::NAN;
    for isa in Isa::available() {
        // SAFETY: as above.
        let out = unsafe { isa.run(Sample(a, [0.0; 16])) };
        assert!(out[4 * isa.lanes()].is_nan(), "{isa:?}");
    }
}
