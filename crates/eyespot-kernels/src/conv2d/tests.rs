//! Every path against the definition, on every instruction set, for one to three threads.

use super::winograd::Winograd;
use super::{Conv2dKernel, Conv2dShape, Conv2dTraining, SeparableKernel, reference};
use crate::simd::Isa;
use crate::{Activation, Threads};

/// A shape from (height, width), (in, out) channels, kernel, stride, padding, dilation and groups.
fn shape(
    (in_h, in_w): (usize, usize),
    (in_c, out_c): (usize, usize),
    kernel: (usize, usize),
    stride: (usize, usize),
    padding: (usize, usize),
    dilation: (usize, usize),
    groups: usize,
) -> Conv2dShape {
    let out = |n: usize, k, s, p, d| (n + 2 * p - d * (k - 1) - 1) / s + 1;
    let out_h = out(in_h, kernel.0, stride.0, padding.0, dilation.0);
    let out_w = out(in_w, kernel.1, stride.1, padding.1, dilation.1);
    Conv2dShape { in_h, in_w, in_c, out_h, out_w, out_c, kernel, stride, padding, dilation, groups }
}

fn square(
    size: usize,
    channels: (usize, usize),
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Conv2dShape {
    shape((size, size), channels, (kernel, kernel), (stride, stride), (padding, padding), (1, 1), 1)
}

fn cases() -> Vec<Conv2dShape> {
    vec![
        square(1, (1, 1), 1, 1, 0),
        square(7, (5, 3), 1, 1, 0),
        square(7, (64, 130), 1, 1, 0),
        square(8, (16, 48), 1, 2, 0),
        square(7, (33, 65), 3, 1, 1),
        square(9, (16, 20), 3, 2, 1),
        square(5, (17, 64), 3, 1, 0),
        square(13, (20, 24), 3, 1, 2),
        square(6, (150, 70), 3, 1, 1),
        square(6, (700, 9), 1, 1, 0),
        square(16, (32, 48), 3, 1, 1),
        square(12, (70, 20), 3, 1, 1),
        square(40, (16, 17), 3, 1, 1),
        square(30, (8, 7), 3, 1, 1),
        square(28, (9, 8), 1, 1, 0),
        square(4, (20, 300), 1, 1, 0),
        square(13, (37, 70), 3, 1, 0),
        shape((10, 21), (64, 64), (3, 3), (1, 1), (2, 1), (1, 1), 1),
        square(23, (3, 20), 7, 2, 3),
        square(25, (3, 65), 11, 4, 2),
        square(12, (3, 64), 3, 2, 0),
        square(12, (1, 6), 5, 1, 0),
        square(10, (3, 10), 3, 1, 1),
        shape((9, 6), (12, 10), (1, 5), (1, 1), (0, 2), (1, 1), 1),
        shape((6, 11), (12, 10), (5, 2), (2, 1), (1, 0), (1, 1), 1),
        shape((11, 10), (8, 40), (3, 3), (1, 1), (2, 2), (2, 2), 1),
        shape((12, 9), (3, 8), (3, 2), (2, 3), (3, 1), (2, 3), 1),
        shape((7, 9), (12, 18), (3, 3), (1, 1), (1, 1), (1, 1), 3),
        shape((7, 9), (40, 80), (3, 3), (2, 2), (1, 1), (1, 1), 2),
        shape((8, 8), (19, 19), (3, 3), (1, 1), (1, 1), (1, 1), 19),
        shape((9, 8), (35, 35), (3, 3), (2, 2), (1, 1), (1, 1), 35),
        shape((9, 8), (64, 64), (5, 5), (1, 1), (2, 2), (1, 1), 64),
        shape((9, 13), (6, 6), (3, 5), (2, 1), (1, 0), (1, 2), 6),
        shape((6, 6), (4, 12), (3, 3), (1, 1), (1, 1), (1, 1), 4),
    ]
}

/// Numbers in (−1, 1) that depend on `seed`.
fn numbers(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

/// Sums of `terms` products of numbers in (−1, 1) grow like √terms, and so do their rounding errors. Winograd's
/// transforms, where they may be used, make these some ten times larger.
fn close(got: &[f32], want: &[f32], (terms, s): (usize, &Conv2dShape), what: &str) {
    let unit = if Winograd::fits(s) { 2e-5 } else { 3e-6 };
    let tolerance = unit * (terms as f32).sqrt().max(1.0);
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance, "{what}: [{i}] is {g}, expected {w}");
    }
}

