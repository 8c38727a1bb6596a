//! Judging by all photos: each is named by a model that hadn't seen it.

use super::run_folder::{Earlier, Said};
use super::{Context, Listener, Training};
use crate::set_aside::Predictions;
use crate::{Error, TrainingOptions};
use eyespot_train::{BatchDone, EpochRecord};
use std::path::Path;

/// Trains a model for each fold on the others, in a folder of its own in the run folder, where these settings ask for it. The
/// folders stay: a run that is resumed finds in them what was done.
pub(super) fn unseen(
    context: &Context<'_>,
    (earlier, fold): (Earlier, Option<(usize, usize)>),
    folder: &Path,
    listener: &mut dyn Listener,
) -> Result<Option<Said>, Error> {
    let folds = match context.options.folds {
        Some(folds) if fold.is_none() => folds as usize,
        _ => return Ok(None),
    };
    let outputs = context.plan.graph.output_shape().elements();
    let mut unseen = Said::default();
    for fold in 0..folds {
        listener.told(&format!("fold     {} of {folds}", fold + 1));
        let output = folder.join(format!("fold-{}", fold + 1));
        let begun = output.join("config.toml").exists();
        let once = Training {
            options: TrainingOptions { output: Some(output.clone()), ..context.options.clone() },
            earlier: if earlier == Earlier::Resume && !begun { Earlier::Keep } else { earlier },
            device: context.compute.shared(),
            fold: Some((fold, folds)),
        };
        once.run_once(&mut Fold(listener))?;
        let predictions = Predictions::open(&output.join("predictions.csv"))?;
        let scored = predictions.scored(&context.dataset.classes, &context.plan.loss, outputs)?;
        unseen.folds.extend(vec![fold; scored.labels.len()]);
        unseen.paths.extend(scored.paths);
        unseen.labels.extend(scored.labels);
        unseen.scores.extend(scored.scores);
    }
    listener.told("all      photos");
    Ok((!unseen.labels.is_empty()).then_some(unseen))
}

/// Hands on how a fold's training goes; what there is to say about photos and weights is said of the run as a whole.
struct Fold<'a>(&'a mut dyn Listener);

impl Listener for Fold<'_> {
    fn features(&mut self, what: &str, done: usize, all: usize) {
        self.0.features(what, done, all);
    }

    fn batch(&mut self, done: &BatchDone) {
        self.0.batch(done);
    }

    fn epoch(&mut self, record: &EpochRecord) {
        self.0.epoch(record);
    }
}
