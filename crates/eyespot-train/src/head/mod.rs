//! A linear head on features, solved: multinomial logistic regression with an L2 penalty whose strength
//! cross-validation chooses.

mod choose;
mod lbfgs;
mod objective;
mod rows;

use crate::TrainError;
pub use choose::{Choice, Unseen};
use eyespot_kernels::Threads;
use lbfgs::Lbfgs;
use objective::{Problem, Room, outputs};
pub use rows::HeadRows;

/// A solution's largest derivative, of the mean loss and penalty by a weight of standardised features.
pub const HEAD_TOLERANCE: f64 = 1e-6;

/// The same where rows × features × classes are more than ten thousand million; in between it grows with them.
pub const LARGE_HEAD_TOLERANCE: f64 = 1e-4;

/// The most numbers that heads computed side by side may have.
const SIDE_BY_SIDE: usize = 1 << 20;

/// What is done about classes of different size.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum HeadBalance {
    /// Each class weighs `(rows / (classes · rows of the class))^power`: 0 nothing, 1 scikit-learn's `"balanced"`.
    Power(f64),
    /// Nothing.
    #[default]
    None,
    /// The power of 0, ½ and 1 with the lowest balanced log loss in the cross-validation.
    Auto,
}

/// How a head is solved.
#[derive(Debug, Clone, Default)]
pub struct HeadSettings {
    /// How much each row counts in learning; 1 where none are given. Rows with 0 are only predicted.
    pub learn: Option<Vec<f32>>,
    /// How much each row counts in the cross-validation's log loss; 1 where none are given.
    pub judge: Option<Vec<f32>>,
    /// The fold that each row is held back in. Rows of one image belong together.
    pub folds: Vec<usize>,
    /// Classes of different size.
    pub balance: HeadBalance,
    /// The inverse strength of the penalty, scikit-learn's `C`; found by cross-validation where it isn't given.
    pub c: Option<f64>,
    /// Whether [`SolvedHead::unseen`] is wanted; it takes long where rows are many.
    pub unseen: bool,
    /// How many threads; 0 for one per core. The result doesn't depend on it.
    pub threads: usize,
}

/// A solved head.
#[derive(Debug, Clone)]
pub struct SolvedHead {
    /// Weights for features as they were before they were standardised: classes × length.
    pub weight: Vec<f32>,
    /// A bias per class.
    pub bias: Vec<f32>,
    /// How the penalty was chosen.
    pub choice: Choice,
    /// What heads say of rows that they never saw, where that was asked for; absent where there are too few rows.
    pub unseen: Option<Unseen>,
    /// The mean log loss over the rows that it learned from.
    pub loss: f64,
    /// The share of them that is right.
    pub accuracy: f64,
    /// How often loss and gradient were computed over the rows, all in all.
    pub evaluations: usize,
}

/// Solves a linear head: standardised features, cross-entropy, L2 penalty on the weights and not on the bias; minimised by
/// L-BFGS until no derivative is greater than [`HEAD_TOLERANCE`] ([`LARGE_HEAD_TOLERANCE`] for very many rows).
///
/// Where no penalty is given, it is chosen by the log loss of a cross-validation over the folds of the settings: from strong
/// to weak, each head beginning with the one before, until the log loss has risen twice; then between the best and its
/// neighbours. In each fold features are standardised by what is learned from alone. Of very many rows only a part is
/// chosen by: the best `C` hardly depends on how many there are.
///
/// The result is the same bits for any number of threads, and nothing in it is random.
///
/// # Errors
/// Settings that don't go with the rows; no row to learn from.
///
/// ```
/// use eyespot_train::{HeadRows, HeadSettings, solve_head};
/// let inputs = vec![0.0, 1.0, 2.0, 8.0, 9.0, 10.0];
/// let rows = HeadRows::new(inputs, 1, vec![0, 0, 0, 1, 1, 1], 2)?;
/// let settings = HeadSettings { folds: vec![0, 1, 2, 0, 1, 2], ..HeadSettings::default() };
/// let head = solve_head(&rows, &settings)?;
/// // The two classes part at 5.
/// let score = |x: f32| (head.weight[1] - head.weight[0]) * x + head.bias[1] - head.bias[0];
/// assert!(score(5.0).abs() < 1e-3 && score(6.0) > 0.0);
/// # Ok::<(), eyespot_train::TrainError>(())
/// ```
pub fn solve_head(rows: &HeadRows, settings: &HeadSettings) -> Result<SolvedHead, TrainError> {
    settings.check(rows)?;
    let threads = Threads::new(settings.threads);
    let learn = settings.learn.clone().unwrap_or_else(|| vec![1.0; rows.len()]);
    let chosen = choose::choose(&threads, rows, &learn, settings)?;
    let problem = problem(rows, choose::class_weights(rows, &learn, chosen.choice.balance), chosen.choice.c);
    let work = rows.len() as f64 * rows.length as f64 * rows.classes as f64;
    let tolerance = (LARGE_HEAD_TOLERANCE * work / 1e10).clamp(HEAD_TOLERANCE, LARGE_HEAD_TOLERANCE);
    let mut searches = vec![begin(rows, &problem, chosen.start, tolerance)];
    let problems = [problem];
    let evaluations = chosen.evaluations + minimise(&threads, rows, &problems, &mut searches);
    let point = searches[0].best();
    let (weight, bias) = unfold(rows, &problems[0], point);
    let scores = choose::two_scores(rows, objective::scores(&threads, rows, &[(&problems[0], point)]));
    let (loss, accuracy) = choose::judge(rows, &scores, &learn);
    let (choice, unseen) = (chosen.choice, chosen.unseen);
    Ok(SolvedHead { weight, bias, choice, unseen, loss, accuracy, evaluations })
}

