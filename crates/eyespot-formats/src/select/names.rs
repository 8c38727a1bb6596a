//! Names as files have them, and as networks have them.

use std::collections::HashSet;

/// Whether a tensor only counts: batch norm's batches, or the steps in an average of weights. PyTorch saves these, and
/// nothing here reads them, because running statistics move with a fixed momentum.
pub(super) fn is_counter(name: &str) -> bool {
    let last = name.rsplit('.').next();
    matches!(last, Some("num_batches_tracked" | "n_averaged"))
}

/// What wrappers put into names, at any place: sharding (FSDP, of PyTorch and of fairscale), activation checkpoints,
/// compiled layers, Lightning's Fabric.
const WRAPPERS: [&str; 5] =
    ["_fsdp_wrapped_module", "_fpw_module", "_checkpoint_wrapped_module", "_orig_mod", "_forward_module"];

/// What a tensor is to a weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Role {
    Whole,
    /// The g of weight normalisation.
    Gain,
    /// Its v.
    Direction,
}

/// Every way to read a name as a prefix and the name of a network's tensor: the prefix with its dot, the rest without
/// wrappers, and what it is to that tensor.
pub(super) fn readings(name: &str) -> Vec<(&str, String, Role)> {
    let (layer, leaf, role) = parts(name);
    let mut readings = Vec::new();
    let mut rest = leaf.to_owned();
    let mut end = layer.len();
    readings.push((&name[..end], rest.clone(), role));
    while end > 0 {
        let start = layer[..end - 1].rfind('.').map_or(0, |dot| dot + 1);
        let part = &layer[start..end - 1];
        end = start;
        if !WRAPPERS.contains(&part) {
            rest = format!("{part}.{rest}");
            readings.push((&name[..end], rest.clone(), role));
        }
    }
    readings
}

/// The layer with its dot, the last part, and its role: `conv1.weight_g` and `conv1.parametrizations.weight.original0`
/// are the gain of `conv1.weight`.
fn parts(name: &str) -> (&str, &str, Role) {
    let (layer, leaf) = name.split_at(name.rfind('.').map_or(0, |dot| dot + 1));
    if let Some(inner) = layer.strip_suffix('.')
        && let Some((outer, weight)) = inner.rsplit_once('.')
        && let Some(outer) = outer.strip_suffix("parametrizations")
        && let Some(role) = match leaf {
            "original0" => Some(Role::Gain),
            "original1" => Some(Role::Direction),
            _ => None,
        }
    {
        return (outer, weight, role);
    }
    match (leaf.strip_suffix("_g"), leaf.strip_suffix("_v")) {
        (Some(weight), _) => (layer, weight, Role::Gain),
        (_, Some(weight)) => (layer, weight, Role::Direction),
        _ => (layer, leaf, Role::Whole),
    }
}

/// A name without wrappers.
pub(super) fn bare(name: &str) -> String {
    name.split('.').filter(|part| !WRAPPERS.contains(part)).collect::<Vec<_>>().join(".")
}

/// `layer1` of `layer1.0.conv1.weight`.
pub(super) fn first_part(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// The first parts of all names that aren't the head's.
pub(super) fn first_parts<'a>(
    names: impl Iterator<Item = &'a String>,
    head: &HashSet<String>,
) -> HashSet<String> {
    names.filter(|name| !head.contains(*name)).map(|name| first_part(name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_and_weight_normalisation_are_seen_through() {
        let all = |name| {
            let readings = readings(name).into_iter();
            readings.map(|(prefix, rest, role)| (prefix.to_owned(), rest, role)).collect::<Vec<_>>()
        };
        assert_eq!(
            all("net._fsdp_wrapped_module.layer1._orig_mod.conv.weight"),
            [
                (
                    "net._fsdp_wrapped_module.layer1._orig_mod.conv.".to_owned(),
                    "weight".to_owned(),
                    Role::Whole
                ),
                (
                    "net._fsdp_wrapped_module.layer1._orig_mod.".to_owned(),
                    "conv.weight".to_owned(),
                    Role::Whole
                ),
                ("net._fsdp_wrapped_module.".to_owned(), "layer1.conv.weight".to_owned(), Role::Whole),
                (String::new(), "net.layer1.conv.weight".to_owned(), Role::Whole),
            ]
        );
        assert_eq!(all("w_g")[0], (String::new(), "w".to_owned(), Role::Gain));
        let last = all("a.parametrizations.weight.original1").pop().expect("has readings");
        assert_eq!(last, (String::new(), "a.weight".to_owned(), Role::Direction));
        assert_eq!(bare("a._orig_mod.b"), "a.b");
    }
}
