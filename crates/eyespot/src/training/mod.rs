//! From a folder of photos to a run folder with a model.

mod cross_validation;
mod defaults;
mod divide;
mod features;
mod fine_tune;
mod learned;
mod listener;
mod network;
mod pictures;
pub(crate) mod run_folder;
mod solve;
mod tested;
mod tune;

use crate::compute::Compute;
use crate::evaluation::unreadable_class;
use crate::options::{AugmentKind, BatchSize, Cache, Freeze, Head, LearningRate, LossKind, OptimizerKind};
use crate::{DeviceChoice, Error, Evaluation, Range, TrainingOptions, judged, remarks};
use eyespot_data::{Dataset, Limits, Transform};
use eyespot_formats::ModelFile;
use eyespot_graph::{Device, Params};
use eyespot_system::printable;
use eyespot_train::{EpochRecord, Job, Metrics, RunFolder, Settings, Source};
use listener::Through;
pub use listener::{Beginning, Listener, Phase};
use pictures::Remarks;
use run_folder::{Earlier, Outputs, Said};
pub use solve::Solved;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
pub use tune::Trial;

/// Trains a classifier.
///
/// Nothing but the photos needs to be said: without weights a small network is trained from scratch; with the
/// weights of a published network its backbone stays as it is and a new linear head is solved on its features, judged by
/// cross-validation.
///
/// ```no_run
/// let trained = eyespot::Training::new("photos/")
///     .model("squeezenet1_1")
///     .weights("squeezenet1_1.safetensors")
///     .run(&mut ())?;
/// println!("{:.1} % right, see {}", 100.0 * trained.accuracy.unwrap_or(0.0), trained.folder.display());
/// # Ok::<(), eyespot::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Training {
    options: TrainingOptions,
    earlier: Earlier,
    device: Option<Arc<dyn Device>>,
    /// Cross-validation: which fold of how many is set aside. Training doesn't watch it; the finished model names its images.
    fold: Option<(usize, usize)>,
}

/// What came out of a training run.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The run folder: `model.safetensors`, `last.checkpoint`, `metrics.jsonl`, `config.toml`, `predictions.csv`.
    pub folder: PathBuf,
    /// The share of the validation photos that the model names rightly; `None` where there were none.
    pub accuracy: Option<f64>,
    /// How good it is on them in other words; `None` where there were none.
    pub validation: Option<Metrics>,
    /// The classes, in the order of the network's outputs.
    pub classes: Vec<String>,
    /// How many validation photos there were.
    pub validation_images: usize,
    /// The epoch the model is from, counted from 1; 0 where a solved head was best.
    pub best_epoch: u64,
    /// How many epochs were trained.
    pub epochs: u64,
    /// Whether patience ran out.
    pub stopped_early: bool,
    /// Every recorded epoch.
    pub history: Vec<EpochRecord>,
    /// How the head was solved, where no steps were made.
    pub solved: Option<Solved>,
    /// Whether `validation` is a cross-validation's: every photo was named by a model that hadn't seen it, and the model itself
    /// learned from all of them.
    pub cross_validated: bool,
    /// How good the finished model is on the photos that [`TrainingOptions::test`] set aside; `None` where there were none.
    pub test: Option<Evaluation>,
    /// The settings, all resolved.
    pub options: TrainingOptions,
    /// What was tried before, where settings were looked for (`tune`), the best first.
    pub trials: Vec<Trial>,
}

