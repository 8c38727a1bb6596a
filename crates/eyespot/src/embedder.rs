//! Pictures as vectors: for search, clustering and other tools.

use crate::Error;
use crate::network::Network;
use crate::runner::{Runner, finite};
use eyespot_data::features::{Features, UnknownFeature};
use eyespot_data::{Batch, Transform};
use eyespot_graph::{Builder, Device, Params, Shape, zoo};
use image::RgbImage;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Describes pictures by vectors: a network's features, or traditional ones.
///
/// A network's features are what its last layer decides by: its last hidden vector, or, where that is a map
/// (SqueezeNet), its mean over the pixels. ResNet-50 gives 2,048 numbers, SqueezeNet 512.
///
/// ```no_run
/// let embedder = eyespot::Embedder::from_weights("resnet18", "resnet18.pth", None)?;
/// let (a, b) = (embedder.embed_path("a.jpg")?, embedder.embed_path("b.jpg")?);
/// let distance: f32 = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
/// # Ok::<(), eyespot::Error>(())
/// ```
pub struct Embedder {
    runner: Runner,
    notices: Vec<String>,
}

/// A file and the vector that describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct PathEmbedding {
    /// The picture's file.
    pub path: PathBuf,
    /// The vector, or why the picture can't be read.
    pub result: Result<Vec<f32>, String>,
    /// What is to be said about a file that was read, such as that it is damaged; mostly nothing.
    pub notes: Vec<String>,
}

impl Embedder {
    /// The features of a trained model: a model file (`model.safetensors`), or the run folder with it.
    ///
    /// # Errors
    /// No such file, a damaged one, or one that isn't an eyespot model.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::of_network(Network::load(path)?)
    }

    /// The features of a network of the zoo with published weights; `None` takes the network's own transform.
    ///
    /// # Errors
    /// An unknown network, files that can't be read, or weights that don't fit.
    pub fn from_weights(
        model: &str,
        weights: impl AsRef<Path>,
        transform: Option<Transform>,
    ) -> Result<Self, Error> {
        Self::of_network(Network::from_weights(model, weights, transform)?)
    }

    /// Traditional features: `hog`, `color`, `pixels`, or several joined by `+`, as they are (not standardised).
    ///
    /// # Errors
    /// An unknown name.
    ///
    /// ```
    /// let embedder = eyespot::Embedder::of_features("hog+color")?;
    /// assert_eq!(embedder.len(), 1764 + 192);
    /// # Ok::<(), eyespot::Error>(())
    /// ```
    pub fn of_features(names: &str) -> Result<Self, Error> {
        let features: Features = names.parse().map_err(|e: UnknownFeature| Error::Usage(e.to_string()))?;
        let transform = Transform::of_features(features);
        // The transform does it all; the network hands its numbers on.
        let graph = Builder::new("features", Shape::Vector(transform.len())).finish()?;
        Ok(Self { runner: Runner::new(graph, Params::new(), transform)?, notices: Vec::new() })
    }

    fn of_network(Network { graph, params, transform, notices }: Network) -> Result<Self, Error> {
        let graph = zoo::backbone(&graph)?;
        Ok(Self { runner: Runner::new(graph, params, transform)?, notices })
    }

    /// What one should know about the weights, a sentence each: which set of them was taken, what was left out.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// How pictures are made ready.
    pub fn transform(&self) -> &Transform {
        self.runner.transform()
    }

    /// Makes pictures ready in another way.
    ///
    /// # Errors
    /// A transform that makes pictures of another size than the network takes.
    pub fn with_transform(mut self, transform: Transform) -> Result<Self, Error> {
        self.runner = self.runner.with_transform(transform)?;
        Ok(self)
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

    /// Computes this many pictures at once where there are many; default 1. Larger is faster and takes more memory.
    pub fn batch(mut self, pictures: usize) -> Self {
        self.runner = self.runner.batch(pictures);
        self
    }

    /// Whether a damaged picture that could be read in part counts as one that can't be read; by default it doesn't, and
    /// the damage is noted.
    pub fn strict(mut self, strict: bool) -> Self {
        self.runner = self.runner.strict(strict);
        self
    }

    /// How many numbers describe a picture.
    #[allow(clippy::len_without_is_empty)] // there is always one
    pub fn len(&self) -> usize {
        self.runner.graph().output_shape().elements()
    }

    /// The vector of a picture in memory.
    ///
    /// # Errors
    /// A picture the transform can't handle, such as an empty one.
    pub fn embed(&self, picture: &RgbImage) -> Result<Vec<f32>, Error> {
        let vector = self.runner.picture(picture)?;
        finite(&vector).map_err(|why| Error::Picture(format!("the picture {why}")))?;
        Ok(vector)
    }

    /// The vector of the picture in a file.
    ///
    /// # Errors
    /// A file that can't be read as a picture, with the cause.
    pub fn embed_path(&self, path: impl AsRef<Path>) -> Result<Vec<f32>, Error> {
        self.embed(&self.runner.read(path.as_ref())?)
    }

    /// The vectors of any number of pictures: files, folders (with all that lies in them) and globs, read and computed
    /// as the iterator goes, [`Embedder::batch`] at a time, in the order of the paths. A picture that can't be read
    /// is told after its batch and the rest goes on.
    pub fn embed_paths(
        &self,
        paths: impl IntoIterator<Item = PathBuf>,
    ) -> Result<impl Iterator<Item = PathEmbedding> + '_, Error> {
        self.runner.stream(paths, |batch, vectors| self.embedded(batch, vectors))
    }

    /// A batch's pictures, then its files that can't be read.
    fn embedded(&self, batch: Batch, vectors: Result<Vec<f32>, Error>) -> Vec<PathEmbedding> {
        let row = |i: usize| match &vectors {
            Ok(vectors) => finite(&vectors[i * self.len()..(i + 1) * self.len()]).map(<[f32]>::to_vec),
            Err(error) => Err(error.to_string()),
        };
        let notes = crate::runner::notes_of(&batch);
        let done = batch.paths.into_iter().zip(notes).enumerate();
        let done = done.map(|(i, (path, notes))| PathEmbedding { path, result: row(i), notes });
        let failed = batch.failures.into_iter().map(|failure| PathEmbedding {
            path: failure.path,
            result: Err(failure.cause.to_string()),
            notes: Vec::new(),
        });
        done.chain(failed).collect()
    }
}
