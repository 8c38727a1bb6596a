//! The images that a run set aside, and what it said of them.

use crate::evaluation::Scored;
use crate::judged::{best_of, candidates};
use crate::training::run_folder::{FOLD, PROBABILITY_OF, TEST, VALIDATION};
use crate::{Error, TrainingOptions};
use eyespot_data::{Dataset, Sample};
use eyespot_system::printable_path;
use eyespot_train::Loss;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The images that a run set aside: for testing, else for validation.
#[derive(Debug, Clone)]
pub(crate) struct SetAside {
    data: PathBuf,
    /// Below the data's folder, as the data set lists them; empty after a cross-validation.
    names: HashSet<PathBuf>,
    folded: Option<Predictions>,
    /// How many models the run chose from by them.
    candidates: u64,
}

/// A `predictions.csv`: what a run said of images that it hadn't learned from.
#[derive(Debug, Clone)]
pub(crate) struct Predictions {
    file: PathBuf,
    classes: Vec<String>,
    rows: Vec<Row>,
    /// Whether a cross-validation wrote it.
    folded: bool,
}

#[derive(Debug, Clone)]
struct Row {
    path: PathBuf,
    label: String,
    /// Of each class; empty in files from before they were written.
    probabilities: Vec<f32>,
}

/// A number from 0 to 1.
fn probability(text: &str) -> Option<f32> {
    text.parse().ok().filter(|p| (0.0..=1.0).contains(p))
}

impl Predictions {
    /// Reads the file.
    ///
    /// # Errors
    /// A file that isn't there or is damaged.
    pub fn open(file: &Path) -> Result<Self, Error> {
        let damaged = || Error::file(file, "these are no predictions of a run, or damaged ones");
        let mut table =
            csv::Reader::from_reader(eyespot_system::open(file).map_err(|e| Error::file(file, e))?);
        let header = table.headers().map_err(|_| damaged())?.clone();
        let probabilities: Vec<usize> =
            (0..header.len()).filter(|&column| header[column].starts_with(PROBABILITY_OF)).collect();
        let classes = probabilities.iter().map(|&c| header[c][PROBABILITY_OF.len()..].to_owned()).collect();
        let row = |row: Result<csv::StringRecord, csv::Error>| {
            let row = row.ok()?;
            let each = probabilities.iter().map(|&column| probability(row.get(column)?));
            let (path, label) = (row.get(0)?.into(), row.get(1)?.to_owned());
            Some(Row { path, label, probabilities: each.collect::<Option<_>>()? })
        };
        let rows = table.into_records().map(row).collect::<Option<_>>().ok_or_else(damaged)?;
        let folded = header.iter().any(|column| column == FOLD);
        Ok(Self { file: file.into(), classes, rows, folded })
    }

    /// The predictions as scores that give their probabilities back under the loss of the network that has so many outputs.
    ///
    /// # Errors
    /// Classes that aren't the model's.
    pub fn scored(&self, classes: &[String], loss: &Loss, outputs: usize) -> Result<Scored, Error> {
        let other =
            || Error::file(&self.file, "these aren't the predictions of this model: its classes are others");
        if self.classes != classes {
            return Err(other());
        }
        let mut scored = Scored::default();
        for row in &self.rows {
            let label = classes.iter().position(|class| *class == row.label).ok_or_else(other)?;
            scored.labels.push(label as u32);
            scored.paths.push(row.path.clone());
            let at_least = |p: f32| p.max(f32::MIN_POSITIVE);
            let score = |p: f32| match loss {
                Loss::CrossEntropy { .. } => at_least(p).ln(),
                Loss::BceWithLogits => (at_least(p) / at_least(1.0 - p)).ln(),
                Loss::Mse | Loss::Bce => p,
            };
            // One output stands for the second of two classes.
            let first = if outputs == 1 { 1 } else { 0 };
            scored.scores.extend(row.probabilities.iter().skip(first).map(|p| score(*p)));
        }
        Ok(scored)
    }

    /// What these predictions are.
    pub fn notice(&self) -> String {
        format!(
            "cross-validation: each of {} images was predicted by a model that had not seen it",
            self.rows.len()
        )
    }
}

impl SetAside {
    /// From the files beside the model of a run of so many epochs; `None` for a model that lies alone.
    pub fn read(model: &Path, epochs: u64) -> Option<Self> {
        let text = eyespot_system::read_text(&model.with_file_name("config.toml")).ok()?;
        let options = TrainingOptions::from_toml(&text).ok()?;
        let data = options.data?;
        let read = |name: &str| Predictions::open(&model.with_file_name(name)).ok();
        let (predictions, candidates) = match read(TEST) {
            // Nothing was chosen by these.
            Some(predictions) => (predictions, 1),
            None => (read(VALIDATION)?, candidates(epochs, options.fine_tune)),
        };
        if predictions.folded {
            return Some(Self { data, names: HashSet::new(), folded: Some(predictions), candidates });
        }
        let names: HashSet<PathBuf> = predictions.rows.iter().map(|row| below(&data, &row.path)).collect();
        (!names.is_empty()).then_some(Self { data, names, folded: None, candidates })
    }

    /// What the run's cross-validation predicted, where it had one.
    pub fn folded(&self) -> Option<&Predictions> {
        self.folded.as_ref()
    }

