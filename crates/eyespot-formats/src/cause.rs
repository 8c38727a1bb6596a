//! Why weights probably don't fit.

use crate::fit::{compare, head_names};
use crate::misfit::Misfit;
use eyespot_graph::{Graph, Params, zoo};
use std::collections::HashSet;

/// The likeliest cause in one sentence, if one stands out.
pub(crate) fn likely(graph: &Graph, params: &Params, misfit: &Misfit, replace_head: bool) -> Option<String> {
    let head = head_names(graph);
    let only_misshaped = misfit.missing.is_empty() && misfit.unexpected.is_empty();
    if only_misshaped
        && misfit.misshaped.iter().all(|tensor| head.contains(&tensor.name))
        && let Some((found, needed)) = misfit.class_counts(&head)
    {
        return Some(format!(
            "its classifier tells {found} classes apart, this network {needed}; use the file's classes, or train a \
             new classifier on these weights"
        ));
    }
    if let Some(name) = of_the_zoo(params).filter(|&name| name != graph.name) {
        return Some(format!("these look like weights of {name}; use --model {name}"));
    }
    if let Some(prefix) = foreign_prefix(graph, params) {
        return Some(format!(
            "names in the file begin with `{prefix}`, as if the network were part of a larger one; save it with \
             names that lack it"
        ));
    }
    if let Some(reason) = shapes(graph, misfit, only_misshaped) {
        return Some(reason);
    }
    if misfit.unexpected.len() == params.len() {
        return Some(
            "not one name is the same, so this is another network or another library's naming".to_owned(),
        );
    }
    if misfit.unexpected.is_empty() && misfit.misshaped.is_empty() && !replace_head {
        return Some("the file holds only a part of this network".to_owned());
    }
    None
}

/// The network of the zoo whose backbone these weights fit.
fn of_the_zoo(params: &Params) -> Option<&'static str> {
    zoo::networks().iter().map(|network| network.name).find(|name| {
        let Ok(graph) = zoo::build(name, 1000, None) else { return false };
        let head = head_names(&graph);
        let misfit = compare(&graph, params);
        // A network that is all head, such as one linear layer, has nothing to recognise it by.
        let has_backbone = graph.param_specs().len() > head.len();
        has_backbone
            && misfit.missing.is_empty()
            && misfit.unexpected.is_empty()
            && misfit.misshaped.iter().all(|tensor| head.contains(&tensor.name))
    })
}

/// What the head of the zoo's network of this name is called: a file may have it even where this network has another.
pub(crate) fn head_of_the_zoo(graph: &Graph) -> HashSet<String> {
    let input = Some(graph.input_shape());
    zoo::build(&graph.name, 1000, input).map(|original| head_names(&original)).unwrap_or_default()
}

/// A prefix that, taken off, makes every name of the backbone appear.
fn foreign_prefix(graph: &Graph, params: &Params) -> Option<String> {
    let head = head_names(graph);
    let specs = graph.param_specs();
    let backbone: Vec<&String> =
        specs.iter().map(|(name, _)| name).filter(|name| !head.contains(*name)).collect();
    let first = backbone.first()?;
    let prefixes = params.iter().filter_map(|(name, _)| name.strip_suffix(first.as_str()));
    let mut prefixes = prefixes.filter(|prefix| prefix.ends_with('.'));
    let fits = |prefix: &&str| backbone.iter().all(|name| params.get(&format!("{prefix}{name}")).is_some());
    prefixes.find(fits).map(str::to_owned)
}

/// What shapes alone give away.
fn shapes(graph: &Graph, misfit: &Misfit, only_misshaped: bool) -> Option<String> {
    let first = misfit.misshaped.first()?;
    if !only_misshaped || first.found.len() != first.needed.len() {
        return None;
    }
    let same_but = |axis: usize| {
        let axes = first.found.iter().zip(&first.needed).enumerate();
        axes.filter(|&(index, _)| index != axis).all(|(_, (found, needed))| found == needed)
    };
    let is_first_layer = graph.param_specs().first().is_some_and(|(name, _)| *name == first.name);
    let is_convolution = first.found.len() == 4;
    let lone = misfit.misshaped.len() == 1;
    if lone && is_first_layer && is_convolution && same_but(1) {
        let (found, needed) = (first.found[1], first.needed[1]);
        return Some(format!("the weights are for pictures of {found} channels, this network for {needed}"));
    }
    if lone && !is_convolution && first.found.len() == 2 && same_but(1) {
        return Some("the weights are for pictures of another size".to_owned());
    }
    if is_convolution && first.found[2..] == first.needed[2..] {
        return Some(
            "the names are the same, but the layers have another width (number of channels)".to_owned(),
        );
    }
    None
}
