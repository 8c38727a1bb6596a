//! How far figures can be trusted: too few images of a class, and images by which an epoch was chosen.

use crate::Trained;
use eyespot_system::printable;
use eyespot_train::Metrics;

/// Fewer images of a class say little about it.
const FEW: usize = 10;

/// Classes that are named.
const NAMED: usize = 3;

/// What to say where classes have fewer than ten images: those with the fewest by name. `counts` are the images of each
/// class.
pub(crate) fn few_images<'a>(counts: impl Iterator<Item = (&'a str, usize)>) -> Option<String> {
    let mut few: Vec<(&str, usize)> = counts.filter(|(_, images)| *images < FEW).collect();
    // Stable: of equals the first class first.
    few.sort_by_key(|(_, images)| *images);
    let named = |(name, images): &(&str, usize)| match images {
        0 => format!("{} (none)", printable(name)),
        images => format!("{} ({images})", printable(name)),
    };
    let list: Vec<String> = few.iter().take(NAMED).map(named).collect();
    let more = match few.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let whose = if few.len() == 1 { "its figures are" } else { "their figures are" };
    (!few.is_empty())
        .then(|| format!("fewer than {FEW} images to judge by: {}{more}; {whose} uncertain", list.join(", ")))
}

/// What to say after training about the images that judged it.
pub(crate) fn trained(classes: &[String], metrics: Option<&Metrics>) -> Option<String> {
    let metrics = metrics?;
    few_images(classes.iter().enumerate().map(|(i, name)| (name.as_str(), metrics.class(i).support)))
}

/// That the best of so many candidates was chosen on `which` images; `None` where there was no choice.
pub(crate) fn best_of(candidates: u64, which: &str) -> Option<String> {
    (candidates > 1).then(|| {
        format!(
            "best of {candidates} epochs on {which}, so the figures are a little too good; images that --test SHARE sets \
             aside (or in a folder test, beside train and val) give unbiased ones"
        )
    })
}

/// How many models a run chose from: one after each epoch and, in fine-tuning, the frozen one that it began with.
pub(crate) fn candidates(epochs: u64, fine_tune: Option<bool>) -> u64 {
    epochs + u64::from(epochs > 0 && fine_tune == Some(true))
}

impl Trained {
    /// That the epoch was chosen on the images that [`Trained::validation`] is about, which makes its figures a little too
    /// good; `None` where nothing was chosen on them.
    pub fn optimism(&self) -> Option<String> {
        self.validation.as_ref().filter(|_| !self.cross_validated)?;
        best_of(candidates(self.epochs, self.options.fine_tune), "these images")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_with_few_images_are_named_the_smallest_first() {
        let counts = [("a", 9), ("b", 10), ("c", 3), ("d", 0), ("e", 9), ("f", 400)];
        assert_eq!(
            few_images(counts.into_iter()).as_deref(),
            Some(
                "fewer than 10 images to judge by: d (none), c (3), a (9) and 1 more; their figures are uncertain"
            )
        );
        assert_eq!(
            few_images([("a", 9), ("b", 10)].into_iter()).as_deref(),
            Some("fewer than 10 images to judge by: a (9); its figures are uncertain")
        );
        assert_eq!(few_images([("a", 10), ("b", 11)].into_iter()), None);
    }

    #[test]
    fn one_candidate_is_no_choice() {
        assert_eq!(best_of(candidates(1, None), "these images"), None);
        assert_eq!(best_of(candidates(0, Some(true)), "these images"), None);
        let said = best_of(candidates(1, Some(true)), "these images").expect("two candidates");
        assert!(said.starts_with("best of 2 epochs on these images"), "{said}");
    }
}
