//! Sets of weights in one file, told apart by their prefixes: `teacher.backbone.`, `state_dict.module.encoder_q.`.

use super::names::{self, Role};
use super::{Listed, Made, Shapes};
use crate::FormatError;
use crate::error::quoted;
use crate::fit::head_names;
use eyespot_graph::Graph;
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};

/// The weights that were chosen.
pub(super) struct Chosen {
    /// What stands before every name of the set.
    pub prefix: String,
    /// The network's tensors that the set has.
    pub found: IndexMap<String, Made>,
    /// Prefixes of the other sets that fit, and of other names of the same one.
    others: Vec<String>,
}

/// Tensors with one prefix.
#[derive(Default)]
struct Set {
    found: IndexMap<String, Made>,
    gains: HashMap<String, usize>,
    directions: HashMap<String, usize>,
    /// Tensors of the right shape, and tensors at all.
    score: (usize, usize),
}

/// Chooses the set that has most of the network's tensors; among equals the one that was asked for, else the likeliest.
pub(super) fn choose(
    graph: &Graph,
    tensors: &[Listed<'_>],
    wanted: Option<&str>,
) -> Result<(Chosen, Vec<String>), FormatError> {
    let specs: HashMap<String, Vec<usize>> =
        graph.param_specs().into_iter().map(|(name, spec)| (name, spec.dims)).collect();
    let sets = sets(&specs, tensors)?;
    let best = sets.values().map(|set| set.score).max().unwrap_or_default();
    // A teacher may lack the classifier that its student has.
    let least = best.0.saturating_sub(head_names(graph).len()).max(best.0.div_ceil(2)).max(1);
    let mut near: Vec<(&String, &Set)> = sets.iter().filter(|(_, set)| set.score.0 >= least).collect();
    if let Some(wanted) = wanted {
        let named: Vec<_> = sets.iter().filter(|(prefix, _)| is_called(prefix, wanted)).collect();
        let Some((prefix, set)) = named.into_iter().max_by_key(|(_, set)| set.score) else {
            return Err(no_such_set(wanted, &near));
        };
        return Ok((Chosen::new(prefix, set, Vec::new()), Vec::new()));
    }
    near.sort_by_key(|(prefix, set)| (rank(prefix), std::cmp::Reverse(set.score)));
    let Some(&(prefix, set)) = near.first() else {
        // Nothing has the right shape: whatever has the most names says best what is wrong.
        let most = sets.iter().max_by_key(|(_, set)| set.score);
        let chosen = match most {
            Some((prefix, set)) => Chosen::new(prefix, set, Vec::new()),
            None => Chosen { prefix: common_prefix(tensors), found: IndexMap::new(), others: Vec::new() },
        };
        return Ok((chosen, Vec::new()));
    };
    // The same tensors under two names are one set.
    let (same, mut near): (Vec<_>, Vec<_>) =
        near.into_iter().partition(|(_, other)| !std::ptr::eq(*other, set) && is_same(set, other, tensors));
    near.sort_by_key(|(_, other)| !std::ptr::eq(*other, set));
    let equal = |(other, one): &&(&String, &Set)| rank(other) == rank(prefix) && one.score == set.score;
    if near.iter().filter(equal).count() > 1 {
        return Err(unclear(&near));
    }
    let others: Vec<String> = near[1..].iter().map(|(prefix, _)| (*prefix).clone()).collect();
    let mut notices = Vec::new();
    if !others.is_empty() {
        let example = short(&others[0], near.iter().map(|(prefix, _)| prefix.as_str()));
        notices.push(format!(
            "the file holds {} sets of weights; {} is taken, not {}; to take another, put its name behind the file's, \
             such as FILE#{}",
            near.len(),
            called(prefix),
            others.iter().map(|prefix| called(prefix)).collect::<Vec<_>>().join(", "),
            eyespot_system::printable(example)
        ));
    }
    let passed_over = others.into_iter().chain(same.into_iter().map(|(prefix, _)| prefix.clone()));
    Ok((Chosen::new(prefix, set, passed_over.collect()), notices))
}

/// Every prefix with the tensors of the network that follow it.
fn sets(
    specs: &HashMap<String, Vec<usize>>,
    tensors: &[Listed<'_>],
) -> Result<IndexMap<String, Set>, FormatError> {
    let mut sets: IndexMap<String, Set> = IndexMap::new();
    for (index, tensor) in tensors.iter().enumerate() {
        // Parameters of the network's own may end in _g.
        let whole = (names::bare(tensor.name), Role::Whole);
        let exact = specs.contains_key(&whole.0).then_some(("", whole.0, whole.1));
        let readings = exact.map_or_else(|| names::readings(tensor.name), |exact| vec![exact]);
        for (prefix, name, role) in readings {
            if !specs.contains_key(&name) {
                continue;
            }
            let set = sets.entry(prefix.to_owned()).or_default();
            let twice = match role {
                Role::Whole => set.found.insert(name.clone(), Made::As(index)).is_some(),
                Role::Gain => set.gains.insert(name.clone(), index).is_some(),
                Role::Direction => set.directions.insert(name.clone(), index).is_some(),
            };
            if twice {
                let text = format!("the file has {} twice, under names that mean the same", quoted(&name));
                return Err(FormatError::Choice(text));
            }
        }
    }
    for set in sets.values_mut() {
        for (name, &gain) in &set.gains {
            if let Some(&direction) = set.directions.get(name)
                && !set.found.contains_key(name)
            {
                set.found.insert(name.clone(), Made::Normalised { gain, direction });
            }
        }
        let fits = |(name, made): &(&String, &Made)| specs[*name] == made.shape(tensors);
        set.score = (set.found.iter().filter(fits).count(), set.found.len());
    }
    sets.retain(|_, set| !set.found.is_empty());
    Ok(sets)
}

/// The likeliest first: an average is what a training program would have one use, and so is the teacher of a student;
/// a student, a momentum encoder of keys and a target are not.
fn rank(prefix: &str) -> usize {
    let lower = prefix.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let has = |some: &[&str]| words.iter().any(|word| some.contains(word));
    if has(&["student", "k", "key", "momentum", "target"]) {
        2
    } else if has(&["ema", "teacher", "averaged", "average", "swa"]) {
        0
    } else {
        1
    }
}

/// Whether a set is meant by a name: some of the parts of its prefix, one after the other.
fn is_called(prefix: &str, name: &str) -> bool {
    match name.trim_matches('.') {
        "" => prefix.is_empty(),
        name => format!(".{prefix}").contains(&format!(".{name}.")),
    }
}

fn is_same(one: &Set, other: &Set, tensors: &[Listed<'_>]) -> bool {
    let place = |made: &Made| match *made {
        Made::As(index) => [tensors[index].place; 2],
        Made::Normalised { gain, direction } => [tensors[gain].place, tensors[direction].place],
    };
    one.found.len() == other.found.len()
        && one.found.iter().all(|(name, made)| other.found.get(name).map(place) == Some(place(made)))
}

fn called(prefix: &str) -> String {
    match prefix.trim_end_matches('.') {
        "" => "the one without a prefix".to_owned(),
        name => quoted(name),
    }
}

/// A part of a prefix that no other has, else all of it.
fn short<'a>(prefix: &'a str, all: impl Iterator<Item = &'a str> + Clone) -> &'a str {
    let name = prefix.trim_end_matches('.');
    let is_own = |part: &&str| !all.clone().any(|other| other != prefix && is_called(other, part));
    name.split('.').rev().find(|part| !part.is_empty() && is_own(part)).unwrap_or(name)
}

fn no_such_set(wanted: &str, near: &[(&String, &Set)]) -> FormatError {
    let known: Vec<String> = near.iter().map(|(prefix, _)| called(prefix)).collect();
    let known = if known.is_empty() { "none that fits this network".to_owned() } else { known.join(", ") };
    FormatError::Choice(format!("it has no set of weights called {}; it has {known}", quoted(wanted)))
}

fn unclear(near: &[(&String, &Set)]) -> FormatError {
    let known: Vec<String> = near.iter().map(|(prefix, _)| called(prefix)).collect();
    let all = near.iter().map(|(prefix, _)| prefix.as_str());
    let example = all.clone().map(|prefix| short(prefix, all.clone())).find(|name| !name.is_empty());
    let example = example.unwrap_or_default();
    FormatError::Choice(format!(
        "it holds {} sets of weights that fit alike: {}; say which one to take by its name behind the file's, such as \
         FILE#{}",
        near.len(),
        known.join(", "),
        eyespot_system::printable(example)
    ))
}

/// The parts that all names begin with.
fn common_prefix(tensors: &[Listed<'_>]) -> String {
    let Some((first, others)) = tensors.split_first() else { return String::new() };
    let mut end = first.name.rfind('.').map_or(0, |dot| dot + 1);
    while end > 0 && !others.iter().all(|tensor| tensor.name.starts_with(&first.name[..end])) {
        end = first.name[..end - 1].rfind('.').map_or(0, |dot| dot + 1);
    }
    first.name[..end].to_owned()
}

impl Chosen {
    fn new(prefix: &str, set: &Set, others: Vec<String>) -> Self {
        Self { prefix: prefix.to_owned(), found: set.found.clone(), others }
    }

    fn taken(&self) -> HashSet<usize> {
        let sources = |made: &Made| match *made {
            Made::As(index) => [index; 2],
            Made::Normalised { gain, direction } => [gain, direction],
        };
        self.found.values().flat_map(sources).collect()
    }

    /// Shapes of the tensors of the set that aren't the network's, by their names in it.
    pub(super) fn rest(&self, tensors: &[Listed<'_>]) -> Shapes {
        let taken = self.taken();
        let others = tensors.iter().enumerate().filter(|(index, _)| !taken.contains(index));
        let mine = others.filter_map(|(_, tensor)| Some((tensor.name.strip_prefix(&self.prefix)?, tensor)));
        let mine = mine.filter(|(name, _)| !names::is_counter(name));
        mine.map(|(name, tensor)| (names::bare(name), tensor.shape.to_vec())).collect()
    }

    /// A name without the parts that it has in common with the set's prefix.
    fn behind_shared_parts<'n>(&self, name: &'n str) -> &'n str {
        let shared = name.bytes().zip(self.prefix.bytes()).take_while(|(a, b)| a == b).count();
        let start = self.prefix[..shared].rfind('.').map_or(0, |dot| dot + 1);
        &name[start..]
    }

    /// What to say about tensors that stay out: all but counters, other sets, and heads that the network's replaces.
    pub(super) fn left_out(
        &self,
        tensors: &[Listed<'_>],
        replaced: &HashSet<&String>,
        known_head: &HashSet<String>,
    ) -> Option<String> {
        /// Groups that are written out in a message.
        const SHOWN: usize = 8;
        let taken = self.taken();
        let mut groups: IndexMap<String, usize> = IndexMap::new();
        for (index, tensor) in tensors.iter().enumerate() {
            let name = self.behind_shared_parts(tensor.name);
            let of_another =
                self.others.iter().any(|other| !other.is_empty() && tensor.name.starts_with(other));
            let is_head = replaced.iter().any(|head| **head == name) || known_head.contains(name);
            if taken.contains(&index) || names::is_counter(name) || of_another || is_head {
                continue;
            }
            let is_scalar = tensor.shape.iter().product::<usize>() <= 1;
            // Beside the weights stand a program's own numbers, such as its best accuracy.
            if is_scalar && !tensor.name.starts_with(&self.prefix) {
                continue;
            }
            // `total_ops` stands in every layer.
            let group = if is_scalar { name.rsplit('.').next().unwrap_or(name) } else { group_of(name) };
            *groups.entry(group.to_owned()).or_default() += 1;
        }
        if groups.is_empty() {
            return None;
        }
        let count: usize = groups.values().sum();
        let shown: Vec<String> = groups.keys().take(SHOWN).map(|group| quoted(group)).collect();
        let more = if groups.len() > SHOWN { " and others" } else { "" };
        let tensors = if count == 1 { "tensor" } else { "tensors" };
        Some(format!(
            "left out, because the network has no such layers: {count} {tensors} of the file ({}{more})",
            shown.join(", ")
        ))
    }
}

/// `projector` of `projector.0.weight`; of a name behind keys, what stands before the layer's number or the last part.
fn group_of(name: &str) -> &str {
    let number = name
        .match_indices('.')
        .map(|(dot, _)| dot)
        .find(|&dot| name[dot + 1..].starts_with(|c: char| c.is_ascii_digit()));
    let end = number.or_else(|| name.rfind('.')).unwrap_or(name.len());
    &name[..end]
}