impl Training {
    /// Trains on these photos: a folder per class, folders train and val with a folder per class, a CSV, or
    /// MNIST's files.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self::with_options(TrainingOptions { data: Some(data.into()), ..TrainingOptions::default() })
    }

    /// Trains as these settings say, such as those of a `config.toml`.
    pub fn with_options(options: TrainingOptions) -> Self {
        Self { options, earlier: Earlier::Keep, device: None, fold: None }
    }

    /// Sets this share of the photos aside for validation; default 0.2, or a cross-validation where a head is solved.
    pub fn val(mut self, share: f64) -> Self {
        self.options.val = Some(share);
        self
    }

    /// Sets this share of the photos aside for testing: nothing is chosen by them, and the finished model is measured on them
    /// once ([`Trained::test`]).
    pub fn test(mut self, share: f64) -> Self {
        self.options.test = Some(share);
        self
    }

    /// Cross-validates with so many folds: each photo is named by a model that hadn't seen it, and the model itself learns from
    /// all of them.
    pub fn folds(mut self, folds: u64) -> Self {
        self.options.folds = Some(folds);
        self
    }

    /// Goes on with the run in [`Training::output`] where it was stopped, to the same model as if it had never
    /// been.
    pub fn resume(mut self, resume: bool) -> Self {
        self.earlier = if resume { Earlier::Resume } else { Earlier::Keep };
        self
    }

    /// Begins anew in the folder of an earlier run, whose files are removed. Others stay, and a folder that no run
    /// made is refused.
    pub fn replace(mut self, replace: bool) -> Self {
        self.earlier = if replace { Earlier::Replace } else { Earlier::Keep };
        self
    }

    /// A network of the zoo; default `small_cnn`, or the one the weights' file is named after.
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.options.model = Some(name.into());
        self
    }

    /// Learns on traditional features of the photos in place of the photos, with the network `linear` (default) or
    /// `mlp`: `hog` (shape), `color`, `pixels`, or several joined by `+`. Each number is standardised by its mean and
    /// deviation over the training photos, which are kept in the model.
    pub fn features(mut self, names: impl Into<String>) -> Self {
        self.options.features = Some(names.into());
        self
    }

    /// Starts from pretrained weights: safetensors or a PyTorch checkpoint.
    pub fn weights(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.weights = Some(path.into());
        self
    }

    /// What keeps its weights.
    pub fn freeze(mut self, what: Freeze) -> Self {
        self.options.freeze = Some(what);
        self
    }

    /// The layers that tell the classes apart.
    pub fn head(mut self, head: Head) -> Self {
        self.options.head = Some(head);
        self
    }

    /// Passes over the photos.
    pub fn epochs(mut self, epochs: u64) -> Self {
        self.options.epochs = Some(epochs);
        self
    }

    /// Photos per step; default 32.
    pub fn batch_size(mut self, size: BatchSize) -> Self {
        self.options.batch_size = Some(size);
        self
    }

    /// The rule by which weights follow their gradients, and its full learning rate.
    pub fn optimizer(mut self, optimizer: OptimizerKind, learning_rate: f64) -> Self {
        self.options.optimizer = Some(optimizer);
        self.options.lr = Some(LearningRate::Rate(learning_rate));
        self
    }

    /// What training makes small.
    pub fn loss(mut self, loss: LossKind) -> Self {
        self.options.loss = Some(loss);
        self
    }

    /// How much photos are changed at random.
    pub fn augment(mut self, augment: AugmentKind) -> Self {
        self.options.augment = Some(augment);
        self
    }

    /// Decides everything random; the same seed gives the same model. Default 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = Some(seed);
        self
    }

    /// How many threads; default all cores.
    pub fn threads(mut self, threads: usize) -> Self {
        self.options.threads = Some(threads);
        self
    }

    /// Computes on this device in place of the CPU; then [`threads`](Self::threads) is how many read photos.
    pub fn device(mut self, device: Arc<dyn Device>) -> Self {
        self.device = Some(device);
        self
    }

    /// The run folder; default a new one in `runs/`.
    pub fn output(mut self, folder: impl Into<PathBuf>) -> Self {
        self.options.output = Some(folder.into());
        self
    }

    /// Where features of frozen layers are kept between runs.
    pub fn cache(mut self, cache: Cache) -> Self {
        self.options.cache = Some(cache);
        self
    }

    /// Any other setting.
    pub fn set(mut self, change: impl FnOnce(&mut TrainingOptions)) -> Self {
        change(&mut self.options);
        self
    }

    /// Trains, telling `listener` how it goes; `&mut ()` listens to nothing.
    ///
    /// # Errors
    /// Settings that don't go together, data or weights that can't be used, a loss that is no longer a number, a
    /// run folder that can't be written.
    pub fn run(mut self, listener: &mut dyn Listener) -> Result<Trained, Error> {
        let mut trials = Vec::new();
        if self.options.tune.is_some() || self.options.trials.is_some() {
            (self.options, trials) = tune::tune(&self, listener)?;
        }
        let trained = self.run_once(listener)?;
        let few = judged::trained(&trained.classes, trained.validation.as_ref());
        few.iter().for_each(|notice| listener.notice(notice));
        Ok(Trained { trials, ..trained })
    }

    /// A run with settings as they are.
    fn run_once(self, listener: &mut dyn Listener) -> Result<Trained, Error> {
        let Some(data) = self.options.data.clone() else {
            return Err(Error::Usage(
                "there are no photos named; give the folder that holds them".to_owned(),
            ));
        };
        self.options.check()?;
        let features = defaults::features(&self.options)?;
        let network = defaults::network(&self.options)?;
        let solves = solve::solves(&self.options)?;
        let mut dataset = divide::open(&data, &self.options, solves)?;
        check_classes(&dataset)?;
        if let Some((index, folds)) = self.fold {
            dataset = dataset.fold(index, folds);
        }
        let network = match network {
            Some(network) => network,
            None => defaults::network_for(&self.options, &dataset)?,
        };
        let mut options = defaults::resolve(self.options, network, &dataset)?;
        let device = match self.device {
            Some(device) => Some(device),
            None => open(&options)?,
        };
        let compute = Compute::new(device, options.threads.unwrap_or(0));
        resolve_range(&mut options, &dataset, compute.threads(), listener);
        dataset.notices.iter().for_each(|notice| listener.notice(notice));

        let mut plan = network::plan(&options, network, features, dataset.classes.len(), listener)?;
        let settings = settings_of(&options, &plan)?;
        if options.output.is_none() {
            options.output = Some(defaults::new_run(&options, &dataset)?);
        }
        let outputs = Outputs::open(&options, self.earlier)?;
        let folder = outputs.folder.path().to_owned();
        let photos = photos(&dataset);
        let fine_tuning = options.fine_tune == Some(true);
        let context = Context {
            train_hashes: learned::hashes(&dataset, compute.threads()),
            options: &options,
            dataset: &dataset,
            plan: &plan,
            compute: &compute,
            unreadable: Remarks::default(),
            noted: Remarks::default(),
        };
        listener.begin(&Beginning::new(&context, folder.clone()));
        if solves {
            let trained = solved_run(&context, &outputs, listener)?;
            return trained.tested(&dataset, listener);
        }
        let unseen = cross_validation::unseen(&context, (self.earlier, self.fold), &folder, listener)?;
        let mut start = None;
        let head = match fine_tuning {
            true => Some(fine_tune::head(&context, network, listener)?),
            false => None,
        };
        let Context { train_hashes, unreadable, noted, .. } = context;
        if let Some(head) = head {
            plan.begin_with(&head.params);
            start = Some(head.start);
        }
        let context = Context {
            train_hashes,
            options: &options,
            dataset: &dataset,
            plan: &plan,
            compute: &compute,
            unreadable,
            noted,
        };
        let Sources { mut train, mut validation, transform } = match &plan.frozen {
            Some(frozen) if fine_tuning => features::live(&context, frozen)?,
            Some(frozen) => features::sources(&context, frozen, listener)?,
            None => pictures::sources(&context)?,
        };
        if fine_tuning {
            let seconds = Some(fine_tune::estimate(&context, &settings, &mut train)?);
            let epochs = settings.epochs;
            listener.phase(&Phase {
                number: 2,
                of: 2,
                what: "all layers that aren't frozen",
                epochs,
                seconds,
            });
        }
        let mut job = Job {
            device: compute.device(),
            graph: &plan.graph,
            params: &plan.params,
            classes: &dataset.classes,
            settings: &settings,
            train: train.source.as_mut(),
            validation: None,
            run: None,
            start: None,
        };
        // From here on, and when the run is resumed, it is a fixed one.
        let (options, settings) = match options.lr {
            Some(LearningRate::Auto) => {
                let rate = eyespot_train::range_test(&mut job)?;
                listener.told(&format!("learning rate {rate}, by a range test"));
                let options = TrainingOptions { lr: Some(LearningRate::Rate(rate)), ..options.clone() };
                outputs.write_settings(&options)?;
                (options, Settings { learning_rate: rate, ..settings.clone() })
            }
            _ => (options.clone(), settings.clone()),
        };
        let run = match self.earlier == Earlier::Resume {
            true => RunFolder::resume(&outputs.folder),
            false => RunFolder::new(&outputs.folder),
        };
        let run = run
            .about("the photos", &photos)
            .about("config.toml", &options.decisive().to_toml())
            .about("the frozen layers", &train.key);
        let watched = validation.as_mut().filter(|_| self.fold.is_none());
        let job = Job {
            settings: &settings,
            validation: watched.map(|v| v.source.as_mut() as &mut dyn Source),
            run: Some(&run),
            start,
            ..job
        };
        let outcome = eyespot_train::train(job, &mut Through(listener))?;

        let validation = match (&mut validation, &unseen) {
            (Some(part), _) => outputs.predictions(&context, &outcome.params, part)?,
            (None, Some(unseen)) => Some(outputs.cross_validation(&context, unseen)?),
            (None, None) => None,
        };
        let accuracy = validation.as_ref().map(|metrics| metrics.accuracy);
        let validation_images = validation.as_ref().map_or(0, |metrics| metrics.images);
        let training = serde_json::json!({
            "loss": plan.loss.plain(),
            "epochs": outcome.epochs,
            "best_epoch": outcome.best_epoch,
            "images": dataset.train.len(),
            "validation_images": validation_images,
            "validation_accuracy": accuracy,
            "cross_validated": unseen.is_some(),
            "settings": settings,
        });
        context.write_model(&outputs, &outcome.params, &transform, training)?;
        context.tell_remarks(listener);
        let trained = Trained {
            folder,
            accuracy,
            validation,
            classes: dataset.classes.clone(),
            validation_images,
            best_epoch: outcome.best_epoch,
            epochs: outcome.epochs,
            stopped_early: outcome.stopped_early,
            history: outcome.history,
            solved: None,
            cross_validated: unseen.is_some(),
            test: None,
            options,
            trials: Vec::new(),
        };
        trained.tested(&dataset, listener)
    }
}

