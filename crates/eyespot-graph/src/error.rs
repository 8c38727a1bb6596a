//! What can be wrong with a network.

use thiserror::Error;

/// A network that can't be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GraphError {
    /// An operator was given a shape it can't work on.
    #[error("layer `{node}`: {reason}")]
    Shape {
        /// The layer's name.
        node: String,
        /// What is wrong with its input or settings.
        reason: String,
    },
    /// Two layers share a name.
    #[error("layer `{0}` appears twice; every layer needs a name of its own")]
    DuplicateName(String),
    /// A graph that was read, not built, doesn't hold together.
    #[error("the network description is damaged: {0}")]
    Damaged(String),
    /// A name that stands for no network.
    #[error("there is no network called `{name}`; known: {known}")]
    UnknownNetwork {
        /// What was asked for.
        name: String,
        /// The known names, separated by commas.
        known: String,
    },
    /// A network of the zoo that can't take such pictures or classes.
    #[error("{network}: {reason}")]
    Unsuitable {
        /// The network's name.
        network: String,
        /// Why not.
        reason: String,
    },
    /// A place to cut that doesn't separate the network in two.
    #[error("{0}")]
    Cut(String),
}
