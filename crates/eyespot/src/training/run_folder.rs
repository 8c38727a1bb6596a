//! The files a run leaves behind, each whole or not there.

use super::{Context, Part};
use crate::{Error, TrainingOptions};
use eyespot_graph::Params;
use eyespot_system::{OwnedFolder, printable, printable_path, write_atomically};
use eyespot_train::{Loss, Metrics, RunFolder};
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
const FILES: [&str; 6] = [MODEL, CHECKPOINT, "metrics.jsonl", VALIDATION, TEST, "config.toml"];
const MODEL: &str = "model.safetensors";
const CHECKPOINT: &str = "last.checkpoint";
/// What is said of images that validated the training.
pub(crate) const VALIDATION: &str = "predictions.csv";
/// What the finished model says of the images kept for testing.
pub(crate) const TEST: &str = "test.csv";

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
        let mut said = Said::default();
        let paths = &part.paths;
        part.source.batches(0, &samples, batch, &mut |batch| {
            said.scores.extend_from_slice(program.run(batch.inputs, batch.labels.len())?);
            said.labels.extend_from_slice(batch.labels);
            said.paths.extend(batch.samples.iter().map(|&sample| paths[sample].clone()));
            Ok(())
        })?;
        said.write(&self.folder.path().join(VALIDATION), classes, loss)?;
        if said.labels.is_empty() {
            return Ok(None);
        }
        Ok(Some(Metrics::new(loss, &said.scores, outputs, &said.labels)?))
    }

    /// Writes `predictions.csv` for a cross-validation: what models say of the training photos that they hadn't seen, and the
    /// fold each was held back in. `evaluate` measures from it later.
    pub fn cross_validation(&self, run: &Context<'_>, unseen: &Said) -> Result<Metrics, Error> {
        let loss = &run.plan.loss;
        unseen.write(&self.folder.path().join(VALIDATION), &run.dataset.classes, loss)?;
        let outputs = unseen.scores.len() / unseen.labels.len().max(1);
        Ok(Metrics::new(loss, &unseen.scores, outputs, &unseen.labels)?)
    }
}

/// What a model says of images that it hasn't learned from.
#[derive(Default)]
pub(crate) struct Said {
    pub paths: Vec<PathBuf>,
    pub labels: Vec<u32>,
    /// Images × outputs.
    pub scores: Vec<f32>,
    /// The fold that each image was held back in, from 0; empty where there were none.
    pub folds: Vec<usize>,
}

impl Said {
    /// Writes it as a table, a row for each image, with the probability of every class.
    pub fn write(&self, file: &Path, classes: &[String], loss: &Loss) -> Result<(), Error> {
        let outputs = self.scores.len() / self.labels.len().max(1);
        write_atomically(file, |out| {
            let mut csv = csv::Writer::from_writer(out);
            let folded = !self.folds.is_empty();
            let head = ["path", "label", "prediction", "probability"].map(str::to_owned).into_iter();
            let each = classes.iter().map(|class| format!("{PROBABILITY_OF}{class}"));
            csv.write_record(head.chain(folded.then(|| FOLD.to_owned())).chain(each))?;
            for (image, &label) in self.labels.iter().enumerate() {
                let scores = &self.scores[image * outputs..][..outputs];
                let prediction = loss.decide(scores) as usize;
                let probabilities = loss.probabilities(scores);
                let begin = [
                    self.paths[image].to_string_lossy().into_owned(),
                    classes[label as usize].clone(),
                    classes[prediction].clone(),
                    format!("{:.6}", probabilities[prediction]),
                ];
                let fold = self.folds.get(image).map(|fold| (fold + 1).to_string());
                let each = probabilities.iter().map(|p| format!("{p:e}"));
                csv.write_record(begin.into_iter().chain(fold).chain(each))?;
            }
            csv.flush()
        })
        .map_err(|e| Error::file(file, format!("can't be written: {e}")))
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
