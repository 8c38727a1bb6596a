//! Networks by name or from a file.

use crate::classifier::{preset as preset_of, read_model};
use crate::{Error, closest, weights};
use eyespot_data::{DecodeOptions, Transform};
use eyespot_graph::{Graph, Params, Shape, initialise, zoo};
use eyespot_system::printable;
use image::RgbImage;
use std::path::Path;

/// A network of the zoo by name.
///
/// # Errors
/// An unknown name, with the name that was probably meant.
pub(crate) fn find(name: &str) -> Result<&'static zoo::Network, Error> {
    zoo::find(name).map_err(|_| {
        let hint = match closest(name, zoo::names()) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("known: {}", zoo::names().join(", ")),
        };
        Error::Usage(format!("there is no network called `{}`; {hint}", printable(name)))
    })
}

/// The shape a network of the zoo sees, with another side where one is wanted.
pub(crate) fn input_shape(network: &zoo::Network, side: Option<u32>) -> Shape {
    let (channels, height, width) = network.input.chw();
    let side = side.map(|side| side as usize);
    Shape::map(channels, side.unwrap_or(height), side.unwrap_or(width))
}

/// A network of the zoo by name, for `classes` (default 1000, ImageNet's; 10 for the small ones) and pictures of
/// `side` pixels.
///
/// # Errors
/// An unknown name, or a size the network can't take.
///
/// ```
/// let graph = eyespot::network("resnet50", None, None)?;
/// assert_eq!(graph.parameter_count(), 25_557_032);
/// # Ok::<(), eyespot::Error>(())
/// ```
pub fn network(name: &str, classes: Option<usize>, side: Option<u32>) -> Result<Graph, Error> {
    let network = find(name)?;
    let shape = input_shape(network, side);
    let classes = classes.unwrap_or(if network.input.pixels() >= 224 * 224 { 1000 } else { 10 });
    Ok(zoo::build(network.name, classes, Some(shape))?)
}

/// The names of all networks of the zoo.
pub fn network_names() -> Vec<&'static str> {
    zoo::names()
}

/// The evaluation transform of a network of the zoo.
///
/// # Errors
/// An unknown name.
///
/// ```
/// assert_eq!(eyespot::preset("resnet50")?.crop, (224, 224));
/// # Ok::<(), eyespot::Error>(())
/// ```
pub fn preset(name: &str) -> Result<Transform, Error> {
    find(name).map(preset_of)
}

/// A network with its weights and the way it sees pictures, whatever its classes are called.
pub struct Network {
    pub(crate) graph: Graph,
    pub(crate) params: Params,
    pub(crate) transform: Transform,
    pub(crate) notices: Vec<String>,
}

impl Network {
    /// A trained model's: a model file (`model.safetensors`), or the run folder with it.
    ///
    /// # Errors
    /// No such file, a damaged one, or one that isn't an eyespot model.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let (model, transform) = read_model(path.as_ref())?;
        Ok(Self { graph: model.graph, params: model.params, transform, notices: Vec::new() })
    }

    /// A network of the zoo with published weights, for as many classes as these have; `None` takes the network's own
    /// transform.
    ///
    /// # Errors
    /// An unknown network, a file that can't be read, or weights that don't fit.
    pub fn from_weights(
        model: &str,
        weights: impl AsRef<Path>,
        transform: Option<Transform>,
    ) -> Result<Self, Error> {
        let network = find(model)?;
        let transform = transform.unwrap_or_else(|| preset_of(network));
        transform.validate()?;
        let (height, width) = transform.crop;
        let shape = Shape::map(transform.channels(), height as usize, width as usize);
        let graph = |classes| zoo::build(network.name, classes, Some(shape));
        let weights = weights::open(weights.as_ref())?;
        let classes = weights::classes(&weights, &graph(1)?)?;
        let graph = graph(classes.unwrap_or(1000).max(1))?;
        let fitted = weights::fit(&weights, &graph, classes.is_none())?;
        let mut notices = fitted.notices.clone();
        if !fitted.missing.is_empty() {
            // Its numbers are drawn; only the backbone is of use.
            notices.retain(|notice| !notice.starts_with("the classifier"));
            notices.push("the file has no classifier for this network, only its backbone".to_owned());
        }
        let params = match fitted.missing.is_empty() {
            true => fitted.params,
            false => fitted.over(initialise(&graph, 0)),
        };
        Ok(Self { graph, params, transform, notices })
    }

    /// What one should know about the weights, a sentence each: which set of them was taken, what was left out.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// The network.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Reads a picture's file as the network is shown it, turned as the camera was held and of more than 8 bits a sample
    /// the range that the model was trained with; and what there is to say about the file, such as that it is damaged.
    ///
    /// # Errors
    /// A file that can't be read as a picture, with the cause.
    pub fn read_picture(&self, path: impl AsRef<Path>) -> Result<(RgbImage, Vec<String>), Error> {
        let options = DecodeOptions { range: self.transform.range, ..DecodeOptions::default() };
        let path = path.as_ref();
        let decoded = options.decode(path).map_err(|e| Error::file(path, e.to_string()))?;
        Ok((decoded.image, decoded.notes.iter().map(ToString::to_string).collect()))
    }

    /// How pictures are made ready for it.
    pub fn transform(&self) -> &Transform {
        &self.transform
    }
}