/// Runs `f` on every instruction set and for one to three threads; all threads must give the same bits.
fn everywhere(mut f: impl FnMut(Isa, &Threads) -> Vec<f32>, check: impl Fn(&[f32], Isa)) {
    for isa in Isa::available() {
        let one = f(isa, &Threads::new(1));
        check(&one, isa);
        for count in [2, 3] {
            let more = f(isa, &Threads::new(count));
            assert!(
                one.iter().zip(&more).all(|(a, b)| a.to_bits() == b.to_bits()),
                "{isa:?}: {count} threads"
            );
        }
    }
}

#[test]
fn inference_matches_the_definition() {
    for s in cases() {
        let images = 3;
        let x = numbers(1, images * s.input_len());
        let weights = numbers(2, s.weights_len());
        let bias = numbers(3, s.out_c);
        let residual = numbers(4, images * s.output_len());
        let plain = reference::forward(&s, &x, &weights, Some(&bias));
        let terms = s.weights_len() / s.out_c;

        everywhere(
            |isa, threads| {
                let kernel = Conv2dKernel::with_isa(isa, s, images, &weights, Some(&bias), Activation::None);
                let mut y = vec![f32::NAN; plain.len()];
                let mut scratch = vec![f32::NAN; kernel.scratch_len(threads)];
                kernel.run(threads, images, &x, None, &mut y, s.out_c, &mut scratch);
                y
            },
            |y, isa| close(y, &plain, (terms, &s), &format!("{s:?} {isa:?}")),
        );
        everywhere(
            |isa, threads| {
                let kernel = Conv2dKernel::with_isa(isa, s, images, &weights, Some(&bias), Activation::Relu);
                let mut y = vec![f32::NAN; plain.len()];
                let mut scratch = vec![f32::NAN; kernel.scratch_len(threads)];
                kernel.run(threads, images, &x, Some(&residual), &mut y, s.out_c, &mut scratch);
                y
            },
            |y, isa| {
                let want: Vec<f32> = plain.iter().zip(&residual).map(|(y, r)| (y + r).max(0.0)).collect();
                close(y, &want, (terms, &s), &format!("with residual: {s:?} {isa:?}"));
            },
        );
        everywhere(
            |isa, threads| {
                let kernel = Conv2dKernel::with_isa(isa, s, images, &weights, None, Activation::Relu6);
                let stride = s.out_c + 5;
                let mut wide = vec![7.0; images * s.out_h * s.out_w * stride];
                let mut scratch = vec![f32::NAN; kernel.scratch_len(threads)];
                kernel.run(threads, images, &x, None, &mut wide[3..], stride, &mut scratch);
                wide
            },
            |wide, isa| {
                let stride = s.out_c + 5;
                for (p, pixel) in wide.chunks_exact(stride).enumerate() {
                    let want: Vec<f32> =
                        (0..s.out_c).map(|o| (plain[p * s.out_c + o] - bias[o]).clamp(0.0, 6.0)).collect();
                    close(&pixel[3..][..s.out_c], &want, (terms, &s), &format!("in a slice: {s:?} {isa:?}"));
                    assert!(
                        pixel[..3].iter().chain(&pixel[3 + s.out_c..]).all(|&v| v == 7.0),
                        "{s:?} {isa:?}"
                    );
                }
            },
        );
    }
}

