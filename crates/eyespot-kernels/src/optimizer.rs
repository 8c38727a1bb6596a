//! Optimizer updates in one pass over the weights, and the norm of gradients; the rules are `torch.optim`'s.

use crate::vectorised::{self, Kernel};
use crate::{BLOCK, Threads};

/// What all rules share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The learning rate.
    pub learning_rate: f32,
    /// λ, the weight decay.
    pub weight_decay: f32,
    /// Gradients are multiplied by this first; 1 where nothing is clipped.
    pub gradient_scale: f32,
    /// Steps done before this one.
    pub step: u64,
    /// After the step `average ← d·average + (1 − d)·weights`, where an average is given.
    pub ema_decay: f32,
}

/// Stochastic gradient descent's settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// `m`; 0 for none.
    pub momentum: f32,
    /// Whether the step goes along `g + m·v`.
    pub nesterov: bool,
}

/// Adam's and AdamW's settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// Decay of the mean gradient.
    pub beta1: f32,
    /// Decay of the mean squared gradient.
    pub beta2: f32,
    /// Added to the denominator.
    pub eps: f32,
    /// AdamW: weights shrink by `lr·λ` of themselves, and the gradient is left alone. Adam: `λ·w` is added to the
    /// gradient.
    pub decoupled: bool,
}

/// One SGD step: `g ← scale·g + λ·w`, `v ← m·v + g` (the first step: `v ← g`), `w ← w − lr·v`, or with Nesterov
/// `w ← w − lr·(g + m·v)`.
///
/// `velocity` may be empty where the momentum is 0; `average` is empty where no moving average is kept.
///
/// # Panics
/// When a slice has the wrong length.
pub fn sgd(
    threads: &Threads,
    rule: Sgd,
    step: Step,
    gradient: &[f32],
    weights: &mut [f32],
    velocity: &mut [f32],
    average: &mut [f32],
) {
    check(gradient, weights, average);
    let moving = rule.momentum != 0.0;
    assert!(!moving || velocity.len() == weights.len(), "momentum needs a velocity per weight");
    let velocity = if moving { velocity } else { &mut [] };
    threads.chunks_of([weights, velocity, average], BLOCK, |block, [weights, velocity, average]| {
        let gradient = &gradient[block * BLOCK..][..weights.len()];
        vectorised::run(SgdStep { rule, step, gradient, weights: &mut *weights, velocity });
        vectorised::run(Average { decay: step.ema_decay, weights, average });
    });
}

/// One Adam or AdamW step: `m ← β₁·m + (1 − β₁)·g`, `v ← β₂·v + (1 − β₂)·g²`,
/// `w ← w − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + eps)` with `t = step + 1` (Kingma & Ba 2015; Loshchilov & Hutter
/// 2019).
///
/// `mean` (m) and `square` (v) start as zeros; `average` is empty where no moving average is kept.
///
/// # Panics
/// When a slice has the wrong length.
#[allow(clippy::too_many_arguments)] // a weight's whole state
pub fn adam(
    threads: &Threads,
    rule: Adam,
    step: Step,
    gradient: &[f32],
    weights: &mut [f32],
    mean: &mut [f32],
    square: &mut [f32],
    average: &mut [f32],
) {
    check(gradient, weights, average);
    assert!(
        mean.len() == weights.len() && square.len() == weights.len(),
        "Adam keeps two numbers per weight"
    );
    let (beta1, beta2) = (decimal(rule.beta1), decimal(rule.beta2));
    let (rate, t) = (f64::from(step.learning_rate), step.step as f64 + 1.0);
    let decay = f64::from(step.weight_decay);
    let constants = AdamConstants {
        gradient_scale: step.gradient_scale,
        gradient_decay: if rule.decoupled { 0.0 } else { step.weight_decay },
        shrink: if rule.decoupled { (1.0 - rate * decay) as f32 } else { 1.0 },
        beta2: beta2 as f32,
        one_minus_beta1: (1.0 - beta1) as f32,
        one_minus_beta2: (1.0 - beta2) as f32,
        step_size: (rate / (1.0 - beta1.powf(t))) as f32,
        root_correction: (1.0 - beta2.powf(t)).sqrt() as f32,
        eps: rule.eps,
    };
    threads.chunks_of([weights, mean, square, average], BLOCK, |block, [weights, mean, square, average]| {
        let gradient = &gradient[block * BLOCK..][..weights.len()];
        vectorised::run(AdamStep { constants, gradient, weights: &mut *weights, mean, square });
        vectorised::run(Average { decay: step.ema_decay, weights, average });
    });
}

