//! How well a classifier stands what makes vision hard.

mod figure;
mod groups;
mod measure;

use crate::evaluation::Unreadable;
use crate::{Classifier, Error, LeftOut};
use eyespot_data::vary::STRENGTHS;
use eyespot_train::wilson_interval;
use image::RgbImage;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

pub use eyespot_data::vary::Variation;

/// The accuracy under one variation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariationAccuracy {
    /// What is varied.
    pub variation: Variation,
    /// The share of pictures named rightly at each of [`Robustness::STRENGTHS`]; the first is the unchanged pictures'.
    pub accuracy: Vec<f64>,
}

impl VariationAccuracy {
    /// The mean over the five strengths, without the unchanged pictures.
    pub fn mean(&self) -> f64 {
        let varied = self.accuracy.get(1..).unwrap_or_default();
        varied.iter().sum::<f64>() / varied.len().max(1) as f64
    }
}

/// Pictures of a class that look alike to the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The class.
    pub class: String,
    /// How many pictures.
    pub images: usize,
    /// The share of them that is named rightly, unchanged.
    pub accuracy: f64,
    /// Up to [`Group::EXAMPLES`] of them, those taken for another class first.
    #[serde(serialize_with = "crate::path_text::several")]
    pub examples: Vec<PathBuf>,
}

impl Group {
    /// How many files are named.
    pub const EXAMPLES: usize = 4;

    /// A group of fewer pictures says little.
    pub const LEAST: usize = 4;

    /// The 95 % confidence interval of the accuracy, see [`wilson_interval`].
    pub fn accuracy_interval(&self) -> [f64; 2] {
        interval(self.accuracy, self.images)
    }
}

/// How well a classifier stands what makes vision hard: see [`Classifier::robustness`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Robustness {
    /// How many classes the classifier tells apart; by chance it names one picture in so many rightly.
    pub classes: usize,
    /// Pictures that were measured, each in all its forms.
    pub images: usize,
    /// The share of unchanged pictures that is named rightly, as [`Classifier::evaluate`] says it.
    pub accuracy: f64,
    /// Five variations, in the order of [`Variation::ALL`].
    pub variations: Vec<VariationAccuracy>,
    /// The sixth variation, the one inside the classes: groups of pictures, class by class.
    pub groups: Vec<Group>,
    /// The pictures that can't be read; they are not measured.
    pub unreadable: Vec<Unreadable>,
    /// How many images weren't measured.
    pub left_out: LeftOut,
    /// What one should know about the data.
    #[serde(skip)]
    pub notices: Vec<String>,
}

impl Robustness {
    /// The strengths of a variation: 0 is the unchanged picture, 1 the most a variation does.
    pub const STRENGTHS: [f32; 6] = {
        let [a, b, c, d, e] = STRENGTHS;
        [0.0, a, b, c, d, e]
    };

    /// The 95 % confidence interval of an accuracy over these pictures, such as [`Robustness::accuracy`] or one under a
    /// variation, see [`wilson_interval`].
    pub fn interval(&self, accuracy: f64) -> [f64; 2] {
        interval(accuracy, self.images)
    }

    /// The mean accuracy over five variations in five strengths, each counting alike.
    pub fn mean(&self) -> f64 {
        self.variations.iter().map(VariationAccuracy::mean).sum::<f64>() / self.variations.len().max(1) as f64
    }

    /// The share of pictures that somebody who guesses names rightly.
    pub fn chance(&self) -> f64 {
        1.0 / self.classes.max(1) as f64
    }

    /// The groups that say something, those of at least four pictures; all where there are no such.
    pub fn telling_groups(&self) -> impl Iterator<Item = &Group> {
        let least =
            if self.groups.iter().any(|group| group.images >= Group::LEAST) { Group::LEAST } else { 0 };
        self.groups.iter().filter(move |group| group.images >= least)
    }

    /// The one of [`Robustness::telling_groups`] that is named rightly least often.
    pub fn worst_group(&self) -> Option<&Group> {
        let worse = |a: &&Group, b: &&Group| a.accuracy.total_cmp(&b.accuracy).then(b.images.cmp(&a.images));
        self.telling_groups().min_by(worse)
    }

    /// A figure of one or several classifiers by name: for each variation the accuracy against the strength, and
    /// [`Robustness::telling_groups`] from best to worst, over what chance gives.
    ///
    /// # Errors
    /// Nothing to draw.
    pub fn figure(models: &[(&str, &Robustness)]) -> Result<RgbImage, Error> {
        figure::draw(models)
    }

