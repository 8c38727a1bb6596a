//! What a head's weights are chosen to make small, for several heads in one pass over the rows.

use super::rows::{Columns, HeadRows};
use eyespot_kernels::{Threads, linear, softmax};

/// Rows whose derivatives are added in f32, before they are added to others in f64.
const BLOCK: usize = 512;
/// Rows of a part at least, and parts at most, however many threads there are: each holds its own sums.
const PART: usize = 256;
const PARTS: usize = 16;

/// One head that learns: a multinomial logistic regression.
///
/// The weights make small `Σᵢ wᵢ·lossᵢ / Σᵢ wᵢ + λ/2 · ‖W‖²`, scikit-learn's `LogisticRegression` with
/// `λ = 1 / (C · Σᵢ wᵢ)`. The bias isn't penalised. Two classes have one output, as there.
pub(super) struct Problem {
    /// The weight of each row; 0 for one that is held back.
    pub weights: Vec<f32>,
    /// Their sum.
    pub total: f64,
    /// The columns' mean and deviation over the rows that count.
    pub columns: Columns,
    /// λ.
    pub penalty: f64,
}

impl Problem {
    pub fn new(rows: &HeadRows, weights: Vec<f32>) -> Self {
        let total = weights.iter().map(|&w| f64::from(w)).sum();
        // Columns are standardised as images, not as weighed ones.
        let columns = Columns::of(&rows.inputs, rows.length, |row| f64::from(u8::from(weights[row] > 0.0)));
        Self { weights, total, columns, penalty: 0.0 }
    }

    /// The penalty that scikit-learn's `C` stands for.
    pub fn penalise(&mut self, c: f64) {
        self.penalty = 1.0 / (c * self.total.max(f64::MIN_POSITIVE));
    }

    /// Weights and bias for the rows as they are, with the standardisation in them: `W·(x − m)/s + b = W'·x + b'`.
    fn folded(&self, point: &[f64], length: usize, weights: &mut [f32], bias: &mut [f32]) {
        let outputs = bias.len();
        let (w, b) = point.split_at(outputs * length);
        for (o, row) in w.chunks_exact(length).enumerate() {
            let mut shift = b[o];
            for (j, &w) in row.iter().enumerate() {
                let w = w / self.columns.deviation[j];
                weights[o * length + j] = w as f32;
                shift -= w * self.columns.mean[j];
            }
            bias[o] = shift as f32;
        }
    }
}

/// Outputs of a head: two classes need one.
pub(super) fn outputs(classes: usize) -> usize {
    if classes == 2 { 1 } else { classes }
}

/// What one part of the rows adds, and room to compute it.
#[derive(Default)]
struct Sums {
    loss: Vec<f64>,
    weights: Vec<f64>,
    bias: Vec<f64>,
    scores: Vec<f32>,
    slopes: Vec<f32>,
    gradient: Vec<f32>,
}

/// Room for one pass after the other.
#[derive(Default)]
pub(super) struct Room {
    parts: Vec<Sums>,
}

fn zeros<T: Clone + Default>(of: &mut Vec<T>, length: usize) {
    of.clear();
    of.resize(length, T::default());
}

/// Value and gradient (weights outputs × length, then biases) of each problem at its point.
pub(super) fn evaluate(
    threads: &Threads,
    rows: &HeadRows,
    asked: &[(&Problem, &[f64])],
    room: &mut Room,
) -> Vec<(f64, Vec<f64>)> {
    let (length, outputs) = (rows.length, outputs(rows.classes));
    let all = asked.len() * outputs;
    let (weights, bias) = folded(rows, asked);
    // A power of two, which most machines' threads share evenly.
    let parts = (rows.len() / PART).max(1).ilog2().clamp(1, PARTS.ilog2());
    let part = rows.len().div_ceil(1 << parts);
    let block = BLOCK.min(part);
    room.parts.resize_with(rows.len().div_ceil(part), Sums::default);
    threads.chunks(&mut room.parts, 1, |index, sums| {
        let (alone, sums) = (Threads::new(1), &mut sums[0]);
        zeros(&mut sums.loss, asked.len());
        zeros(&mut sums.weights, all * length);
        zeros(&mut sums.bias, all);
        for (of, length) in [
            (&mut sums.scores, block * all),
            (&mut sums.slopes, block * all),
            (&mut sums.gradient, all * length),
        ] {
            of.resize(length, 0.0);
        }
        let end = rows.len().min((index + 1) * part);
        for from in (index * part..end).step_by(block) {
            let count = block.min(end - from);
            let x = &rows.inputs[from * length..(from + count) * length];
            let (scores, slopes) = (&mut sums.scores[..count * all], &mut sums.slopes[..count * all]);
            let gradient = &mut sums.gradient[..all * length];
            linear::forward(&alone, (length, all), count, x, &weights, Some(&bias), scores);
            let labels = &rows.labels[from..from + count];
            match outputs {
                1 => two_classes(asked, from, labels, scores, slopes, &mut sums.loss),
                _ => many_classes(asked, from, labels, scores, slopes, outputs, &mut sums.loss),
            }
            linear::backward_weights(&alone, (length, all), count, x, slopes, gradient, None);
            sums.weights.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += f64::from(*g));
            for row in slopes.chunks_exact(all) {
                sums.bias.iter_mut().zip(row).for_each(|(sum, &g)| *sum += f64::from(g));
            }
        }
    });
    let Some((sums, parts)) = room.parts.split_first_mut() else { return Vec::new() };
    for part in parts {
        let add = |sums: &mut [f64], part: &[f64]| sums.iter_mut().zip(part).for_each(|(s, p)| *s += p);
        add(&mut sums.loss, &part.loss);
        add(&mut sums.weights, &part.weights);
        add(&mut sums.bias, &part.bias);
    }
    let each = outputs * length;
    let finish = |(p, &(problem, point)): (usize, &(&Problem, &[f64]))| {
        let share = 1.0 / problem.total.max(f64::MIN_POSITIVE);
        let mut value = sums.loss[p] * share;
        let bias = &sums.bias[p * outputs..(p + 1) * outputs];
        let mut gradient = Vec::with_capacity(each + outputs);
        let slopes = sums.weights[p * each..(p + 1) * each].chunks_exact(length);
        for ((slopes, bias), w) in slopes.zip(bias).zip(point[..each].chunks_exact(length)) {
            for (j, (slope, &w)) in slopes.iter().zip(w).enumerate() {
                let standardised = (slope - bias * problem.columns.mean[j]) / problem.columns.deviation[j];
                gradient.push(standardised * share + problem.penalty * w);
                value += 0.5 * problem.penalty * w * w;
            }
        }
        gradient.extend(bias.iter().map(|b| b * share));
        (value, gradient)
    };
    asked.iter().enumerate().map(finish).collect()
}

