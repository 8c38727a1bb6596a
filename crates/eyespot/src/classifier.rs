//! A trained network with all it takes to name pictures.

use crate::classes::Classes;
use crate::evaluation::{Scored, Unreadable, readable_classes};
use crate::labelled::Labelled;
use crate::network::{find, input_shape};
use crate::runner::{Runner, finite};
use crate::set_aside::SetAside;
use crate::{Error, Evaluation, PathPrediction, Prediction, weights};
use eyespot_data::{Batch, Loader, Sample, Transform};
use eyespot_formats::{Fingerprint, ModelFile};
use eyespot_graph::{Device, Graph, Shape, zoo};
use eyespot_train::Loss;
use image::RgbImage;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names pictures.
///
/// ```no_run
/// let classifier = eyespot::Classifier::load("runs/bees-1")?;
/// let prediction = classifier.predict_path("bee.jpg")?;
/// println!("{} ({:.2})", prediction.prediction, prediction.probability);
/// # Ok::<(), eyespot::Error>(())
/// ```
pub struct Classifier {
    runner: Runner,
    pub(crate) classes: Classes,
    loss: Loss,
    pub(crate) set_aside: Option<SetAside>,
    /// The images it learned from, by content; empty where they aren't known.
    pub(crate) learned_from: BTreeSet<Fingerprint>,
    pub(crate) include_training: bool,
    top_k: usize,
    notices: Vec<String>,
}

