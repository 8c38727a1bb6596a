//! Choosing the strength of the penalty, and the weights of classes, by cross-validation.

use super::lbfgs::Lbfgs;
use super::objective::{self, Problem, outputs};
use super::rows::HeadRows;
use super::{HeadBalance, HeadSettings, begin, minimise};
use crate::TrainError;
use eyespot_kernels::Threads;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Heads on the way to a choice are as exact as this.
const TOLERANCE: f64 = 3e-4;
/// Multiply-adds of one pass over what is chosen by, at most: some 3,000 rows of 1,280 numbers and 100 classes.
const WORK: usize = 400_000_000;
/// The strongest penalty, as the logarithm of C to base 10, and how many there are, powers of ten apart.
const STRONGEST: f64 = -5.0;
const PENALTIES: usize = 11;
/// C where nothing can be chosen by.
const USUAL: f64 = 0.01;
/// The powers that are tried for classes of different size.
const POWERS: [f64; 3] = [0.0, 0.5, 1.0];

/// Heads of one penalty.
struct Tried {
    log_c: f64,
    loss: f64,
    points: Vec<Vec<f64>>,
}

fn lowest(path: &[Tried]) -> usize {
    (1..path.len()).fold(0, |best, place| if path[place].loss < path[best].loss { place } else { best })
}

/// Where a parabola through three points, the second of which is the lowest, has its lowest point.
fn lowest_between([(x0, y0), (x1, y1), (x2, y2)]: [(f64, f64); 3]) -> f64 {
    let (left, right) = ((x1 - x0) * (y1 - y2), (x1 - x2) * (y1 - y0));
    let below = 2.0 * (left - right);
    if below.abs() < 1e-12 {
        return x1;
    }
    (x1 - ((x1 - x0) * left - (x1 - x2) * right) / below).clamp(x0, x2)
}

/// How a head was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The inverse strength of the penalty, scikit-learn's `C`.
    pub c: f64,
    /// The log loss of the cross-validation with it: balanced over the classes where they are balanced; absent where the
    /// penalty was given or nothing could be chosen by.
    pub log_loss: Option<f64>,
    /// How many folds the cross-validation had; 0 without one.
    pub folds: usize,
    /// The power of the classes' weights, see [`HeadBalance`].
    pub balance: f64,
    /// What was tried: power, C and log loss.
    pub tried: Vec<(f64, f64, f64)>,
}

/// What heads say of rows that they never saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Unseen {
    /// Scores: rows × classes.
    pub scores: Vec<f32>,
}

/// A choice, and where the final search begins.
pub(super) struct Chosen {
    pub choice: Choice,
    pub unseen: Option<Unseen>,
    pub start: Vec<f64>,
    pub evaluations: usize,
}

/// The weight of each row, times that of its class.
pub(super) fn class_weights(rows: &HeadRows, learn: &[f32], power: f64) -> Vec<f32> {
    if power == 0.0 {
        return learn.to_vec();
    }
    let mut sizes = vec![0.0; rows.classes];
    rows.labels.iter().zip(learn).for_each(|(&label, &w)| sizes[label as usize] += f64::from(w));
    let all: f64 = sizes.iter().sum();
    let weight = |label: u32| (all / (rows.classes as f64 * sizes[label as usize])).powf(power);
    rows.labels
        .iter()
        .zip(learn)
        .map(|(&label, &w)| if w > 0.0 { (weight(label) * f64::from(w)) as f32 } else { 0.0 })
        .collect()
}

