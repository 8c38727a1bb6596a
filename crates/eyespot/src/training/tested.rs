//! The finished model on the photos kept for testing.

use super::run_folder::{Said, TEST};
use super::{Listener, Trained};
use crate::evaluation::readable_classes;
use crate::{Classifier, Error};
use eyespot_data::Dataset;

impl Trained {
    /// With how good the model is on the photos that the run set aside for testing; a test part of the data's own is left to
    /// `evaluate`.
    pub(super) fn tested(mut self, dataset: &Dataset, listener: &mut dyn Listener) -> Result<Self, Error> {
        if dataset.has_test_part() || dataset.test.is_empty() || self.options.test.is_none() {
            return Ok(self);
        }
        let classifier = Classifier::load(&self.folder)?.threads(self.options.threads.unwrap_or(0));
        let scored = classifier.scored(&dataset.test)?;
        readable_classes(classifier.classes(), &dataset.test, &scored.unreadable)?;
        let said = Said {
            paths: scored.paths.clone(),
            labels: scored.labels.clone(),
            scores: scored.scores.clone(),
            folds: Vec::new(),
        };
        said.write(&self.folder.join(TEST), classifier.classes(), classifier.loss())?;
        let evaluation = scored.measure(&classifier, Vec::new())?;
        evaluation.notices.iter().for_each(|notice| listener.notice(notice));
        self.test = Some(evaluation);
        Ok(self)
    }
}
