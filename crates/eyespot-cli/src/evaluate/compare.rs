//! `eyespot evaluate A B … DATA`: models side by side.

use crate::args::EvaluateArgs;
use crate::{model, output};
use eyespot::{Classifier, Comparison, Difference, Error};
use eyespot_system::{printable, printable_path};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Disagreements that are shown; `--json` has all.
const SHOWN: usize = 20;

/// Below this p a difference is called one.
const SIGNIFICANT: f64 = 0.05;

pub fn run(args: &EvaluateArgs) -> anyhow::Result<ExitCode> {
    check_order(&args.paths)?;
    if args.threshold.is_some() {
        let text = "--threshold is for one model and its images; leave it out to compare several";
        return Err(Error::Usage(text.to_owned()).into());
    }
    let (named, data) = model::load_all(&args.paths, &args.published, &args.transform)?;
    let device = args.device.open()?;
    let set = |classifier: Classifier| {
        let classifier = classifier
            .threads(args.threads)
            .strict(args.strict)
            .batch(args.batch as usize)
            .include_training(args.include_training);
        match &device {
            Some(device) => classifier.device(Arc::clone(device)),
            None => classifier,
        }
    };
    let named: Vec<(String, Classifier)> = named.into_iter().map(|(name, c)| (name, set(c))).collect();
    let models: Vec<(&str, &Classifier)> = named.iter().map(|(name, c)| (name.as_str(), c)).collect();
    let comparison = eyespot::compare(&models, data)?;
    for notice in &comparison.notices {
        output::warning(notice);
    }
    if args.json {
        output::line(serde_json::to_string(&comparison)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::write(text(&comparison).as_bytes())?;
    for failure in &comparison.unreadable {
        output::error(&format!("left out: {} {}", printable_path(&failure.path), failure.error));
    }
    Ok(ExitCode::SUCCESS)
}

/// That models come first and one set of images last; told before anything is loaded.
fn check_order(paths: &[PathBuf]) -> Result<(), Error> {
    let [models @ .., data] = paths else { return Ok(()) };
    let list =
        |paths: &[PathBuf]| paths.iter().map(|path| printable_path(path)).collect::<Vec<_>>().join(" ");
    if model::is_model(data) {
        return Err(Error::Usage(format!(
            "{} is a model, so there are no images to compare the models on; put a folder (or CSV) of labelled images \
             last: eyespot evaluate {} DATA",
            printable_path(data),
            list(paths)
        )));
    }
    // A file may be a model of any name; reading it will tell.
    let wrong = |path: &&PathBuf| !model::is_model(path) && (path.is_dir() || is_csv(path) || !path.exists());
    let Some(wrong) = models.iter().find(wrong) else { return Ok(()) };
    let (name, data) = (printable_path(wrong), printable_path(data));
    if !wrong.exists() && eyespot::network_names().iter().any(|network| wrong.as_os_str() == *network) {
        return Err(Error::Usage(format!(
            "{name} is a network without weights; compare a run or model file, or published weights: --model {name} \
             --weights FILE --classes FILE, beside the other models"
        )));
    }
    let why = match wrong.exists() {
        false => "is not there",
        true if is_csv(wrong) => "is a CSV, not a model",
        true => "is a folder without a model.safetensors, so no run",
    };
    Err(Error::Usage(format!(
        "{name} {why}; of several paths the last one is the labelled images ({data}), one folder or CSV, and those before it are \
         run folders or model files: eyespot evaluate MODEL MODEL DATA"
    )))
}

fn is_csv(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"))
}

fn text(c: &Comparison) -> String {
    let mut out = String::new();
    // Writing to a string can't fail.
    let _ = models(&mut out, c);
    let _ = differences(&mut out, c);
    let _ = disagreements(&mut out, c);
    out
}

fn models(out: &mut String, c: &Comparison) -> std::fmt::Result {
    let share = |value: f64, [low, high]: [f64; 2]| {
        format!("{:5.1} ({:.1} to {:.1})", 100.0 * value, 100.0 * low, 100.0 * high)
    };
    let width = width(c);
    writeln!(out, "{} images; accuracies in % with their 95 % intervals\n", c.images)?;
    writeln!(out, "{:width$}  {:<21}  {:<21}  log loss", "model", "accuracy", "balanced accuracy")?;
    for compared in &c.models {
        let m = &compared.metrics;
        writeln!(
            out,
            "{:width$}  {:<21}  {:<21}  {:8.4}",
            printable(&compared.model),
            share(m.accuracy, m.accuracy_interval),
            share(m.balanced_accuracy, m.balanced_accuracy_interval),
            compared.log_loss
        )?;
    }
    let Some(first) = c.models.first() else { return Ok(()) };
    let largest = &c.classes[first.metrics.largest_class()];
    writeln!(out, "{}", super::words::largest_class(&first.metrics, &printable(largest)))
}

fn differences(out: &mut String, c: &Comparison) -> std::fmt::Result {
    let Some(first) = c.models.first() else { return Ok(()) };
    let first = printable(&first.model);
    for d in &c.differences {
        let name = printable(&d.model);
        let [low, high] = d.interval.map(|end| 100.0 * end);
        writeln!(
            out,
            "\n{name} against {first}: {:+.1} points of accuracy (95 % interval: {low:+.1} to {high:+.1})\n  only {first} is right on {} images, only {name} on \
             {}; McNemar's p {}: {}",
            100.0 * d.accuracy_difference,
            d.only_first_right,
            d.only_this_right,
            p_value(d.mcnemar_p),
            verdict(d)
        )?;
    }
    Ok(())
}

fn p_value(p: f64) -> String {
    if p < 0.0001 { "below 0.0001".to_owned() } else { format!("{p:.4}") }
}

fn verdict(d: &Difference) -> &'static str {
    match d.mcnemar_p < SIGNIFICANT {
        true if d.accuracy_difference > 0.0 => "better beyond chance",
        true => "worse beyond chance",
        false => "no difference beyond chance on these images",
    }
}

fn disagreements(out: &mut String, c: &Comparison) -> std::fmt::Result {
    if c.disagreements.is_empty() {
        return writeln!(out, "\nall models name all images alike");
    }
    writeln!(out, "\nimages that aren't named alike ({})", c.disagreements.len())?;
    for d in c.disagreements.iter().take(SHOWN) {
        let said = |(model, answer): (&eyespot::ComparedModel, &eyespot::Answer)| {
            format!(
                "{} {} ({:.2})",
                printable(&model.model),
                printable(&answer.prediction),
                answer.probability
            )
        };
        let said: Vec<String> = c.models.iter().zip(&d.answers).map(said).collect();
        let (path, label) = (printable_path(&d.path), printable(&d.label));
        writeln!(out, "  {path} with label {label}: {}", said.join(", "))?;
    }
    if c.disagreements.len() > SHOWN {
        writeln!(out, "  … and {} more; --json lists all", c.disagreements.len() - SHOWN)?;
    }
    Ok(())
}

fn width(c: &Comparison) -> usize {
    c.models.iter().map(|m| printable(&m.model).chars().count()).max().unwrap_or(0).max(5)
}
