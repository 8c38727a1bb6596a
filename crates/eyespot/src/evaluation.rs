//! How good a classifier is on labelled pictures.

use crate::{Classifier, Error};
use eyespot_system::printable_path;
use eyespot_train::{ClassMetrics, Confidence, Metrics};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A class in an [`Evaluation`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassEvaluation {
    /// The class.
    pub name: String,
    /// How good the classifier is for it.
    #[serde(flatten)]
    pub metrics: ClassMetrics,
}

/// A picture taken for another class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// Its file.
    pub path: PathBuf,
    /// What it is.
    pub label: String,
    /// What it was taken for.
    pub prediction: String,
    /// The probability given to that.
    pub probability: f32,
}

/// A picture that can't be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Its file.
    pub path: PathBuf,
    /// The cause.
    pub error: String,
}

impl Unreadable {
    pub(crate) fn new(path: PathBuf, cause: &impl ToString) -> Self {
        Self { path, error: cause.to_string() }
    }
}

/// That there is nothing to measure.
pub(crate) fn none_readable(unreadable: &[Unreadable]) -> Error {
    let first = unreadable.first().map(|u| format!(": {} {}", printable_path(&u.path), u.error));
    let (count, first) = (unreadable.len(), first.unwrap_or_default());
    Error::Picture(format!("none of the {count} pictures can be read{first}"))
}

/// A classifier measured on labelled pictures. In JSON the [`Metrics`] stand beside the other fields, not in one of
/// their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Accuracy, loss, confusion: what can be said in numbers about the pictures that were measured.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// Each class, in the order of the network's outputs.
    pub classes: Vec<ClassEvaluation>,
    /// The pictures taken for another class.
    pub mistakes: Vec<Mistake>,
    /// The pictures that can't be read; they are not measured.
    pub unreadable: Vec<Unreadable>,
    /// How sure the classifier was of each picture, and whether rightly. Not part of the JSON.
    #[serde(skip)]
    pub confidence: Confidence,
    /// What one should know about the data.
    #[serde(skip)]
    pub notices: Vec<String>,
}

/// Scores on their way to an evaluation.
#[derive(Default)]
pub(crate) struct Scored {
    pub scores: Vec<f32>,
    pub labels: Vec<u32>,
    pub paths: Vec<PathBuf>,
    pub unreadable: Vec<Unreadable>,
    /// What is to be said about pictures that were read.
    pub noted: Vec<Unreadable>,
}

impl Scored {
    pub fn measure(self, classifier: &Classifier, mut notices: Vec<String>) -> Result<Evaluation, Error> {
        if self.labels.is_empty() {
            return Err(none_readable(&self.unreadable));
        }
        let outputs = self.scores.len() / self.labels.len();
        let (loss, names) = (classifier.loss(), classifier.classes());
        let metrics = Metrics::new(loss, &self.scores, outputs, &self.labels)?;
        let confidence = Confidence::new(loss, &self.scores, outputs, &self.labels);
        let class =
            |(i, name): (usize, &String)| ClassEvaluation { name: name.clone(), metrics: metrics.class(i) };
        let classes = names.iter().enumerate().map(class).collect();
        let pictures = self.scores.chunks_exact(outputs).zip(&self.labels).zip(self.paths);
        let mistake = |((scores, &label), path): ((&[f32], &u32), PathBuf)| {
            let prediction = loss.decide(scores);
            (prediction != label).then(|| Mistake {
                path,
                label: names[label as usize].clone(),
                prediction: names[prediction as usize].clone(),
                probability: loss.probabilities(scores)[prediction as usize],
            })
        };
        let mistakes = pictures.filter_map(mistake).collect();
        let noted = self.noted.iter().map(|note| (note.path.as_path(), note.error.as_str()));
        notices.extend(crate::remarks::noted(noted));
        Ok(Evaluation { metrics, classes, mistakes, unreadable: self.unreadable, confidence, notices })
    }
}
