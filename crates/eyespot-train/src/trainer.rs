//! The training loop.

use crate::checkpoint::{self, Checkpoint, State};
use crate::step::{Stepper, Tally};
use crate::{
    Balance, BatchDone, EpochRecord, Loss, Metrics, Observer, RunFolder, Settings, Source, Steps, TrainError,
    imbalance, order,
};
use eyespot_graph::{Device, Graph, Inference, Op, Params, Training};
use std::time::{Duration, Instant};

/// What is to be trained, on what.
pub struct Job<'a> {
    /// Where it is computed.
    pub device: &'a dyn Device,
    /// The network, all of which learns; a frozen part is a source's business (`Graph::split`).
    pub graph: &'a Graph,
    /// The weights to start from.
    pub params: &'a Params,
    /// The names of the classes that the labels tell apart.
    pub classes: &'a [String],
    /// How it is trained.
    pub settings: &'a Settings,
    /// The images to learn from.
    pub train: &'a mut dyn Source,
    /// The images to choose the best weights by.
    pub validation: Option<&'a mut dyn Source>,
    /// Where checkpoints and metrics go.
    pub run: Option<&'a RunFolder<'a>>,
    /// Given, the starting weights count as epoch 0: they are validated first, and kept where no epoch is better. An epoch is
    /// better that has a lower loss and no lower accuracy than epoch 0.
    pub start: Option<Start>,
}

/// What starting weights make of the training images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Start {
    /// The mean loss.
    pub loss: f64,
    /// The share that is right.
    pub accuracy: f64,
}

/// What came out of training.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The weights with the best validation (accuracy, then loss; see [`Job::start`]), or the last ones where nothing was validated;
    /// the moving average where one was asked for.
    pub params: Params,
    /// The epoch they are from, counted from 1; 0 for the starting weights ([`Job::start`]).
    pub best_epoch: u64,
    /// How many epochs were trained.
    pub epochs: u64,
    /// Whether patience ran out before the last epoch.
    pub stopped_early: bool,
    /// Every recorded epoch, also those before a resumption.
    pub history: Vec<EpochRecord>,
}

/// Trains, telling `observer` how it goes.
///
/// # Errors
/// Settings, network and data that don't go together; a loss that is no longer a number (the last checkpoint
/// stays); files that can't be written; whatever the device and the sources report.
pub fn train(job: Job<'_>, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
    Run::begin(job, observer)?.finish(observer)
}

/// Scores all samples of `source` with `params` and measures them.
///
/// # Errors
/// As of the device and the source, and a source without readable images.
pub fn evaluate(
    device: &dyn Device,
    graph: &Graph,
    params: &Params,
    loss: &Loss,
    source: &mut dyn Source,
    batch: usize,
) -> Result<Metrics, TrainError> {
    let mut program = device.inference(graph, params, batch.clamp(1, source.labels().len().max(1)))?;
    let (scores, labels) = scores(&mut *program, source)?;
    Metrics::new(loss, &scores, graph.output_shape().elements(), &labels)
}

/// The scores of all samples that can be read, and their labels.
fn scores(program: &mut dyn Inference, source: &mut dyn Source) -> Result<(Vec<f32>, Vec<u32>), TrainError> {
    let samples: Vec<usize> = (0..source.labels().len()).collect();
    let (mut scores, mut labels) = (Vec::new(), Vec::new());
    source.batches(0, &samples, program.batch(), &mut |batch| {
        scores.extend_from_slice(program.run(batch.inputs, batch.labels.len())?);
        labels.extend_from_slice(batch.labels);
        Ok(())
    })?;
    Ok((scores, labels))
}

/// Training on its way.
struct Run<'a> {
    job: Job<'a>,
    program: Box<dyn Training>,
    /// Scores the validation images; compiled for the first validation, then given each one's weights.
    validation: Option<Box<dyn Inference>>,
    stepper: Stepper,
    classes: imbalance::Classes,
    batch: usize,
    steps: Steps,
    state: State,
    best: Params,
    began: Instant,
    written: Instant,
}