impl HeadSettings {
    fn check(&self, rows: &HeadRows) -> Result<(), TrainError> {
        let n = rows.len();
        let weights = || self.learn.iter().chain(&self.judge);
        let sound = |w: &f32| w.is_finite() && *w >= 0.0;
        if weights().any(|weights| weights.len() != n)
            || (self.c.is_none() && self.folds.len() != n)
            || !weights().flatten().all(sound)
            || self.c.is_some_and(|c| !(c.is_finite() && c > 0.0))
        {
            return Err(TrainError::Settings(format!(
                "a head of {n} rows takes as many weights (0 or more) and folds, and a penalty above 0"
            )));
        }
        if self.learn.as_ref().is_some_and(|learn| learn.iter().all(|&w| w == 0.0)) {
            return Err(TrainError::Data("there are no images to train on".to_owned()));
        }
        Ok(())
    }
}

fn problem(rows: &HeadRows, weights: Vec<f32>, c: f64) -> Problem {
    let mut problem = Problem::new(rows, weights);
    problem.penalise(c);
    problem
}

/// Where a search begins, and about how far its first step goes.
fn begin(rows: &HeadRows, problem: &Problem, start: Vec<f64>, tolerance: f64) -> Lbfgs {
    let outputs = outputs(rows.classes).max(2) as f64;
    // The curvature of a softmax of equal classes, times what columns have in common.
    let curvature = (1.0 - 1.0 / outputs) / outputs * (1.0 + rows.length as f64 / 8.0);
    Lbfgs::new(start, 1.0 / (curvature + problem.penalty), tolerance)
}

/// Goes on until all searches are done; those that aren't are computed in one pass. How often loss and gradient of one of
/// them were computed.
fn minimise(threads: &Threads, rows: &HeadRows, problems: &[Problem], searches: &mut [Lbfgs]) -> usize {
    let most = (SIDE_BY_SIDE / (outputs(rows.classes) * rows.length)).max(1);
    let (mut evaluations, mut room) = (0, Room::default());
    for (problems, searches) in problems.chunks(most).zip(searches.chunks_mut(most)) {
        loop {
            let mut open: Vec<bool> = searches.iter().map(|search| search.point().is_some()).collect();
            let asked: Vec<_> = problems
                .iter()
                .zip(&*searches)
                .filter_map(|(p, search)| Some((p, search.point()?)))
                .collect();
            if asked.is_empty() {
                break;
            }
            evaluations += asked.len();
            let mut answers = objective::evaluate(threads, rows, &asked, &mut room).into_iter();
            let told = open.iter_mut().zip(searches.iter_mut()).filter(|(open, _)| **open);
            let mut told: Vec<_> =
                told.zip(&mut answers).map(|((_, search), answer)| (search, answer)).collect();
            threads.chunks(&mut told, 1, |_, told| {
                let (search, (value, gradient)) = &mut told[0];
                search.tell(*value, std::mem::take(gradient));
            });
        }
    }
    evaluations
}

/// Weights and biases for features as they were, one output per class.
fn unfold(rows: &HeadRows, problem: &Problem, point: &[f64]) -> (Vec<f32>, Vec<f32>) {
    let (length, outputs) = (rows.length, outputs(rows.classes));
    let (w, b) = point.split_at(outputs * length);
    let (mut weight, mut bias) = (Vec::new(), Vec::new());
    for (row, &b) in w.chunks_exact(length).zip(b) {
        let mut shift = b;
        for (j, &w) in row.iter().enumerate() {
            // Standardised over all rows first, then over those that count.
            let (first, second) = (&rows.columns, &problem.columns);
            let w_here = w / second.deviation[j];
            let w_there = w_here / first.deviation[j];
            shift -= w_here * second.mean[j] + w_there * first.mean[j];
            weight.push(w_there);
        }
        bias.push(shift);
    }
    // One score x stands for −x/2 and x/2.
    if outputs == 1 {
        weight = [-0.5, 0.5].iter().flat_map(|half| weight.iter().map(move |w| half * w)).collect();
        bias = [-0.5, 0.5].iter().map(|half| half * bias[0]).collect();
    }
    let single = |numbers: Vec<f64>| numbers.into_iter().map(|x| x as f32).collect();
    (single(weight), single(bias))
}
