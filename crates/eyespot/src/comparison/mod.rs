//! Several classifiers on the same images.

mod classes;

use crate::evaluation::{Scored, Unreadable, none_readable, readable_classes};
use crate::labelled::Labelled;
use crate::{Classifier, Error, LeftOut};
use eyespot_data::Sample;
use eyespot_system::{printable, printable_path};
use eyespot_train::{Metrics, Paired, log_loss};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// One of the classifiers that are compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedModel {
    /// What it is called.
    pub model: String,
    /// How good it is; the confusion matrix has the classes in the order of [`Comparison::classes`].
    #[serde(flatten)]
    pub metrics: Metrics,
    /// The mean of `−ln p` of the right class, whatever loss it was trained with; see [`log_loss`].
    pub log_loss: f64,
}

/// A classifier against the first one, on the same images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// What it is called.
    pub model: String,
    /// Its accuracy less the first one's.
    pub accuracy_difference: f64,
    /// The 95 % confidence interval of the difference by the paired bootstrap, see [`Paired::interval`].
    pub interval: [f64; 2],
    /// Images that only the first one names rightly.
    pub only_first_right: usize,
    /// Images that only this one names rightly.
    pub only_this_right: usize,
    /// McNemar's exact p, see [`Paired::mcnemar`].
    pub mcnemar_p: f64,
}

/// What a classifier says of an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// The class it names.
    pub prediction: String,
    /// The probability it gives to that.
    pub probability: f32,
}

/// An image that isn't named alike by all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disagreement {
    /// Its file.
    #[serde(serialize_with = "crate::path_text::one")]
    pub path: PathBuf,
    /// What it is.
    pub label: String,
    /// What each classifier says, in their order.
    pub answers: Vec<Answer>,
}

/// Classifiers measured on the same images, see [`compare`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// How many images.
    pub images: usize,
    /// The classes, in the order of the first classifier.
    pub classes: Vec<String>,
    /// The classifiers.
    pub models: Vec<ComparedModel>,
    /// Each further classifier against the first one.
    pub differences: Vec<Difference>,
    /// The images that aren't named alike by all.
    pub disagreements: Vec<Disagreement>,
    /// The images that can't be read, or that one of them has no answer for; they are not measured.
    pub unreadable: Vec<Unreadable>,
    /// How many images weren't measured.
    pub left_out: LeftOut,
    /// What one should know about the data.
    #[serde(skip)]
    pub notices: Vec<String>,
}