impl<'a> Run<'a> {
    fn begin(job: Job<'a>, observer: &mut dyn Observer) -> Result<Self, TrainError> {
        let settings = job.settings;
        settings.check()?;
        let told = settings.loss.check(job.graph, job.classes.len())?;
        let classes = imbalance::look(job.train.labels(), job.classes, settings)?;
        let samples = job.train.labels().len();
        let batch = settings.batch(samples);
        check_input(&job)?;
        check_batch_norm(job.graph, samples, batch)?;
        if settings.patience.is_some() && job.validation.is_none() {
            let text = "patience needs validation images to stop by; give some, or leave --patience out";
            return Err(TrainError::Settings(text.to_owned()));
        }
        for notice in told.iter().chain(&classes.notices) {
            observer.notice(notice);
        }
        let (found, fingerprint) = match job.run {
            Some(run) => {
                let fingerprint = checkpoint::fingerprint(&job, run)?;
                (run.open(&fingerprint)?, fingerprint)
            }
            None => (None, checkpoint::Fingerprint::default()),
        };
        if job.run.is_some_and(|run| run.resume) && found.is_none() {
            observer.notice("there is no checkpoint to resume from yet, so training begins anew");
        }
        if let Some(Checkpoint { state, .. }) = &found
            && (state.stopped_early || state.epochs_done >= settings.epochs)
        {
            observer.notice(&format!(
                "this run was finished already, after epoch {}: nothing is left to train",
                state.epochs_done
            ));
        }
        let start = found.as_ref().map_or(job.params, |checkpoint| &checkpoint.params);
        let mut program = job.device.training(job.graph, start, batch, settings.seed)?;
        if !settings.tensor_scales.is_empty() {
            program.set_tensor_scales(&settings.tensor_scales)?;
        }
        let (state, best) = match found {
            Some(Checkpoint { state, optimizer, best, .. }) => {
                program.set_optimizer_state(&optimizer)?;
                (state, best)
            }
            None => (State { fingerprint, ..State::default() }, Params::new()),
        };
        let per_epoch = samples.div_ceil(batch) as u64;
        let steps = Steps {
            total: settings.epochs.saturating_mul(per_epoch),
            per_epoch,
            warmup: (settings.warmup_epochs * per_epoch as f64).round() as u64,
        };
        let stepper = Stepper::new(settings, job.graph, batch, steps, classes.weights.clone());
        let now = Instant::now();
        Ok(Self {
            job,
            program,
            validation: None,
            stepper,
            classes,
            batch,
            steps,
            state,
            best,
            began: now,
            written: now,
        })
    }

    fn finish(mut self, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        let epochs = self.job.settings.epochs;
        let mut order = Vec::new();
        if let (Some(start), true) = (self.job.start, self.state.history.is_empty()) {
            self.record(start, observer)?;
        }
        while self.state.epochs_done < epochs && !self.state.stopped_early {
            let epoch = self.state.epochs_done;
            let recorded = (epoch + 1).is_multiple_of(self.job.settings.record_every) || epoch + 1 == epochs;
            let tally = self.epoch(epoch, recorded, &mut order, observer)?;
            self.state.epochs_done = epoch + 1;
            if recorded {
                let done = Start { loss: tally.loss(), accuracy: tally.accuracy() };
                self.record(done, observer)?;
            }
        }
        // Weights come back from a checkpoint in the file's order; the network's is the one to give on.
        let mut found = if self.best.is_empty() { self.current()? } else { self.best };
        let specs = self.job.graph.param_specs();
        let mut params: Params =
            specs.iter().filter_map(|(name, _)| Some((name.clone(), found.remove(name)?))).collect();
        params
            .extend(found.iter().map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect::<Vec<_>>());
        let validated = self.state.best_score.is_some();
        Ok(Outcome {
            params,
            best_epoch: if validated { self.state.best_epoch } else { self.state.epochs_done },
            epochs: self.state.epochs_done,
            stopped_early: self.state.stopped_early,
            history: self.state.history,
        })
    }

    /// One pass over the training data.
    fn epoch(
        &mut self,
        epoch: u64,
        recorded: bool,
        order: &mut Vec<usize>,
        observer: &mut dyn Observer,
    ) -> Result<Tally, TrainError> {
        let settings = self.job.settings;
        let samples = self.job.train.labels().len();
        let mut tally = Tally::new(recorded);
        let (stepper, program) = (&mut self.stepper, &mut *self.program);
        // The quick way for tiny problems: nothing is shuffled, copied or told.
        if self.batch == samples
            && settings.balance != Balance::Sampler
            && let Some(batch) = self.job.train.whole()
        {
            stepper.step(program, batch, epoch, 0, &mut tally)?;
            return Ok(tally);
        }
        if settings.balance == Balance::Sampler {
            order::draw_balanced(order, &self.classes.by_class, settings.seed, epoch);
        } else if self.batch == samples {
            order.clear();
            order.extend(0..samples);
        } else {
            order::shuffle(order, samples, settings.seed, epoch);
        }
        tally.count_right = true;
        let mut index = 0;
        let (batches, epochs) = (self.steps.per_epoch, settings.epochs);
        let (mut waiting, mut asked) = (0.0, Instant::now());
        self.job.train.batches(epoch, order, self.batch, &mut |batch| {
            waiting += asked.elapsed().as_secs_f64();
            let loss = stepper.step(program, batch, epoch, index, &mut tally)?;
            index += 1;
            let images = batch.labels.len();
            let learning_rate = stepper.learning_rate;
            let epoch = epoch + 1;
            let batch = index;
            observer.batch(&BatchDone {
                epoch,
                epochs,
                batch,
                batches,
                images,
                loss,
                learning_rate,
                waiting,
            });
            asked = Instant::now();
            Ok(())
        })?;
        if tally.images == 0 {
            return Err(TrainError::Data("none of the training images could be read".to_owned()));
        }
        Ok(tally)
    }

