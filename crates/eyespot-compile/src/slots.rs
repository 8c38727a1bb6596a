//! A network's tensors in flat blocks, so that an optimizer step is one pass over memory, and the names under which an
//! optimizer's blocks are saved, so that every device reads every other's checkpoints.

use crate::arena::ALIGNMENT;
use crate::check::tensor;
use eyespot_graph::{DeviceError, Graph, Params, Tensor, TensorScale, TensorScales};
use std::collections::HashMap;
use std::ops::Range;

/// The prefix of SGD's velocity in a saved optimizer state (`momentum.NAME`), PyTorch's word.
pub const MOMENTUM: &str = "momentum.";
/// The prefix of Adam's mean gradient.
pub const EXP_AVG: &str = "exp_avg.";
/// The prefix of Adam's mean squared gradient.
pub const EXP_AVG_SQ: &str = "exp_avg_sq.";
/// The prefix of the moving average of the weights and of the running statistics.
pub const EMA: &str = "ema.";

/// A tensor's place.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// Its dimensions in PyTorch's layout.
    pub dims: Vec<usize>,
    /// Where it lies in its block.
    pub range: Range<usize>,
    /// Whether its block is the learned one.
    pub learned: bool,
}

/// Where the tensors lie: learned ones in one block, running statistics in another.
#[derive(Debug, Clone, PartialEq)]
pub struct Slots {
    /// One for each tensor, in the network's order.
    pub slots: Vec<Slot>,
    /// The length of the block of learned tensors.
    pub learned_len: usize,
    /// The length of the block of running statistics.
    pub running_len: usize,
}

impl Slots {
    /// Lays out a checked graph's tensors.
    pub fn new(graph: &Graph) -> Self {
        let mut slots = Vec::new();
        let mut ends = [0usize; 2];
        for (name, spec) in graph.param_specs() {
            let end = &mut ends[usize::from(spec.learned)];
            let len = spec.dims.iter().product::<usize>();
            slots.push(Slot { name, dims: spec.dims, range: *end..*end + len, learned: spec.learned });
            // Each tensor begins on a cache line; the zeros between are never moved by an optimizer.
            *end = (*end + len).next_multiple_of(ALIGNMENT);
        }
        Self { slots, learned_len: ends[1], running_len: ends[0] }
    }

    /// Where each tensor lies, by name.
    pub fn places(&self) -> HashMap<&str, Range<usize>> {
        self.slots.iter().map(|slot| (slot.name.as_str(), slot.range.clone())).collect()
    }

    /// The two blocks as tensors named `prefix` + name.
    pub fn named(&self, prefix: &str, learned: &[f32], running: &[f32]) -> Params {
        self.pick(prefix, |_| true, learned, running)
    }

    /// A block of learned tensors alone, as tensors named `prefix` + name.
    pub fn named_learned(&self, prefix: &str, learned: &[f32]) -> Params {
        self.pick(prefix, |slot| slot.learned, learned, &[])
    }

    /// The block of learned tensors cut where an optimizer's factors change: ranges in order without gaps, each with the
    /// factors of its tensors.
    ///
    /// # Errors
    /// As [`eyespot_graph::Training::set_tensor_scales`].
    pub fn scaled(&self, scales: &TensorScales) -> Result<Vec<(Range<usize>, TensorScale)>, DeviceError> {
        for (name, scale) in scales {
            if !self.slots.iter().any(|slot| slot.learned && slot.name == *name) {
                let text =
                    format!("`{name}` is no tensor that this network learns, so its rate can't be scaled");
                return Err(DeviceError::Call(text));
            }
            let sound = |factor: f32| factor.is_finite() && factor >= 0.0;
            if !sound(scale.learning_rate) || !sound(scale.weight_decay) {
                let TensorScale { learning_rate, weight_decay } = scale;
                return Err(DeviceError::Call(format!(
                    "the factors of `{name}` are {learning_rate} and {weight_decay}; they must be numbers from 0 on"
                )));
            }
        }
        let mut parts: Vec<(Range<usize>, TensorScale)> = Vec::new();
        let mut learned = self.slots.iter().filter(|slot| slot.learned).peekable();
        while let Some(slot) = learned.next() {
            // What lies between two tensors goes with the first: it is zero and stays so.
            let end = learned.peek().map_or(self.learned_len, |next| next.range.start);
            let scale = scales.get(&slot.name).copied().unwrap_or_default();
            match parts.last_mut() {
                Some((range, last)) if *last == scale => range.end = end,
                _ => parts.push((slot.range.start..end, scale)),
            }
        }
        Ok(parts)
    }

