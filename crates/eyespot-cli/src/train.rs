//! `eyespot train`.

use crate::args::TrainArgs;
use crate::progress::{Progress, duration};
use crate::{config, output};
use eyespot::{Trained, Training};
use eyespot_system::printable_path;
use std::process::ExitCode;
use std::time::Instant;

pub fn run(args: &TrainArgs) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let options = config::resolve(args)?;
    let mut progress = Progress::new();
    let trained = Training::with_options(options).resume(args.resume).run(&mut progress)?;
    drop(progress);
    output::line(summary(&trained, began.elapsed().as_secs_f64()))?;
    Ok(ExitCode::SUCCESS)
}

fn summary(t: &Trained, seconds: f64) -> String {
    let folder = printable_path(&t.folder);
    let data = t.options.data.as_ref().map(|d| printable_path(d)).unwrap_or_default();
    let result = match t.accuracy {
        Some(accuracy) => format!(
            "validation accuracy {:.1} % ({} of {} photos), from epoch {} of {}",
            100.0 * accuracy,
            (accuracy * t.validation_images as f64).round(),
            t.validation_images,
            t.best_epoch,
            t.epochs
        ),
        None => format!("trained for {} epochs; there were no photos to validate by", t.epochs),
    };
    let early = if t.stopped_early { " (stopped early: patience ran out)" } else { "" };
    format!(
        "{result}{early}, in {}\nmodel    {folder}/model.safetensors\n\nnext\n  eyespot predict {folder} PHOTO…\n  \
         eyespot evaluate {folder} {data}",
        duration(seconds)
    )
}
