//! The classifier that flags name: a run folder, a model file, or a network with published weights.

use crate::args::{PublishedArgs, TransformArgs};
use eyespot::{Classifier, Error, Fit, Transform};
use std::path::{Path, PathBuf};

/// The classifier, and the paths that are left.
pub fn load(
    paths: &[PathBuf],
    published: &PublishedArgs,
    changes: &TransformArgs,
) -> anyhow::Result<(Classifier, Vec<PathBuf>)> {
    if let (Some(model), Some(weights), Some(classes)) =
        (&published.model, &published.weights, &published.classes)
    {
        let transform = changed(&eyespot::preset(model)?, changes)?;
        return Ok((Classifier::from_weights(model, weights, classes, Some(transform))?, paths.to_vec()));
    }
    let [model, rest @ ..] = paths else {
        return Err(Error::Usage("name a run folder or model file, then the pictures".to_owned()).into());
    };
    if rest.is_empty() {
        let hint = if is_model(model) {
            format!("there are no pictures named; put them behind {}", model.display())
        } else {
            format!(
                "name a run folder or model file before the pictures: eyespot predict RUN {}, or a network by \
                 --model, --weights and --classes",
                model.display()
            )
        };
        return Err(Error::Usage(hint).into());
    }
    let classifier = Classifier::load(model)?;
    let transform = changed(classifier.transform(), changes)?;
    Ok((classifier.with_transform(transform)?, rest.to_vec()))
}

pub fn is_model(path: &Path) -> bool {
    path.join("model.safetensors").is_file() || path.extension().is_some_and(|e| e == "safetensors")
}

/// A transform with what flags change in it.
pub fn changed(transform: &Transform, changes: &TransformArgs) -> Result<Transform, Error> {
    if let (Some(features), true) = (&transform.features, changes.any()) {
        return Err(Error::Usage(format!(
            "features ({features}) are always computed from the whole picture; leave out --fit, --resize, --crop, \
             --mean and --std"
        )));
    }
    let mut transform = transform.clone();
    match changes.fit.as_deref() {
        Some("letterbox") => transform.fit = Fit::Letterbox,
        Some("squash") => transform.fit = Fit::Squash,
        Some(_) => transform.fit = Fit::Crop,
        None => {}
    }
    if let Some(side) = changes.crop {
        transform.crop = (side, side);
    }
    transform.resize = changes.resize.or(transform.resize);
    if let Some(mean) = &changes.mean {
        transform.mean.clone_from(mean);
    }
    if let Some(std) = &changes.std {
        transform.std.clone_from(std);
    }
    Ok(transform)
}
