//! Solved heads against scikit-learn (scripts/reference/heads.py) and first principles.

use eyespot_train::{HeadBalance, HeadRows, HeadSettings, Loss, SolvedHead, solve_head};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    length: usize,
    classes: usize,
    c: f64,
    balanced: bool,
    inputs: Vec<f32>,
    labels: Vec<u32>,
    learn: Option<Vec<f32>>,
    probabilities: Vec<f32>,
    fold_log_loss: f64,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("data/heads.json")).expect("the reference numbers are JSON")
}

impl Case {
    fn rows(&self) -> HeadRows {
        HeadRows::new(self.inputs.clone(), self.length, self.labels.clone(), self.classes).expect("rows")
    }

    fn settings(&self) -> HeadSettings {
        let balance = if self.balanced { HeadBalance::Power(1.0) } else { HeadBalance::None };
        let folds = (0..self.labels.len()).map(|row| row % 4).collect();
        HeadSettings { learn: self.learn.clone(), balance, folds, unseen: true, ..HeadSettings::default() }
    }
}

/// Scores of features as they are, in f64.
fn scores(head: &SolvedHead, row: &[f32]) -> Vec<f32> {
    let weights = head.weight.chunks_exact(row.len()).zip(&head.bias);
    let score = |(weights, &bias): (&[f32], &f32)| {
        let sum: f64 = weights.iter().zip(row).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum();
        (sum + f64::from(bias)) as f32
    };
    weights.map(score).collect()
}

fn probabilities(head: &SolvedHead, inputs: &[f32], length: usize) -> Vec<f32> {
    inputs
        .chunks_exact(length)
        .flat_map(|row| Loss::CROSS_ENTROPY.probabilities(&scores(head, row)))
        .collect()
}

#[test]
fn probabilities_are_scikit_learns() {
    for (number, case) in cases().iter().enumerate() {
        let settings = HeadSettings { c: Some(case.c), ..case.settings() };
        let head = solve_head(&case.rows(), &settings).expect("is solved");
        let own = probabilities(&head, &case.inputs, case.length);
        let off = own.iter().zip(&case.probabilities).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-4, "case {number}: {off}");
        assert!(head.unseen.is_none() && head.choice.folds == 0);
    }
}

/// The log loss of the cross-validation is scikit-learn's at the same penalty: each fold is standardised by itself, and
/// rows that are held back leave no trace.
#[test]
fn the_log_loss_of_the_folds_is_scikit_learns() {
    for (number, case) in cases().iter().enumerate().filter(|(_, case)| !case.balanced) {
        let head = solve_head(&case.rows(), &case.settings()).expect("is solved");
        let log = case.c.log10();
        // Between two penalties of the path the loss lies between theirs, or where there is one, is the same.
        let near = head.choice.tried.iter().filter(|(_, c, _)| (c.log10() - log).abs() < 1e-9);
        for (_, _, loss) in near {
            assert!((loss - case.fold_log_loss).abs() < 1e-3, "case {number}: {loss} {}", case.fold_log_loss);
        }
        let least = head.choice.log_loss.expect("was measured");
        assert!(least < case.fold_log_loss + 1e-4, "case {number}: {least} {}", case.fold_log_loss);
        assert!(head.choice.tried.iter().all(|(_, _, loss)| *loss >= least * (1.0 - 2e-3)), "case {number}");
    }
}

