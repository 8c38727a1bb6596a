//! What is learned from, and what judges.

use crate::Error;
use crate::options::TrainingOptions;
use eyespot_data::{Dataset, SplitOptions};
use std::path::Path;

/// The photos, divided as the settings say.
///
/// # Errors
/// Settings that contradict each other or the data's own parts, and data that can't be used.
pub(super) fn open(data: &Path, o: &TrainingOptions, solves: bool) -> Result<Dataset, Error> {
    let wrong = |text: &str| Err(Error::Usage(text.to_owned()));
    if o.folds.is_some() {
        if o.val.is_some_and(|share| share > 0.0) {
            return wrong("--folds judges by all photos and --val by a part of them; leave one of them out");
        }
        if o.patience.is_some() {
            return wrong(
                "--patience watches validation photos, of which --folds leaves none; give --epochs in its place",
            );
        }
    }
    // A cross-validation judges as well as photos set aside, and leaves all of them to learn from.
    let cross_validates = solves || o.folds.is_some();
    let usual = SplitOptions::default();
    let split = SplitOptions {
        seed: o.seed.unwrap_or(0),
        validation: o.val.unwrap_or(if cross_validates { 0.0 } else { usual.validation }),
        test: o.test.unwrap_or(0.0),
        group_by: o.group_by.clone(),
        ..usual
    };
    let dataset = Dataset::open(data, &split)?;
    if dataset.has_test_part() && o.test.is_some() {
        return wrong("these photos have a test part already; leave --test out");
    }
    if dataset.has_validation_part() {
        if o.val.is_some() {
            return wrong("these photos have a validation part already; leave --val out");
        }
        if o.folds.is_some() && !solves {
            return wrong(
                "these photos have a validation part already, by which the model is judged; leave --folds out",
            );
        }
    }
    Ok(dataset)
}