/// A run that solves its head: features, solution, judgement, model.
fn solved_run(
    context: &Context<'_>,
    outputs: &Outputs,
    listener: &mut dyn Listener,
) -> Result<Trained, Error> {
    let (plan, dataset) = (context.plan, context.dataset);
    let Some(frozen) = &plan.frozen else {
        return Err(Error::Usage("a head is solved on the features of frozen layers".to_owned()));
    };
    let Sources { mut train, mut validation, transform } = features::sources(context, frozen, listener)?;
    let learned = solve::head(context, &mut train, validation.is_none())?;
    let metrics = match (&mut validation, &learned.unseen) {
        (Some(part), _) => outputs.predictions(context, &learned.params, part)?,
        (None, Some(scores)) => {
            let unseen = Said {
                paths: train.paths.clone(),
                labels: train.source.labels().to_vec(),
                folds: learned.folds.clone(),
                scores: scores.clone(),
            };
            Some(outputs.cross_validation(context, &unseen)?)
        }
        (None, None) => None,
    };
    let solved = Solved {
        c: learned.head.choice.c,
        folds: learned.head.choice.folds,
        balance: learned.head.choice.balance,
        training_accuracy: learned.head.accuracy,
    };
    let cross_validated = validation.is_none() && metrics.is_some();
    listener.told(&solved.to_string());
    let accuracy = metrics.as_ref().map(|metrics| metrics.accuracy);
    let validation_images = metrics.as_ref().map_or(0, |metrics| metrics.images);
    let training = serde_json::json!({
        "loss": plan.loss.plain(),
        "images": dataset.train.len(),
        "validation_images": validation_images,
        "validation_accuracy": accuracy,
        "cross_validated": cross_validated,
        "head": learned.head.choice,
    });
    context.write_model(outputs, &learned.params, &transform, training)?;
    context.tell_remarks(listener);
    Ok(Trained {
        folder: outputs.folder.path().to_owned(),
        accuracy,
        validation: metrics,
        classes: dataset.classes.clone(),
        validation_images,
        best_epoch: 0,
        epochs: 0,
        stopped_early: false,
        history: Vec::new(),
        solved: Some(solved),
        cross_validated,
        test: None,
        options: context.options.clone(),
        trials: Vec::new(),
    })
}

