//! All that keeps weights from fitting a network, in one message.

use std::collections::HashSet;
use std::fmt;

/// A tensor with another shape than the network needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misshaped {
    /// Its name.
    pub name: String,
    /// Its shape in the file.
    pub found: Vec<usize>,
    /// The shape that the network needs.
    pub needed: Vec<usize>,
}

/// All that keeps weights from fitting a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Misfit {
    /// The network's name.
    pub network: String,
    /// Tensors that the network needs and the file lacks.
    pub missing: Vec<String>,
    /// Tensors that the file has and the network doesn't know.
    pub unexpected: Vec<String>,
    /// Tensors with another shape.
    pub misshaped: Vec<Misshaped>,
    /// What the reason probably is, and what to do.
    pub cause: Option<String>,
}

impl Misfit {
    /// Whether everything fits.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misshaped.is_empty()
    }

    /// Whether a tensor of the same layer as `name` is missing or misshaped.
    pub(crate) fn concerns_layer_of(&self, name: &str) -> bool {
        let layer = layer_of(name);
        let misshaped = self.misshaped.iter().map(|tensor| &tensor.name);
        self.missing.iter().chain(misshaped).any(|other| layer_of(other) == layer)
    }

    /// Classes of the file and of the network, if tensors of `head` differ in their first axis and nothing else.
    pub(crate) fn class_counts(&self, head: &HashSet<String>) -> Option<(usize, usize)> {
        let tensor = self.misshaped.iter().rev().find(|tensor| head.contains(&tensor.name))?;
        let (found, needed) = (tensor.found.split_first()?, tensor.needed.split_first()?);
        (found.1 == needed.1).then_some((*found.0, *needed.0))
    }
}

/// `layer1.0.conv1` of `layer1.0.conv1.weight`.
pub(crate) fn layer_of(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(layer, _)| layer)
}

/// Names that are written out in a message; more would hide the cause.
const SHOWN: usize = 8;

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the weights don't fit the network `{}`", self.network)?;
        if let Some(cause) = &self.cause {
            write!(f, ": {cause}")?;
        }
        let quote = |name: &String| crate::error::quoted(name);
        list(f, "missing from the file", self.missing.iter().map(quote))?;
        list(f, "in the file, but not in the network", self.unexpected.iter().map(quote))?;
        let shapes = |tensor: &Misshaped| {
            let (found, needed) = (&tensor.found, &tensor.needed);
            format!("{} is {found:?}, needed is {needed:?}", quote(&tensor.name))
        };
        list(f, "of another shape", self.misshaped.iter().map(shapes))
    }
}

fn list(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    items: impl ExactSizeIterator<Item = String>,
) -> fmt::Result {
    let count = items.len();
    if count == 0 {
        return Ok(());
    }
    let shown: Vec<String> = items.take(SHOWN).collect();
    write!(f, "\n  {title} ({count}): {}", shown.join(", "))?;
    if count > SHOWN { write!(f, " and {} more", count - SHOWN) } else { Ok(()) }
}