pub(super) fn choose(
    threads: &Threads,
    rows: &HeadRows,
    learn: &[f32],
    settings: &HeadSettings,
) -> Result<Chosen, TrainError> {
    let powers = match settings.balance {
        HeadBalance::None => vec![0.0],
        HeadBalance::Power(power) => vec![power],
        HeadBalance::Auto => POWERS.to_vec(),
    };
    let without = |c: f64| Chosen {
        choice: Choice { c, log_loss: None, folds: 0, balance: powers[0], tried: Vec::new() },
        unseen: None,
        start: origin(rows, learn),
        evaluations: 0,
    };
    if let Some(c) = settings.c {
        return Ok(without(c));
    }
    let count = settings.folds.iter().max().map_or(0, |most| most + 1);
    let judge = judges(rows, learn, settings, count);
    if count < 2 || judge.iter().all(|&w| w == 0.0) {
        return Ok(without(USUAL));
    }
    let part = Part::of(rows, learn, &settings.folds, &judge);
    let folds = (WORK / (part.rows.len() * rows.length * outputs(rows.classes))).clamp(1, count);
    let mut best: Option<(f64, Folds<'_>, f64, f64)> = None;
    let (mut tried, mut evaluations) = (Vec::new(), 0);
    for &power in &powers {
        let weights = class_weights(&part.rows, &part.learn, power);
        let mut heads = Folds::new(threads, &part.rows, &weights, &part.folds, folds, &part.judge);
        let (c, loss) = heads.walk(power, &mut tried);
        evaluations += heads.evaluations;
        if best.as_ref().is_none_or(|(least, ..)| loss < *least) {
            best = Some((loss, heads, power, c));
        }
    }
    let Some((mut loss, heads, balance, c)) = best else { return Ok(without(USUAL)) };
    let start = heads.mean();
    let mut unseen = None;
    if settings.unseen {
        unseen = Some(match part.rows.len() == rows.len() && folds == count {
            true => heads.unseen(),
            false => {
                let weights = class_weights(rows, learn, balance);
                let mut heads = Folds::new(threads, rows, &weights, &settings.folds, count, &judge);
                heads.set(&vec![start.clone(); count], c);
                evaluations += heads.evaluations;
                loss = heads.loss();
                heads.unseen()
            }
        });
    }
    let choice = Choice { c, log_loss: Some(loss), folds, balance, tried };
    Ok(Chosen { choice, unseen: unseen.map(|scores| Unseen { scores }), start, evaluations })
}

/// The rows that are chosen by: all, or where they are very many one of n of each class.
struct Part<'a> {
    rows: Cow<'a, HeadRows>,
    learn: Vec<f32>,
    folds: Vec<usize>,
    judge: Vec<f32>,
}

impl<'a> Part<'a> {
    fn of(rows: &'a HeadRows, learn: &[f32], folds: &[usize], judge: &[f32]) -> Self {
        let most = WORK / (rows.length * outputs(rows.classes));
        let each = rows.len().div_ceil(most.max(1));
        if each < 2 {
            let (learn, folds, judge) = (learn.to_vec(), folds.to_vec(), judge.to_vec());
            return Self { rows: Cow::Borrowed(rows), learn, folds, judge };
        }
        // Scattered, for every n-th may always be of the same fold.
        let mut seen = vec![0u64; rows.classes];
        let taken = |row: &usize| {
            let seen = &mut seen[rows.labels[*row] as usize];
            *seen += 1;
            let scattered = seen.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
            *seen <= 2 || scattered.is_multiple_of(each as u64)
        };
        let taken: Vec<usize> = (0..rows.len()).filter(taken).collect();
        let inputs = taken.iter().flat_map(|row| &rows.inputs[row * rows.length..][..rows.length]);
        let some = HeadRows {
            inputs: inputs.copied().collect(),
            labels: taken.iter().map(|&row| rows.labels[row]).collect(),
            length: rows.length,
            classes: rows.classes,
            columns: rows.columns.clone(),
        };
        let pick = |numbers: &[f32]| taken.iter().map(|&row| numbers[row]).collect();
        let folds = taken.iter().map(|&row| folds[row]).collect();
        Self { rows: Cow::Owned(some), learn: pick(learn), folds, judge: pick(judge) }
    }
}

/// How much each row counts in the log loss: nothing where its class has no other row to learn from, which would say
/// nothing about the penalty. Where classes are balanced, each counts the same.
fn judges(rows: &HeadRows, learn: &[f32], settings: &HeadSettings, count: usize) -> Vec<f32> {
    let mut learned = vec![vec![false; rows.classes]; count];
    for ((&label, &fold), _) in rows.labels.iter().zip(&settings.folds).zip(learn).filter(|(_, w)| **w > 0.0)
    {
        for (other, learned) in learned.iter_mut().enumerate() {
            learned[label as usize] |= other != fold;
        }
    }
    let given = |row: usize| settings.judge.as_ref().map_or(1.0, |judge| judge[row]);
    let known = |row: usize| learned[settings.folds[row]][rows.labels[row] as usize];
    let judge: Vec<f32> = (0..rows.len()).map(|row| if known(row) { given(row) } else { 0.0 }).collect();
    match settings.balance {
        HeadBalance::None => judge,
        HeadBalance::Power(_) | HeadBalance::Auto => class_weights(rows, &judge, 1.0),
    }
}

