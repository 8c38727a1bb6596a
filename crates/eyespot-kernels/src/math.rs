//! Elementary functions as short branch-free polynomials, so that loops over them vectorise.
//!
//! The coefficients are near-minimax fits (weighted least squares on Chebyshev nodes); the tests bound the error
//! against `f64`.

const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// The leading bits of ln 2, few enough that a whole number up to 2^8 times it is exact, and the rest.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -0.000_212_194_44;
/// 1.5 · 2^23: adding it rounds to the nearest whole number, which then stands in the low bits.
const ROUNDER: f32 = 12_582_912.0;

/// `e^x` within 2 units in the last place; NaN stays NaN, overflow gives infinity, underflow goes to zero gradually.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Comparisons in this order keep NaN. Beyond these bounds the result is infinite or zero anyway.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let rounded = x * LOG2_E + ROUNDER;
    let whole = rounded - ROUNDER;
    let r = x - whole * LN_2_HIGH - whole * LN_2_LOW;
    let tail = 0.001_381_453_2;
    let q = ((tail * r + 0.008_368_783) * r + 0.041_668_39) * r + 0.166_665_2;
    let p = (q * r + 0.499_999_93) * (r * r) + r + 1.0;
    // 2^whole as a product of two powers, each of which a float can hold.
    let n = (rounded.to_bits() as i32).wrapping_sub(ROUNDER.to_bits() as i32);
    let half = n >> 1;
    p * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// `2^n` for `n` in −126 … 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// `1 / (1 + e^−x)`.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `tanh(x)`.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let size = x.abs();
    let z = x * x;
    let tail = -0.005_717_04;
    let q = (((tail * z + 0.020_650_58) * z - 0.053_743_5) * z + 0.133_314_91) * z - 0.333_332_84;
    let small = x + x * z * q;
    let large = 1.0 - 2.0 / (exp(size + size) + 1.0);
    let value = if size < 0.625 { small } else { large };
    // The sign of −0 as well.
    value.copysign(x)
}

/// `Φ(x)`, the share of the standard normal distribution below `x`, within about 10 + x² units in the last place; and
/// its derivative `e^(−x²/2) / √(2π)`.
///
/// `Φ(−s) = t·q(t)·e^(−s²/2)/2` with `t = 1 / (1 + s/√8)` for `s ≥ 0`, the form of Numerical Recipes' `erfc`; `q` is a fit
/// of our own. So small results keep their digits.
#[inline(always)]
pub(crate) fn normal(x: f32) -> (f32, f32) {
    let t = 1.0 / (1.0 + x.abs() * 0.353_553_4);
    let q = -0.025_522_841;
    let q = q * t + 0.064_461_32;
    let q = q * t + 0.030_753_653;
    let q = q * t - 0.198_549_35;
    let q = q * t + 0.079_469_49;
    let q = q * t + 0.058_261_473;
    let q = q * t + 0.180_414_92;
    let q = q * t + 0.246_512_2;
    let q = q * t + 0.282_104_22;
    let q = q * t + 0.282_094_75;
    let bell = exp(-0.5 * x * x);
    let below = 0.5 * q * t * bell;
    let cdf = if x < 0.0 { below } else { 1.0 - below };
    // NaN is on neither side.
    (if x.is_nan() { x } else { cdf }, 0.398_942_3 * bell)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distance in units in the last place of the exact result.
    fn ulps(found: f32, exact: f64) -> f64 {
        let rounded = exact as f32;
        let ulp = (f64::from(rounded.abs().next_up()) - f64::from(rounded.abs())).max(1.4e-45);
        (f64::from(found) - exact).abs() / ulp
    }

    fn worst(from: f32, to: f32, f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) -> f64 {
        let n = 200_000;
        let at = |i| from + (to - from) * (i as f32 / n as f32);
        (0..=n).map(|i| ulps(f(at(i)), exact(f64::from(at(i))))).fold(0.0, f64::max)
    }

    #[test]
    fn close_to_f64() {
        assert!(worst(-87.0, 88.7, exp, f64::exp) < 2.0);
        assert!(worst(-103.0, -87.0, exp, f64::exp) < 2.0);
        assert!(worst(-1.0, 1.0, exp, f64::exp) < 1.5);
        assert!(worst(-20.0, 20.0, sigmoid, |x| 1.0 / (1.0 + (-x).exp())) < 3.0);
        assert!(worst(-10.0, 10.0, tanh, f64::tanh) < 3.0);
        assert!(worst(-0.7, 0.7, tanh, f64::tanh) < 3.0);
    }

    /// Against the integral of the bell curve, by Simpson's rule from far below.
    #[test]
    fn the_normal_distribution_is_the_integral_of_its_density() {
        let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let n = 20_000;
        // What lies below the beginning is less than a rounding error of what is compared, from -11.5 on.
        let (from, step) = (-13f64, 19.0 / f64::from(n));
        let mut below = 0.0;
        for i in 0..n {
            let x = from + f64::from(i) * step;
            below += step / 6.0 * (density(x) + 4.0 * density(x + 0.5 * step) + density(x + step));
            let at = (x + step) as f32;
            if at < -11.5 {
                continue;
            }
            let (cdf, pdf) = normal(at);
            // The argument's rounding alone is worth x² half units of the density.
            let rounding = f64::from(at * at);
            let exact = below + (f64::from(at) - x - step) * density(x + step);
            assert!(ulps(cdf, exact) < 10.0 + rounding, "{at}: {cdf} for {exact}");
            assert!(ulps(pdf, density(f64::from(at))) < 3.0 + rounding, "{at}");
        }
        assert_eq!((normal(f32::INFINITY).0, normal(f32::NEG_INFINITY).0), (1.0, 0.0));
        assert!(normal(f32::NAN).0.is_nan());
    }

    #[test]
    fn special_values() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(1000.0), f32::INFINITY);
        assert_eq!(exp(-1000.0), 0.0);
        assert!(exp(f32::NAN).is_nan());
        assert!(sigmoid(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
        assert_eq!(sigmoid(f32::NEG_INFINITY), 0.0);
        assert_eq!(sigmoid(f32::INFINITY), 1.0);
        assert_eq!(tanh(f32::INFINITY), 1.0);
        assert_eq!(tanh(f32::NEG_INFINITY), -1.0);
        assert_eq!(tanh(-0.0).to_bits(), (-0.0f32).to_bits());
    }
}