#[test]
fn training_matches_the_definition() {
    for s in cases() {
        let images = 3;
        let x = numbers(1, images * s.input_len());
        let weights = numbers(2, s.weights_len());
        let bias = numbers(3, s.out_c);
        let dy = numbers(4, images * s.output_len());
        let terms = s.weights_len() / s.out_c;
        let y = reference::forward(&s, &x, &weights, Some(&bias));
        let dx = reference::backward_input(&s, &dy, &weights);
        let (dw, db) = reference::backward_weights(&s, &x, &dy);

        everywhere(
            |isa, threads| {
                let plan = Conv2dTraining::with_isa(isa, s, images);
                let mut scratch = vec![f32::NAN; plan.scratch_len(threads)];
                let mut out = vec![f32::NAN; y.len()];
                plan.forward(threads, images, &x, &weights, Some(&bias), &mut out, &mut scratch);
                out
            },
            |got, isa| close(got, &y, (terms, &s), &format!("forward {s:?} {isa:?}")),
        );
        everywhere(
            |isa, threads| {
                let plan = Conv2dTraining::with_isa(isa, s, images);
                let mut scratch = vec![f32::NAN; plan.scratch_len(threads)];
                let mut out = vec![f32::NAN; dx.len()];
                plan.backward_input(threads, images, &dy, &weights, &mut out, &mut scratch);
                out
            },
            |got, isa| close(got, &dx, (terms * s.group_out(), &s), &format!("backward input {s:?} {isa:?}")),
        );
        everywhere(
            |isa, threads| {
                let plan = Conv2dTraining::with_isa(isa, s, images);
                let mut scratch = vec![f32::NAN; plan.scratch_len(threads)];
                let mut out = vec![f32::NAN; dw.len() + db.len()];
                let (dw, db) = out.split_at_mut(dw.len());
                plan.backward_weights(threads, images, &x, &dy, dw, Some(db), &mut scratch);
                out
            },
            |got, isa| {
                let terms = images * s.out_h * s.out_w;
                close(&got[..dw.len()], &dw, (terms, &s), &format!("backward weights {s:?} {isa:?}"));
                close(&got[dw.len()..], &db, (terms, &s), &format!("backward bias {s:?} {isa:?}"));
            },
        );
    }
}

/// Fused and one after the other must give the same bits; each of the three is checked above.
#[test]
fn separable_convolution_is_its_parts_one_after_the_other() {
    let wide = |channels| shape((45, 40), (channels, channels), (3, 3), (1, 1), (1, 1), (1, 1), channels);
    let strided = |channels| shape((45, 40), (channels, channels), (3, 3), (2, 2), (1, 1), (1, 1), channels);
    let valid = |channels| shape((45, 40), (channels, channels), (5, 5), (1, 1), (0, 0), (1, 1), channels);
    for (s, with_expand) in [(wide(80), true), (wide(80), false), (strided(150), true), (valid(75), true)] {
        let point = |(h, w), channels| shape((h, w), channels, (1, 1), (1, 1), (0, 0), (1, 1), 1);
        let expand = point((s.in_h, s.in_w), (7, s.in_c));
        let project = point((s.out_h, s.out_w), (s.out_c, 10));
        let (images, stride) = (2, 12);
        let input = numbers(1, images * if with_expand { expand.input_len() } else { s.input_len() });
        let residual = numbers(2, images * s.out_h * s.out_w * stride);
        let kernel = |isa, s: Conv2dShape, activation| {
            let (weights, bias) = (numbers(3, s.weights_len()), numbers(4, s.out_c));
            Conv2dKernel::with_isa(isa, s, images, &weights, Some(&bias), activation)
        };
        let parts = |isa| {
            let expand = with_expand.then(|| kernel(isa, expand, Activation::Relu6));
            (expand, kernel(isa, s, Activation::Relu6), kernel(isa, project, Activation::None))
        };
        everywhere(
            |isa, threads| {
                let (expand, depthwise, project) = parts(isa);
                let fused = SeparableKernel::new(expand, depthwise, project);
                let mut scratch = vec![f32::NAN; fused.scratch_len(threads)];
                let mut y = vec![7.0; residual.len()];
                fused.run(threads, images, &input, Some(&residual), &mut y, stride, &mut scratch);
                y
            },
            |got, isa| {
                let (expand, depthwise, project) = parts(isa);
                let threads = Threads::new(1);
                let run = |kernel: &Conv2dKernel, x: &[f32], residual, stride| {
                    let s = kernel.shape();
                    let mut y = vec![7.0; images * s.out_h * s.out_w * stride];
                    kernel.run(&threads, images, x, residual, &mut y, stride, &mut []);
                    y
                };
                let x = expand.as_ref().map_or(input.clone(), |expand| run(expand, &input, None, s.in_c));
                let between = run(&depthwise, &x, None, s.out_c);
                let want = run(&project, &between, Some(&residual), stride);
                assert!(got.iter().zip(&want).all(|(a, b)| a.to_bits() == b.to_bits()), "{s:?} {isa:?}");
            },
        );
    }
}
