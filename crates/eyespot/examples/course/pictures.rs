//! Pictures for the course's examples: drawn ones, or those of a folder.

#![allow(dead_code)] // an example takes what it needs

use eyespot_data::drawn::{Factors, KINDS, draw};
use eyespot_data::{Dataset, Loader, LoaderOptions, Sample, SplitOptions, Transform};
use eyespot_train::InMemory;
use std::ops::Range;
use std::path::Path;

/// Where the examples put their figures.
pub const FOLDER: &str = "eyespot-course";

/// Pictures made ready for a network.
#[derive(Default)]
pub struct Pictures {
    pub names: Vec<String>,
    pub labels: Vec<u32>,
    /// One picture behind the other, height × width × channels.
    pub inputs: Vec<f32>,
}

/// Pictures to learn from, and others that are only looked at afterwards.
pub struct Data {
    /// What the labels mean.
    pub classes: Vec<String>,
    pub seen: Pictures,
    pub new: Pictures,
}

impl Data {
    /// So many drawn pictures, `side` pixels a side, of these kinds in turn: label 0 is the first of `kinds`.
    pub fn drawn(
        kinds: &[&str],
        (seen, new): (u64, u64),
        side: u32,
        transform: &Transform,
    ) -> anyhow::Result<Self> {
        let some = |numbers: Range<u64>| {
            let mut pictures = Pictures::default();
            for number in numbers {
                let label = number as usize % kinds.len();
                let kind = KINDS.iter().position(|kind| *kind == kinds[label]).unwrap_or(0);
                let mut input = vec![0.0; transform.len()];
                transform.apply(&draw(kind, side, &Factors::all(0.3), number), &mut input)?;
                pictures.inputs.extend(input);
                pictures.labels.push(label as u32);
                pictures.names.push(format!("{}{number:02}", kinds[label]));
            }
            anyhow::Ok(pictures)
        };
        let classes = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        Ok(Self { classes, seen: some(0..seen)?, new: some(seen..seen + new)? })
    }

    /// The pictures of `path/CLASS/`, a fifth of them as new ones, or of `path/{train,val}/CLASS/`.
    pub fn of_folder(path: &Path, transform: &Transform) -> anyhow::Result<Self> {
        let data = Dataset::open(path, &SplitOptions::default())?;
        let read = |samples: &[Sample]| {
            let order = (0..samples.len()).collect();
            let mut pictures = Pictures::default();
            for batch in Loader::new(samples, order, LoaderOptions::new(transform.clone()))? {
                let batch = batch?;
                for failure in &batch.failures {
                    eprintln!("left out: {} {}", failure.path.display(), failure.cause);
                }
                pictures.inputs.extend(batch.inputs);
                pictures.labels.extend(batch.labels.iter().map(|&label| label as u32));
                let names = batch.paths.iter().map(|path| path.file_name().unwrap_or_default());
                pictures.names.extend(names.map(|name| name.to_string_lossy().into_owned()));
            }
            anyhow::Ok(pictures)
        };
        Ok(Self { seen: read(&data.train)?, new: read(&data.val)?, classes: data.classes })
    }

    /// Fish (0) and butterflies (1), or the two classes of a folder.
    pub fn two_classes(
        folder: Option<&Path>,
        count: (u64, u64),
        side: u32,
        transform: &Transform,
    ) -> anyhow::Result<Self> {
        let Some(folder) = folder else {
            return Self::drawn(&["fish", "butterfly"], count, side, transform);
        };
        let data = Self::of_folder(folder, transform)?;
        if data.classes.len() != 2 {
            anyhow::bail!("{} has {} classes; this example takes two", folder.display(), data.classes.len());
        }
        Ok(data)
    }
}

impl Pictures {
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// For the training loop.
    pub fn source(&self) -> anyhow::Result<InMemory> {
        let length = self.inputs.len() / self.len().max(1);
        Ok(InMemory::new(self.inputs.clone(), self.labels.clone(), length, 1)?)
    }
}

/// A line per picture, then how many were right: what `scores` say with the threshold 0.5.
pub fn print_predictions(what: &str, pictures: &Pictures, scores: &[f32]) {
    let mut right = 0;
    for ((name, label), score) in pictures.names.iter().zip(&pictures.labels).zip(scores) {
        let predicted = u32::from(*score >= 0.5);
        right += usize::from(predicted == *label);
        println!("{name} with label {label} is predicted as {predicted}");
    }
    println!("{right} of {} {what} right\n", pictures.len());
}
