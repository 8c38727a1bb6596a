//! How good a classifier is on labelled pictures.

use crate::{Classifier, Error};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A class in an [`Evaluation`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassEvaluation {
    /// The class.
    pub name: String,
    /// Of the pictures called so, the share that is so; 0 where none was.
    pub precision: f64,
    /// Of the pictures that are so, the share called so; 0 where there are none.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
    /// Pictures that are so.
    pub support: usize,
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

/// A classifier measured on labelled pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Pictures that were measured.
    pub images: usize,
    /// The share that is right.
    pub accuracy: f64,
    /// The share whose class is among the five likeliest.
    pub top5_accuracy: f64,
    /// The mean loss.
    pub loss: f64,
    /// The area under the ROC curve, for two classes.
    pub auc: Option<f64>,
    /// Each class, in the order of the network's outputs.
    pub classes: Vec<ClassEvaluation>,
    /// Pictures by class (row) and prediction (column).
    pub confusion: Vec<Vec<usize>>,
    /// The pictures taken for another class.
    pub mistakes: Vec<Mistake>,
    /// The pictures that can't be read; they are not in `images`.
    pub unreadable: Vec<Unreadable>,
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
    pub unreadable: Vec<(PathBuf, String)>,
}

impl Scored {
    pub fn measure(self, classifier: &Classifier, notices: Vec<String>) -> Result<Evaluation, Error> {
        if self.labels.is_empty() {
            let first = self.unreadable.first().map(|(path, why)| format!(": {} {why}", path.display()));
            return Err(Error::Picture(format!(
                "none of the {} pictures can be read{}",
                self.unreadable.len(),
                first.unwrap_or_default()
            )));
        }
        let outputs = self.scores.len() / self.labels.len();
        let measured =
            eyespot_train::Evaluation::new(classifier.loss(), &self.scores, outputs, &self.labels)?;
        let names = classifier.classes();
        let class = |(name, c): (&String, &eyespot_train::ClassMetrics)| ClassEvaluation {
            name: name.clone(),
            precision: c.precision,
            recall: c.recall,
            f1: c.f1,
            support: c.support,
        };
        let mistake = |m: &eyespot_train::Mistake| Mistake {
            path: self.paths[m.image].clone(),
            label: names[m.label as usize].clone(),
            prediction: names[m.prediction as usize].clone(),
            probability: m.probability,
        };
        Ok(Evaluation {
            images: measured.images,
            accuracy: measured.accuracy,
            top5_accuracy: measured.top5_accuracy,
            loss: measured.loss,
            auc: measured.auc,
            classes: names.iter().zip(&measured.classes).map(class).collect(),
            confusion: measured.confusion,
            mistakes: measured.mistakes.iter().map(mistake).collect(),
            unreadable: self.unreadable.into_iter().map(|(path, error)| Unreadable { path, error }).collect(),
            notices,
        })
    }
}
