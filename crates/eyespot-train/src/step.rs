//! One step of the optimizer, and what it means when numbers run away.

use crate::{Batch, Loss, Settings, Steps, Targets, TrainError};
use eyespot_graph::{Graph, Training, Update};

/// Sums over an epoch.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub images: usize,
    pub count_right: bool,
    right: usize,
    loss_sum: f64,
}

impl Tally {
    pub(crate) fn new(count_right: bool) -> Self {
        Self { count_right, ..Self::default() }
    }

    pub(crate) fn loss(&self) -> f64 {
        self.loss_sum / self.images.max(1) as f64
    }

    pub(crate) fn accuracy(&self) -> f64 {
        self.right as f64 / self.images.max(1) as f64
    }
}

/// Steps of one run. It allocates nothing once made.
pub(crate) struct Stepper {
    settings: Settings,
    steps: Steps,
    outputs: usize,
    class_weights: Option<Vec<f32>>,
    gradient: Vec<f32>,
    /// The rate of the last step.
    pub learning_rate: f64,
}

impl Stepper {
    pub(crate) fn new(
        settings: &Settings,
        graph: &Graph,
        batch: usize,
        steps: Steps,
        class_weights: Option<Vec<f32>>,
    ) -> Self {
        let outputs = graph.output_shape().elements();
        let gradient = vec![0.0; batch * outputs];
        Self { settings: settings.clone(), steps, outputs, class_weights, gradient, learning_rate: 0.0 }
    }

    /// Changes the full learning rate.
    pub(crate) fn set_rate(&mut self, rate: f64) {
        self.settings.learning_rate = rate;
    }

    /// Forward, loss, backward, clipping, update; `epoch` and `index` of the batch count from 0. Gives the loss.
    pub(crate) fn step(
        &mut self,
        program: &mut dyn Training,
        batch: Batch<'_>,
        epoch: u64,
        index: u64,
        tally: &mut Tally,
    ) -> Result<f64, TrainError> {
        let settings = &self.settings;
        let images = batch.labels.len();
        let step = epoch * self.steps.per_epoch + index;
        let room = self.gradient.len() / self.outputs;
        let Some(gradient) = self.gradient.get_mut(..images * self.outputs) else {
            return Err(TrainError::Data(format!(
                "a source gave {images} images where {room} were asked for"
            )));
        };
        let targets = batch.soft.map_or(Targets::Labels(batch.labels), Targets::Soft);
        let weights = self.class_weights.as_deref();

        let scores = program.forward(batch.inputs, images, step)?;
        let loss = settings.loss.compute(scores, self.outputs, targets, weights, gradient)?;
        if !loss.is_finite() {
            let cause = self.cause(&batch, scores, step);
            return Err(self.not_finite(format!("the loss became {loss}"), epoch, index, cause));
        }
        if tally.count_right {
            let rows = scores.chunks_exact(self.outputs).zip(batch.labels);
            tally.right += rows.filter(|&(row, &label)| settings.loss.decide(row) == label).count();
        }
        tally.images += images;
        tally.loss_sum += loss * images as f64;

        program.backward(batch.inputs, gradient)?;
        let mut gradient_scale = 1.0;
        if let Some(limit) = settings.clip_norm {
            let norm = program.gradient_norm()?;
            if !norm.is_finite() {
                return Err(self.diverged(format!("the gradient's norm became {norm}"), epoch, index));
            }
            // torch.nn.utils.clip_grad_norm_
            gradient_scale = (limit / (norm + 1e-6)).min(1.0) as f32;
        }
        self.learning_rate = settings.schedule.rate(settings.learning_rate, step, self.steps);
        program.update(&Update {
            optimizer: settings.optimizer,
            learning_rate: self.learning_rate as f32,
            weight_decay: settings.weight_decay as f32,
            gradient_scale,
            step,
            ema_decay: settings.ema_decay,
        })?;
        Ok(loss)
    }

    /// The error for weights or gradients that are no numbers any more; `what` says where it shows.
    pub(crate) fn diverged(&self, what: String, epoch: u64, index: u64) -> TrainError {
        let cause = "the weights or their gradients grew beyond all bounds".to_owned() + &self.advice();
        self.not_finite(what, epoch, index, cause)
    }

    fn not_finite(&self, what: String, epoch: u64, index: u64, cause: String) -> TrainError {
        let batches = self.steps.per_epoch;
        TrainError::NotFinite { what, epoch: epoch + 1, batch: index + 1, batches, cause }
    }

    fn advice(&self) -> String {
        let clip = if self.settings.clip_norm.is_none() { ", or --clip 1" } else { "" };
        let rate = self.settings.learning_rate;
        // A tenth of an absurd rate is still absurd.
        let lower = (rate / 10.0).min(0.01);
        format!("; the learning rate {rate} is probably too high: try --lr {lower}{clip}")
    }

    fn cause(&self, batch: &Batch<'_>, scores: &[f32], step: u64) -> String {
        let length = batch.inputs.len() / batch.labels.len().max(1);
        if let Some(place) = batch.inputs.iter().position(|x| !x.is_finite()) {
            let sample = batch.samples.get(place / length.max(1)).copied().unwrap_or_default();
            return format!("sample {sample} holds a number that is not finite; leave it out or repair it");
        }
        if scores.iter().any(|x| !x.is_finite()) {
            if step == 0 {
                return "the starting weights give scores that are not finite; check the weights".to_owned();
            }
            return "the scores are not finite any more".to_owned() + &self.advice();
        }
        if self.settings.loss == Loss::Bce && scores.iter().any(|x| !(0.0..=1.0).contains(x)) {
            return "bce needs scores between 0 and 1; end the network with a sigmoid, or choose \
                    bce-with-logits"
                .to_owned();
        }
        "the targets or class weights are not finite, or all weights of the batch are 0".to_owned()
    }
}
