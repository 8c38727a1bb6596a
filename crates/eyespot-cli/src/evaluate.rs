//! `eyespot evaluate`.

use crate::args::EvaluateArgs;
use crate::{model, output};
use eyespot::{Error, Evaluation, Metrics, Selective};
use eyespot_system::{printable, printable_path};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// A confusion matrix of more classes is no table to look at.
const TABLE_CLASSES: usize = 20;

/// Mistakes that are shown; `--json` has all.
const SHOWN: usize = 20;

pub fn run(args: &EvaluateArgs) -> anyhow::Result<ExitCode> {
    // Wrong usage is told before anything is looked for.
    let models = usize::from(args.published.model.is_none());
    if args.paths.len() > models + 1 {
        return Err(too_many(&args.paths[models..]).into());
    }
    let (classifier, data) = match &args.paths[..] {
        [run] if models == 1 && model::is_model(run) => (model::from_run(run, &args.transform)?, Vec::new()),
        paths => model::load(paths, &args.published, &args.transform)?,
    };
    let mut classifier = classifier
        .threads(args.threads)
        .strict(args.strict)
        .batch(args.batch as usize)
        .include_training(args.include_training);
    if let Some(device) = args.device.open()? {
        classifier = classifier.device(device);
    }
    let mut evaluation = match &data[..] {
        [] => classifier.evaluate_own()?,
        [data] => classifier.evaluate(data)?,
        _ => return Err(too_many(&data).into()),
    };
    if let Some(threshold) = args.threshold {
        evaluation = evaluation.with_threshold(threshold);
    }
    for notice in &evaluation.notices {
        output::warning(notice);
    }
    if args.json {
        output::line(serde_json::to_string(&evaluation)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::write(text(&evaluation).as_bytes())?;
    for failure in &evaluation.unreadable {
        output::error(&format!("left out: {} {}", printable_path(&failure.path), failure.error));
    }
    Ok(ExitCode::SUCCESS)
}

fn too_many(data: &[PathBuf]) -> Error {
    let paths = data.iter().map(|path| printable_path(path)).collect::<Vec<_>>().join(" ");
    Error::Usage(format!(
        "one folder (or CSV) of labelled pictures goes behind the model, not {paths}; several models are compared \
         with --robustness"
    ))
}

fn text(e: &Evaluation) -> String {
    let mut out = String::new();
    // Writing to a string can't fail.
    let _ = table(&mut out, e);
    out
}

fn table(out: &mut String, e: &Evaluation) -> std::fmt::Result {
    let m = &e.metrics;
    let right = (m.accuracy * m.images as f64).round();
    writeln!(out, "accuracy           {:.1} % ({right} of {})", 100.0 * m.accuracy, m.images)?;
    writeln!(out, "balanced accuracy  {}", balanced(m))?;
    writeln!(out, "largest class      {}", largest_class(m, &printable(&e.classes[m.largest_class()].name)))?;
    if let Some(top5) = m.top5_accuracy {
        writeln!(out, "top-5 accuracy     {:.1} %", 100.0 * top5)?;
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

/// The balanced accuracy with its interval.
pub fn balanced(m: &Metrics) -> String {
    let [low, high] = m.balanced_accuracy_interval;
    format!(
        "{:.1} % (95 % interval: {:.1} to {:.1} %)",
        100.0 * m.balanced_accuracy,
        100.0 * low,
        100.0 * high
    )
}

/// What the accuracy is to be held against.
pub fn largest_class(m: &Metrics, name: &str) -> String {
    format!("{:.1} % accuracy by always naming {name}", 100.0 * m.largest_class_accuracy)
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
    match s.accuracy {
        Some(accuracy) => writeln!(out, ", accuracy on those {:.1} %", 100.0 * accuracy),
        None => writeln!(out),
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
    writeln!(out, "\nat least this sure  pictures    right")?;
    for probability in [0.5, 0.8, 0.9, 0.99] {
        let (named, right) = e.confidence.at_least(probability);
        if named > 0 {
            let share = 100.0 * right as f64 / named as f64;
            writeln!(out, "{probability:18.2}  {named:8}  {share:5.1} %")?;
        }
    }
    let off = 100.0 * e.confidence.calibration_error();
    writeln!(out, "between how sure it is and how often it is right lie {off:.1} points (calibration error)")
}