/// The device that the settings name; none for the CPU.
fn open(options: &TrainingOptions) -> Result<Option<Arc<dyn Device>>, Error> {
    let choice = options.device.unwrap_or(DeviceChoice::Cpu);
    let opened = choice.open(options.precision, options.fast.unwrap_or(false), Arc::new(|_| {}))?;
    Ok(opened.device)
}

/// Measures an automatic range, so that from here on, and when the run is resumed, it is a fixed one.
fn resolve_range(
    options: &mut TrainingOptions,
    dataset: &Dataset,
    threads: usize,
    listener: &mut dyn Listener,
) {
    if options.range != Some(Range::Auto) {
        return;
    }
    let range = match eyespot_data::measure_range(&dataset.train, &Limits::default(), threads) {
        Some([low, high]) => Range::Between(low, high),
        None => Range::Full,
    };
    listener.notice(&match range {
        Range::Full => {
            "--range auto changes nothing: no training photo has more than 8 bits a sample".to_owned()
        }
        range => format!(
            "of photos of more than 8 bits a sample the range {range} counts (0.1 to 99.9 percentile)"
        ),
    });
    options.range = Some(range);
}

/// What the training loop is told of this network.
fn settings_of(options: &TrainingOptions, plan: &network::Plan) -> Result<Settings, Error> {
    let mut settings = defaults::settings(options, plan.loss);
    if let Some(layer_decay) = options.layer_decay {
        settings.tensor_scales = fine_tune::scales(&plan.graph, layer_decay);
    }
    settings.check()?;
    Ok(settings)
}

