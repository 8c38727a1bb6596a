//! Why weights probably don't fit.

use crate::fit::{compare, head_names};
use crate::misfit::Misfit;
use crate::select::Shapes;
use eyespot_graph::{Graph, zoo};
use std::collections::HashSet;

/// The likeliest cause in one sentence, if one stands out.
pub(crate) fn likely(graph: &Graph, found: &Shapes, misfit: &Misfit, replace_head: bool) -> Option<String> {
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
    if let Some(name) = of_the_zoo(found).filter(|&name| name != graph.name) {
        return Some(format!("these look like weights of {name}; use --model {name}"));
    }
    if misfit.unexpected.is_empty()
        && misfit.misshaped.is_empty()
        && !replace_head
        && misfit.missing.iter().all(|name| head.contains(name))
    {
        return Some(
            "it holds the backbone without the classifier, as self-supervised training leaves it; train one on your \
             photos: eyespot train photos/ --model NAME --weights FILE"
                .to_owned(),
        );
    }
    if let Some(name) = misfit.unexpected.iter().find(|name| is_parametrised(name)) {
        return Some(format!(
            "{} is a part of a parametrised weight (spectral norm, pruning and the like); in Python, take that off \
             before saving (torch.nn.utils.parametrize.remove_parametrizations, torch.nn.utils.remove_spectral_norm, \
             torch.nn.utils.prune.remove)",
            crate::error::quoted(name)
        ));
    }
    if let Some(reason) = shapes(graph, misfit, only_misshaped) {
        return Some(reason);
    }
    if misfit.unexpected.len() == found.len() {
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
fn of_the_zoo(found: &Shapes) -> Option<&'static str> {
    zoo::networks().iter().map(|network| network.name).find(|name| {
        let Ok(graph) = zoo::build(name, 1000, None) else { return false };
        let head = head_names(&graph);
        let misfit = compare(&graph, found);
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

fn is_parametrised(name: &str) -> bool {
    name.contains(".parametrizations.") || name.ends_with(".weight_orig") || name.ends_with(".weight_mask")
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
