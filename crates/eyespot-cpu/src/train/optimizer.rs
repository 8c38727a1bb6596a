//! What an optimizer remembers between steps.

use super::weights::Weights;
use crate::memory::Floats;
use eyespot_compile::slots::{EMA, EXP_AVG, EXP_AVG_SQ, MOMENTUM};
use eyespot_graph::{DeviceError, Optimizer, Params, TensorScale, TensorScales, Update};
use eyespot_kernels::Threads;
use eyespot_kernels::optimizer::{self, Adam, Sgd, Step};
use std::ops::Range;

/// Blocks laid out as the learned weights, each made when it is first needed.
#[derive(Debug)]
pub(super) struct OptimizerState {
    /// The learned block in parts that step alike.
    parts: Vec<(Range<usize>, TensorScale)>,
    velocity: Option<Floats>,
    mean: Option<Floats>,
    square: Option<Floats>,
    /// The moving average of the weights and of the running statistics.
    average: Option<(Floats, Floats)>,
}

impl OptimizerState {
    /// Before the first step, all tensors alike.
    pub(super) fn new(weights: &Weights) -> Self {
        let parts = vec![(0..weights.learned.len(), TensorScale::default())];
        Self { parts, velocity: None, mean: None, square: None, average: None }
    }

    pub(super) fn set_scales(&mut self, weights: &Weights, scales: &TensorScales) -> Result<(), DeviceError> {
        self.parts = weights.slots.scaled(scales)?;
        Ok(())
    }

    /// One step; the weights move, the gradients don't. `threads` says which threads are worth while for so many weights.
    pub(super) fn update<'a>(
        &mut self,
        threads: impl Fn(usize) -> &'a Threads,
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
        let len = gradients.len();
        let (velocity, mean, square): (&mut [f32], &mut [f32], &mut [f32]) = match update.optimizer {
            Optimizer::Sgd { momentum: 0.0, .. } => (&mut [], &mut [], &mut []),
            Optimizer::Sgd { .. } => (block(&mut self.velocity, len), &mut [], &mut []),
            _ => (&mut [], block(&mut self.mean, len), block(&mut self.square, len)),
        };
        for (range, scale) in &self.parts {
            let range = || range.clone();
            let step = Step {
                learning_rate: update.learning_rate * scale.learning_rate,
                weight_decay: update.weight_decay * scale.weight_decay,
                gradient_scale: update.gradient_scale,
                step: update.step,
                ema_decay: decay,
            };
            let threads = threads(range().len());
            let (gradients, weights) = (&gradients[range()], &mut weights.learned[range()]);
            let average = part(average, range());
            match update.optimizer {
                Optimizer::Sgd { momentum, nesterov } => {
                    let rule = Sgd { momentum, nesterov };
                    optimizer::sgd(threads, rule, step, gradients, weights, part(velocity, range()), average);
                }
                Optimizer::Adam { beta1, beta2, eps } | Optimizer::AdamW { beta1, beta2, eps } => {
                    let decoupled = matches!(update.optimizer, Optimizer::AdamW { .. });
                    let rule = Adam { beta1, beta2, eps, decoupled };
                    let (mean, square) = (&mut mean[range()], &mut square[range()]);
                    optimizer::adam(threads, rule, step, gradients, weights, mean, square, average);
                }
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

    /// Takes what [`save`](Self::save) gave; the factors stay as they are.
    pub(super) fn load(&mut self, weights: &Weights, state: &Params) -> Result<(), DeviceError> {
        let has = |prefix| state.iter().any(|(name, _)| name.starts_with(prefix));
        let load = |prefix| -> Result<Option<Floats>, DeviceError> {
            if !has(prefix) {
                return Ok(None);
            }
            let mut block = Floats::zeroed(weights.learned.len())?;
            weights.slots.fill(prefix, state, &mut block, None)?;
            Ok(Some(block))
        };
        let (velocity, mean, square) = (load(MOMENTUM)?, load(EXP_AVG)?, load(EXP_AVG_SQ)?);
        let mut average = None;
        if has(EMA) {
            let mut learned = Floats::zeroed(weights.learned.len())?;
            let mut running = Floats::zeroed(weights.running.len())?;
            weights.slots.fill(EMA, state, &mut learned, Some(&mut running))?;
            average = Some((learned, running));
        }
        *self = Self { parts: std::mem::take(&mut self.parts), velocity, mean, square, average };
        Ok(())
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

/// A part of a block, or nothing of one that isn't kept.
fn part(block: &mut [f32], range: Range<usize>) -> &mut [f32] {
    block.get_mut(range).unwrap_or_default()
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
