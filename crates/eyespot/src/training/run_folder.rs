//! The files a run leaves behind, each whole or not there.

use super::{Context, Part};
use crate::{Error, TrainingOptions};
use eyespot_graph::Params;
use eyespot_system::{OwnedFolder, printable, printable_path, write_atomically};
use eyespot_train::{Metrics, RunFolder};
use std::path::{Path, PathBuf};

pub(super) struct Outputs {
    /// Locked as long as the run goes.
    pub folder: OwnedFolder,
}

/// What is done about an earlier run in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Earlier {
    /// It stays, and a new one is an error.
    #[default]
    Keep,
    /// It goes on.
    Resume,
    /// Its files are removed.
    Replace,
}

/// What a run writes, beside the folder's marker and lock.
const FILES: [&str; 5] = [MODEL, CHECKPOINT, "metrics.jsonl", "predictions.csv", "config.toml"];
const MODEL: &str = "model.safetensors";
const CHECKPOINT: &str = "last.checkpoint";

impl Outputs {
    /// Takes the folder and writes the settings down.
    pub fn open(options: &TrainingOptions, earlier: Earlier) -> Result<Self, Error> {
        let path = options.output.clone().unwrap_or_else(|| PathBuf::from("runs/run"));
        // Both before the folder is taken, for the better message, and after: another process may just have ended.
        refuse_used(&path, earlier)?;
        let folder = match earlier == Earlier::Resume && is_unmarked_run(&path)? {
            true => OwnedFolder::adopt(&path, RunFolder::PURPOSE)?,
            false => OwnedFolder::claim(&path, RunFolder::PURPOSE)?,
        };
        refuse_used(&path, earlier)?;
        let config = path.join("config.toml");
        match earlier {
            Earlier::Keep => {}
            Earlier::Resume if config.exists() => {
                same_settings(options, &config)?;
                return Ok(Self { folder });
            }
            Earlier::Resume => {}
            Earlier::Replace => {
                for file in FILES.map(|file| path.join(file)).iter().filter(|file| file.exists()) {
                    std::fs::remove_file(file).map_err(|e| Error::file(file, e))?;
                }
            }
        }
        let outputs = Self { folder };
        outputs.write_settings(options)?;
        Ok(outputs)
    }

    /// Writes `config.toml`.
    pub fn write_settings(&self, options: &TrainingOptions) -> Result<(), Error> {
        let config = self.folder.path().join("config.toml");
        write_atomically(&config, |file| file.write_all(options.to_toml().as_bytes()))
            .map_err(|e| Error::file(&config, format!("can't be written: {e}")))
    }

    pub fn model(&self) -> PathBuf {
        self.folder.path().join(MODEL)
    }

    /// Writes `predictions.csv`: what the model says of each validation photo. How good that is; `None` where none could be
    /// read.
    pub fn predictions(
        &self,
        run: &Context<'_>,
        params: &Params,
        part: &mut Part,
    ) -> Result<Option<Metrics>, Error> {
        let samples: Vec<usize> = (0..part.paths.len()).collect();
        let batch = 32.min(samples.len().max(1));
        let mut program = run.compute.device().inference(&run.plan.graph, params, batch)?;
        let outputs = run.plan.graph.output_shape().elements();
        let (loss, classes) = (&run.plan.loss, &run.dataset.classes);
        let mut rows = Vec::new();
        let (mut all_scores, mut labels) = (Vec::new(), Vec::new());
        part.source.batches(0, &samples, batch, &mut |batch| {
            let scores = program.run(batch.inputs, batch.labels.len())?;
            all_scores.extend_from_slice(scores);
            labels.extend_from_slice(batch.labels);
            for ((scores, &label), &sample) in
                scores.chunks_exact(outputs).zip(batch.labels).zip(batch.samples)
            {
                let prediction = loss.decide(scores);
                let probability = loss.probabilities(scores)[prediction as usize];
                rows.push((sample, label, prediction, probability));
            }
            Ok(())
        })?;
        let file = self.folder.path().join("predictions.csv");
        write_atomically(&file, |out| {
            let mut csv = csv::Writer::from_writer(out);
            csv.write_record(["path", "label", "prediction", "probability"])?;
            for (sample, label, prediction, probability) in rows {
                let path = part.paths[sample].to_string_lossy();
                let probability = format!("{probability:.6}");
                let (label, prediction) = (&classes[label as usize], &classes[prediction as usize]);
                csv.write_record([path.as_ref(), label, prediction, &probability])?;
            }
            csv.flush()
        })
        .map_err(|e| Error::file(&file, format!("can't be written: {e}")))?;
        if labels.is_empty() {
            return Ok(None);
        }
        Ok(Some(Metrics::new(loss, &all_scores, outputs, &labels)?))
    }
}

