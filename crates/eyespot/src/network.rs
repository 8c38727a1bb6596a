//! Networks by name or from a file.

use crate::{Error, closest};
use eyespot_data::Transform;
use eyespot_graph::{Graph, Shape, zoo};

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
        Error::Usage(format!("there is no network called `{name}`; {hint}"))
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
    find(name).map(crate::classifier::preset)
}
