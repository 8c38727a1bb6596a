//! Variation inside a class: pictures that look alike to the network, and how often those are right.

use super::Group;
use eyespot_train::k_means;
use std::path::PathBuf;

/// Groups of a class at most.
const MOST: usize = 5;
/// Pictures in a group on average at least.
const LEAST_IMAGES: usize = 8;

/// An unchanged picture and what came of it.
pub(super) struct Seen {
    pub path: PathBuf,
    pub label: usize,
    pub right: bool,
}

/// The groups of each class that has pictures. `features` has a row for each picture.
pub(super) fn groups(classes: &[String], seen: &[Seen], features: &[f32]) -> Vec<Group> {
    let length = features.len() / seen.len().max(1);
    let mut groups = Vec::new();
    for (label, class) in classes.iter().enumerate() {
        let own: Vec<usize> = (0..seen.len()).filter(|&i| seen[i].label == label).collect();
        let rows: Vec<f32> =
            own.iter().flat_map(|&i| &features[i * length..(i + 1) * length]).copied().collect();
        let count = (own.len() / LEAST_IMAGES).clamp(1, MOST);
        let of_group = if length == 0 { vec![0; own.len()] } else { k_means(&rows, length, count) };
        for number in 0..count {
            let members = own.iter().zip(&of_group).filter(|(_, group)| **group == number);
            let members: Vec<&Seen> = members.map(|(&i, _)| &seen[i]).collect();
            groups.extend(group(class, &members));
        }
    }
    groups
}

fn group(class: &str, members: &[&Seen]) -> Option<Group> {
    let right = members.iter().filter(|picture| picture.right).count();
    let wrong_first = members.iter().filter(|p| !p.right).chain(members.iter().filter(|p| p.right));
    (!members.is_empty()).then(|| Group {
        class: class.to_owned(),
        images: members.len(),
        accuracy: right as f64 / members.len() as f64,
        examples: wrong_first.take(Group::EXAMPLES).map(|picture| picture.path.clone()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, label: usize, right: bool) -> Seen {
        Seen { path: PathBuf::from(name), label, right }
    }

    #[test]
    fn groups_are_found_inside_each_class() {
        // Class 1: 16 pictures, one half near 0 and right, the other near 5 and mostly wrong. Class 0: two pictures.
        let mut pictures = vec![seen("x", 0, true), seen("y", 0, false)];
        let mut features = vec![0.0, 9.0];
        for i in 0..16 {
            let far = i % 2 == 1;
            pictures.push(seen(&format!("p{i}"), 1, !far || i == 1));
            features.push(if far { 5.0 } else { 0.0 } + 0.01 * i as f32);
        }
        let names = ["a", "b", "c"].map(str::to_owned);
        let groups = groups(&names, &pictures, &features);
        let told: Vec<_> = groups.iter().map(|g| (g.class.as_str(), g.images, g.accuracy)).collect();
        assert_eq!(told, [("a", 2, 0.5), ("b", 8, 1.0), ("b", 8, 0.125)]);
        assert_eq!(groups[0].examples, ["y", "x"].map(PathBuf::from));
        assert_eq!(groups[2].examples, ["p3", "p5", "p7", "p9"].map(PathBuf::from));
    }

    #[test]
    fn no_pictures_make_no_groups() {
        assert!(groups(&["a".to_owned()], &[], &[]).is_empty());
    }
}