impl Outputs {
    /// Writes `predictions.csv` for a cross-validation: what heads say of the training photos that they hadn't seen, and the
    /// fold each was held back in. With the probability of every class, from which `evaluate` measures later.
    pub fn cross_validation(
        &self,
        run: &Context<'_>,
        part: &Part,
        scores: &[f32],
        folds: &[usize],
    ) -> Result<Metrics, Error> {
        let (loss, classes, labels) = (&run.plan.loss, &run.dataset.classes, part.source.labels());
        let file = self.folder.path().join("predictions.csv");
        write_atomically(&file, |out| {
            let mut csv = csv::Writer::from_writer(out);
            let head = ["path", "label", "prediction", "probability", FOLD].map(str::to_owned);
            let each = classes.iter().map(|class| format!("{PROBABILITY_OF}{class}"));
            csv.write_record(head.into_iter().chain(each))?;
            for (sample, row) in scores.chunks_exact(classes.len()).enumerate() {
                let prediction = loss.decide(row) as usize;
                let probabilities = loss.probabilities(row);
                let begin = [
                    part.paths[sample].to_string_lossy().into_owned(),
                    classes[labels[sample] as usize].clone(),
                    classes[prediction].clone(),
                    format!("{:.6}", probabilities[prediction]),
                    (folds[sample] + 1).to_string(),
                ];
                csv.write_record(begin.into_iter().chain(probabilities.iter().map(|p| format!("{p:e}"))))?;
            }
            csv.flush()
        })
        .map_err(|e| Error::file(&file, format!("can't be written: {e}")))?;
        Ok(Metrics::new(loss, scores, classes.len(), labels)?)
    }
}

/// The column of the fold that an image was held back in.
pub(crate) const FOLD: &str = "fold";
/// What the columns of the classes' probabilities begin with.
pub(crate) const PROBABILITY_OF: &str = "probability of ";

/// That a run's folder holds no other one, unless that is meant to be there.
pub(super) fn refuse_used(folder: &Path, earlier: Earlier) -> Result<(), Error> {
    if earlier != Earlier::Keep || !([MODEL, CHECKPOINT].iter().any(|file| folder.join(file).exists())) {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "{} holds a run already; go on with it by --resume, or choose another folder with --output",
        printable_path(folder)
    )))
}

/// Whether this is a run from before folders were marked: its settings, all resolved, are there.
fn is_unmarked_run(folder: &Path) -> Result<bool, Error> {
    if OwnedFolder::is_owned(folder, RunFolder::PURPOSE)? {
        return Ok(false);
    }
    let Ok(text) = eyespot_system::read_text(&folder.join("config.toml")) else { return Ok(false) };
    let settings = TrainingOptions::from_toml(&text);
    Ok(settings.is_ok_and(|o| o.data.is_some() && o.model.is_some() && o.epochs.is_some()))
}

/// That a run goes on with the settings it began with: others would give neither the old model nor the new one.
fn same_settings(options: &TrainingOptions, config: &Path) -> Result<(), Error> {
    let text = eyespot_system::read_text(config).map_err(|e| Error::file(config, e))?;
    let began = TrainingOptions::from_toml(&text).map_err(|e| Error::file(config, e))?;
    let table = |options: TrainingOptions| toml::Table::try_from(options).unwrap_or_default();
    let (began, now) = (table(began.decisive()), table(options.decisive()));
    let value = |table: &toml::Table, key: &str| {
        table.get(key).map_or("not set".to_owned(), |v| printable(&v.to_string()))
    };
    let differs = |key: &&&str| began.get(**key) != now.get(**key);
    let changes: Vec<String> = TrainingOptions::KEYS
        .iter()
        .filter(differs)
        .map(|key| format!("{key} was {}, now it is {}", value(&began, key), value(&now, key)))
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "a run goes on with the settings it began with, but {}; leave that out, or begin a new run with another --output",
        changes.join(", ")
    )))
}
