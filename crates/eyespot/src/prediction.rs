//! What a classifier says of a picture.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A class and how likely it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// The class.
    pub class: String,
    /// Its probability, 0..1.
    pub probability: f32,
    /// The network's own number before it became a probability. With a single output it belongs to the second
    /// class, and the first class gets its mirror image.
    pub logit: f32,
}

/// What a classifier says of one picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The most likely class.
    pub prediction: String,
    /// Its probability, 0..1.
    pub probability: f32,
    /// The most likely classes, the likeliest first.
    pub top: Vec<ClassScore>,
}

/// A file and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PathPrediction {
    /// The picture's file.
    pub path: PathBuf,
    /// The class its folder is named after, where the classifier knows a class of that name.
    pub label: Option<String>,
    /// The prediction, or why the picture can't be read.
    pub result: Result<Prediction, String>,
    /// What is to be said about a file that was read, such as that it is damaged; mostly nothing.
    pub notes: Vec<String>,
}

impl Prediction {
    /// The `k` likeliest classes. Equal ones stay in the order of the classes.
    pub(crate) fn new(classes: &[String], probabilities: &[f32], logits: &[f32], k: usize) -> Self {
        let mut order: Vec<usize> = (0..classes.len()).collect();
        order.sort_by(|&a, &b| {
            logits[b]
                .total_cmp(&logits[a])
                .then(probabilities[b].total_cmp(&probabilities[a]))
                .then(a.cmp(&b))
        });
        let score = |&i: &usize| ClassScore {
            class: classes[i].clone(),
            probability: probabilities[i],
            logit: logits[i],
        };
        let top: Vec<ClassScore> = order.iter().take(k.max(1)).map(score).collect();
        Self { prediction: top[0].class.clone(), probability: top[0].probability, top }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_class_comes_first_and_equals_keep_their_order() {
        let classes = ["a", "b", "c"].map(str::to_owned);
        let prediction = Prediction::new(&classes, &[0.2, 0.4, 0.4], &[0.0, 1.0, 1.0], 2);
        assert_eq!(prediction.prediction, "b");
        let names: Vec<&str> = prediction.top.iter().map(|s| s.class.as_str()).collect();
        assert_eq!(names, ["b", "c"]);
    }
}
