//! Batches of tensors, prepared on several threads while the last batch is in use.

mod queue;
mod stream;

use crate::opened::Wanted;
use crate::random::{Random, purpose};
use crate::resize::Scratch;
use crate::{Augment, DataError, DecodeError, DecodeOptions, Limits, Note, Sample, Transform};
use eyespot_system::{Budget, Reserved};
use queue::{Queue, Task};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

pub use stream::pictures;

/// Batches in preparation while one is in use; more where batches are smaller than the threads could work on.
const AHEAD: usize = 2;

/// How pictures become batches.
#[derive(Debug, Clone)]
pub struct LoaderOptions {
    /// Pictures in a batch; the last one may have fewer.
    pub batch_size: usize,
    /// Threads that read and prepare pictures; 0 for one per core. Results don't depend on it.
    pub threads: usize,
    /// What is made of each picture.
    pub transform: Transform,
    /// How large a picture may be.
    pub limits: Limits,
    /// Whether a picture that can't be read, or only with [`Note::Damaged`], ends the loading, in place of being left out
    /// and reported.
    pub strict: bool,
    /// Whether a picture whose file is damaged counts as one that can't be read ([`DecodeOptions::strict`]).
    pub refuse_damaged: bool,
    /// What is varied; nothing by default.
    pub augment: Augment,
    /// Decides, with the epoch and each picture's index, what is varied and how.
    pub seed: u64,
    /// Passes over the data before this one (or the number of the augmented view).
    pub epoch: u64,
    /// How many classes there are; needed for [`Batch::class_shares`] where the augmentation mixes pictures.
    pub classes: usize,
}

impl LoaderOptions {
    /// Batches of 32, all cores, unreadable pictures left out, nothing varied.
    pub fn new(transform: Transform) -> LoaderOptions {
        LoaderOptions {
            batch_size: 32,
            threads: 0,
            transform,
            limits: Limits::default(),
            strict: false,
            refuse_damaged: false,
            augment: Augment::default(),
            seed: 0,
            epoch: 0,
            classes: 0,
        }
    }

    /// How image files are decoded.
    pub fn decoding(&self) -> DecodeOptions {
        DecodeOptions {
            limits: self.limits.clone(),
            strict: self.strict || self.refuse_damaged,
            range: self.transform.range,
            ..DecodeOptions::default()
        }
    }
}

/// A picture that can't be used.
#[derive(Debug)]
pub struct Failure {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub cause: DecodeError,
}

/// An image that was read, and what is to be said about its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Noted {
    /// The file.
    pub path: PathBuf,
    /// What to say.
    pub note: Note,
}

/// Pictures ready for the network.
#[derive(Debug, Default)]
pub struct Batch {
    /// `[images, height, width, channels]`, without the pictures that failed.
    pub inputs: Vec<f32>,
    /// Each picture's class.
    pub labels: Vec<usize>,
    /// With mixup or cutmix on, the share of every class in every picture, `[images, classes]`; each row adds up to 1.
    pub class_shares: Option<Vec<f32>>,
    /// Each picture's file.
    pub paths: Vec<PathBuf>,
    /// Each picture's index in the list of samples; for [`Loader::stream`], its number from the start.
    pub indices: Vec<usize>,
    /// Pictures of this batch that can't be read, in their order.
    pub failures: Vec<Failure>,
    /// What is to be said about pictures of this batch that were read, in their order.
    pub notes: Vec<Noted>,
}

impl Batch {
    /// Pictures in the batch.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether every picture failed.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// The name of the threads that read pictures. A panic there costs one picture, which is then named with its cause; a
/// program may keep its panic hook from telling it twice.
pub const PICTURE_THREAD: &str = "eyespot pictures";

/// Reads and prepares pictures on several threads and yields them in batches, in order.
///
/// While a batch is in use the next two are being prepared, never more: memory stays bounded for any number of
/// pictures. Dropping the loader stops its threads.
///
/// A batch holds `batch_size` consecutive pictures less those that can't be read, so it may be smaller or even empty.
///
/// ```no_run
/// use eyespot_data::{Dataset, Loader, LoaderOptions, SplitOptions, Transform, shuffled};
/// let data = Dataset::open("photos", &SplitOptions::default())?;
/// let order = shuffled(data.train.len(), 7, 0);
/// for batch in Loader::new(&data.train, order, LoaderOptions::new(Transform::imagenet()))? {
///     let batch = batch?;
///     println!("{} pictures, {} unreadable", batch.len(), batch.failures.len());
/// }
/// # Ok::<(), eyespot_data::DataError>(())
/// ```
pub struct Loader {
    queue: Arc<Queue>,
    workers: Vec<JoinHandle<()>>,
    recipe: Arc<Recipe>,
    ended: bool,
    _reserved: Reserved<'static>,
}

/// What every thread needs to prepare a picture.
struct Recipe {
    options: LoaderOptions,
    decoding: DecodeOptions,
    table: Vec<[f32; 256]>,
}

impl Loader {
    /// Loads samples in the order of a list of indices (see [`crate::shuffled`]).
    ///
    /// # Errors
    /// If a setting is out of its range or an index out of the list.
    pub fn new(samples: &[Sample], order: Vec<usize>, options: LoaderOptions) -> Result<Loader, DataError> {
        if let Some(index) = order.iter().find(|index| **index >= samples.len()) {
            let count = samples.len();
            return Err(DataError::Setting(format!("the order names picture {index} of {count}")));
        }
        let most = options.classes;
        if let Some(sample) = samples.iter().find(|sample| options.augment.mixes() && sample.label >= most) {
            let label = sample.label;
            return Err(DataError::Setting(format!(
                "there are {most} classes and a picture of class {label}"
            )));
        }
        let samples: Vec<(usize, Sample)> =
            order.into_iter().map(|index| (index, samples[index].clone())).collect();
        Loader::start(Box::new(samples.into_iter().map(Ok)), options)
    }

