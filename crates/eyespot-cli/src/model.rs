//! The classifier that flags name: a run folder, a model file, or a network with published weights.

use crate::args::{PublishedArgs, TransformArgs};
use crate::output;
use eyespot::{Classifier, Error, Fit, Range, Transform};
use eyespot_system::printable_path;
use std::path::{Path, PathBuf};

/// The classifier, and the paths that are left.
pub fn load(
    paths: &[PathBuf],
    published: &PublishedArgs,
    changes: &TransformArgs,
) -> anyhow::Result<(Classifier, Vec<PathBuf>)> {
    if let Some((_, classifier)) = from_weights(published, changes)? {
        return Ok((classifier, paths.to_vec()));
    }
    let [model, rest @ ..] = paths else {
        return Err(Error::Usage("name a run folder or model file, then the pictures".to_owned()).into());
    };
    if rest.is_empty() {
        return Err(pictures_or_model_missing(model).into());
    }
    let classifier = from_run(model, changes).map_err(|error| in_order(error, model, rest))?;
    Ok((classifier, rest.to_vec()))
}

/// The error of a model that can't be loaded; where one of the paths behind it is a model, the better one that they are
/// the wrong way round.
pub fn in_order(error: anyhow::Error, model: &Path, rest: &[PathBuf]) -> anyhow::Error {
    match rest.iter().find(|path| is_model(path)) {
        Some(other) if !is_model(model) => Error::Usage(format!(
            "{} is no model; the model goes first, then the pictures: {} {}",
            printable_path(model),
            printable_path(other),
            printable_path(model)
        ))
        .into(),
        _ => error,
    }
}

/// Several classifiers with their names, and the last path: the pictures.
pub fn load_all(
    paths: &[PathBuf],
    published: &PublishedArgs,
    changes: &TransformArgs,
) -> anyhow::Result<(Vec<(String, Classifier)>, PathBuf)> {
    let [runs @ .., data] = paths else {
        return Err(Error::Usage("name run folders or model files, then the pictures".to_owned()).into());
    };
    let mut all: Vec<(String, Classifier)> = from_weights(published, changes)?.into_iter().collect();
    if runs.is_empty() && all.is_empty() {
        return Err(pictures_or_model_missing(data).into());
    }
    for run in runs {
        let classifier =
            from_run(run, changes).map_err(|error| in_order(error, run, std::slice::from_ref(data)))?;
        all.push((short_name(run, runs), classifier));
    }
    Ok((all, data.clone()))
}

/// The published network that flags name, if they do.
fn from_weights(
    published: &PublishedArgs,
    changes: &TransformArgs,
) -> anyhow::Result<Option<(String, Classifier)>> {
    let Some(weights) = &published.weights else { return Ok(None) };
    let (Some(model), Some(classes)) = (&published.model, &published.classes) else {
        // The network and its classes are the model's own.
        let name = weights.file_name().unwrap_or(weights.as_os_str()).to_string_lossy().into_owned();
        return Ok(Some((name, from_run(weights, changes)?)));
    };
    let transform = changed(&eyespot::preset(model)?, changes)?;
    let classifier = Classifier::from_weights(model, weights, classes, Some(transform))?;
    classifier.notices().iter().for_each(|notice| output::warning(notice));
    Ok(Some((model.clone(), classifier)))
}

/// A run folder or model file.
pub fn from_run(model: &Path, changes: &TransformArgs) -> anyhow::Result<Classifier> {
    let classifier = Classifier::load(model)?;
    let transform = changed(classifier.transform(), changes)?;
    Ok(classifier.with_transform(transform)?)
}

/// A path's last part, or all of it where another path ends alike.
fn short_name(run: &Path, runs: &[PathBuf]) -> String {
    let alike = runs.iter().filter(|other| other.file_name() == run.file_name()).count();
    match run.file_name() {
        Some(name) if alike == 1 => name.to_string_lossy().into_owned(),
        _ => run.to_string_lossy().into_owned(),
    }
}

fn pictures_or_model_missing(path: &Path) -> Error {
    Error::Usage(if is_model(path) {
        format!("there are no pictures named; put them behind {}", printable_path(path))
    } else {
        format!(
            "name a run folder or model file before the pictures: eyespot predict RUN {}, or a network by \
             --model, --weights and --classes",
            printable_path(path)
        )
    })
}

/// Whether this is a run folder with a model, or a model file.
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
    match changes.range {
        Some(Range::Auto) => {
            return Err(Error::Usage(
                "--range auto looks at the training photos, so it is for `eyespot train`, which stores what it finds in \
                 the model; give LOW..HIGH here"
                    .to_owned(),
            ));
        }
        Some(Range::Full) => transform.range = None,
        Some(Range::Between(low, high)) => transform.range = Some([low, high]),
        None => {}
    }
    Ok(transform)
}