/// Measures classifiers, each with a name, side by side on the same labelled images: those that [`Classifier::evaluate`]
/// takes, without the ones that any of them learned from (unless [`Classifier::include_training`]). The classifiers must
/// know the same classes, in any order.
///
/// # Errors
/// No classifier, different classes, data that can't be found, no images that are new to all.
///
/// ```no_run
/// let (a, b) = (eyespot::Classifier::load("runs/bees-1")?, eyespot::Classifier::load("runs/bees-2")?);
/// let comparison = eyespot::compare(&[("one", &a), ("two", &b)], "photos/")?;
/// let two = &comparison.differences[0];
/// println!("{:+.3}, p = {:.3}", two.accuracy_difference, two.mcnemar_p);
/// # Ok::<(), eyespot::Error>(())
/// ```
pub fn compare(models: &[(&str, &Classifier)], data: impl AsRef<Path>) -> Result<Comparison, Error> {
    let Some(&(first_name, first)) = models.first() else {
        return Err(Error::Usage("there is no model to compare".to_owned()));
    };
    let places: Vec<Vec<usize>> = models
        .iter()
        .map(|(name, model)| classes::places((first_name, first.classes()), (name, model.classes())))
        .collect::<Result<_, _>>()?;
    let Shared { parts, mut left_out, mut notices } = shared(models, data.as_ref())?;
    let mut scored = Vec::new();
    for ((_, model), samples) in models.iter().zip(&parts) {
        scored.push(model.scored(samples)?);
    }
    let unreadable = unreadable(&scored);
    readable_classes(first.classes(), &parts[0], &unreadable)?;
    left_out.unreadable = unreadable.len();
    let rows = common_rows(&scored);
    let Some(images) = rows.first().map(Vec::len).filter(|images| *images > 0) else {
        return Err(none_readable(&unreadable));
    };
    let mut measured = Vec::new();
    for (((model, places), scored), rows) in models.iter().zip(&places).zip(&scored).zip(&rows) {
        measured.push(Measured::new(*model, places, scored, rows)?);
    }
    let counts = |class: usize| measured[0].labels.iter().filter(|label| **label == class).count();
    let names = first.classes();
    let counts = names.iter().enumerate().map(|(class, name)| (name.as_str(), counts(class)));
    notices.extend(crate::judged::few_images(counts.filter(|(_, images)| *images > 0)));
    let noted = scored[0].noted.iter().map(|note| (note.path.as_path(), note.error.as_str()));
    notices.extend(crate::remarks::noted(noted));
    let differences =
        measured[1..].iter().map(|other| difference(&measured[0], other)).collect::<Result<_, _>>()?;
    let disagreements = (0..images).filter_map(|image| disagreement(&measured, names, image)).collect();
    Ok(Comparison {
        images,
        classes: names.to_vec(),
        differences,
        disagreements,
        models: measured.into_iter().map(|measured| measured.model).collect(),
        unreadable,
        left_out,
        notices,
    })
}

/// The images that are new to all models, for each with its own labels.
struct Shared {
    parts: Vec<Vec<Sample>>,
    left_out: LeftOut,
    notices: Vec<String>,
}

fn shared(models: &[(&str, &Classifier)], data: &Path) -> Result<Shared, Error> {
    let mut all: Vec<Labelled> =
        models.iter().map(|(_, model)| model.unseen(Some(data))).collect::<Result<_, _>>()?;
    let paths = |labelled: &Labelled| -> HashSet<PathBuf> {
        labelled.samples.iter().map(|sample| sample.path.clone()).collect()
    };
    let mut common = paths(&all[0]);
    for labelled in &all[1..] {
        let own = paths(labelled);
        common.retain(|path| own.contains(path));
    }
    let learned: BTreeSet<&PathBuf> = all.iter().flat_map(|labelled| &labelled.learned).collect();
    let mut left_out = all[0].left_out;
    left_out.trained_on = learned.len();
    let mut notices: Vec<String> = Vec::new();
    for notice in all.iter().flat_map(|labelled| &labelled.notices) {
        if !notices.contains(notice) {
            notices.push(notice.clone());
        }
    }
    if !learned.is_empty() {
        let from = |((name, _), labelled): (&(&str, &Classifier), &Labelled)| {
            let count = labelled.learned.len();
            (count > 0).then(|| format!("{} learned from {count}", printable(name)))
        };
        let whose: Vec<String> = models.iter().zip(&all).filter_map(from).collect();
        let (whose, count) = (whose.join(", "), learned.len());
        if common.is_empty() {
            return Err(Error::Picture(format!(
                "no image of {} is new to all models ({whose}, together {count}), so they say nothing about new ones; give others, \
                 or compare how well the models know these with --include-training",
                printable_path(data)
            )));
        }
        notices.push(format!(
            "compared on {} images; {count} are left out because models know them ({whose}; --include-training \
             measures them, too)",
            common.len()
        ));
    }
    let mut parts = Vec::new();
    for ((name, model), labelled) in models.iter().zip(&mut all) {
        let mut samples = std::mem::take(&mut labelled.samples);
        samples.retain(|sample| common.contains(&sample.path));
        let chosen = model.set_aside.as_ref().and_then(|set_aside| set_aside.chosen_on(&samples));
        notices.extend(chosen.map(|chosen| format!("{}: {chosen}", printable(name))));
        parts.push(samples);
    }
    Ok(Shared { parts, left_out, notices })
}

