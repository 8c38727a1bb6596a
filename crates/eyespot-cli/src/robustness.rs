//! `eyespot evaluate --robustness`.

use crate::args::EvaluateArgs;
use crate::evaluate::words::interval;
use crate::progress::duration;
use crate::{model, output};
use eyespot::{Classifier, Robustness, Variation};
use eyespot_system::{printable, printable_path};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// More groups than this are no table to look at.
const TABLE_GROUPS: usize = 20;

/// Where nobody watches a bar, how often a line tells how far it is.
const LINE_EVERY: Duration = Duration::from_secs(15);

pub fn run(args: &EvaluateArgs) -> anyhow::Result<ExitCode> {
    let (named, data) = model::load_all(&args.paths, &args.published, &args.transform)?;
    let device = args.device.open()?;
    let (names, classifiers): (Vec<String>, Vec<Classifier>) = named
        .into_iter()
        .map(|(name, classifier)| {
            let classifier = classifier
                .threads(args.threads)
                .batch(args.batch as usize)
                .strict(args.strict)
                .include_training(args.include_training);
            match &device {
                Some(device) => (name, classifier.device(Arc::clone(device))),
                None => (name, classifier),
            }
        })
        .unzip();
    let figure = args.output.clone().unwrap_or_else(|| PathBuf::from("robustness.png"));
    output::check_figure(&figure, args.overwrite)?;
    let measured = measure(&classifiers, &data)?;
    for (name, robustness) in names.iter().zip(&measured) {
        for notice in &robustness.notices {
            let whose = if names.len() > 1 { format!("{}: ", printable(name)) } else { String::new() };
            output::warning(&format!("{whose}{notice}"));
        }
    }
    let models: Vec<(&str, &Robustness)> = names.iter().map(String::as_str).zip(&measured).collect();
    output::figure(&Robustness::figure(&models)?, &figure, args.overwrite)?;
    if args.json {
        output::line(object(&models, &figure)?)?;
    } else {
        output::write(text(&models).as_bytes())?;
        for failure in models.first().iter().flat_map(|(_, robustness)| &robustness.unreadable) {
            output::error(&format!("left out: {} {}", printable_path(&failure.path), failure.error));
        }
    }
    output::say(&format!("figure: {}", printable_path(&figure)));
    Ok(ExitCode::SUCCESS)
}