/// A start that knows how often each class comes, and nothing else.
fn origin(rows: &HeadRows, weights: &[f32]) -> Vec<f64> {
    let mut sizes = vec![0.0f64; rows.classes];
    rows.labels.iter().zip(weights).for_each(|(&label, &w)| sizes[label as usize] += f64::from(w));
    let all: f64 = sizes.iter().sum();
    let log = |size: f64| (size / all).max(1e-3).ln();
    let outputs = outputs(rows.classes);
    let mut point = vec![0.0; outputs * rows.length];
    match outputs {
        1 => point.push(log(sizes[1]) - log(sizes[0])),
        _ => point.extend(sizes.into_iter().map(log)),
    }
    point
}

/// The heads of a cross-validation, on their way from strong penalties to weak ones.
struct Folds<'a> {
    threads: &'a Threads,
    rows: &'a HeadRows,
    fold_of: &'a [usize],
    judge: &'a [f32],
    problems: Vec<Problem>,
    searches: Vec<Lbfgs>,
    evaluations: usize,
}

impl<'a> Folds<'a> {
    fn new(
        threads: &'a Threads,
        rows: &'a HeadRows,
        weights: &[f32],
        fold_of: &'a [usize],
        count: usize,
        judge: &'a [f32],
    ) -> Self {
        let held_back = |index: usize| -> Vec<f32> {
            weights.iter().zip(fold_of).map(|(&w, &fold)| if fold == index { 0.0 } else { w }).collect()
        };
        let problems: Vec<Problem> = (0..count).map(|index| Problem::new(rows, held_back(index))).collect();
        let searches = problems
            .iter()
            .map(|problem| begin(rows, problem, origin(rows, &problem.weights), TOLERANCE))
            .collect();
        Self { threads, rows, fold_of, judge, problems, searches, evaluations: 0 }
    }

    /// Solves all heads with this penalty.
    fn solve(&mut self, c: f64) {
        let penalised = outputs(self.rows.classes) * self.rows.length;
        for (problem, search) in self.problems.iter_mut().zip(&mut self.searches) {
            let before = problem.penalty;
            problem.penalise(c);
            search.go_on(problem.penalty - before, penalised);
        }
        self.evaluations += minimise(self.threads, self.rows, &self.problems, &mut self.searches);
    }

    /// The penalty with the lowest log loss, and that; the heads are then those of it.
    ///
    /// From strong to weak by powers of ten until the log loss rises; then half a power to both sides of the best; then the
    /// lowest point of a parabola through the best and its neighbours.
    fn walk(&mut self, power: f64, tried: &mut Vec<(f64, f64, f64)>) -> (f64, f64) {
        let mut path: Vec<Tried> = Vec::new();
        for place in 0..PENALTIES {
            let log_c = STRONGEST + place as f64;
            self.solve(10f64.powf(log_c));
            let here = self.here(log_c);
            let rises = path.last().is_some_and(|before| here.loss > before.loss);
            path.push(here);
            if rises {
                break;
            }
        }
        let mut best = lowest(&path);
        for side in [path[best].log_c - 0.5, path[best].log_c + 0.5] {
            self.set(&path[best].points.clone(), 10f64.powf(side));
            path.push(self.here(side));
        }
        path.sort_by(|a, b| a.log_c.total_cmp(&b.log_c));
        best = lowest(&path);
        let mut log_c = path[best].log_c;
        if best > 0 && best + 1 < path.len() {
            let (before, after) = (&path[best - 1], &path[best + 1]);
            log_c = lowest_between([before, &path[best], after].map(|tried| (tried.log_c, tried.loss)));
        }
        self.set(&path[best].points.clone(), 10f64.powf(log_c));
        path.push(self.here(log_c));
        tried.extend(path.iter().map(|at| (power, 10f64.powf(at.log_c), at.loss)));
        // Of points that hardly differ the exact one counts.
        let end = &path[path.len() - 1];
        if end.loss > path[best].loss + 1e-3 * path[best].loss.abs() {
            log_c = path[best].log_c;
            self.set(&path[best].points.clone(), 10f64.powf(log_c));
        }
        (10f64.powf(log_c), self.loss())
    }

