//! How long solving a head takes: `cargo bench -p eyespot-train --bench heads [-- ROWS LENGTH CLASSES]`.

use eyespot_train::{HeadRows, HeadSettings, solve_head};
use std::time::Instant;

/// Dimensions that tell the classes apart.
const HIDDEN: usize = 32;

fn main() {
    let given: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let sizes = match given[..] {
        [rows, length, classes] => vec![[rows, length, classes]],
        _ => vec![[1_000, 512, 5], [600, 512, 10], [1_000, 2_048, 10], [100_000, 1_280, 100]],
    };
    for [rows, length, classes] in sizes {
        // Heaps in a space of few dimensions that all columns look at, as features of a network do.
        let mut state = 1u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        let centres: Vec<[f32; HIDDEN]> = (0..classes).map(|_| std::array::from_fn(|_| noise())).collect();
        let views: Vec<[f32; HIDDEN]> = (0..length).map(|_| std::array::from_fn(|_| noise())).collect();
        let mut inputs = Vec::with_capacity(rows * length);
        for row in 0..rows {
            let hidden: [f32; HIDDEN] = std::array::from_fn(|i| centres[row % classes][i] + 0.8 * noise());
            for view in &views {
                let seen: f32 = view.iter().zip(&hidden).map(|(v, h)| v * h).sum();
                inputs.push((seen + 0.3 * noise()).max(0.0));
            }
        }
        let labels: Vec<u32> = (0..rows).map(|row| (row % classes) as u32).collect();
        let began = Instant::now();
        let rows = HeadRows::new(inputs, length, labels, classes).expect("rows");
        let standardised = began.elapsed().as_secs_f64();
        let folds = (0..rows.len()).map(|row| row / classes % 5).collect();
        let head = solve_head(&rows, &HeadSettings { folds, ..HeadSettings::default() }).expect("is solved");
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "{} rows x {length}, {classes} classes: {seconds:.3} s ({standardised:.3} s to standardise), C = {:.3e}, \
             {} passes, log loss {:.4}, accuracy {:.4}",
            rows.len(),
            head.choice.c,
            head.evaluations,
            head.choice.log_loss.unwrap_or(f64::NAN),
            head.accuracy,
        );
    }
}
