//! `eyespot predict`.

use crate::args::{Format, PredictArgs};
use crate::{FAILED, model, output};
use eyespot::{ClassScore, PathPrediction, Prediction};
use eyespot_system::printable_path;
use serde::Serialize;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

pub fn run(args: &PredictArgs) -> anyhow::Result<ExitCode> {
    let (classifier, paths) = model::load(&args.paths, &args.published, &args.transform)?;
    // A handful of files needs no larger program than themselves.
    let files = if paths.iter().all(|path| path.is_file()) { paths.len() } else { usize::MAX };
    let classifier = classifier
        .top_k(args.top_k as usize)
        .threads(args.threads)
        .strict(args.strict)
        .batch((args.batch as usize).min(files));
    let mut out = BufWriter::new(io::stdout().lock());
    if args.format == Format::Csv {
        csv_line(
            &mut out,
            ["path", "label", "prediction", "probability"].map(str::to_owned),
            &[],
            args.top_k,
        )?;
    }
    let (mut done, mut failed) = (0u64, 0u64);
    for picture in classifier.predict_paths(paths)? {
        match &picture.result {
            Ok(_) => done += 1,
            Err(cause) => {
                failed += 1;
                out.flush()?;
                output::error(&format!("{} {cause}", picture.path.display()));
            }
        }
        for note in &picture.notes {
            out.flush()?;
            output::warning(&format!("{} {note}", printable_path(&picture.path)));
        }
        write(&mut out, &picture, args)?;
        // Whoever reads along sees each batch when it is done.
        if done % args.batch == 0 {
            out.flush()?;
        }
    }
    out.flush()?;
    if failed > 0 {
        output::say(&format!("pictures: {done} named, {failed} could not be read"));
        return Ok(ExitCode::from(FAILED));
    }
    if done == 0 {
        output::error("there are no pictures in these folders");
        return Ok(ExitCode::from(FAILED));
    }
    Ok(ExitCode::SUCCESS)
}

/// A line of JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Named {
        path: &'a str,
        label: Option<&'a str>,
        /// Nothing where the probability is below the threshold.
        prediction: Option<&'a str>,
        probability: f32,
        top: &'a [ClassScore],
    },
    Failed {
        path: &'a str,
        error: &'a str,
    },
}

fn write(out: &mut impl Write, picture: &PathPrediction, args: &PredictArgs) -> io::Result<()> {
    let path = picture.path.to_string_lossy();
    let sure = |p: &Prediction| args.threshold.is_none_or(|threshold| p.probability >= threshold);
    match (args.format, &picture.result) {
        (Format::Json, result) => {
            let line = match result {
                Ok(p) => Line::Named {
                    path: &path,
                    label: picture.label.as_deref(),
                    prediction: sure(p).then_some(&p.prediction),
                    probability: p.probability,
                    top: &p.top,
                },
                Err(error) => Line::Failed { path: &path, error },
            };
            writeln!(out, "{}", serde_json::to_string(&line)?)
        }
        (Format::Csv, Ok(p)) => {
            let label = picture.label.clone().unwrap_or_default();
            let prediction = if sure(p) { p.prediction.clone() } else { String::new() };
            let probability = format!("{:.6}", p.probability);
            csv_line(out, [path.into_owned(), label, prediction, probability], &p.top, args.top_k)
        }
        (Format::Text, Ok(p)) => {
            let label = picture.label.as_ref().map(|l| format!(" with label {l}")).unwrap_or_default();
            let rest: String =
                p.top[1..].iter().map(|c| format!(", {} ({:.2})", c.class, c.probability)).collect();
            let (name, probability) = (&p.prediction, p.probability);
            if sure(p) {
                writeln!(out, "{path}{label} is predicted as {name} ({probability:.2}){rest}")
            } else {
                writeln!(out, "{path}{label} is uncertain, at most {name} ({probability:.2}){rest}")
            }
        }
        // Told on stderr.
        (Format::Csv | Format::Text, Err(_)) => Ok(()),
    }
}

/// The four columns, and two more for each further class.
fn csv_line(out: &mut impl Write, first: [String; 4], top: &[ClassScore], k: u64) -> io::Result<()> {
    let mut fields = first.to_vec();
    let header = top.is_empty();
    for i in 1..k as usize {
        match top.get(i) {
            Some(score) => fields.extend([score.class.clone(), format!("{:.6}", score.probability)]),
            None if header => fields.extend([format!("class_{}", i + 1), format!("probability_{}", i + 1)]),
            None => {}
        }
    }
    let quoted = |field: &String| {
        if field.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            field.clone()
        }
    };
    writeln!(out, "{}", fields.iter().map(quoted).collect::<Vec<_>>().join(","))
}
