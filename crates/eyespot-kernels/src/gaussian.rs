//! Gaussian (radial-basis) units: `y[k] = −½ Σ_i (x[i] − w[k, i])²` (LeCun et al. 1998, eq. 7, with the sign turned).

use crate::{Threads, check};

/// Scores of `images` vectors `x` (images × inputs) under the centres `w` (units × inputs); `y` is images × units.
pub fn forward(threads: &Threads, inputs: usize, x: &[f32], w: &[f32], y: &mut [f32]) {
    let units = check(inputs, x, w, y.len());
    if y.is_empty() {
        return;
    }
    threads.chunks(y, units, |image, y| {
        let x = &x[image * inputs..][..inputs];
        for (y, w) in y.iter_mut().zip(w.chunks_exact(inputs)) {
            let squares = |(&x, &w): (&f32, &f32)| f64::from(x - w) * f64::from(x - w);
            *y = (-0.5 * x.iter().zip(w).map(squares).sum::<f64>()) as f32;
        }
    });
}

/// The number of units, where the sizes go together.
fn check(inputs: usize, x: &[f32], w: &[f32], y: usize) -> usize {
    assert!(inputs > 0, "Gaussian units without inputs");
    let (images, units) =
        (check::pieces("inputs", x.len(), inputs), check::pieces("centres", w.len(), inputs));
    check::exactly("a number for each image and unit", y, check::product([images, units]));
    units
}

/// The gradient at the input: `dx[i] = −Σ_k dy[k] · (x[i] − w[k, i])`.
pub fn backward_input(threads: &Threads, inputs: usize, x: &[f32], w: &[f32], dy: &[f32], dx: &mut [f32]) {
    let units = check(inputs, x, w, dy.len());
    check::exactly("the input's gradient", dx.len(), x.len());
    threads.chunks(dx, inputs, |image, dx| {
        let (x, dy) = (&x[image * inputs..][..inputs], &dy[image * units..][..units]);
        dx.fill(0.0);
        for (&dy, w) in dy.iter().zip(w.chunks_exact(inputs)) {
            for ((dx, &x), &w) in dx.iter_mut().zip(x).zip(w) {
                *dx -= dy * (x - w);
            }
        }
    });
}

/// The gradient at the centres: `dw[k, i] = Σ_n dy[n, k] · (x[n, i] − w[k, i])`.
pub fn backward_weights(threads: &Threads, inputs: usize, x: &[f32], w: &[f32], dy: &[f32], dw: &mut [f32]) {
    let units = check(inputs, x, w, dy.len());
    check::exactly("the centres' gradient", dw.len(), w.len());
    threads.chunks(dw, inputs, |unit, dw| {
        let w = &w[unit * inputs..][..inputs];
        dw.fill(0.0);
        for (x, dy) in x.chunks_exact(inputs).zip(dy.chunks_exact(units)) {
            for ((dw, &x), &w) in dw.iter_mut().zip(x).zip(w) {
                *dw += dy[unit] * (x - w);
            }
        }
    });
}
