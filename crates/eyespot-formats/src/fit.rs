//! Putting weights into a network.

use crate::error::FormatError;
use crate::misfit::{Misfit, Misshaped};
use crate::select::{self, Listed, Selection, Shapes, Take};
use eyespot_graph::{Graph, NodeId, Params};
use std::collections::HashSet;

/// Weights that fit a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// The network's tensors in the network's order, without those in [`Fitted::missing`].
    pub params: Params,
    /// Tensors of the head that the file has none for; they keep the values they start with.
    pub missing: Vec<String>,
    /// What the user should know, a sentence each.
    pub notices: Vec<String>,
}

impl Fitted {
    /// All weights of the network: the file's, and where it has none those in `initial`
    /// (see [`eyespot_graph::initialise`]).
    pub fn over(self, mut initial: Params) -> Params {
        let mut params = self.params;
        initial.extend(params.iter_mut().map(|(name, tensor)| (name.to_owned(), std::mem::take(tensor))));
        initial
    }
}

/// Picks the tensors of `graph` out of `params` and checks names and shapes, as
/// [`WeightsFile::fit`](crate::WeightsFile::fit) does with a file.
///
/// With `replace_head`, the layers behind the backbone ([`Graph::features`]) may be missing from the file or have
/// other shapes there, as for another number of classes: they are left out of the result, listed in
/// [`Fitted::missing`] and reported in a notice. The backbone must fit in either case.
///
/// # Errors
/// [`FormatError::DoesNotFit`] names every missing, unexpected and misshaped tensor, and the likely cause.
///
/// ```
/// use eyespot_graph::{initialise, zoo};
/// let published = initialise(&zoo::build("resnet18", 1000, None)?, 0);
/// let graph = zoo::build("resnet18", 2, None)?;
/// let fitted = eyespot_formats::fit_weights(&graph, published, true)?;
/// assert_eq!(fitted.missing, ["fc.weight", "fc.bias"]);
/// let params = fitted.over(initialise(&graph, 1));
/// assert_eq!(params.get("fc.weight").map(|fc| fc.shape()), Some(&[2, 512][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn fit_weights(graph: &Graph, mut params: Params, replace_head: bool) -> Result<Fitted, FormatError> {
    let listed: Vec<Listed<'_>> = params
        .iter()
        .enumerate()
        .map(|(index, (name, tensor))| Listed { name, shape: tensor.shape(), place: (index, 0) })
        .collect();
    let Selection { take, missing, notices } = select::select(graph, &listed, None, replace_head)?;
    let names: Vec<String> = params.iter().map(|(name, _)| name.to_owned()).collect();
    let wanted: Vec<usize> = take.iter().flat_map(Take::sources).collect();
    let mut tensors = wanted.iter().filter_map(|&index| params.get_mut(&names[index]).map(std::mem::take));
    let mut fitted = Params::new();
    for take in take {
        let built = take.build(&mut tensors).map_err(|error| FormatError::Choice(error.to_string()))?;
        fitted.insert(built.0, built.1);
    }
    Ok(Fitted { params: fitted, missing, notices })
}

/// Every difference between what the network needs and what there is.
pub(crate) fn compare(graph: &Graph, found: &Shapes) -> Misfit {
    let mut misfit = Misfit { network: graph.name.clone(), ..Misfit::default() };
    let specs = graph.param_specs();
    for (name, spec) in &specs {
        match found.get(name) {
            None => misfit.missing.push(name.clone()),
            Some(shape) if *shape != spec.dims => misfit.misshaped.push(Misshaped {
                name: name.clone(),
                found: shape.clone(),
                needed: spec.dims.clone(),
            }),
            Some(_) => {}
        }
    }
    let known: HashSet<&str> = specs.iter().map(|(name, _)| name.as_str()).collect();
    misfit.unexpected = found.keys().filter(|name| !known.contains(name.as_str())).cloned().collect();
    misfit
}

/// Names of the parameters behind the backbone. A network without a marked backbone has only its last layer there.
pub(crate) fn head_names(graph: &Graph) -> HashSet<String> {
    let names_of = |index: usize| {
        let node = graph.node(NodeId(index));
        let suffixes = node.op.params().into_iter().map(|spec| spec.suffix);
        suffixes.map(|suffix| format!("{}.{suffix}", node.name)).collect::<Vec<_>>()
    };
    let behind = (graph.features.0 + 1)..graph.nodes.len();
    let mut head: HashSet<String> = behind.flat_map(names_of).collect();
    if graph.features.0 == 0 || head.is_empty() {
        let last = (0..graph.nodes.len()).rev().map(names_of).find(|names| !names.is_empty());
        head = last.unwrap_or_default().into_iter().collect();
    }
    head
}

pub(crate) fn replacement_notice(graph: &Graph, misfit: &Misfit, replaced: &[String]) -> String {
    let layers: Vec<&str> = {
        let mut layers: Vec<&str> = replaced.iter().map(|name| crate::misfit::layer_of(name)).collect();
        layers.dedup();
        layers
    };
    let classes = graph.output_shape().elements();
    let why = match misfit.class_counts(&head_names(graph)) {
        Some((found, _)) => format!("the file's is for {found} classes"),
        None => "the file has none of this form".to_owned(),
    };
    format!(
        "the classifier (`{}`) is new and has to be trained: {why}, this network has {classes} outputs",
        layers.join("`, `")
    )
}