/// Rows that can be told apart by a number of their own: whoever saw a row's label knows it.
#[test]
fn rows_held_back_are_never_seen() {
    let n = 60;
    let length = n + 2;
    let mut inputs = vec![0.0; n * length];
    let mut labels = Vec::new();
    for row in 0..n {
        inputs[row * length + row] = 1.0;
        let chance = (row * 7919 % 104_729) as f32 / 104_729.0;
        inputs[row * length + n] = chance;
        labels.push(((row * row + row / 3) % 2) as u32);
        // The leak that a test must find: the label itself.
        inputs[row * length + n + 1] = 0.0;
    }
    let folds: Vec<usize> = (0..n).map(|row| row % 5).collect();
    let settings = HeadSettings { folds, unseen: true, ..HeadSettings::default() };
    let rate = |inputs: Vec<f32>| {
        let rows = HeadRows::new(inputs, length, labels.clone(), 2).expect("rows");
        let head = solve_head(&rows, &settings).expect("is solved");
        let unseen = head.unseen.expect("was measured").scores;
        let right =
            unseen.chunks_exact(2).zip(&labels).filter(|(s, l)| u32::from(s[1] > s[0]) == **l).count();
        (right as f64 / n as f64, head.choice.log_loss.expect("was measured"))
    };
    let (accuracy, loss) = rate(inputs.clone());
    assert!(accuracy < 0.75 && loss > 0.6, "{accuracy} {loss}");
    for row in 0..n {
        inputs[row * length + n + 1] = labels[row] as f32;
    }
    let (accuracy, loss) = rate(inputs);
    assert!(accuracy == 1.0 && loss < 0.1, "{accuracy} {loss}");
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (rows, length, classes) = (700, 33, 5);
    let number = |i: usize| ((i * 2_654_435_761) % 1_000_003) as f32 / 1_000_003.0;
    let labels: Vec<u32> = (0..rows).map(|row| (row % classes) as u32).collect();
    let inputs = (0..rows * length).map(|i| number(i) + labels[i / length] as f32 * 0.05).collect();
    let rows = HeadRows::new(inputs, length, labels, classes).expect("rows");
    let solve = |threads| {
        let folds = (0..rows.len()).map(|row| row / 5 % 5).collect();
        solve_head(&rows, &HeadSettings { folds, threads, unseen: true, ..HeadSettings::default() })
            .expect("is solved")
    };
    let (one, three) = (solve(1), solve(3));
    assert_eq!(one.weight, three.weight);
    assert_eq!(one.bias, three.bias);
    assert_eq!(one.choice, three.choice);
    assert_eq!(one.unseen, three.unseen);
}

/// Of 95 and 5 rows the rare class is found more often where classes are balanced, and the balanced log loss says so.
#[test]
fn balance_is_chosen_by_the_balanced_log_loss() {
    let n = 400;
    let noise =
        |i: usize| (0..6).map(|k| ((i * 7919 + k * 104_729) % 1009) as f32 / 1009.0 - 0.5).sum::<f32>();
    let labels: Vec<u32> = (0..n).map(|row| u32::from(row % 20 == 0)).collect();
    let inputs = (0..n).map(|row| noise(row) + labels[row] as f32).collect();
    let rows = HeadRows::new(inputs, 1, labels.clone(), 2).expect("rows");
    let folds: Vec<usize> = (0..n).map(|row| row / 20 % 5).collect();
    let solve = |balance| {
        let settings =
            HeadSettings { folds: folds.clone(), balance, unseen: true, ..HeadSettings::default() };
        solve_head(&rows, &settings).expect("is solved")
    };
    let found = |head: &SolvedHead| {
        let unseen = &head.unseen.as_ref().expect("was measured").scores;
        unseen.chunks_exact(2).zip(&labels).filter(|(s, l)| **l == 1 && s[1] > s[0]).count()
    };
    let (plain, auto) = (solve(HeadBalance::None), solve(HeadBalance::Auto));
    assert!(auto.choice.balance > 0.0 && auto.choice.tried.iter().any(|(power, ..)| *power == 0.0));
    assert!(found(&auto) > found(&plain) + 3, "{} {}", found(&auto), found(&plain));
}

#[test]
fn odd_rows_are_solved_or_refused() {
    let rows = |inputs: &[f32], labels: &[u32]| HeadRows::new(inputs.to_vec(), 1, labels.to_vec(), 3);
    assert!(rows(&[1.0, f32::NAN], &[0, 1]).expect_err("refused").to_string().contains("sample 1"));
    assert!(rows(&[1.0, 2.0], &[0, 3]).is_err() && rows(&[], &[]).is_err() && rows(&[1.0], &[0, 1]).is_err());
    // All alike; one row a class; a class without rows.
    for (inputs, labels) in [
        (&[5.0; 4], [0, 1, 2, 0]),
        (&[1.0, 2.0, 3.0, 9.0], [0, 1, 2, 2]),
        (&[1.0, 1.5, 3.0, 4.0], [0, 0, 1, 1]),
    ] {
        let settings = HeadSettings { folds: vec![0, 1, 2, 3], ..HeadSettings::default() };
        let head = solve_head(&rows(inputs, &labels).expect("rows"), &settings).expect("is solved");
        assert!(head.weight.iter().chain(&head.bias).all(|x| x.is_finite()));
    }
    let settings = HeadSettings { folds: vec![0], ..HeadSettings::default() };
    assert!(solve_head(&rows(&[1.0, 2.0], &[0, 1]).expect("rows"), &settings).is_err());
}
