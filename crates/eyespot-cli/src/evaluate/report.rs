//! What a person reads of an evaluation.

use super::words;
use eyespot::{Evaluation, Selective};
use eyespot_system::{printable, printable_path};
use std::fmt::Write;

/// A confusion matrix of more classes is no table to look at.
const TABLE_CLASSES: usize = 20;

/// Mistakes that are shown; `--json` has all.
const SHOWN: usize = 20;

pub fn text(e: &Evaluation) -> String {
    let mut out = String::new();
    // Writing to a string can't fail.
    let _ = table(&mut out, e);
    out
}

fn table(out: &mut String, e: &Evaluation) -> std::fmt::Result {
    let m = &e.metrics;
    let largest = printable(&e.classes[m.largest_class()].name);
    writeln!(out, "accuracy           {}", words::accuracy(m, ""))?;
    writeln!(out, "balanced accuracy  {}", words::balanced(m))?;
    writeln!(out, "largest class      {}", words::largest_class(m, &largest))?;
    if let (Some(top5), Some(interval)) = (m.top5_accuracy, m.top5_accuracy_interval) {
        writeln!(out, "top-5 accuracy     {:.1} % ({})", 100.0 * top5, words::interval(interval))?;
    }
    writeln!(out, "loss               {:.4}", m.loss)?;
    if let Some(auc) = m.auc {
        writeln!(out, "ROC AUC            {auc:.4}")?;
    }
    if let Some(s) = &e.selective {
        selective(out, s)?;
    }
    // Of a thousand classes only those that came up are of interest.
    let shown: Vec<usize> = (0..e.classes.len())
        .filter(|&i| e.classes[i].metrics.support > 0 || m.confusion.iter().any(|row| row[i] > 0))
        .collect();
    let names: Vec<String> = e.classes.iter().map(|class| printable(&class.name)).collect();
    let width = shown.iter().map(|&i| names[i].chars().count()).max().unwrap_or(5).max(5);
    writeln!(out, "\n{:width$}  precision  recall     f1  pictures", "class")?;
    for &i in shown.iter().filter(|&&i| e.classes[i].metrics.support > 0) {
        let (name, c) = (&names[i], e.classes[i].metrics);
        let (precision, recall, f1) = (c.precision, c.recall, c.f1);
        writeln!(out, "{name:width$}  {precision:9.3}  {recall:6.3}  {f1:5.3}  {:8}", c.support)?;
    }
    if shown.len() <= TABLE_CLASSES {
        confusion(out, e, &names, &shown, width)?;
    }
    sureness(out, e)?;
    if !e.mistakes.is_empty() {
        writeln!(out, "\nmistakes ({})", e.mistakes.len())?;
    }
    for m in e.mistakes.iter().take(SHOWN) {
        let (path, label, said) = (printable_path(&m.path), printable(&m.label), printable(&m.prediction));
        writeln!(out, "  {path} with label {label} is predicted as {said} ({:.2})", m.probability)?;
    }
    if e.mistakes.len() > SHOWN {
        writeln!(out, "  … and {} more; --json lists all", e.mistakes.len() - SHOWN)?;
    }
    Ok(())
}

fn selective(out: &mut String, s: &Selective) -> std::fmt::Result {
    let all = s.accepted + s.rejected;
    write!(
        out,
        "at least {:<9.4}{:.1} % accepted ({} of {all})",
        s.threshold,
        100.0 * s.coverage,
        s.accepted
    )?;
    match (s.accuracy, s.accuracy_interval) {
        (Some(accuracy), Some(interval)) => {
            writeln!(out, ", accuracy on those {:.1} % ({})", 100.0 * accuracy, words::interval(interval))
        }
        _ => writeln!(out),
    }
}

fn confusion(
    out: &mut String,
    e: &Evaluation,
    names: &[String],
    shown: &[usize],
    width: usize,
) -> std::fmt::Result {
    let column = |i: usize| names[i].chars().count().clamp(5, 12);
    write!(out, "\n{:width$}", "is ↓ named →", width = width.max(12))?;
    for &i in shown {
        let name: String = names[i].chars().take(12).collect();
        write!(out, "  {name:>w$}", w = column(i))?;
    }
    writeln!(out)?;
    for &row in shown.iter().filter(|&&i| e.classes[i].metrics.support > 0) {
        write!(out, "{:width$}", names[row], width = width.max(12))?;
        for &i in shown {
            write!(out, "  {:>w$}", e.metrics.confusion[row][i], w = column(i))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// When to trust an answer: how often it is right where the probability is high.
fn sureness(out: &mut String, e: &Evaluation) -> std::fmt::Result {
    writeln!(out, "\nat least this sure  pictures    right  95 % interval")?;
    for probability in [0.5, 0.8, 0.9, 0.99] {
        let (named, right) = e.confidence.at_least(probability);
        if named > 0 {
            let share = 100.0 * right as f64 / named as f64;
            let [low, high] = eyespot::wilson_interval(right, named).map(|end| 100.0 * end);
            writeln!(out, "{probability:18.2}  {named:8}  {share:5.1} %  {low:.1} to {high:.1} %")?;
        }
    }
    let off = 100.0 * e.confidence.calibration_error();
    writeln!(out, "between how sure it is and how often it is right lie {off:.1} points (calibration error)")
}
