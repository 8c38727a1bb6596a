//! `eyespot evaluate`.

mod compare;
mod report;
pub mod words;

use crate::args::EvaluateArgs;
use crate::{model, output};
use eyespot::Error;
use eyespot_system::printable_path;
use std::path::Path;
use std::process::ExitCode;

pub fn run(args: &EvaluateArgs) -> anyhow::Result<ExitCode> {
    // Wrong usage is told before anything is looked for.
    let models = usize::from(args.published.weights.is_none());
    if args.paths.len() > models + 1 {
        return compare::run(args);
    }
    if let [model, data] = &args.paths[..]
        && model::is_model(model)
        && model::is_model(data)
    {
        return Err(no_images(model, data).into());
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
        [.., last] => return Err(no_images(&args.paths[0], last).into()),
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

/// That two models were named and no images.
fn no_images(first: &Path, second: &Path) -> Error {
    let (first, second) = (printable_path(first), printable_path(second));
    Error::Usage(format!(
        "{first} and {second} are models, and there are no images to compare them on; put a folder (or CSV) of labelled \
         images last: eyespot evaluate {first} {second} DATA"
    ))
}
