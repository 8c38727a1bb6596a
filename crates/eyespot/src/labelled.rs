//! The labelled images that a classifier is measured on.

use crate::{Classifier, Error, LeftOut};
use eyespot_data::{Dataset, Limits, Sample, SplitOptions, content_hashes};
use eyespot_formats::Fingerprint;
use eyespot_system::printable_path;
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

/// Images with the classes of a classifier, and what was said and left out on the way.
pub(crate) struct Labelled {
    pub samples: Vec<Sample>,
    /// The files of images that the classifier learned from, which are no samples.
    pub learned: Vec<PathBuf>,
    pub left_out: LeftOut,
    pub notices: Vec<String>,
}

/// The first 16 bytes of a content hash.
pub(crate) fn fingerprint(hash: [u8; 32]) -> Fingerprint {
    std::array::from_fn(|i| hash[i])
}

impl Classifier {
    /// The images to measure by, without those that the classifier learned from: of `data`, or those that its own run
    /// was validated by.
    pub(crate) fn labelled(&self, data: Option<&Path>) -> Result<Labelled, Error> {
        let mut labelled = self.unseen(data)?;
        let Labelled { samples, learned, notices, .. } = &mut labelled;
        if !learned.is_empty() {
            if samples.is_empty() {
                return Err(Error::Picture(format!(
                    "the model learned from all {} images of {}, so they say nothing about new ones; give others, or \
                     measure how well it knows them with --include-training",
                    learned.len(),
                    printable_path(data.unwrap_or(Path::new("its run")))
                )));
            }
            notices.push(format!(
                "measured on {} images; {} are left out because the model learned from them (--include-training \
                 measures them, too)",
                samples.len(),
                learned.len()
            ));
        }
        notices.extend(self.set_aside.as_ref().and_then(|set_aside| set_aside.chosen_on(samples)));
        Ok(labelled)
    }

    /// [`Classifier::labelled`] before it is said what the classifier learned from; there may be no image left.
    pub(crate) fn unseen(&self, data: Option<&Path>) -> Result<Labelled, Error> {
        let own = match (data, &self.set_aside) {
            (Some(_), _) => None,
            (None, Some(set_aside)) if set_aside.folded().is_some() => {
                return Err(Error::Usage(
                    "the run was judged by cross-validation, and the model has learned from all of its images; put other \
                     labelled images behind it"
                        .to_owned(),
                ));
            }
            (None, Some(set_aside)) => Some(set_aside),
            (None, None) => {
                return Err(Error::Usage(
                    "there are no images named, and no run with validation images belongs to this model; put the \
                     labelled images behind it"
                        .to_owned(),
                ));
            }
        };
        let data = match (own, data) {
            (Some(own), _) => own.data()?,
            (None, data) => data.unwrap_or(Path::new("")),
        };
        let options = SplitOptions {
            divide: false,
            classes: Some(self.classes.names().to_vec()),
            aliases: self.classes.aliases(),
            ..SplitOptions::default()
        };
        let mut dataset = Dataset::open(data, &options)?;
        let mut notices = std::mem::take(&mut dataset.notices);
        let mut left_out = LeftOut::default();
        let mut samples = match own {
            Some(own) => {
                notices.clear();
                own.samples(&dataset, &mut notices)?
            }
            None => {
                let contradictory = dataset.evaluation_duplicates().filter(|d| d.contradicts).count();
                left_out.contradictory = contradictory;
                left_out.duplicates = dataset.evaluation_duplicates().count() - contradictory;
                left_out.unknown_class = dataset.evaluation_unknown();
                dataset.evaluation()
            }
        };
        let before: Vec<PathBuf> = samples.iter().map(|sample| sample.path.clone()).collect();
        if self.include_training {
            // All of them.
        } else if !self.learned_from.is_empty() {
            without(&mut samples, &self.learned_from, self.runner().loading().threads);
        } else if let (Some(set_aside), None) = (&self.set_aside, own) {
            // A model that doesn't remember its images by content.
            samples = set_aside.only(data, samples);
        }
        let left: HashSet<&Path> = samples.iter().map(|sample| sample.path.as_path()).collect();
        let learned: Vec<PathBuf> =
            before.into_iter().filter(|path| !left.contains(path.as_path())).collect();
        left_out.trained_on = learned.len();
        Ok(Labelled { samples, learned, left_out, notices })
    }
}

/// Leaves out what a model learned from, whatever it is called and wherever it lies.
fn without(samples: &mut Vec<Sample>, learned_from: &BTreeSet<Fingerprint>, threads: usize) {
    let read: Vec<&Sample> = samples.iter().collect();
    let hashes = content_hashes(&read, threads, &Limits::default());
    let known = |hash: Option<[u8; 32]>| hash.is_some_and(|hash| learned_from.contains(&fingerprint(hash)));
    let mut known = hashes.into_iter().map(known);
    samples.retain(|_| !known.next().unwrap_or(false));
}
