//! Optimizers over several steps.

use crate::case::{Case, Outputs, times};
use eyespot_kernels::Threads;
use eyespot_kernels::optimizer::{self, Adam, Sgd, Step};

/// The weights after each step and their moving average, where `update(step, gradient, weights, average)` is one step.
fn steps(case: &Case, mut update: impl FnMut(Step, &[f32], &mut [f32], &mut [f32])) -> Outputs {
    let mut weights = case.numbers("w", 100);
    let mut average = weights.clone();
    let mut outputs = vec![];
    for step in 0..case.size("steps") {
        let gradient = case.numbers(&format!("g{step}"), weights.len());
        let settings = Step {
            learning_rate: case.number("lr").unwrap(),
            weight_decay: case.number("weight_decay").unwrap_or(0.0),
            gradient_scale: case.number("scale").unwrap(),
            step: step as u64,
            ema_decay: case.number("ema").unwrap(),
        };
        update(settings, &gradient, &mut weights, &mut average);
        outputs.push((format!("w{step}"), weights.clone()));
    }
    outputs.push(("average".to_owned(), average));
    outputs
}

pub fn sgd(threads: &Threads, case: &Case) -> Outputs {
    let rule = Sgd { momentum: case.number("momentum").unwrap_or(0.0), nesterov: case.flag("nesterov") };
    // What stands in the velocity before the first step must not matter.
    let mut velocity = times(1e9, &case.numbers("w", 100));
    steps(case, |step, gradient, weights, average| {
        optimizer::sgd(threads, rule, step, gradient, weights, &mut velocity, average);
    })
}

pub fn adam(threads: &Threads, case: &Case) -> Outputs {
    let (beta1, beta2) = case.betas().unwrap_or((0.9, 0.999));
    let eps = case.number("eps").unwrap_or(1e-8);
    let rule = Adam { beta1, beta2, eps, decoupled: case.op() == "adamw" };
    let (mut mean, mut square) = (vec![0.0; 100], vec![0.0; 100]);
    steps(case, |step, gradient, weights, average| {
        optimizer::adam(threads, rule, step, gradient, weights, &mut mean, &mut square, average);
    })
}
