//! Photos as a source of training: read, made ready and labelled, batch by batch.

use super::{Context, Part, Sources};
use crate::Error;
use crate::evaluation::unreadable_class;
use crate::options::AugmentKind;
use eyespot_data::{Augment, Layout, Loader, LoaderOptions, Sample};
use eyespot_train::{Batch, Source, TrainError, Visit};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What is to be said about photos: why they couldn't be read, or what was noted when they were; by file.
pub(super) type Remarks = Arc<Mutex<BTreeMap<PathBuf, String>>>;

/// Photos on the disk.
pub(super) struct PictureSource {
    samples: Vec<Sample>,
    labels: Vec<u32>,
    options: LoaderOptions,
    unreadable: Remarks,
    noted: Remarks,
    classes: Vec<String>,
    /// Whether these are the photos to learn from.
    learning: bool,
}

impl PictureSource {
    /// `augment` says how photos are changed at random.
    pub fn new(context: &Context<'_>, samples: &[Sample], augment: Augment) -> Self {
        let options = LoaderOptions {
            threads: context.compute.threads(),
            strict: context.options.strict == Some(true),
            augment,
            seed: context.options.seed.unwrap_or(0),
            classes: context.dataset.classes.len(),
            ..LoaderOptions::new(context.plan.transform.clone())
        };
        let labels = samples.iter().map(|sample| sample.label as u32).collect();
        let unreadable = Arc::clone(&context.unreadable);
        let noted = Arc::clone(&context.noted);
        let classes = context.dataset.classes.clone();
        let learning = std::ptr::eq(samples, &*context.dataset.train);
        Self { samples: samples.to_vec(), labels, options, unreadable, noted, classes, learning }
    }
}

impl Source for PictureSource {
    fn labels(&self) -> &[u32] {
        &self.labels
    }

    fn input_len(&self) -> usize {
        self.options.transform.len()
    }

    fn batches(
        &mut self,
        epoch: u64,
        order: &[usize],
        batch: usize,
        visit: &mut Visit<'_>,
    ) -> Result<(), TrainError> {
        let data = |e: eyespot_data::DataError| TrainError::Data(e.to_string());
        let options = LoaderOptions { batch_size: batch, epoch, ..self.options.clone() };
        for batch in Loader::new(&self.samples, order.to_vec(), options).map_err(data)? {
            let batch = batch.map_err(data)?;
            if !batch.failures.is_empty() {
                // Poisoned only by a panic while inserting, which leaves a sound map.
                let mut unreadable = self.unreadable.lock().unwrap_or_else(|e| e.into_inner());
                unreadable.extend(batch.failures.iter().map(|f| (f.path.clone(), f.cause.to_string())));
            }
            if !batch.notes.is_empty() {
                let mut noted = self.noted.lock().unwrap_or_else(|e| e.into_inner());
                noted.extend(batch.notes.iter().map(|n| (n.path.clone(), n.note.to_string())));
            }
            if !batch.is_empty() {
                let labels: Vec<u32> = batch.labels.iter().map(|&label| label as u32).collect();
                let soft = batch.class_shares.as_deref();
                visit(Batch { inputs: &batch.inputs, labels: &labels, soft, samples: &batch.indices })?;
            }
        }
        let unreadable = self.unreadable.lock().unwrap_or_else(|e| e.into_inner());
        if !self.learning || unreadable.is_empty() {
            return Ok(());
        }
        let failed = |path: &Path| unreadable.get(path).map(String::as_str);
        match unreadable_class(&self.classes, &self.samples, failed) {
            Some(text) => Err(TrainError::Data(text)),
            None => Ok(()),
        }
    }
}

/// The training photos and the validation photos.
pub(super) fn sources(context: &Context<'_>) -> Result<Sources, Error> {
    let part = |samples: &[Sample], augment: Augment| Part {
        source: Box::new(PictureSource::new(context, samples, augment)),
        paths: samples.iter().map(|sample| sample.path.clone()).collect(),
        key: String::new(),
    };
    let validation =
        (!context.dataset.val.is_empty()).then(|| part(&context.dataset.val, Augment::default()));
    let train = part(&context.dataset.train, augmentation(context)?);
    Ok(Sources { train, validation, transform: context.plan.transform.clone() })
}

/// How training photos are changed at random.
pub(super) fn augmentation(context: &Context<'_>) -> Result<Augment, Error> {
    let side = context.plan.transform.crop.0;
    let name = match &context.options.augment {
        // A mirrored 3 is no 3.
        Some(AugmentKind::Light) if context.dataset.layout == Layout::Idx => "digits",
        Some(AugmentKind::Light) => "light",
        Some(AugmentKind::Strong) => "strong",
        Some(AugmentKind::None) | None => "none",
        Some(AugmentKind::Operations(text)) => text,
    };
    Ok(Augment::parse(name, side)?)
}
