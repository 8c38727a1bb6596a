//! The files a run leaves behind, each whole or not there.

use super::{Context, Part};
use crate::{Error, TrainingOptions};
use eyespot_graph::{Device, Params};
use eyespot_system::write_atomically;
use eyespot_train::Metrics;
use std::path::{Path, PathBuf};

pub(super) struct Outputs {
    pub folder: PathBuf,
}

impl Outputs {
    /// Makes the folder and writes the settings down.
    pub fn open(options: &TrainingOptions, resume: bool) -> Result<Self, Error> {
        let folder = options.output.clone().unwrap_or_else(|| PathBuf::from("runs/run"));
        let used = ["model.safetensors", "last.checkpoint"].iter().any(|file| folder.join(file).exists());
        if used && !resume {
            return Err(Error::Usage(format!(
                "{} holds a run already; go on with it by --resume, or choose another folder with --output",
                folder.display()
            )));
        }
        let outputs = Self { folder };
        let config = outputs.folder.join("config.toml");
        if resume && config.exists() {
            same_settings(options, &config)?;
            return Ok(outputs);
        }
        write_atomically(&config, |file| file.write_all(options.to_toml().as_bytes()))
            .map_err(|e| Error::file(&config, format!("can't be written: {e}")))?;
        Ok(outputs)
    }

    pub fn model(&self) -> PathBuf {
        self.folder.join("model.safetensors")
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
        let mut program = run.device.inference(&run.plan.graph, params, batch)?;
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
        let file = self.folder.join("predictions.csv");
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

/// That a run goes on with the settings it began with: others would give neither the old model nor the new one.
fn same_settings(options: &TrainingOptions, config: &Path) -> Result<(), Error> {
    let text = std::fs::read_to_string(config).map_err(|e| Error::file(config, e))?;
    let began = TrainingOptions::from_toml(&text).map_err(|e| Error::file(config, e))?;
    let table = |options: TrainingOptions| toml::Table::try_from(options).unwrap_or_default();
    let (began, now) = (table(began.decisive()), table(options.decisive()));
    let value =
        |table: &toml::Table, key: &str| table.get(key).map_or("not set".to_owned(), ToString::to_string);
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
