//! The same classes, in whatever order each model has them.

use crate::Error;
use eyespot_system::printable;
use std::collections::BTreeMap;

/// Classes that are named in an error.
const NAMED: usize = 3;

/// For each class of `own` its place in `first`. Of classes with the same name, such as ImageNet's two cranes, the first
/// is the first.
///
/// # Errors
/// Classes that aren't the same, with those that only one has.
pub(super) fn places(first: (&str, &[String]), own: (&str, &[String])) -> Result<Vec<usize>, Error> {
    let numbered = |classes: &[String]| -> Vec<(String, usize)> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let number = |name: &String| {
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            (name.clone(), *count)
        };
        classes.iter().map(number).collect()
    };
    let (theirs, ours) = (numbered(first.1), numbered(own.1));
    let at: BTreeMap<&(String, usize), usize> = theirs.iter().enumerate().map(|(i, key)| (key, i)).collect();
    let places: Option<Vec<usize>> = ours.iter().map(|key| at.get(key).copied()).collect();
    match places {
        Some(places) if ours.len() == theirs.len() => Ok(places),
        _ => Err(different((first.0, &theirs), (own.0, &ours))),
    }
}

type Numbered<'a> = (&'a str, &'a [(String, usize)]);

fn different(first: Numbered<'_>, own: Numbered<'_>) -> Error {
    let only = |these: Numbered<'_>, others: Numbered<'_>| {
        let lacking: Vec<&(String, usize)> = these.1.iter().filter(|key| !others.1.contains(key)).collect();
        let mut list: Vec<String> = lacking.iter().take(NAMED).map(|key| printable(&key.0)).collect();
        if lacking.len() > NAMED {
            list.push(format!("{} more", lacking.len() - NAMED));
        }
        (!list.is_empty()).then(|| format!("only {} knows {}", printable(these.0), list.join(", ")))
    };
    let sides: Vec<String> = [only(first, own), only(own, first)].into_iter().flatten().collect();
    Error::Usage(format!(
        "{} and {} know different classes: {}; models of the same classes are compared, or each alone: eyespot evaluate \
         MODEL DATA",
        printable(first.0),
        printable(own.0),
        sides.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn classes_are_found_by_name_in_any_order() {
        let found = places(("a", &names("ant bee crane crane")), ("b", &names("crane bee crane ant")));
        assert_eq!(found.expect("the same classes"), [2, 1, 3, 0]);
    }

    #[test]
    fn what_only_one_knows_is_told() {
        let say = |first: &str, own: &str| {
            places(("a", &names(first)), ("b", &names(own))).expect_err("refused").to_string()
        };
        let said = say("ant bee", "ant bee cat dog eel fox gnu");
        assert!(said.contains("only b knows cat, dog, eel, 2 more") && !said.contains("only a"), "{said}");
        let said = say("ant bee", "ant wasp");
        assert!(said.contains("only a knows bee; only b knows wasp"), "{said}");
        assert!(say("ant bee", "ant bee bee").contains("only b knows bee"));
    }
}
