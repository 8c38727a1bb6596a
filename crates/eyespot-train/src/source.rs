//! How data enters training: batches of inputs with labels.

use crate::TrainError;

/// Some images with their labels.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// images × input length: pictures in NHWC, or features.
    pub inputs: &'a [f32],
    /// The class of each image.
    pub labels: &'a [u32],
    /// Shares of the classes, images × classes, where pictures were mixed.
    pub soft: Option<&'a [f32]>,
    /// Which sample each image is, by its place in [`Source::labels`].
    pub samples: &'a [usize],
}

/// Takes batches one after the other; an error ends the pass.
pub type Visit<'a> = dyn FnMut(Batch<'_>) -> Result<(), TrainError> + 'a;

/// Samples that come in batches.
///
/// Training decides the order; a source loads (and augments) what it is asked for. What a sample looks like may
/// depend on the epoch and the source's own seed, on nothing else, so that a resumed run sees the same pictures.
pub trait Source {
    /// The class of every sample.
    fn labels(&self) -> &[u32];

    /// Numbers per sample.
    fn input_len(&self) -> usize;

    /// Calls `visit` with the samples of `order` in batches of `batch`, the last one smaller where it doesn't come
    /// out even. A sample that can't be read is left out of its batch; a batch without any is passed over.
    fn batches(
        &mut self,
        epoch: u64,
        order: &[usize],
        batch: usize,
        visit: &mut Visit<'_>,
    ) -> Result<(), TrainError>;

    /// All samples in their own order, if they lie in memory and look the same in every epoch. Training on full
    /// batches then copies nothing.
    fn whole(&self) -> Option<Batch<'_>> {
        None
    }
}

/// Samples in memory: features, or small pictures. With several views of each sample, epoch `e` takes view
/// `e mod views`.
#[derive(Debug, Clone)]
pub struct InMemory {
    inputs: Vec<f32>,
    labels: Vec<u32>,
    samples: Vec<usize>,
    input_len: usize,
    views: usize,
    batch: Vec<f32>,
    batch_labels: Vec<u32>,
}

impl InMemory {
    /// `inputs` is views × samples × `input_len`.
    ///
    /// # Errors
    /// Where the lengths don't go together.
    pub fn new(
        inputs: Vec<f32>,
        labels: Vec<u32>,
        input_len: usize,
        views: usize,
    ) -> Result<Self, TrainError> {
        let wanted = labels.len().checked_mul(input_len).and_then(|n| n.checked_mul(views));
        if wanted != Some(inputs.len()) || input_len == 0 || views == 0 {
            return Err(TrainError::Data(format!(
                "{} numbers for {} samples of {input_len} in {views} views",
                inputs.len(),
                labels.len()
            )));
        }
        let samples = (0..labels.len()).collect();
        Ok(Self { inputs, labels, samples, input_len, views, batch: Vec::new(), batch_labels: Vec::new() })
    }

    /// All numbers, views × samples × input length.
    pub fn inputs(&self) -> &[f32] {
        &self.inputs
    }

    /// Changes the numbers of each view of each sample.
    pub fn change(&mut self, change: impl FnMut(&mut [f32])) {
        self.inputs.chunks_exact_mut(self.input_len).for_each(change);
    }
}

impl Source for InMemory {
    fn labels(&self) -> &[u32] {
        &self.labels
    }

    fn input_len(&self) -> usize {
        self.input_len
    }

    fn batches(
        &mut self,
        epoch: u64,
        order: &[usize],
        batch: usize,
        visit: &mut Visit<'_>,
    ) -> Result<(), TrainError> {
        let view = (epoch % self.views as u64) as usize * self.labels.len();
        for samples in order.chunks(batch.max(1)) {
            self.batch.clear();
            self.batch_labels.clear();
            for &sample in samples {
                let start = (view + sample) * self.input_len;
                self.batch.extend_from_slice(&self.inputs[start..start + self.input_len]);
                self.batch_labels.push(self.labels[sample]);
            }
            visit(Batch { inputs: &self.batch, labels: &self.batch_labels, soft: None, samples })?;
        }
        Ok(())
    }

    fn whole(&self) -> Option<Batch<'_>> {
        (self.views == 1).then_some(Batch {
            inputs: &self.inputs,
            labels: &self.labels,
            soft: None,
            samples: &self.samples,
        })
    }
}