impl Classifier {
    /// A model file (`model.safetensors`), or the run folder with it.
    ///
    /// # Errors
    /// No such file, a damaged one, or one that isn't an eyespot model.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let (model, transform) = read_model(path.as_ref())?;
        let loss = match model.training.get("loss") {
            Some(loss) => serde_json::from_value(loss.clone())
                .map_err(|e| Error::file(path.as_ref(), format!("its loss is damaged: {e}")))?,
            None => Loss::CROSS_ENTROPY,
        };
        let runner = Runner::new(model.graph, model.params, transform)?;
        let epochs = model.training.get("epochs").and_then(serde_json::Value::as_u64).unwrap_or(0);
        let set_aside = SetAside::read(&model_path(path.as_ref())?, epochs);
        let learned_from = model.learned_from;
        Ok(Self { set_aside, learned_from, ..Self::new(runner, Classes::new(model.classes), loss) })
    }

    /// A network of the zoo with published weights, the file with its classes (a class a line in the order of the
    /// outputs, `name` or `wnid name`), and how pictures are made ready; `None` takes the network's own transform.
    ///
    /// # Errors
    /// An unknown network, files that can't be read, or weights that don't fit.
    pub fn from_weights(
        model: &str,
        weights: impl AsRef<Path>,
        classes: impl AsRef<Path>,
        transform: Option<Transform>,
    ) -> Result<Self, Error> {
        let network = find(model)?;
        let classes = Classes::read(classes.as_ref())?;
        let transform = transform.unwrap_or_else(|| preset(network));
        let (height, width) = transform.crop;
        let shape = Shape::map(transform.channels(), height as usize, width as usize);
        let graph = zoo::build(network.name, classes.len(), Some(shape))?;
        let fitted = weights::fit(&weights::open(weights.as_ref())?, &graph, false)?;
        let runner = Runner::new(graph, fitted.params, transform)?;
        Ok(Self { notices: fitted.notices, ..Self::new(runner, classes, Loss::CROSS_ENTROPY) })
    }

    fn new(runner: Runner, classes: Classes, loss: Loss) -> Self {
        Self {
            runner,
            classes,
            loss,
            set_aside: None,
            learned_from: BTreeSet::new(),
            include_training: false,
            top_k: 5,
            notices: Vec::new(),
        }
    }

    /// What one should know about the weights, a sentence each: which set of them was taken, what was left out.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Computes on this many threads; 0, the default, takes all cores. The result doesn't depend on it.
    pub fn threads(mut self, threads: usize) -> Self {
        self.runner = self.runner.threads(threads);
        self
    }

    /// Computes on this device in place of the CPU; then `threads` is how many read images.
    pub fn device(mut self, device: Arc<dyn Device>) -> Self {
        self.runner = self.runner.device(device);
        self
    }

    /// Whether a damaged picture that could be read in part counts as one that can't be read; by default it doesn't, and
    /// the damage is noted.
    pub fn strict(mut self, strict: bool) -> Self {
        self.runner = self.runner.strict(strict);
        self
    }

    /// Names this many classes per picture; default 5.
    pub fn top_k(mut self, k: usize) -> Self {
        self.top_k = k.max(1);
        self
    }

    /// Also measures images that the model learned from. How well it knows those says little about new ones.
    pub fn include_training(mut self, include: bool) -> Self {
        self.include_training = include;
        self
    }

    /// Computes this many pictures at once where there are many; default 1. Larger is faster and takes more memory.
    pub fn batch(mut self, pictures: usize) -> Self {
        self.runner = self.runner.batch(pictures);
        self
    }

    /// Makes pictures ready in another way than the model was trained with.
    ///
    /// # Errors
    /// A transform that makes pictures of another size than the network takes.
    pub fn with_transform(mut self, transform: Transform) -> Result<Self, Error> {
        self.runner = self.runner.with_transform(transform)?;
        Ok(self)
    }

    /// How pictures are made ready.
    pub fn transform(&self) -> &Transform {
        self.runner.transform()
    }

    /// The classes in the order of the network's outputs.
    pub fn classes(&self) -> &[String] {
        self.classes.names()
    }

    /// The network.
    pub fn graph(&self) -> &Graph {
        self.runner.graph()
    }

    /// Names the picture in a file.
    ///
    /// # Errors
    /// A file that can't be read as a picture, with the cause.
    pub fn predict_path(&self, path: impl AsRef<Path>) -> Result<Prediction, Error> {
        self.predict(&self.runner.read(path.as_ref())?)
    }

    /// Names a picture in memory.
    ///
    /// # Errors
    /// A picture the transform can't handle, such as an empty one.
    ///
    /// ```no_run
    /// # let classifier = eyespot::Classifier::load("runs/bees-1")?;
    /// let picture = image::RgbImage::from_pixel(640, 480, image::Rgb([250, 200, 0]));
    /// println!("{}", classifier.predict(&picture)?.prediction);
    /// # Ok::<(), eyespot::Error>(())
    /// ```
    pub fn predict(&self, picture: &RgbImage) -> Result<Prediction, Error> {
        let scores = self.runner.picture(picture)?;
        Ok(self.prediction(finite(&scores).map_err(|why| Error::Picture(format!("the picture {why}")))?))
    }

    /// Names any number of pictures: files, folders (with all that lies in them) and globs. Pictures are read and
    /// computed as the iterator goes, [`Classifier::batch`] at a time, in the order of the paths. A picture that
    /// can't be read is told after its batch and the rest goes on.
    ///
    /// ```no_run
    /// # let classifier = eyespot::Classifier::load("runs/bees-1")?;
    /// for picture in classifier.predict_paths(["photos/".into()])? {
    ///     println!("{}: {:?}", picture.path.display(), picture.result);
    /// }
    /// # Ok::<(), eyespot::Error>(())
    /// ```
    pub fn predict_paths(
        &self,
        paths: impl IntoIterator<Item = PathBuf>,
    ) -> Result<impl Iterator<Item = PathPrediction> + '_, Error> {
        self.runner.stream(paths, |batch, scores| self.named(batch, scores))
    }

    /// A batch's pictures, then its files that can't be read.
    fn named(&self, batch: Batch, scores: Result<Vec<f32>, Error>) -> Vec<PathPrediction> {
        let outputs = self.graph().output_shape().elements();
        let label = |path: &Path| self.classes.of_picture(path).map(|i| self.classes.names()[i].clone());
        let notes = crate::runner::notes_of(&batch);
        let predicted = batch.paths.into_iter().zip(notes).enumerate().map(|(i, (path, notes))| {
            let result = match &scores {
                Ok(scores) => {
                    finite(&scores[i * outputs..(i + 1) * outputs]).map(|scores| self.prediction(scores))
                }
                Err(error) => Err(error.to_string()),
            };
            PathPrediction { label: label(&path), path, result, notes }
        });
        let failed = batch.failures.into_iter().map(|failure| PathPrediction {
            label: label(&failure.path),
            path: failure.path,
            result: Err(failure.cause.to_string()),
            notes: Vec::new(),
        });
        predicted.chain(failed).collect()
    }

    fn prediction(&self, scores: &[f32]) -> Prediction {
        let probabilities = self.loss.probabilities(scores);
        let logits = match scores {
            [score] if matches!(self.loss, Loss::BceWithLogits) => vec![-score, *score],
            [score] => vec![1.0 - score, *score],
            scores => scores.to_vec(),
        };
        Prediction::new(self.classes.names(), &probabilities, &logits, self.top_k)
    }

    /// Measures the classifier on labelled images: the test part of the data, else the validation part, else all.
    /// Images that the model learned from are known by their content and left out, wherever they lie and whatever they
    /// are called; [`Evaluation::left_out`] counts them.
    ///
    /// # Errors
    /// Data that can't be found, or whose classes the classifier doesn't know; a class none of whose images can be
    /// read.
    pub fn evaluate(&self, data: impl AsRef<Path>) -> Result<Evaluation, Error> {
        self.measure(Some(data.as_ref()))
    }

    /// Measures the classifier on the images that its run set aside, for testing or else for validation; a run that was
    /// judged by cross-validation is measured by what was predicted there.
    ///
    /// # Errors
    /// A model without its run folder, or images that are no longer where they were.
    pub fn evaluate_own(&self) -> Result<Evaluation, Error> {
        if let Some(folded) = self.set_aside.as_ref().and_then(SetAside::folded) {
            let outputs = self.graph().output_shape().elements();
            let scored = folded.scored(self.classes(), self.loss(), outputs)?;
            return scored.measure(self, vec![folded.notice()]);
        }
        self.measure(None)
    }

    fn measure(&self, data: Option<&Path>) -> Result<Evaluation, Error> {
        let Labelled { samples, left_out, notices, .. } = self.labelled(data)?;
        let scored = Scored { left_out, ..self.scored(&samples)? };
        readable_classes(self.classes(), &samples, &scored.unreadable)?;
        scored.measure(self, notices)
    }

    /// The scores of labelled images, and which can't be read.
    pub(crate) fn scored(&self, samples: &[Sample]) -> Result<Scored, Error> {
        let order = (0..samples.len()).collect();
        self.runner.prepare()?;
        let outputs = self.graph().output_shape().elements();
        let mut scored = Scored::default();
        for batch in Loader::new(samples, order, self.runner.loading())? {
            let batch = batch?;
            let scores = self.runner.run(&batch.inputs, batch.len())?;
            scored.noted.extend(batch.notes.into_iter().map(|n| Unreadable::new(n.path, &n.note)));
            for ((scores, &label), path) in scores.chunks_exact(outputs).zip(&batch.labels).zip(batch.paths) {
                match finite(scores) {
                    Ok(scores) => {
                        scored.scores.extend(scores);
                        scored.labels.push(label as u32);
                        scored.paths.push(path);
                    }
                    Err(error) => scored.unreadable.push(Unreadable { path, error }),
                }
            }
            let unreadable = batch.failures.into_iter().map(|f| Unreadable::new(f.path, &f.cause));
            scored.unreadable.extend(unreadable);
        }
        Ok(scored)
    }

    pub(crate) fn loss(&self) -> &Loss {
        &self.loss
    }

    pub(crate) fn runner(&self) -> &Runner {
        &self.runner
    }
}

