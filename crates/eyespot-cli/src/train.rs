//! `eyespot train`.

use crate::args::TrainArgs;
use crate::evaluate::words::{accuracy, balanced, largest_class};
use crate::progress::{Progress, duration};
use crate::{config, device, output};
use eyespot::{Trained, Training, Trial};
use eyespot_system::{printable, printable_path};
use std::process::ExitCode;
use std::time::Instant;

pub fn run(args: &TrainArgs) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let options = config::resolve(args)?;
    let device = options.device.unwrap_or_default();
    let device = device::open(device, options.precision, options.fast.unwrap_or(false))?;
    let mut training = Training::with_options(options).resume(args.resume);
    let mut progress = Progress::new().with_gpu(device.is_some());
    if let Some(device) = device {
        training = training.device(device);
    }
    let trained = training.run(&mut progress)?;
    drop(progress);
    output::line(summary(&trained, began.elapsed().as_secs_f64()))?;
    Ok(ExitCode::SUCCESS)
}

fn summary(t: &Trained, seconds: f64) -> String {
    let folder = printable_path(&t.folder);
    let from = match t.best_epoch {
        0 => format!("from the frozen backbone: none of {} epochs with all layers was better", t.epochs),
        best => format!("from epoch {best} of {}", t.epochs),
    };
    let result = match &t.validation {
        Some(m) if t.solved.is_some() || t.cross_validated => {
            let (what, behind) = match t.cross_validated {
                true => ("cross-validated", "; the model has learned from all of them"),
                false => ("validation", ""),
            };
            format!("{what} accuracy {}{behind}", accuracy(m, " photos"))
        }
        None if t.solved.is_some() => "the head is solved; there were no photos to validate by".to_owned(),
        Some(m) => format!("validation accuracy {}, {from}", accuracy(m, " photos")),
        None => format!("trained for {} epochs; there were no photos to validate by", t.epochs),
    };
    let beside = match &t.validation {
        Some(m) => format!(
            "\nbalanced accuracy {}\nlargest class {}",
            balanced(m),
            largest_class(m, &printable(&t.classes[m.largest_class()]))
        ),
        None => String::new(),
    };
    let optimism = t.optimism().map(|optimism| format!("\n{optimism}")).unwrap_or_default();
    let test = match &t.test {
        Some(test) => format!(
            "\ntest accuracy {} that nothing was chosen by\nbalanced accuracy {}",
            accuracy(&test.metrics, " photos"),
            balanced(&test.metrics)
        ),
        None => String::new(),
    };
    let tried = trials(&t.trials);
    let early = if t.stopped_early { " (stopped early: patience ran out)" } else { "" };
    format!(
        "{tried}{result}{early}, in {}{beside}{optimism}{test}\nmodel    {folder}/model.safetensors\n\nnext\n  eyespot predict {folder} PHOTO…\n  \
         eyespot evaluate {folder}",
        duration(seconds)
    )
}

/// What was tried, the best first.
fn trials(trials: &[Trial]) -> String {
    if trials.is_empty() {
        return String::new();
    }
    let mut table = "tried, the best first\n  accuracy  log loss  folds   seconds  settings\n".to_owned();
    for t in trials {
        table += &format!(
            "  {:>6.1} %  {:>8.4}  {:>5}  {:>8.1}  {}\n",
            100.0 * t.accuracy,
            t.loss,
            t.folds,
            t.seconds,
            printable(&t.what)
        );
    }
    table + "\n"
}