    fn pick(&self, prefix: &str, which: impl Fn(&Slot) -> bool, learned: &[f32], running: &[f32]) -> Params {
        let tensor = |slot: &Slot| {
            let block = if slot.learned { learned } else { running };
            let tensor = Tensor::from_shape_vec(slot.dims.clone(), block[slot.range.clone()].to_vec());
            (format!("{prefix}{}", slot.name), tensor.expect("a slot is as long as its dimensions say"))
        };
        self.slots.iter().filter(|slot| which(slot)).map(tensor).collect()
    }

    /// Fills the block of learned tensors, and that of running statistics where it is given, from tensors named `prefix`
    /// + name. What lies between the tensors stays.
    ///
    /// # Errors
    /// The first tensor that is missing or has another shape.
    pub fn fill(
        &self,
        prefix: &str,
        state: &Params,
        learned: &mut [f32],
        mut running: Option<&mut [f32]>,
    ) -> Result<(), DeviceError> {
        for slot in &self.slots {
            let block = match (&mut running, slot.learned) {
                (_, true) => &mut *learned,
                (Some(running), false) => running,
                (None, false) => continue,
            };
            let name = format!("{prefix}{}", slot.name);
            let found = state.get(&name).map(|tensor| tensor.shape().to_vec());
            match found {
                None => return Err(DeviceError::MissingTensor(name)),
                Some(found) if found != slot.dims => {
                    return Err(DeviceError::TensorShape { name, expected: slot.dims.clone(), found });
                }
                Some(_) => block[slot.range.clone()].copy_from_slice(&tensor(state, &name)?),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyespot_graph::{Builder, Shape, initialise};

    /// Tensors go to their places, each at the beginning of a cache line, and come back under their names.
    #[test]
    fn blocks_and_tensors_are_two_forms_of_the_same() {
        let mut b = Builder::new("tiny", Shape::map(3, 4, 4));
        let x = b.input();
        let x = b.batch_norm("bn", x);
        let x = b.flatten("flatten", x);
        b.linear("fc", x, 5);
        let graph = b.finish().unwrap();
        let params = initialise(&graph, 1);
        let slots = Slots::new(&graph);
        assert_eq!((slots.learned_len, slots.running_len), (16 + 16 + 240 + 16, 32));
        let (mut learned, mut running) = (vec![0.0; slots.learned_len], vec![0.0; slots.running_len]);
        slots.fill("", &params, &mut learned, Some(&mut running)).unwrap();
        for slot in &slots.slots {
            let block = if slot.learned { &learned } else { &running };
            let tensor: Vec<f32> = params.get(&slot.name).unwrap().iter().copied().collect();
            assert_eq!(
                (&block[slot.range.clone()], slot.range.start % 16),
                (&tensor[..], 0),
                "{}",
                slot.name
            );
        }
        assert_eq!(slots.named("", &learned, &running), params);

        let state = slots.named_learned(EXP_AVG, &learned);
        assert!(state.iter().all(|(name, _)| name.starts_with("exp_avg.")) && state.len() == 4);
        let mut again = vec![0.0; slots.learned_len];
        slots.fill(EXP_AVG, &state, &mut again, None).unwrap();
        assert_eq!(again, learned);
        let factors = |learning_rate, weight_decay| TensorScale { learning_rate, weight_decay };
        let scale = |name: &str, scale| TensorScales::from_iter([(name.to_owned(), scale)]);
        let all = slots.scaled(&TensorScales::new()).unwrap();
        assert_eq!(all, [(0..288, factors(1.0, 1.0))]);
        let one = slots.scaled(&scale("bn.bias", factors(0.5, 0.0))).unwrap();
        let rest = factors(1.0, 1.0);
        assert_eq!(one, [(0..16, rest), (16..32, factors(0.5, 0.0)), (32..288, rest)]);
        for (name, wrong) in [
            ("bn.running_mean", factors(1.0, 1.0)),
            ("bias", factors(1.0, 1.0)),
            ("fc.bias", factors(-1.0, 1.0)),
            ("fc.bias", factors(1.0, f32::INFINITY)),
        ] {
            let refused = slots.scaled(&scale(name, wrong)).unwrap_err().to_string();
            assert!(refused.contains(name), "{refused}");
        }

        let missing = slots.fill(EMA, &state, &mut again, None);
        assert_eq!(missing, Err(DeviceError::MissingTensor("ema.bn.weight".to_owned())));
    }
}