fn measure(classifiers: &[Classifier], data: &Path) -> Result<Vec<Robustness>, eyespot::Error> {
    let bar = ProgressBar::new(0);
    // The template is ours and sound; a wrong one would only look plain.
    let style = ProgressStyle::with_template("varied [{bar:30}] {pos}/{len} pictures, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    let (began, mut told) = (Instant::now(), None);
    let all: Vec<&Classifier> = classifiers.iter().collect();
    let measured = eyespot::robustness(&all, data, &mut |done, pictures| {
        if told.is_none() {
            bar.set_length(pictures as u64);
            output::say(&format!(
                "measuring {pictures} pictures, each as it is and in {} variations of {} strengths",
                Variation::ALL.len(),
                Robustness::STRENGTHS.len() - 1
            ));
        }
        bar.set_position(done as u64);
        let since = told.get_or_insert_with(Instant::now);
        if !output::animated() && since.elapsed() >= LINE_EVERY {
            let left = began.elapsed().as_secs_f64() * (pictures - done) as f64 / done as f64;
            output::say(&format!("{done} of {pictures} pictures, {} left", duration(left)));
            told = Some(Instant::now());
        }
    });
    bar.finish_and_clear();
    measured
}

fn object(models: &[(&str, &Robustness)], figure: &Path) -> serde_json::Result<String> {
    let one = |(name, robustness): &(&str, &Robustness)| {
        let mut object = serde_json::to_value(robustness)?;
        object["model"] = json!(name);
        object["mean"] = json!(robustness.mean());
        object["accuracy_interval"] = json!(robustness.interval(robustness.accuracy));
        for (place, group) in robustness.groups.iter().enumerate() {
            object["groups"][place]["accuracy_interval"] = json!(group.accuracy_interval());
        }
        object["worst_group"] = json!(robustness.worst_group());
        if let Some(worst) = robustness.worst_group() {
            object["worst_group"]["accuracy_interval"] = json!(worst.accuracy_interval());
        }
        for (varied, own) in robustness.variations.iter().enumerate() {
            object["variations"][varied]["mean"] = json!(own.mean());
            let intervals: Vec<_> = own.accuracy.iter().map(|&share| robustness.interval(share)).collect();
            object["variations"][varied]["accuracy_interval"] = json!(intervals);
        }
        Ok(object)
    };
    let models = models.iter().map(one).collect::<serde_json::Result<Vec<_>>>()?;
    serde_json::to_string(
        &json!({ "strengths": Robustness::STRENGTHS, "models": models, "figure": figure.to_string_lossy() }),
    )
}

fn text(models: &[(&str, &Robustness)]) -> String {
    let mut out = String::new();
    // Writing to a string can't fail.
    let _ = table(&mut out, models);
    for (name, robustness) in models {
        let _ = groups(&mut out, name, robustness, models.len() == 1);
    }
    out
}

/// How far the numbers of the table may be off: half of the widest interval that a share of so many pictures has.
fn within(models: &[(&str, &Robustness)]) -> String {
    let half = |(_, robustness): &(&str, &Robustness)| {
        let [low, high] = robustness.interval(0.5);
        50.0 * (high - low)
    };
    let most = models.iter().map(half).fold(0.0, f64::max);
    format!("; a number may be off by {most:.1} (95 % interval)")
}

/// A row per variation; with several classifiers, under each variation a row for each of them.
fn table(out: &mut String, models: &[(&str, &Robustness)]) -> std::fmt::Result {
    let names = models.iter().map(|(name, _)| printable(name).chars().count() + 2).max().unwrap_or(0);
    let width = if models.len() > 1 { names.max(12) } else { 12 };
    for (name, robustness) in models {
        let whose = if models.len() > 1 { format!("{}: ", printable(name)) } else { String::new() };
        writeln!(
            out,
            "{whose}{} pictures, {:.1} % right unchanged ({})",
            robustness.images,
            100.0 * robustness.accuracy,
            interval(robustness.interval(robustness.accuracy))
        )?;
    }
    writeln!(out, "\naccuracy in % by strength, from 0 (unchanged) to 1 (the most){}", within(models))?;
    write!(out, "{:width$}", "")?;
    for strength in Robustness::STRENGTHS {
        write!(out, "  {strength:>5}")?;
    }
    writeln!(out, "   mean of 0.2 to 1")?;
    for (place, variation) in Variation::ALL.iter().enumerate() {
        if models.len() > 1 {
            writeln!(out, "{}", variation.name())?;
        }
        for (name, robustness) in models {
            let label =
                if models.len() > 1 { format!("  {}", printable(name)) } else { variation.name().to_owned() };
            let varied = &robustness.variations[place];
            row(out, &label, width, varied.accuracy.iter().copied(), varied.mean())?;
        }
    }
    if models.len() > 1 {
        writeln!(out, "mean")?;
    }
    for (name, robustness) in models {
        let label = if models.len() > 1 { format!("  {}", printable(name)) } else { "mean".to_owned() };
        let count = robustness.variations.len() as f64;
        let at =
            |strength: usize| robustness.variations.iter().map(|v| v.accuracy[strength]).sum::<f64>() / count;
        row(out, &label, width, (0..Robustness::STRENGTHS.len()).map(at), robustness.mean())?;
    }
    Ok(())
}

fn row(
    out: &mut String,
    label: &str,
    width: usize,
    accuracy: impl Iterator<Item = f64>,
    mean: f64,
) -> std::fmt::Result {
    write!(out, "{label:width$}")?;
    for share in accuracy {
        write!(out, "  {:5.1}", 100.0 * share)?;
    }
    writeln!(out, "  {:5.1}", 100.0 * mean)
}

/// The groups inside the classes, and the worst one with some of its files.
fn groups(out: &mut String, name: &str, robustness: &Robustness, alone: bool) -> std::fmt::Result {
    if alone && robustness.groups.len() <= TABLE_GROUPS {
        writeln!(out, "\ninside the classes: groups of pictures that look alike to the network")?;
        let width =
            robustness.groups.iter().map(|g| printable(&g.class).chars().count()).max().unwrap_or(5).max(5);
        writeln!(out, "{:width$}  pictures  accuracy in %  95 % interval", "class")?;
        for group in &robustness.groups {
            let [low, high] = group.accuracy_interval().map(|end| 100.0 * end);
            writeln!(
                out,
                "{:width$}  {:8}  {:13.1}  {low:.1} to {high:.1}",
                printable(&group.class),
                group.images,
                100.0 * group.accuracy
            )?;
        }
    }
    let Some(worst) = robustness.worst_group() else { return Ok(()) };
    let whose = if alone { String::new() } else { format!("{}: ", printable(name)) };
    writeln!(
        out,
        "\n{whose}worst group: {} pictures of {}, {:.1} % right ({}), such as",
        worst.images,
        printable(&worst.class),
        100.0 * worst.accuracy,
        interval(worst.accuracy_interval())
    )?;
    worst.examples.iter().try_for_each(|path| writeln!(out, "  {}", printable_path(path)))
}
