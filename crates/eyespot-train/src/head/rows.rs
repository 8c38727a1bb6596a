//! The rows that a head learns from.

use crate::TrainError;

/// Feature vectors with labels, each column with mean 0 and deviation 1.
#[derive(Debug, Clone)]
pub struct HeadRows {
    pub(super) inputs: Vec<f32>,
    pub(super) length: usize,
    pub(super) labels: Vec<u32>,
    pub(super) classes: usize,
    /// What the columns were before.
    pub(super) columns: Columns,
}

/// Mean and deviation of each column.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub mean: Vec<f64>,
    /// 1 where all numbers of a column are alike, so that it is harmless to divide by.
    pub deviation: Vec<f64>,
}

impl HeadRows {
    /// `inputs` is rows × `length`; labels stand for `classes` classes. Columns are standardised: the mean is subtracted,
    /// and what is left is divided by the standard deviation over all rows (scikit-learn's `StandardScaler`).
    ///
    /// # Errors
    /// Lengths that don't go together, no rows, labels that stand for no class, numbers that aren't finite.
    pub fn new(
        mut inputs: Vec<f32>,
        length: usize,
        labels: Vec<u32>,
        classes: usize,
    ) -> Result<Self, TrainError> {
        if length == 0
            || classes < 2
            || labels.is_empty()
            || Some(inputs.len()) != labels.len().checked_mul(length)
        {
            return Err(TrainError::Data(format!(
                "{} numbers for {} rows of {length} and {classes} classes",
                inputs.len(),
                labels.len()
            )));
        }
        if let Some(label) = labels.iter().find(|&&label| label as usize >= classes) {
            return Err(TrainError::Data(format!("there is a label {label}, but only {classes} classes")));
        }
        if let Some(place) = inputs.iter().position(|x| !x.is_finite()) {
            return Err(TrainError::Data(format!(
                "sample {} holds a number that is not finite; leave it out or repair it",
                place / length
            )));
        }
        let columns = Columns::of(&inputs, length, |_| 1.0);
        let single = |numbers: &[f64]| numbers.iter().map(|&x| x as f32).collect::<Vec<f32>>();
        let (mean, share) = (&columns.mean, columns.deviation.iter().map(|d| 1.0 / d).collect::<Vec<f64>>());
        let share = single(&share);
        for row in inputs.chunks_exact_mut(length) {
            for ((x, mean), share) in row.iter_mut().zip(mean).zip(&share) {
                *x = (f64::from(*x) - mean) as f32 * share;
            }
        }
        Ok(Self { inputs, length, labels, classes, columns })
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none; never.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

impl Columns {
    /// Of rows that weigh differently; rows without weight don't count.
    pub fn of(inputs: &[f32], length: usize, weight: impl Fn(usize) -> f64) -> Self {
        let mut mean = vec![0.0; length];
        let mut weights = 0.0;
        let rows = || inputs.chunks_exact(length).enumerate().map(|(i, row)| (weight(i), row));
        for (weight, row) in rows().filter(|(weight, _)| *weight > 0.0) {
            weights += weight;
            mean.iter_mut().zip(row).for_each(|(m, &x)| *m += weight * f64::from(x));
        }
        let weights = f64::max(weights, f64::MIN_POSITIVE);
        mean.iter_mut().for_each(|m| *m /= weights);
        let mut variance = vec![0.0; length];
        for (weight, row) in rows().filter(|(weight, _)| *weight > 0.0) {
            for ((v, m), &x) in variance.iter_mut().zip(&mean).zip(row) {
                let off = f64::from(x) - m;
                *v += weight * off * off;
            }
        }
        let deviation = |(variance, mean): (f64, &f64)| {
            let deviation = (variance / weights).sqrt();
            // What rounding leaves of a column of equal numbers is none.
            if deviation > 1e-7 * mean.abs().max(1e-30) { deviation } else { 1.0 }
        };
        let deviation = variance.into_iter().zip(&mean).map(deviation).collect();
        Self { mean, deviation }
    }
}