/// The evaluation transform of a network of the zoo.
pub(crate) fn preset(network: &zoo::Network) -> Transform {
    let (channels, height, width) = input_shape(network, None).chw();
    let resize = (network.resize != height).then_some(network.resize as u32);
    let imagenet = Transform::imagenet();
    let (mean, std) = match channels {
        // MNIST's mean and deviation.
        1 => (vec![0.1307], vec![0.3081]),
        _ => (imagenet.mean, imagenet.std),
    };
    Transform {
        resize: resize.or(Some(height.min(width) as u32)),
        crop: (height as u32, width as u32),
        mean,
        std,
        fit: imagenet.fit,
        features: None,
        range: None,
    }
}

/// The model that a path means, with the transform in it.
pub(crate) fn read_model(path: &Path) -> Result<(ModelFile, Transform), Error> {
    let path = model_path(path)?;
    let mut model = ModelFile::read(&path)?;
    let transform: Transform = serde_json::from_value(model.transform.take())
        .map_err(|e| Error::file(&path, format!("its transform is damaged: {e}")))?;
    transform.validate().map_err(|e| Error::file(&path, format!("its transform can't be used: {e}")))?;
    Ok((model, transform))
}

/// The model file that a path means.
fn model_path(path: &Path) -> Result<PathBuf, Error> {
    let missing = |why: &str| Err(Error::file(path, why));
    if path.is_dir() {
        let inside = path.join("model.safetensors");
        if inside.is_file() {
            return Ok(inside);
        }
        return missing(
            "there is no model.safetensors in this folder; give a run folder that `eyespot train` wrote, or a model file",
        );
    }
    if !path.exists() {
        return missing(
            "there is no such model; give a run folder that `eyespot train` wrote, or a model file",
        );
    }
    Ok(path.to_owned())
}
