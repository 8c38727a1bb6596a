//! Classes of different size.

use crate::{Balance, Settings, TrainError};
use eyespot_system::printable;

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

pub(crate) fn look(labels: &[u32], names: &[String], settings: &Settings) -> Result<Classes, TrainError> {
    let classes = names.len();
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
            let class = printable(&names[class]);
            notices.push(format!("the class {class} has no image to train on, so it can't be learned"));
        }
    }
    let sizes = || by_class.iter().map(Vec::len).zip(names).filter(|(images, _)| *images > 0);
    if let (Some((largest, large)), Some((smallest, small))) =
        (sizes().max_by_key(|(images, _)| *images), sizes().min_by_key(|(images, _)| *images))
        && largest > TOLD_RATIO * smallest
        && settings.balance == Balance::None
    {
        notices.push(format!(
            "the largest class, {}, has {largest} images, the smallest, {}, {smallest}: rare classes may be passed \
             over; --balance weights or --balance sampler helps",
            printable(large),
            printable(small)
        ));
    }
    // An absent class gets weight 0: no loss ever reaches it as a target.
    let share = |n: usize| if n == 0 { 0.0 } else { labels.len() as f32 / (classes * n) as f32 };
    let weights = (settings.balance == Balance::Weights)
        .then(|| by_class.iter().map(|samples| share(samples.len())).collect());
    Ok(Classes { by_class, weights, notices })
}
