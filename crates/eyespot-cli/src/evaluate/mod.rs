//! `eyespot evaluate`.

mod report;
pub mod words;

use crate::args::EvaluateArgs;
use crate::{model, output};
use eyespot::Error;
use eyespot_system::printable_path;
use std::path::PathBuf;
use std::process::ExitCode;

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
    output::write(report::text(&evaluation).as_bytes())?;
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