    /// What the heads are now.
    fn here(&self, log_c: f64) -> Tried {
        Tried { log_c, loss: self.loss(), points: self.points() }
    }

    fn points(&self) -> Vec<Vec<f64>> {
        self.searches.iter().map(|search| search.best().to_vec()).collect()
    }

    /// Solves all heads with this penalty, from these points.
    fn set(&mut self, points: &[Vec<f64>], c: f64) {
        for ((problem, search), point) in self.problems.iter_mut().zip(&mut self.searches).zip(points) {
            problem.penalise(c);
            *search = begin(self.rows, problem, point.clone(), TOLERANCE);
        }
        self.evaluations += minimise(self.threads, self.rows, &self.problems, &mut self.searches);
    }

    /// The mean log loss over the rows that are held back.
    fn loss(&self) -> f64 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (index, (problem, search)) in self.problems.iter().zip(&self.searches).enumerate() {
            let scores = objective::scores(self.threads, self.rows, &[(problem, search.best())]);
            let scores = two_scores(self.rows, scores);
            let own = |row: usize| if self.fold_of[row] == index { self.judge[row] } else { 0.0 };
            for (row, scores) in scores.chunks_exact(self.rows.classes).enumerate() {
                let weight = f64::from(own(row));
                if weight > 0.0 {
                    sum += weight * log_loss(scores, self.rows.labels[row] as usize);
                    weights += weight;
                }
            }
        }
        sum / f64::max(weights, f64::MIN_POSITIVE)
    }

    /// Of each row the scores of the head that it was held back from.
    fn unseen(&self) -> Vec<f32> {
        let classes = self.rows.classes;
        let mut unseen = vec![0.0; self.rows.len() * classes];
        for (index, (problem, point)) in self.problems.iter().zip(self.points()).enumerate() {
            let scores =
                two_scores(self.rows, objective::scores(self.threads, self.rows, &[(problem, &point[..])]));
            let places = unseen.chunks_exact_mut(classes).zip(scores.chunks_exact(classes)).zip(self.fold_of);
            for ((place, scores), _) in places.filter(|(_, fold)| **fold == index) {
                place.copy_from_slice(scores);
            }
        }
        unseen
    }

    /// The mean of all heads, near the one that learns from all rows.
    fn mean(&self) -> Vec<f64> {
        let points = self.points();
        let mut mean = vec![0.0; points[0].len()];
        for point in &points {
            mean.iter_mut().zip(point).for_each(|(m, x)| *m += x / points.len() as f64);
        }
        mean
    }
}

/// One score x of two classes stands for −x/2 and x/2.
pub(super) fn two_scores(rows: &HeadRows, scores: Vec<f32>) -> Vec<f32> {
    match rows.classes {
        2 => scores.into_iter().flat_map(|x| [-0.5 * x, 0.5 * x]).collect(),
        _ => scores,
    }
}

/// Mean log loss and share of right ones.
pub(super) fn judge(rows: &HeadRows, scores: &[f32], weights: &[f32]) -> (f64, f64) {
    let (mut loss, mut right, mut all) = (0.0, 0.0, 0.0);
    let scores = scores.chunks_exact(rows.classes).zip(&rows.labels).zip(weights);
    for ((scores, &label), &weight) in scores.filter(|(_, w)| **w > 0.0) {
        let (weight, label) = (f64::from(weight), label as usize);
        all += weight;
        loss += weight * log_loss(scores, label);
        let better = |(class, &score): (usize, &f32)| {
            score > scores[label] || (score == scores[label] && class < label)
        };
        right += if scores.iter().enumerate().any(better) { 0.0 } else { weight };
    }
    (loss / all, right / all)
}

/// `−log softmax(scores)[label]`.
fn log_loss(scores: &[f32], label: usize) -> f64 {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = scores.iter().map(|&x| f64::from(x - largest).exp()).sum();
    f64::from(largest) - f64::from(scores[label]) + sum.ln()
}
