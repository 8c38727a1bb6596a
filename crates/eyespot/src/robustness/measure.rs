//! Every picture in all its forms through every classifier.

use super::groups::{Seen, groups};
use super::{Robustness, VariationAccuracy};
use crate::evaluation::{Unreadable, none_readable, readable_classes};
use crate::labelled::Labelled;
use crate::runner::finite;
use crate::{Classifier, Error, LeftOut};
use eyespot_data::vary::{STRENGTHS, Variation, Views};
use eyespot_data::{DecodeOptions, Sample};
use eyespot_graph::{Inference, Shape};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub(super) fn all(
    classifiers: &[&Classifier],
    data: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Robustness>, Error> {
    let mut tallies = Vec::new();
    // The pictures that any of them knows, each once.
    let mut samples: Vec<Sample> = Vec::new();
    let mut places: HashMap<PathBuf, usize> = HashMap::new();
    for &classifier in classifiers {
        let Labelled { samples: pictures, left_out, notices, .. } = classifier.labelled(Some(data))?;
        let mut tally = Tally::new(classifier, left_out, notices)?;
        for sample in pictures {
            tally.labels.insert(sample.path.clone(), sample.label);
            places.entry(sample.path.clone()).or_insert_with(|| {
                samples.push(sample);
                samples.len() - 1
            });
        }
        tallies.push(tally);
    }
    let transforms = classifiers.iter().map(|classifier| classifier.transform().clone()).collect();
    let threads =
        classifiers.iter().map(|classifier| classifier.runner().loading().threads).max().unwrap_or(1);
    for classifier in classifiers {
        classifier.runner().prepare()?;
    }
    let views = Views::new(transforms, threads)?;
    // Each picture is read once, so one classifier that refuses damaged files refuses them for all.
    let strict = classifiers.iter().any(|classifier| classifier.runner().loading().decoding().strict);
    let decoding = DecodeOptions { strict, ..DecodeOptions::default() };
    for (done, sample) in samples.iter().enumerate() {
        let read = views.read(sample, &decoding);
        for (number, tally) in tallies.iter_mut().enumerate() {
            let Some(&label) = tally.labels.get(&sample.path) else { continue };
            match &read {
                Ok((tensors, notes)) => {
                    tally.count(sample, label, &tensors[number])?;
                    tally.noted.extend(notes.iter().map(|note| (sample.path.clone(), note.to_string())));
                }
                Err(cause) => tally.unreadable.push(Unreadable::new(sample.path.clone(), cause)),
            }
        }
        progress(done + 1, samples.len());
    }
    tallies.into_iter().map(|tally| tally.finish(&samples)).collect()
}

/// One classifier's results so far.
struct Tally<'a> {
    classifier: &'a Classifier,
    labels: HashMap<PathBuf, usize>,
    /// How many are right in each form.
    right: [usize; Views::COUNT],
    seen: Vec<Seen>,
    source: FeatureSource,
    /// A row for each picture seen.
    features: Vec<f32>,
    unreadable: Vec<Unreadable>,
    /// What is to be said about pictures that were read.
    noted: Vec<(PathBuf, String)>,
    left_out: LeftOut,
    notices: Vec<String>,
}

/// Where the numbers come from by which pictures of a class are grouped.
enum FeatureSource {
    /// What the last layer sees.
    Network(Box<dyn Inference>, Shape),
    /// The traditional features that are the network's input.
    Input,
    /// The scores.
    Scores,
}

impl FeatureSource {
    fn of(classifier: &Classifier) -> Result<Self, Error> {
        let graph = classifier.graph();
        // Before the first layer that learns lies nothing but the picture.
        if let Ok((front, _)) = graph.split(graph.features)
            && front.parameter_count() > 0
        {
            return Ok(Self::Network(classifier.runner().compile(&front)?, front.output_shape()));
        }
        Ok(if classifier.transform().features.is_some() { Self::Input } else { Self::Scores })
    }

    fn row(&mut self, tensor: &[f32], scores: &[f32]) -> Result<Vec<f32>, Error> {
        match self {
            Self::Input => Ok(tensor.to_vec()),
            Self::Scores => Ok(scores.to_vec()),
            Self::Network(program, shape) => {
                let map = program.run(tensor, 1)?;
                let channels = shape.channels();
                let places = (map.len() / channels.max(1)).max(1) as f32;
                let mut row = vec![0.0; channels];
                for pixel in map.chunks_exact(channels.max(1)) {
                    row.iter_mut().zip(pixel).for_each(|(sum, x)| *sum += x / places);
                }
                Ok(row)
            }
        }
    }
}

impl<'a> Tally<'a> {
    fn new(classifier: &'a Classifier, left_out: LeftOut, notices: Vec<String>) -> Result<Self, Error> {
        Ok(Self {
            classifier,
            labels: HashMap::new(),
            right: [0; Views::COUNT],
            seen: Vec::new(),
            source: FeatureSource::of(classifier)?,
            features: Vec::new(),
            unreadable: Vec::new(),
            noted: Vec::new(),
            left_out,
            notices,
        })
    }

    fn count(&mut self, sample: &Sample, label: usize, tensors: &[f32]) -> Result<(), Error> {
        let length = self.classifier.transform().len();
        let outputs = self.classifier.graph().output_shape().elements();
        let at_once = self.classifier.runner().loading().batch_size * length;
        let mut scores = Vec::new();
        for tensors in tensors.chunks(at_once) {
            scores.extend(self.classifier.runner().run(tensors, tensors.len() / length)?);
        }
        if let Err(error) = finite(&scores) {
            self.unreadable.push(Unreadable { path: sample.path.clone(), error });
            return Ok(());
        }
        let mut unchanged = false;
        for (view, scores) in scores.chunks_exact(outputs).enumerate() {
            let right = self.classifier.loss().decide(scores) as usize == label;
            self.right[view] += usize::from(right);
            unchanged |= view == 0 && right;
        }
        self.features.extend(self.source.row(&tensors[..length], &scores[..outputs])?);
        self.seen.push(Seen { path: sample.path.clone(), label, right: unchanged });
        Ok(())
    }

    /// The results, where `samples` are the images of all classifiers.
    fn finish(mut self, samples: &[Sample]) -> Result<Robustness, Error> {
        let images = self.seen.len();
        if images == 0 {
            return Err(none_readable(&self.unreadable));
        }
        let own = samples.iter().filter_map(|sample| {
            let label = *self.labels.get(&sample.path)?;
            let mut own = sample.clone();
            own.label = label;
            Some(own)
        });
        readable_classes(self.classifier.classes(), &own.collect::<Vec<_>>(), &self.unreadable)?;
        let noted = self.noted.iter().map(|(path, note)| (path.as_path(), note.as_str()));
        self.notices.extend(crate::remarks::noted(noted));
        let share = |view: usize| self.right[view] as f64 / images as f64;
        let curve = |variation: Variation| {
            let first = Views::first(variation);
            let strengths = first..first + STRENGTHS.len();
            VariationAccuracy {
                variation,
                accuracy: std::iter::once(0).chain(strengths).map(share).collect(),
            }
        };
        Ok(Robustness {
            classes: self.classifier.classes().len(),
            images,
            accuracy: share(0),
            variations: Variation::ALL.map(curve).to_vec(),
            groups: groups(self.classifier.classes(), &self.seen, &self.features),
            left_out: LeftOut { unreadable: self.unreadable.len(), ..self.left_out },
            unreadable: self.unreadable,
            notices: self.notices,
        })
    }
}
