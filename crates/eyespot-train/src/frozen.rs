//! A source whose pictures pass a frozen network first.

use crate::{Batch, Source, TrainError, Visit};
use eyespot_graph::Inference;

/// Hands on a source's pictures as the features a frozen program makes of them, batch by batch, for where they
/// are too many or too varied to be kept.
pub struct FrozenSource<'a> {
    source: Box<dyn Source + 'a>,
    program: Box<dyn Inference>,
    features: usize,
}

impl<'a> FrozenSource<'a> {
    /// `features` is the length of the program's answer for one picture.
    pub fn new(source: Box<dyn Source + 'a>, program: Box<dyn Inference>, features: usize) -> Self {
        Self { source, program, features }
    }
}

impl Source for FrozenSource<'_> {
    fn labels(&self) -> &[u32] {
        self.source.labels()
    }

    fn input_len(&self) -> usize {
        self.features
    }

    fn batches(
        &mut self,
        epoch: u64,
        order: &[usize],
        batch: usize,
        visit: &mut Visit<'_>,
    ) -> Result<(), TrainError> {
        let program = &mut self.program;
        let room = program.batch();
        let mut features = Vec::new();
        let length = self.features;
        self.source.batches(epoch, order, batch, &mut |batch| {
            let images = batch.labels.len();
            let input = batch.inputs.len() / images.max(1);
            features.clear();
            for pictures in batch.inputs.chunks((room * input).max(1)) {
                features.extend_from_slice(program.run(pictures, pictures.len() / input.max(1))?);
            }
            if features.len() != images * length {
                return Err(TrainError::Settings(format!(
                    "the frozen part gives {} numbers for {images} images, {length} each were announced",
                    features.len()
                )));
            }
            visit(Batch { inputs: &features, ..batch })
        })
    }
}