    /// Where the run's images lie.
    ///
    /// # Errors
    /// If they are no longer there.
    pub fn data(&self) -> Result<&Path, Error> {
        if self.data.exists() {
            return Ok(&self.data);
        }
        Err(Error::Usage(format!(
            "the run set aside images of {}, which isn't there (seen from this folder); put the labelled images \
             behind the run",
            printable_path(&self.data)
        )))
    }

    /// The images set aside of the data the run was made from, however it was divided.
    ///
    /// # Errors
    /// If none of them is left.
    pub fn samples(&self, dataset: &Dataset, notices: &mut Vec<String>) -> Result<Vec<Sample>, Error> {
        let all = dataset.train.iter().chain(&dataset.val).chain(&dataset.test).cloned();
        let samples = self.of(&self.data, all.collect());
        let (left, all) = (samples.len(), self.names.len());
        match left {
            0 => Err(Error::file(
                &self.data,
                format!("none of the {all} images that the run set aside is there any more"),
            )),
            _ => {
                let gone =
                    if left < all { format!("; {} others are gone", all - left) } else { String::new() };
                notices.push(format!(
                    "measured on {left} images that the run set aside, of {}{gone}",
                    printable_path(&self.data)
                ));
                Ok(samples)
            }
        }
    }

    /// That the run chose its best epoch on some of these images, wherever they are named from.
    pub fn chosen_on(&self, samples: &[Sample]) -> Option<String> {
        if self.candidates < 2 || self.names.is_empty() {
            return None;
        }
        let place = |path: &Path| path.canonicalize().ok();
        let chosen: HashSet<PathBuf> =
            self.names.iter().filter_map(|name| place(&self.data.join(name))).collect();
        let on = samples.iter().filter(|s| place(&s.path).is_some_and(|path| chosen.contains(&path))).count();
        match on {
            0 => None,
            all if all == samples.len() => best_of(self.candidates, "these images"),
            some => best_of(self.candidates, &format!("{some} of these images")),
        }
    }

    /// Of these samples only those that were set aside, where the run divided the same data itself.
    pub fn only(&self, data: &Path, samples: Vec<Sample>) -> Vec<Sample> {
        if self.folded.is_some() {
            return samples;
        }
        let elsewhere = match (self.data.canonicalize(), data.canonicalize()) {
            (Ok(learned), Ok(now)) => learned != now,
            // The run was made from another folder, or on another machine: names must do.
            _ => false,
        };
        let set_aside = self.of(data, samples.clone());
        if elsewhere || set_aside.len() < self.names.len() { samples } else { set_aside }
    }

    fn of(&self, data: &Path, samples: Vec<Sample>) -> Vec<Sample> {
        samples.into_iter().filter(|sample| self.names.contains(&below(data, &sample.path))).collect()
    }
}

/// A file's name below the data's folder, in the text of a table, which has no bytes that aren't Unicode.
fn below(data: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(data).unwrap_or(path).to_string_lossy().into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_chosen_on_what_is_measured_is_told() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("photos");
        std::fs::create_dir_all(data.join("a")).expect("makes the folder");
        for name in ["a/1.jpg", "a/2.jpg", "a/3.jpg"] {
            std::fs::write(data.join(name), "an image").expect("writes");
        }
        let names = ["a/1.jpg", "a/2.jpg", "a/gone.jpg"].map(PathBuf::from);
        let set_aside = |candidates| SetAside {
            data: data.clone(),
            names: names.clone().into(),
            folded: None,
            candidates,
        };
        // Named from elsewhere they are the same files.
        let sample = |name: &str| Sample::file(data.join("../photos").join(name), 0);
        let said = |samples: &[Sample]| set_aside(7).chosen_on(samples);
        let both = [sample("a/1.jpg"), sample("a/2.jpg")];
        assert!(said(&both).is_some_and(|text| text.contains("best of 7 epochs on these images")));
        let some = [sample("a/1.jpg"), sample("a/3.jpg")];
        assert!(said(&some).is_some_and(|text| text.contains("on 1 of these images")));
        assert_eq!(said(&[sample("a/3.jpg")]), None);
        assert_eq!(set_aside(1).chosen_on(&both), None);
    }

    #[test]
    fn a_model_without_fingerprints_is_measured_on_what_its_run_set_aside() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (data, other) = (folder.path().join("photos"), folder.path().join("other"));
        for folder in [&data, &other] {
            std::fs::create_dir(folder).expect("makes the folder");
        }
        let names = ["a/1.jpg", "b/2.jpg"].map(PathBuf::from);
        let set_aside = SetAside { data: data.clone(), names: names.into(), folded: None, candidates: 1 };
        let samples = |root: &Path, names: &[&str]| -> Vec<Sample> {
            names.iter().map(|name| Sample::file(root.join(name), 0)).collect()
        };
        let all = ["a/1.jpg", "a/3.jpg", "b/2.jpg"];
        assert_eq!(set_aside.only(&data, samples(&data, &all)).len(), 2);
        // Another folder, and one that lacks some of them, are measured whole.
        assert_eq!(set_aside.only(&other, samples(&other, &all)).len(), 3);
        assert_eq!(set_aside.only(&data, samples(&data, &all[..2])).len(), 2);
    }
}
