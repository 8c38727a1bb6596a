//! Which tensors of a file are the network's.

mod names;
mod sets;

use crate::fit::{compare, head_names, replacement_notice};
use crate::load::tensor;
use crate::{FormatError, ReadError, cause};
use eyespot_graph::{Graph, Tensor};
use indexmap::IndexMap;
use std::collections::HashSet;

/// A tensor that may be taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed<'a> {
    pub name: &'a str,
    pub shape: &'a [usize],
    /// Its storage and its place there: the same for two names of one tensor.
    pub place: (usize, usize),
}

/// Shapes by name.
pub(crate) type Shapes = IndexMap<String, Vec<usize>>;

/// What a network takes.
pub(crate) struct Selection {
    /// In the network's order.
    pub take: Vec<Take>,
    /// Tensors of the head that aren't there.
    pub missing: Vec<String>,
    pub notices: Vec<String>,
}

/// A tensor of the network, and those of the file that it is made of.
#[derive(Debug, Clone)]
pub(crate) struct Take {
    pub name: String,
    pub source: Made,
}

/// By their places in the list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Made {
    As(usize),
    /// Weight normalisation: w = g · v / ‖v‖ (Salimans and Kingma, 2016).
    Normalised {
        gain: usize,
        direction: usize,
    },
}

impl Take {
    pub(crate) fn sources(&self) -> Vec<usize> {
        match self.source {
            Made::As(index) => vec![index],
            Made::Normalised { gain, direction } => vec![gain, direction],
        }
    }

    /// The tensor, from those of [`Take::sources`], which `loaded` gives one after the other.
    pub(crate) fn build(
        self,
        loaded: &mut impl Iterator<Item = Tensor>,
    ) -> Result<(String, Tensor), ReadError> {
        let mut next = || loaded.next().ok_or_else(|| crate::error::damaged("a tensor is missing"));
        let tensor = match self.source {
            Made::As(_) => next()?,
            Made::Normalised { .. } => {
                let gain = next()?;
                normalised(&self.name, &gain, next()?)?
            }
        };
        Ok((self.name, tensor))
    }
}

/// g · v / ‖v‖, the norm over all axes but the one along which g has its numbers.
fn normalised(name: &str, gain: &Tensor, direction: Tensor) -> Result<Tensor, ReadError> {
    let shape = direction.shape().to_vec();
    let axis = match gain.len() {
        1 => None,
        count => Some(
            (0..shape.len()).find(|&axis| shape[axis] == count && gain.shape().get(axis) == Some(&count)),
        ),
    };
    let unclear = || {
        crate::error::damaged(format!(
            "the weight normalisation of {} makes no sense",
            crate::error::quoted(name)
        ))
    };
    let (groups, inner) = match axis {
        None => (1, direction.len()),
        Some(axis) => {
            let axis = axis.ok_or_else(unclear)?;
            (shape[axis], shape[axis + 1..].iter().product())
        }
    };
    let group = |place: usize| place / inner.max(1) % groups.max(1);
    let mut numbers: Vec<f32> = direction.into_iter().collect();
    let mut squares = vec![0f64; groups];
    numbers.iter().enumerate().for_each(|(place, &v)| squares[group(place)] += f64::from(v).powi(2));
    let gains: Vec<f32> = gain.iter().copied().collect();
    for (place, number) in numbers.iter_mut().enumerate() {
        let group = group(place);
        *number = (f64::from(gains[group]) * f64::from(*number) / squares[group].sqrt()) as f32;
    }
    if numbers.iter().any(|number| !number.is_finite()) {
        let name = crate::error::quoted(name);
        return Err(ReadError::Numbers(format!("the weight normalisation of {name} divides by zero")));
    }
    tensor(&shape, numbers)
}

/// Finds the network's tensors.
///
/// # Errors
/// [`FormatError::DoesNotFit`], or [`FormatError::Choice`] where sets of weights can't be told apart.
pub(crate) fn select(
    graph: &Graph,
    tensors: &[Listed<'_>],
    wanted: Option<&str>,
    replace_head: bool,
) -> Result<Selection, FormatError> {
    let (chosen, mut notices) = sets::choose(graph, tensors, wanted)?;
    let head = head_names(graph);
    let found: Shapes =
        chosen.found.iter().map(|(name, made)| (name.clone(), made.shape(tensors).to_vec())).collect();
    let rest = chosen.rest(tensors);
    let all: Shapes = found.iter().chain(&rest).map(|(name, shape)| (name.clone(), shape.clone())).collect();
    let mut misfit = compare(graph, &all);
    let mut missing = Vec::new();
    if replace_head {
        let is_head = |name: &String| head.contains(name);
        let other_head = cause::head_of_the_zoo(graph);
        // A layer is replaced whole: old weights with a new bias would be neither one nor the other.
        let is_replaced = |name: &String| is_head(name) && misfit.concerns_layer_of(name);
        missing = graph.param_specs().into_iter().map(|(name, _)| name).filter(is_replaced).collect();
        if !missing.is_empty() {
            notices.insert(0, replacement_notice(graph, &misfit, &missing));
        }
        misfit.missing.retain(|name| !is_head(name));
        misfit.misshaped.retain(|tensor| !is_head(&tensor.name));
        misfit.unexpected.retain(|name| !other_head.contains(name));
    }
    let backbone = names::first_parts(graph.param_specs().iter().map(|(name, _)| name), &head);
    let foreign = |name: &String| {
        let is_scalar = rest.get(name).is_some_and(|shape| shape.iter().product::<usize>() <= 1);
        !is_scalar && backbone.contains(names::first_part(name))
    };
    // What no layer of the backbone has stays out; what a layer has too many makes it another layer.
    if misfit.missing.is_empty() && misfit.misshaped.is_empty() && !misfit.unexpected.iter().any(foreign) {
        misfit.unexpected.clear();
    }
    if !misfit.is_empty() {
        misfit.cause = cause::likely(graph, &all, &misfit, replace_head);
        return Err(FormatError::DoesNotFit(Box::new(misfit)));
    }
    let out: HashSet<&String> = missing.iter().collect();
    notices.extend(chosen.left_out(tensors, &out, &cause::head_of_the_zoo(graph)));
    let mut take = Vec::new();
    for (name, _) in graph.param_specs() {
        if let Some(&source) = chosen.found.get(&name).filter(|_| !out.contains(&name)) {
            take.push(Take { name, source });
        }
    }
    Ok(Selection { take, missing, notices })
}

/// The shape of one tensor in the set that `graph` would take.
pub(crate) fn shape(
    graph: &Graph,
    tensors: &[Listed<'_>],
    wanted: Option<&str>,
    name: &str,
) -> Result<Option<Vec<usize>>, FormatError> {
    let (chosen, _) = sets::choose(graph, tensors, wanted)?;
    Ok(chosen.found.get(name).map(|made| made.shape(tensors).to_vec()))
}

impl Made {
    /// The shape of what is made.
    fn shape<'a>(self, tensors: &[Listed<'a>]) -> &'a [usize] {
        match self {
            Self::As(index) | Self::Normalised { direction: index, .. } => tensors[index].shape,
        }
    }
}
