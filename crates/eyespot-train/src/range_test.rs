//! Finding a learning rate: it rises while a copy of the weights learns, until the loss does.

use crate::step::{Stepper, Tally};
use crate::{Job, Schedule, Settings, Steps, TrainError, imbalance, order};

/// From the lowest rate to the highest in so many steps.
const STEPS: usize = 60;
const LOWEST: f64 = 1e-6;
const HIGHEST: f64 = 10.0;
/// So many batches at most are seen, again and again, so that one step's loss can be compared with another's.
const BATCHES: usize = 20;
/// How a loss differs from the same batch's at the start is smoothed: by this share of what it was.
const SMOOTHING: f64 = 0.7;
/// It has begun to rise where it is by this share of the loss at the start above its lowest.
const RISE: f64 = 0.2;

/// A learning rate for this job, by a range test (Smith, "Cyclical learning rates for training neural networks", 2017): the
/// rate grows from 1e-6 by the same factor at every step, on a copy of the weights; a tenth of the rate at which the loss
/// begins to rise is what training stands. The settings' own rate doesn't matter, and the same job gives the same rate.
///
/// Batches differ more from each other than one step changes, so each loss is compared with that of the same batch before
/// anything moved.
///
/// # Errors
/// As [`crate::train`].
pub fn range_test(job: &mut Job<'_>) -> Result<f64, TrainError> {
    let settings = Settings {
        schedule: Schedule::Constant,
        warmup_epochs: 0.0,
        ema_decay: None,
        ..job.settings.clone()
    };
    settings.check()?;
    settings.loss.check(job.graph, job.classes.len())?;
    let classes = imbalance::look(job.train.labels(), job.classes, &settings)?;
    let samples = job.train.labels().len();
    let batch = settings.batch(samples);
    let mut program = job.device.training(job.graph, job.params, batch, settings.seed)?;
    if !settings.tensor_scales.is_empty() {
        program.set_tensor_scales(&settings.tensor_scales)?;
    }
    let mut images = Vec::new();
    order::shuffle(&mut images, samples, settings.seed, 0);
    images.truncate(BATCHES * batch);
    let per_pass = images.len().div_ceil(batch.max(1)).max(1);
    let steps = Steps { total: (STEPS + per_pass) as u64, per_epoch: per_pass as u64, warmup: 0 };
    let mut stepper = Stepper::new(&settings, job.graph, batch, steps, classes.weights.clone());
    let rate = |step: usize| LOWEST * (HIGHEST / LOWEST).powf(step as f64 / (STEPS - 1) as f64);

    // The first pass is made at a rate of 0.
    let (mut at_start, mut found) = (Vec::new(), None);
    let (mut smoothed, mut lowest, mut step) = (0.0, 0.0f64, 0);
    for pass in 0.. {
        if step == STEPS || found.is_some() {
            break;
        }
        let (mut index, before) = (0, step);
        // The same images in the same form each time: epoch 0.
        job.train.batches(0, &images, batch, &mut |batch| {
            if step == STEPS || found.is_some() {
                return Ok(());
            }
            stepper.set_rate(if pass == 0 { 0.0 } else { rate(step) });
            match stepper.step(&mut *program, batch, pass, index as u64, &mut Tally::default()) {
                Ok(loss) if pass == 0 => at_start.push(loss),
                Ok(loss) => {
                    let typical = at_start.iter().sum::<f64>() / at_start.len() as f64;
                    let change = loss - at_start.get(index).copied().unwrap_or(typical);
                    smoothed = SMOOTHING * smoothed + (1.0 - SMOOTHING) * change;
                    lowest = smoothed.min(lowest);
                    found = (smoothed > lowest + RISE * typical).then(|| rate(step));
                    step += 1;
                }
                // Numbers beyond all bounds are a rise.
                Err(TrainError::NotFinite { .. }) if step > 0 => found = Some(rate(step)),
                Err(error) => return Err(error),
            }
            index += 1;
            Ok(())
        })?;
        if at_start.is_empty() || (pass > 0 && step == before && found.is_none()) {
            return Err(TrainError::Data("none of the training images could be read".to_owned()));
        }
    }
    // Two digits say all that is known.
    let rate = found.unwrap_or(HIGHEST) / 10.0;
    Ok(format!("{rate:.1e}").parse().unwrap_or(rate))
}
