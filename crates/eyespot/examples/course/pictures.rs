//! Pictures of two classes for the course's examples: drawn ones, or those of a folder.

use eyespot_data::drawn::{Factors, draw};
use eyespot_data::{Dataset, Loader, LoaderOptions, SplitOptions, Transform};
use std::path::Path;

/// Where the examples put their figures.
#[allow(dead_code)] // not every example draws one
pub const FOLDER: &str = "eyespot-course";

/// Pictures made ready for a network.
#[derive(Default)]
pub struct Pictures {
    pub names: Vec<String>,
    /// 0 or 1.
    pub labels: Vec<u32>,
    /// One picture behind the other, height × width × channels.
    pub inputs: Vec<f32>,
}

/// Pictures to learn from, and others that are only looked at afterwards.
pub struct TwoClasses {
    /// What label 0 and label 1 mean.
    pub classes: [String; 2],
    pub seen: Pictures,
    pub new: Pictures,
}

impl TwoClasses {
    /// 64 drawn pictures of fish (0) and butterflies (1) with `side` pixels, and 32 new ones.
    pub fn drawn(side: u32, transform: &Transform) -> anyhow::Result<Self> {
        let classes = ["fish".to_owned(), "butterfly".to_owned()];
        let some = |numbers: std::ops::Range<u64>| {
            let mut pictures = Pictures::default();
            for number in numbers {
                let label = (number % 2) as usize;
                // Butterflies are the first kind that can be drawn, fish the second.
                let picture = draw(1 - label, side, &Factors::all(0.3), number);
                let mut input = vec![0.0; transform.len()];
                transform.apply(&picture, &mut input)?;
                pictures.inputs.extend(input);
                pictures.labels.push(label as u32);
                pictures.names.push(format!("{}{number:02}", classes[label]));
            }
            anyhow::Ok(pictures)
        };
        Ok(Self { seen: some(0..64)?, new: some(64..96)?, classes })
    }

    /// The pictures of `path/CLASS/` or `path/{train,val}/CLASS/`, two classes in all.
    pub fn of_folder(path: &Path, transform: &Transform) -> anyhow::Result<Self> {
        let data = Dataset::open(path, &SplitOptions::default())?;
        let Ok(classes) = <[String; 2]>::try_from(data.classes.clone()) else {
            anyhow::bail!("{} has {} classes; this example takes two", path.display(), data.classes.len());
        };
        let read = |samples: &[eyespot_data::Sample]| {
            let order = (0..samples.len()).collect();
            let mut pictures = Pictures::default();
            for batch in Loader::new(samples, order, LoaderOptions::new(transform.clone()))? {
                let batch = batch?;
                for failure in &batch.failures {
                    eprintln!("left out: {} {}", failure.path.display(), failure.cause);
                }
                pictures.inputs.extend(batch.inputs);
                pictures.labels.extend(batch.labels.iter().map(|&label| label as u32));
                let name = |path: &std::path::PathBuf| {
                    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
                };
                pictures.names.extend(batch.paths.iter().map(name));
            }
            anyhow::Ok(pictures)
        };
        Ok(Self { seen: read(&data.train)?, new: read(&data.val)?, classes })
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
    println!("{right} of {} {what} right\n", pictures.names.len());
}
