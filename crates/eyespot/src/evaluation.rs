//! How good a classifier is on labelled pictures.

use crate::{Classifier, Error};
use eyespot_data::Sample;
use eyespot_system::{printable, printable_path};
use eyespot_train::{ClassMetrics, Confidence, Metrics, wilson_interval};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

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
    #[serde(serialize_with = "crate::path_text::one")]
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
    #[serde(serialize_with = "crate::path_text::one")]
    pub path: PathBuf,
    /// The cause.
    pub error: String,
}

impl Unreadable {
    pub(crate) fn new(path: PathBuf, cause: &impl ToString) -> Self {
        Self { path, error: cause.to_string() }
    }
}

/// Images that weren't measured, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LeftOut {
    /// Files that can't be read.
    pub unreadable: usize,
    /// Copies of images that are measured.
    pub duplicates: usize,
    /// Images that are there with several labels.
    pub contradictory: usize,
    /// Images that the model learned from.
    pub trained_on: usize,
    /// Images of classes that the model doesn't know.
    pub unknown_class: usize,
}

/// What comes of rejecting images whose prediction isn't sure enough (selective prediction).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Selective {
    /// Predictions with a probability below this are rejected.
    pub threshold: f32,
    /// Images that are accepted.
    pub accepted: usize,
    /// Images that are rejected.
    pub rejected: usize,
    /// The share that is accepted.
    pub coverage: f64,
    /// The share of the accepted ones that is right; `None` where none is accepted.
    pub accuracy: Option<f64>,
    /// Its 95 % confidence interval.
    pub accuracy_interval: Option<[f64; 2]>,
}

/// That of every class with images one at least could be read. The class would otherwise be missing from the figures in
/// silence.
pub(crate) fn readable_classes(
    classes: &[String],
    samples: &[Sample],
    unreadable: &[Unreadable],
) -> Result<(), Error> {
    if unreadable.is_empty() || unreadable.len() == samples.len() {
        // Nothing is wrong, or everything is.
        return Ok(());
    }
    let failed: HashMap<&Path, &str> =
        unreadable.iter().map(|u| (u.path.as_path(), u.error.as_str())).collect();
    match unreadable_class(classes, samples, |path| failed.get(path).copied()) {
        Some(text) => Err(Error::Picture(text)),
        None => Ok(()),
    }
}

/// Files that are named of a class.
const NAMED: usize = 3;

/// What is wrong with the first class none of whose images can be read. `failed` says why one can't.
pub(crate) fn unreadable_class<'a>(
    classes: &[String],
    samples: &[Sample],
    failed: impl Fn(&Path) -> Option<&'a str>,
) -> Option<String> {
    let mut readable = vec![false; classes.len()];
    let mut files: Vec<Vec<(&Path, &str)>> = vec![Vec::new(); classes.len()];
    for sample in samples {
        match failed(&sample.path) {
            None => readable[sample.label] = true,
            Some(cause) => files[sample.label].push((&sample.path, cause)),
        }
    }
    let class = (0..classes.len()).find(|&class| !readable[class] && !files[class].is_empty())?;
    let files = &files[class];
    let named = |(path, cause): &(&Path, &str)| format!("{} {cause}", printable_path(path));
    let mut shown: Vec<String> = files.iter().take(NAMED).map(named).collect();
    if files.len() > NAMED {
        shown.push(format!("{} more", files.len() - NAMED));
    }
    Some(format!(
        "none of the {} images of {} can be read: {}; repair or replace them, or leave the class out",
        files.len(),
        printable(&classes[class]),
        shown.join(", ")
    ))
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
    /// How many images weren't measured.
    pub left_out: LeftOut,
    /// What rejecting unsure predictions would give, see [`Evaluation::with_threshold`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selective: Option<Selective>,
    /// How sure the classifier was of each picture, and whether rightly. Not part of the JSON.
    #[serde(skip)]
    pub confidence: Confidence,
    /// What one should know about the data.
    #[serde(skip)]
    pub notices: Vec<String>,
}

impl Evaluation {
    /// With the figures for rejecting predictions of a lower probability than this.
    pub fn with_threshold(mut self, threshold: f32) -> Self {
        let (accepted, right) = self.confidence.at_least(threshold);
        let images = self.metrics.images;
        self.selective = Some(Selective {
            threshold,
            accepted,
            rejected: images - accepted,
            coverage: accepted as f64 / images.max(1) as f64,
            accuracy: (accepted > 0).then(|| right as f64 / accepted as f64),
            accuracy_interval: (accepted > 0).then(|| wilson_interval(right, accepted)),
        });
        self
    }
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
    pub left_out: LeftOut,
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
        let classes: Vec<ClassEvaluation> = names.iter().enumerate().map(class).collect();
        // Of a class without images nothing is said that could be uncertain.
        let counts = classes.iter().map(|class| (class.name.as_str(), class.metrics.support));
        notices.extend(crate::judged::few_images(counts.filter(|(_, images)| *images > 0)));
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
        let left_out = LeftOut { unreadable: self.unreadable.len(), ..self.left_out };
        let (unreadable, selective) = (self.unreadable, None);
        Ok(Evaluation { metrics, classes, mistakes, unreadable, left_out, selective, confidence, notices })
    }
}