/// All scores of some rows: rows × (problems × outputs).
pub(super) fn scores(threads: &Threads, rows: &HeadRows, asked: &[(&Problem, &[f64])]) -> Vec<f32> {
    let all = asked.len() * outputs(rows.classes);
    let (weights, bias) = folded(rows, asked);
    let mut scores = vec![0.0; rows.len() * all];
    linear::forward(
        threads,
        (rows.length, all),
        rows.len(),
        &rows.inputs,
        &weights,
        Some(&bias),
        &mut scores,
    );
    scores
}

fn folded(rows: &HeadRows, asked: &[(&Problem, &[f64])]) -> (Vec<f32>, Vec<f32>) {
    let (length, outputs) = (rows.length, outputs(rows.classes));
    let mut weights = vec![0.0; asked.len() * outputs * length];
    let mut bias = vec![0.0; asked.len() * outputs];
    let places = weights.chunks_exact_mut(outputs * length).zip(bias.chunks_exact_mut(outputs));
    for ((problem, point), (weights, bias)) in asked.iter().zip(places) {
        problem.folded(point, length, weights, bias);
    }
    (weights, bias)
}

/// Binary cross-entropy of one score, and its derivative.
fn two_classes(
    asked: &[(&Problem, &[f64])],
    from: usize,
    labels: &[u32],
    scores: &[f32],
    slopes: &mut [f32],
    loss: &mut [f64],
) {
    let all = asked.len();
    for (i, (scores, slopes)) in scores.chunks_exact(all).zip(slopes.chunks_exact_mut(all)).enumerate() {
        let target = f64::from(labels[i]);
        for (p, (problem, _)) in asked.iter().enumerate() {
            let weight = f64::from(problem.weights[from + i]);
            if weight == 0.0 {
                slopes[p] = 0.0;
                continue;
            }
            let x = f64::from(scores[p]);
            let e = (-x.abs()).exp();
            loss[p] += weight * (x.max(0.0) - x * target + e.ln_1p());
            let probability = if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
            slopes[p] = (weight * (probability - target)) as f32;
        }
    }
}

/// Cross-entropy of the softmax, and its derivatives.
fn many_classes(
    asked: &[(&Problem, &[f64])],
    from: usize,
    labels: &[u32],
    scores: &[f32],
    slopes: &mut [f32],
    outputs: usize,
    loss: &mut [f64],
) {
    softmax::softmax(&Threads::new(1), outputs, scores, slopes);
    let heads = asked.len();
    for (n, (scores, slopes)) in
        scores.chunks_exact(outputs).zip(slopes.chunks_exact_mut(outputs)).enumerate()
    {
        let (i, p) = (n / heads, n % heads);
        let weight = asked[p].0.weights[from + i];
        if weight == 0.0 {
            slopes.fill(0.0);
            continue;
        }
        let label = labels[i] as usize;
        // The largest score's probability is one over the sum of all exponentials.
        let (mut largest, mut likeliest) = (scores[0], slopes[0]);
        for (&score, &probability) in scores.iter().zip(&*slopes) {
            if score > largest {
                (largest, likeliest) = (score, probability);
            }
        }
        let away = f64::from(largest) - f64::from(scores[label]);
        loss[p] += f64::from(weight) * (away - f64::from(likeliest).ln());
        slopes[label] -= 1.0;
        slopes.iter_mut().for_each(|slope| *slope *= weight);
    }
}
