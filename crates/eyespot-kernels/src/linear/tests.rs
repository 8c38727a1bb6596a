use super::*;

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

/// `out[m, n] = Σ_k a(m, k) · b(k, n)`, in `f64`.
fn product(
    (m, n, k): (usize, usize, usize),
    a: impl Fn(usize, usize) -> f32,
    b: impl Fn(usize, usize) -> f32,
) -> Vec<f32> {
    let sum = |i, j| (0..k).map(|l| f64::from(a(i, l)) * f64::from(b(l, j))).sum::<f64>() as f32;
    (0..m * n).map(|at| sum(at / n, at % n)).collect()
}

fn close(got: &[f32], want: &[f32], terms: usize, what: &str) {
    let tolerance = 3e-6 * (terms as f32).sqrt().max(1.0);
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance, "{what}: [{i}] is {g}, expected {w}");
    }
}

/// (inputs, outputs, images)
const CASES: [(usize, usize, usize); 8] = [
    (1, 1, 1),
    (5, 3, 2),
    (256, 1, 64),
    (17, 10, 7),
    (100, 130, 5),
    (64, 6, 16),
    (1000, 67, 1),
    (530, 300, 9),
];

#[test]
fn all_passes_match_the_definition_on_every_instruction_set() {
    for (inputs, outputs, images) in CASES {
        let sizes = (inputs, outputs);
        let x = numbers(1, images * inputs);
        let w = numbers(2, inputs * outputs);
        let b = numbers(3, outputs);
        let dy = numbers(4, images * outputs);
        let plain = product((images, outputs, inputs), |i, k| x[i * inputs + k], |k, o| w[o * inputs + k]);
        let y: Vec<f32> = plain.iter().enumerate().map(|(i, v)| v + b[i % outputs]).collect();
        let dx = product((images, inputs, outputs), |i, o| dy[i * outputs + o], |o, k| w[o * inputs + k]);
        let dw = product((outputs, inputs, images), |o, i| dy[i * outputs + o], |i, k| x[i * inputs + k]);

        for isa in Isa::available() {
            let what = |pass: &str| format!("{pass} {inputs} {outputs} {images} {isa:?}");
            let run = |count| {
                let threads = Threads::new(count);
                let mut got = [
                    vec![f32::NAN; y.len()],
                    vec![f32::NAN; y.len()],
                    vec![f32::NAN; dx.len()],
                    vec![f32::NAN; dw.len()],
                ];
                let free = (f32::NEG_INFINITY, f32::INFINITY);
                run_forward(isa, &threads, sizes, images, (&x, &w, Some(&b)), free, &mut got[0]);
                run_forward(isa, &threads, sizes, images, (&x, &w, None), (0.0, 6.0), &mut got[1]);
                run_backward_input(isa, &threads, sizes, images, &dy, &w, &mut got[2]);
                run_backward_weights(isa, &threads, sizes, images, &x, &dy, &mut got[3]);
                got
            };
            let got = run(1);
            close(&got[0], &y, inputs, &what("forward"));
            let clamped: Vec<f32> = plain.iter().map(|v| v.clamp(0.0, 6.0)).collect();
            close(&got[1], &clamped, inputs, &what("forward with ReLU6"));
            close(&got[2], &dx, outputs, &what("backward input"));
            close(&got[3], &dw, images, &what("backward weights"));
            assert_eq!(got, run(2), "{}", what("two threads"));
            assert_eq!(got, run(3), "{}", what("three threads"));
        }
    }
}

#[test]
fn bias_gradient_is_the_sum_over_images() {
    let dy = [1.0, 2.0, 3.0, 10.0, 20.0, 30.0];
    let (mut dw, mut db) = ([0.0; 3], [9.0; 3]);
    backward_weights(&Threads::new(1), (1, 3), 2, &[1.0, 0.5], &dy, &mut dw, Some(&mut db));
    assert_eq!(db, [11.0, 22.0, 33.0]);
    assert_eq!(dw, [6.0, 12.0, 18.0]);
}