    /// Loads any number of pictures as an iterator names them; an error of the iterator is reported as a failure. See
    /// [`pictures`].
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn stream(
        samples: impl Iterator<Item = Result<Sample, Failure>> + Send + 'static,
        options: LoaderOptions,
    ) -> Result<Loader, DataError> {
        if options.augment.mixes() {
            return Err(DataError::Setting(
                "pictures without classes can't be mixed; set mixup and cutmix to 0".into(),
            ));
        }
        let samples = samples.enumerate().map(|(number, sample)| sample.map(|sample| (number, sample)));
        Loader::start(Box::new(samples), options)
    }

    fn start(samples: queue::Samples, options: LoaderOptions) -> Result<Loader, DataError> {
        options.transform.validate()?;
        options.augment.validate()?;
        if options.batch_size == 0 {
            return Err(DataError::Setting("the batch size is 0; it must be at least 1".into()));
        }
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            threads => threads,
        };
        // Enough pictures under way that a thread that is done finds work though the oldest batch isn't whole.
        let ahead = AHEAD.max((2 * threads).div_ceil(options.batch_size));
        let LoaderOptions { transform, batch_size, .. } = &options;
        let frame =
            4 * transform.len() as u64 + 3 * u64::from(transform.crop.0) * u64::from(transform.crop.1);
        let images = (*batch_size as u64).saturating_mul(ahead as u64 + 1).saturating_add(threads as u64);
        let reserved = Budget::process().hold_chosen(frame.saturating_mul(images)).map_err(|error| {
            DataError::Setting(format!(
                "loading {batch_size} images at once {error}, or load fewer with --batch (in training: --batch-size)"
            ))
        })?;
        let queue = Arc::new(Queue::new(samples, options.batch_size, options.transform.len(), ahead));
        let decoding = options.decoding();
        let recipe = Arc::new(Recipe { table: options.transform.table(), decoding, options });
        // Where the system refuses to start more threads, those it did start do the work.
        let workers: Vec<_> = (0..threads)
            .map_while(|_| {
                let (queue, recipe) = (queue.clone(), recipe.clone());
                let thread = std::thread::Builder::new().name(PICTURE_THREAD.into());
                thread.spawn(move || work(&queue, &recipe)).ok()
            })
            .collect();
        if workers.is_empty() {
            return Err(DataError::Setting(
                "the system refuses to start a thread that reads pictures".into(),
            ));
        }
        Ok(Loader { queue, workers, recipe, ended: false, _reserved: reserved })
    }
}

fn work(queue: &Queue, recipe: &Recipe) {
    let mut scratch = Scratch::default();
    let mut tensor = vec![0.0; recipe.options.transform.len()];
    while let Some(task) = queue.claim() {
        // A picture that makes code panic must not leave the reader waiting for it.
        let result = catch_unwind(AssertUnwindSafe(|| recipe.prepare(&task, &mut scratch, &mut tensor)))
            .unwrap_or_else(|_| Err(DecodeError::Transform("an error in the program stopped it".into())));
        queue.finish(task, result, &tensor);
    }
}

impl Recipe {
    fn prepare(
        &self,
        task: &Task,
        scratch: &mut Scratch,
        tensor: &mut [f32],
    ) -> Result<Vec<Note>, DecodeError> {
        let LoaderOptions { transform, augment, seed, epoch, .. } = &self.options;
        let wanted = Wanted::Scaled(transform);
        let mut picture = task.sample.open(&self.decoding, Budget::process(), wanted)?;
        if augment.is_none() {
            transform.apply_with(scratch, &self.table, &mut picture, tensor)?;
        } else {
            let mut random = Random::new([*seed, *epoch, task.index as u64, purpose::PICTURE]);
            augment.apply_with(scratch, &self.table, transform, &mut random, &mut picture, tensor)?;
        }
        self.decoding.check(picture.notes())?;
        Ok(picture.notes().to_vec())
    }

    /// Mixes a whole batch, where the augmentation says so.
    fn mix(&self, batch: &mut Batch) {
        let LoaderOptions { transform, augment, seed, epoch, classes, .. } = &self.options;
        if let (true, Some(first)) = (augment.mixes(), batch.indices.first()) {
            let mut random = Random::new([*seed, *epoch, *first as u64, purpose::BATCH]);
            let shares = augment.mix(&mut batch.inputs, &batch.labels, *classes, transform, &mut random);
            batch.class_shares = Some(shares);
        }
    }
}

impl Iterator for Loader {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let Some(mut batch) = self.queue.next_batch() else {
            self.ended = true;
            return None;
        };
        if self.recipe.options.strict && !batch.failures.is_empty() {
            self.ended = true;
            let Failure { path, cause } = batch.failures.swap_remove(0);
            return Some(Err(DataError::Picture { path, cause }));
        }
        self.recipe.mix(&mut batch);
        Some(Ok(batch))
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.queue.stop();
        for worker in self.workers.drain(..) {
            // A worker that panicked has already ended; there is nothing left to clear up.
            let _ = worker.join();
        }
    }
}
