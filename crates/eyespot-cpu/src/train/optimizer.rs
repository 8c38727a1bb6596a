//! What an optimizer remembers between steps.

use super::weights::Weights;
use crate::memory::Floats;
use eyespot_compile::slots::{EMA, EXP_AVG, EXP_AVG_SQ, MOMENTUM};
use eyespot_graph::{DeviceError, Optimizer, Params, Update};
use eyespot_kernels::Threads;
use eyespot_kernels::optimizer::{self, Adam, Sgd, Step};

/// Blocks laid out as the learned weights, each made when it is first needed.
#[derive(Debug, Default)]
pub(super) struct OptimizerState {
    velocity: Option<Floats>,
    mean: Option<Floats>,
    square: Option<Floats>,
    /// The moving average of the weights and of the running statistics.
    average: Option<(Floats, Floats)>,
}

impl OptimizerState {
    /// One step; the weights move, the gradients don't.
    pub(super) fn update(
        &mut self,
        threads: &Threads,
        weights: &mut Weights,
        gradients: &[f32],
        update: &Update,
    ) {
        if update.ema_decay.is_some() && self.average.is_none() {
            self.average = Some((copy(&weights.learned), copy(&weights.running)));
        }
        let decay = update.ema_decay.unwrap_or(0.0);
        let average = match &mut self.average {
            Some((learned, _)) if update.ema_decay.is_some() => &mut learned[..],
            _ => &mut [],
        };
        let step = Step {
            learning_rate: update.learning_rate,
            weight_decay: update.weight_decay,
            gradient_scale: update.gradient_scale,
            step: update.step,
            ema_decay: decay,
        };
        let len = gradients.len();
        match update.optimizer {
            Optimizer::Sgd { momentum, nesterov } => {
                let velocity: &mut [f32] =
                    if momentum == 0.0 { &mut [] } else { block(&mut self.velocity, len) };
                let rule = Sgd { momentum, nesterov };
                optimizer::sgd(threads, rule, step, gradients, &mut weights.learned, velocity, average);
            }
            Optimizer::Adam { beta1, beta2, eps } | Optimizer::AdamW { beta1, beta2, eps } => {
                let decoupled = matches!(update.optimizer, Optimizer::AdamW { .. });
                let rule = Adam { beta1, beta2, eps, decoupled };
                let (mean, square) = (block(&mut self.mean, len), block(&mut self.square, len));
                optimizer::adam(threads, rule, step, gradients, &mut weights.learned, mean, square, average);
            }
        }
        if let (Some((_, running)), Some(decay)) = (&mut self.average, update.ema_decay) {
            for (average, &now) in running.iter_mut().zip(weights.running.iter()) {
                *average = decay * *average + (1.0 - decay) * now;
            }
        }
    }

    pub(super) fn average(&self, weights: &Weights) -> Option<Params> {
        self.average.as_ref().map(|(learned, running)| weights.slots.named("", learned, running))
    }

    /// Everything as tensors: `momentum.NAME`, `exp_avg.NAME` and `exp_avg_sq.NAME` (PyTorch's words), `ema.NAME`.
    pub(super) fn save(&self, weights: &Weights) -> Params {
        let mut state = Params::new();
        for (prefix, block) in [(MOMENTUM, &self.velocity), (EXP_AVG, &self.mean), (EXP_AVG_SQ, &self.square)]
        {
            if let Some(block) = block {
                state.extend(owned(weights.slots.named_learned(prefix, block)));
            }
        }
        if let Some((learned, running)) = &self.average {
            state.extend(owned(weights.slots.named(EMA, learned, running)));
        }
        state
    }

    pub(super) fn load(weights: &Weights, state: &Params) -> Result<Self, DeviceError> {
        let has = |prefix| state.iter().any(|(name, _)| name.starts_with(prefix));
        let load = |prefix| -> Result<Option<Floats>, DeviceError> {
            if !has(prefix) {
                return Ok(None);
            }
            let mut block = Floats::zeroed(weights.learned.len())?;
            weights.slots.fill(prefix, state, &mut block, None)?;
            Ok(Some(block))
        };
        let mut loaded = Self {
            velocity: load(MOMENTUM)?,
            mean: load(EXP_AVG)?,
            square: load(EXP_AVG_SQ)?,
            average: None,
        };
        if has(EMA) {
            let mut learned = Floats::zeroed(weights.learned.len())?;
            let mut running = Floats::zeroed(weights.running.len())?;
            weights.slots.fill(EMA, state, &mut learned, Some(&mut running))?;
            loaded.average = Some((learned, running));
        }
        Ok(loaded)
    }

    pub(super) fn bytes(&self) -> usize {
        let blocks = [&self.velocity, &self.mean, &self.square];
        let average = self.average.as_ref().map_or(0, |(a, b)| a.bytes() + b.bytes());
        blocks.into_iter().flatten().map(Floats::bytes).sum::<usize>() + average
    }
}

fn owned(params: Params) -> impl Iterator<Item = (String, eyespot_graph::Tensor)> {
    let named: Vec<_> = params.iter().map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect();
    named.into_iter()
}

/// The block, made as zeros when it is first asked for.
fn block(block: &mut Option<Floats>, len: usize) -> &mut [f32] {
    block.get_or_insert_with(|| zeros(len))
}

fn copy(from: &[f32]) -> Floats {
    let mut block = zeros(from.len());
    block.copy_from_slice(from);
    block
}

/// As long as the weights, so a machine that holds those rarely fails here; if it does, nothing can go on.
fn zeros(len: usize) -> Floats {
    Floats::zeroed(len).expect("memory for the optimizer's state")
}