/// `Σ g²`, the same for any number of threads.
pub fn squared_norm(threads: &Threads, gradient: &[f32]) -> f64 {
    // A fixed number of parts at most, so that their sums need no memory of their own.
    let mut parts = [0.0f64; 64];
    let part = gradient.len().div_ceil(parts.len()).max(BLOCK);
    let count = gradient.len().div_ceil(part);
    threads.chunks(&mut parts[..count], 1, |index, sum| {
        let from = index * part;
        let gradient = &gradient[from..gradient.len().min(from + part)];
        vectorised::run(SquaredNorm { gradient, sum: &mut sum[0] });
    });
    parts[..count].iter().sum()
}

fn check(gradient: &[f32], weights: &[f32], average: &[f32]) {
    assert_eq!(gradient.len(), weights.len(), "a gradient per weight");
    assert!(average.is_empty() || average.len() == weights.len(), "an average per weight, or none");
}

/// The decimal number a setting was written as: `1 − β₂` of the nearest `f32` to 0.999 is off by one part in 80,000.
fn decimal(x: f32) -> f64 {
    (f64::from(x) * 1e7).round() / 1e7
}

struct SgdStep<'a> {
    rule: Sgd,
    step: Step,
    gradient: &'a [f32],
    weights: &'a mut [f32],
    velocity: &'a mut [f32],
}

impl Kernel for SgdStep<'_> {
    #[inline(always)]
    fn run(self) {
        let SgdStep { rule: Sgd { momentum, nesterov }, step, gradient, weights, velocity } = self;
        let Step { learning_rate, weight_decay, gradient_scale, .. } = step;
        if velocity.is_empty() {
            for (w, &g) in weights.iter_mut().zip(gradient) {
                let g = g * gradient_scale + weight_decay * *w;
                *w -= learning_rate * g;
            }
            return;
        }
        let all = weights.iter_mut().zip(velocity).zip(gradient);
        // The velocity before the first step counts as absent, whatever stands there.
        let first = step.step == 0;
        for ((w, v), &g) in all {
            let g = g * gradient_scale + weight_decay * *w;
            let now = if first { g } else { momentum * *v + g };
            *v = now;
            *w -= learning_rate * if nesterov { g + momentum * now } else { now };
        }
    }
}

#[derive(Clone, Copy)]
struct AdamConstants {
    gradient_scale: f32,
    gradient_decay: f32,
    shrink: f32,
    beta2: f32,
    one_minus_beta1: f32,
    one_minus_beta2: f32,
    step_size: f32,
    root_correction: f32,
    eps: f32,
}

struct AdamStep<'a> {
    constants: AdamConstants,
    gradient: &'a [f32],
    weights: &'a mut [f32],
    mean: &'a mut [f32],
    square: &'a mut [f32],
}

impl Kernel for AdamStep<'_> {
    #[inline(always)]
    fn run(self) {
        let AdamStep { constants: k, gradient, weights, mean, square } = self;
        for (((w, m), v), &g) in weights.iter_mut().zip(mean).zip(square).zip(gradient) {
            let g = g * k.gradient_scale + k.gradient_decay * *w;
            *m += k.one_minus_beta1 * (g - *m);
            *v = *v * k.beta2 + k.one_minus_beta2 * g * g;
            *w = *w * k.shrink - k.step_size * (*m / (v.sqrt() / k.root_correction + k.eps));
        }
    }
}

struct Average<'a> {
    decay: f32,
    weights: &'a [f32],
    average: &'a mut [f32],
}

impl Kernel for Average<'_> {
    #[inline(always)]
    fn run(self) {
        for (average, &w) in self.average.iter_mut().zip(self.weights) {
            *average = self.decay * *average + (1.0 - self.decay) * w;
        }
    }
}

struct SquaredNorm<'a> {
    gradient: &'a [f32],
    sum: &'a mut f64,
}

impl Kernel for SquaredNorm<'_> {
    #[inline(always)]
    fn run(self) {
        let mut sums = [0.0f64; 16];
        let (whole, rest) = self.gradient.as_chunks::<16>();
        for g in whole {
            for i in 0..16 {
                sums[i] += f64::from(g[i]) * f64::from(g[i]);
            }
        }
        *self.sum = sums.iter().sum::<f64>() + rest.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>();
    }
}