/// What every part of a run needs to know.
#[derive(Clone)]
struct Context<'a> {
    options: &'a TrainingOptions,
    dataset: &'a Dataset,
    plan: &'a network::Plan,
    compute: &'a Compute,
    /// The content hash of each training photo.
    train_hashes: Vec<Option<[u8; 32]>>,
    unreadable: Remarks,
    noted: Remarks,
}

impl Context<'_> {
    /// Writes the model with what was learned.
    fn write_model(
        &self,
        outputs: &Outputs,
        learned: &Params,
        transform: &Transform,
        training: serde_json::Value,
    ) -> Result<(), Error> {
        let (graph, params) = self.plan.whole(learned)?;
        let model = ModelFile {
            graph,
            params,
            classes: self.dataset.classes.clone(),
            transform: json(transform)?,
            training,
            learned_from: self.learned_from()?,
        };
        Ok(model.write(&outputs.model())?)
    }

    /// Tells which photos were left out, and what is to be said about others.
    fn tell_remarks(&self, listener: &mut dyn Listener) {
        // Poisoned only by a panic while inserting, which leaves a sound map.
        let unreadable = self.unreadable.lock().unwrap_or_else(|e| e.into_inner());
        let noted = self.noted.lock().unwrap_or_else(|e| e.into_inner());
        let failed = |path: &Path| unreadable.get(path).map(String::as_str);
        let mut lines = remarks::lines(pairs(&unreadable), "left out", "that can't be read");
        lines.extend(remarks::noted(pairs(&noted)));
        if let Some(text) = unreadable_class(&self.dataset.classes, &self.dataset.val, failed) {
            lines.push(format!("in validation, {text}; until then the accuracy says nothing about it"));
        }
        lines.iter().for_each(|line| listener.notice(line));
    }
}

fn pairs(remarks: &BTreeMap<PathBuf, String>) -> impl ExactSizeIterator<Item = (&Path, &str)> {
    remarks.iter().map(|(path, remark)| (path.as_path(), remark.as_str()))
}

/// What is learned from and validated by.
struct Sources {
    train: Part,
    validation: Option<Part>,
    /// How a picture is made ready, with what is known of the training photos by now.
    transform: Transform,
}

/// Samples with the files they are from.
struct Part {
    source: Box<dyn Source>,
    /// The file of each sample.
    paths: Vec<PathBuf>,
    /// What the frozen layers before it are, as a hash; empty where there are none.
    key: String,
}

/// The photos by name and size.
fn photos(dataset: &Dataset) -> String {
    let mut list = String::new();
    for part in [&dataset.train, &dataset.val] {
        for sample in part {
            let name = sample.path.strip_prefix(&dataset.path).unwrap_or(&sample.path);
            let size = std::fs::metadata(&sample.path).map_or(0, |file| file.len());
            list += &format!("{} {size}\n", name.display());
        }
        list.push('\n');
    }
    list
}

fn json(value: &impl serde::Serialize) -> Result<serde_json::Value, Error> {
    serde_json::to_value(value).map_err(|e| Error::Usage(format!("the settings can't be written down: {e}")))
}

fn check_classes(dataset: &Dataset) -> Result<(), Error> {
    if dataset.train.is_empty() {
        return Err(Error::file(
            &dataset.path,
            match dataset.duplicates.len() {
                0 => "there are no photos to learn from; put some into a folder train, beside val".to_owned(),
                copies => format!(
                    "there are no photos to learn from: {copies} are left out because the same photos are there for \
                     validation or testing, or with another label; leave the folder val away, and a fifth of the \
                     photos is set aside for validation"
                ),
            },
        ));
    }
    match &dataset.classes[..] {
        [_, _, ..] => Ok(()),
        classes => Err(Error::file(
            &dataset.path,
            format!(
                "there is only one class ({}); telling pictures apart takes two: put the pictures of each class \
                 into a folder of its own",
                printable(&classes.join(", "))
            ),
        )),
    }
}