/// Every image that one of them couldn't answer for, once.
fn unreadable(scored: &[Scored]) -> Vec<Unreadable> {
    let mut told = HashSet::new();
    let all = scored.iter().flat_map(|scored| &scored.unreadable);
    all.filter(|unreadable| told.insert(&unreadable.path)).cloned().collect()
}

/// For each model the rows of the images that all have scores for, in the first one's order.
fn common_rows(scored: &[Scored]) -> Vec<Vec<usize>> {
    let rows: Vec<HashMap<&PathBuf, usize>> = scored
        .iter()
        .map(|scored| scored.paths.iter().enumerate().map(|(row, path)| (path, row)).collect())
        .collect();
    let common: Vec<&PathBuf> = scored.first().map_or(Vec::new(), |first| {
        first.paths.iter().filter(|path| rows.iter().all(|rows| rows.contains_key(path))).collect()
    });
    rows.iter().map(|rows| common.iter().map(|path| rows[path]).collect()).collect()
}

/// A model's answers, its classes numbered as the first model's.
struct Measured {
    model: ComparedModel,
    paths: Vec<PathBuf>,
    labels: Vec<usize>,
    predictions: Vec<(usize, f32)>,
}

impl Measured {
    fn new(
        (name, model): (&str, &Classifier),
        places: &[usize],
        scored: &Scored,
        rows: &[usize],
    ) -> Result<Self, Error> {
        let (loss, outputs) = (model.loss(), model.graph().output_shape().elements());
        let row = |row: usize| &scored.scores[row * outputs..(row + 1) * outputs];
        let scores: Vec<f32> = rows.iter().flat_map(|&r| row(r)).copied().collect();
        let labels: Vec<u32> = rows.iter().map(|&row| scored.labels[row]).collect();
        let mut metrics = Metrics::new(loss, &scores, outputs, &labels)?;
        let mut confusion = vec![vec![0; places.len()]; places.len()];
        for (label, row) in metrics.confusion.iter().enumerate() {
            for (prediction, &count) in row.iter().enumerate() {
                confusion[places[label]][places[prediction]] = count;
            }
        }
        metrics.confusion = confusion;
        let predictions = scores.chunks_exact(outputs).map(|scores| {
            let prediction = loss.decide(scores) as usize;
            (places[prediction], loss.probabilities(scores)[prediction])
        });
        Ok(Self {
            paths: rows.iter().map(|&row| scored.paths[row].clone()).collect(),
            labels: labels.iter().map(|&label| places[label as usize]).collect(),
            predictions: predictions.collect(),
            model: ComparedModel {
                model: name.to_owned(),
                log_loss: log_loss(loss, &scores, outputs, &labels),
                metrics,
            },
        })
    }

    fn right(&self) -> Vec<bool> {
        self.predictions.iter().zip(&self.labels).map(|((named, _), label)| named == label).collect()
    }
}

fn difference(first: &Measured, other: &Measured) -> Result<Difference, Error> {
    let paired = Paired::count(&first.right(), &other.right())?;
    Ok(Difference {
        model: other.model.model.clone(),
        accuracy_difference: paired.difference(),
        interval: paired.interval(),
        only_first_right: paired.only_first,
        only_this_right: paired.only_second,
        mcnemar_p: paired.mcnemar(),
    })
}

fn disagreement(measured: &[Measured], names: &[String], image: usize) -> Option<Disagreement> {
    let first = &measured[0];
    let same = measured.iter().all(|other| other.predictions[image].0 == first.predictions[image].0);
    let answer = |measured: &Measured| {
        let (prediction, probability) = measured.predictions[image];
        Answer { prediction: names[prediction].clone(), probability }
    };
    (!same).then(|| Disagreement {
        path: first.paths[image].clone(),
        label: names[first.labels[image]].clone(),
        answers: measured.iter().map(answer).collect(),
    })
}