    /// Writes [`Robustness::figure`] as a PNG, see [`crate::save_png`].
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn draw(models: &[(&str, &Robustness)], path: &Path) -> Result<(), Error> {
        Ok(eyespot_figure::save_png(&Self::figure(models)?, path)?)
    }
}

impl Classifier {
    /// Measures how well the classifier stands the six things that make vision hard, on the pictures that
    /// [`Classifier::evaluate`] takes.
    ///
    /// Five of them are made: every picture is varied in illumination, viewpoint, scale, occlusion and background, each
    /// in five strengths, the same way every time ([`Variation`]). With the unchanged pictures, these are 26 passes
    /// over the data; each picture is read once. What is told is the accuracy under each, after the benchmark of
    /// Hendrycks and Dietterich ("Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
    /// 2019), which also takes five severities.
    ///
    /// The sixth, variation inside a class, is found in the data: the pictures of each class are divided into up to five
    /// groups by [`eyespot_train::k_means`] over what the network's last layer sees (a map averaged over its
    /// places), and each group's accuracy is told. Where the last layer sees the picture itself, its scores take their
    /// place. A group has eight pictures on average at least.
    ///
    /// `progress` is told how many pictures are done, and of how many.
    ///
    /// # Errors
    /// Data that can't be found, or whose classes the classifier doesn't know.
    ///
    /// ```no_run
    /// let classifier = eyespot::Classifier::load("runs/bees-1")?.batch(16);
    /// let robustness = classifier.robustness("photos/", &mut |_, _| ())?;
    /// for varied in &robustness.variations {
    ///     println!("{}: {:.3}", varied.variation.name(), varied.mean());
    /// }
    /// # Ok::<(), eyespot::Error>(())
    /// ```
    pub fn robustness(
        &self,
        data: impl AsRef<Path>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Robustness, Error> {
        let mut measured = robustness(&[self], data, progress)?;
        Ok(measured.remove(0))
    }
}

/// Measures several classifiers at once: each picture is read and varied once for all of them. Each is measured
/// against its own classes, so pictures of a class it doesn't know are left out for it.
///
/// # Errors
/// As [`Classifier::robustness`], before anything is measured.
///
/// ```no_run
/// let [a, b] = ["runs/hog-1", "runs/squeezenet-1"].map(eyespot::Classifier::load);
/// let (a, b) = (a?, b?);
/// let measured = eyespot::robustness(&[&a, &b], "photos/", &mut |_, _| ())?;
/// let models = [("hog", &measured[0]), ("squeezenet", &measured[1])];
/// eyespot::Robustness::draw(&models, "robustness.png".as_ref())?;
/// # Ok::<(), eyespot::Error>(())
/// ```
pub fn robustness(
    classifiers: &[&Classifier],
    data: impl AsRef<Path>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Robustness>, Error> {
    measure::all(classifiers, data.as_ref(), progress)
}

fn interval(accuracy: f64, images: usize) -> [f64; 2] {
    wilson_interval((accuracy * images as f64).round() as usize, images)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(images: usize, accuracy: f64) -> Group {
        Group { class: "a".to_owned(), images, accuracy, examples: Vec::new() }
    }

    fn with(groups: Vec<Group>) -> Robustness {
        let variations = vec![
            VariationAccuracy { variation: Variation::Scale, accuracy: vec![1.0, 0.9, 0.8, 0.7, 0.6, 0.5] },
            VariationAccuracy {
                variation: Variation::Occlusion,
                accuracy: vec![1.0, 0.5, 0.4, 0.3, 0.2, 0.1],
            },
        ];
        let left_out = LeftOut::default();
        Robustness {
            classes: 2,
            images: 9,
            accuracy: 1.0,
            variations,
            groups,
            unreadable: vec![],
            left_out,
            notices: vec![],
        }
    }

    #[test]
    fn means_leave_the_unchanged_pictures_out() {
        let measured = with(vec![]);
        assert!((measured.variations[0].mean() - 0.7).abs() < 1e-12);
        assert!((measured.mean() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn intervals_are_of_the_counts_behind_the_shares() {
        assert_eq!(group(7, 3.0 / 7.0).accuracy_interval(), wilson_interval(3, 7));
        assert_eq!(with(vec![]).interval(5.0 / 9.0), wilson_interval(5, 9));
    }

    #[test]
    fn the_worst_group_is_one_that_says_something() {
        let measured = with(vec![group(1, 0.0), group(9, 0.5), group(20, 0.5), group(4, 0.75)]);
        assert_eq!(measured.worst_group().map(|g| g.images), Some(20));
        assert_eq!(with(vec![group(3, 1.0), group(2, 0.5)]).worst_group().map(|g| g.images), Some(2));
        assert_eq!(with(vec![]).worst_group(), None);
    }
}
