//! Classes of different size.

use crate::{Balance, Settings, TrainError};

/// What is known of the classes before training.
pub(crate) struct Classes {
    /// The samples of each class.
    pub by_class: Vec<Vec<usize>>,
    /// The weight of each class in the loss, where classes are balanced so.
    pub weights: Option<Vec<f32>>,
    /// What the user should know.
    pub notices: Vec<String>,
}

/// A greater ratio between the largest and the smallest class is told.
const TOLD_RATIO: usize = 3;

pub(crate) fn look(labels: &[u32], classes: usize, settings: &Settings) -> Result<Classes, TrainError> {
    if labels.is_empty() {
        return Err(TrainError::Data("there are no images to train on".to_owned()));
    }
    let mut by_class = vec![Vec::new(); classes];
    for (sample, &label) in labels.iter().enumerate() {
        match by_class.get_mut(label as usize) {
            Some(class) => class.push(sample),
            None => {
                return Err(TrainError::Data(format!(
                    "sample {sample} has label {label}, but there are only {classes} classes"
                )));
            }
        }
    }
    let mut notices = Vec::new();
    for (class, samples) in by_class.iter().enumerate() {
        if samples.is_empty() {
            notices.push(format!("class {class} has no image to train on, so it can't be learned"));
        }
    }
    let largest = by_class.iter().map(Vec::len).max().unwrap_or(0);
    let smallest = by_class.iter().map(Vec::len).filter(|&n| n > 0).min().unwrap_or(0);
    if largest > TOLD_RATIO * smallest && settings.balance == Balance::None {
        notices.push(format!(
            "the largest class has {largest} images, the smallest {smallest}: rare classes may be passed over; \
             --balance weights or --balance sampler helps"
        ));
    }
    // An absent class gets weight 0: no loss ever reaches it as a target.
    let share = |n: usize| if n == 0 { 0.0 } else { labels.len() as f32 / (classes * n) as f32 };
    let weights = (settings.balance == Balance::Weights)
        .then(|| by_class.iter().map(|samples| share(samples.len())).collect());
    Ok(Classes { by_class, weights, notices })
}