    /// The weights that are validated and kept.
    fn current(&self) -> Result<Params, TrainError> {
        if self.job.settings.ema_decay.is_some()
            && let Some(averaged) = self.program.averaged_params()?
        {
            return Ok(averaged);
        }
        Ok(self.program.params()?)
    }

    /// After an epoch: validation, the best, patience, the record, perhaps a checkpoint.
    fn record(&mut self, done: Start, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let (settings, epoch) = (self.job.settings, self.state.epochs_done);
        let current = self.current()?;
        // Statistics of batch norm can overflow while the loss looks sound.
        if let Some((name, _)) = current.iter().find(|(_, t)| t.iter().any(|x| !x.is_finite())) {
            let what = format!("`{name}` came to hold numbers that are not finite");
            return Err(self.stepper.diverged(what, epoch.saturating_sub(1), self.steps.per_epoch - 1));
        }
        let mut evaluation = None;
        if let Some(source) = self.job.validation.as_deref_mut() {
            let program = match &mut self.validation {
                Some(program) => {
                    program.set_params(&current)?;
                    program
                }
                empty => {
                    let batch = self.batch.clamp(1, source.labels().len().max(1));
                    empty.insert(self.job.device.inference(self.job.graph, &current, batch)?)
                }
            };
            let (scores, labels) = scores(&mut **program, source)?;
            if scores.iter().any(|score| !score.is_finite()) {
                let what = "scores of validation images became not finite".to_owned();
                return Err(self.stepper.diverged(what, epoch.saturating_sub(1), self.steps.per_epoch - 1));
            }
            let outputs = self.job.graph.output_shape().elements();
            evaluation = Some(Metrics::new(&settings.loss, &scores, outputs, &labels)?);
        }
        let mut best = false;
        if let Some(evaluation) = &evaluation {
            // Beginning with weights that are good already, epochs differ by an image or two, and the loss tells more;
            // but accuracy is never given up. A record's decimals may be off by a bit.
            let first = self.job.start.and(self.state.history.first()).and_then(|record| record.val_accuracy);
            best = self.state.best_score.is_none_or(|(accuracy, loss)| {
                let (accuracy, loss) = (f64::from_bits(accuracy), f64::from_bits(loss));
                match first {
                    Some(first) => evaluation.accuracy > first - 1e-9 && evaluation.loss < loss,
                    None => {
                        evaluation.accuracy > accuracy
                            || (evaluation.accuracy == accuracy && evaluation.loss < loss)
                    }
                }
            });
            if best {
                self.state.best_score = Some((evaluation.accuracy.to_bits(), evaluation.loss.to_bits()));
                self.state.best_epoch = epoch;
                self.best = current;
            }
            let waited = epoch - self.state.best_epoch;
            self.state.stopped_early =
                epoch < settings.epochs && settings.patience.is_some_and(|limit| waited >= limit);
        }
        let record = EpochRecord {
            epoch,
            learning_rate: self.stepper.learning_rate,
            loss: done.loss,
            accuracy: done.accuracy,
            val_loss: evaluation.as_ref().map(|evaluation| evaluation.loss),
            val_accuracy: evaluation.as_ref().map(|evaluation| evaluation.accuracy),
            best,
            seconds: self.began.elapsed().as_secs_f64(),
        };
        self.state.history.push(record.clone());
        if let Some(run) = self.job.run {
            run.append(&record)?;
            let last = epoch == settings.epochs || self.state.stopped_early;
            if last || self.written.elapsed() >= run.interval || run.interval == Duration::ZERO {
                run.write(&Checkpoint {
                    state: self.state.clone(),
                    params: self.program.params()?,
                    optimizer: self.program.optimizer_state()?,
                    best: self.best.clone(),
                })?;
                self.written = Instant::now();
            }
        }
        observer.epoch(&record);
        Ok(())
    }
}

fn check_input(job: &Job<'_>) -> Result<(), TrainError> {
    let wanted = job.graph.input_shape();
    for source in [Some(&*job.train), job.validation.as_deref()].into_iter().flatten() {
        if source.input_len() != wanted.elements() {
            return Err(TrainError::Settings(format!(
                "the network takes {wanted} ({} numbers), a sample has {}",
                wanted.elements(),
                source.input_len()
            )));
        }
    }
    Ok(())
}

/// Batch norm can't work on a single number per channel.
fn check_batch_norm(graph: &Graph, samples: usize, batch: usize) -> Result<(), TrainError> {
    let last = match samples % batch {
        0 => batch,
        rest => rest,
    };
    let norms = graph.nodes.iter().find(|n| matches!(n.op, Op::BatchNorm2d(_)) && n.shape.pixels() == 1);
    match norms {
        Some(node) if last == 1 => Err(TrainError::Settings(format!(
            "the last batch of an epoch has 1 image ({samples} images in batches of {batch}), so the batch norm \
             `{}` would see a single number per channel and could only answer its bias; choose a --batch-size of at \
             least 2 that doesn't leave one image over",
            node.name
        ))),
        _ => Ok(()),
    }
}
