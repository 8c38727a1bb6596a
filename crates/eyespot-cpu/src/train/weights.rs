//! A network's tensors in flat blocks, so that an optimizer step is one pass over memory.

use crate::arena::Floats;
use crate::check::tensor;
use eyespot_graph::{DeviceError, Graph, Params, Tensor};
use std::collections::HashMap;
use std::ops::Range;

/// A tensor's place.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) name: String,
    dims: Vec<usize>,
    /// Where it lies in its block.
    range: Range<usize>,
    /// Whether its block is the learned one.
    learned: bool,
}

/// Learned tensors in one block, running statistics in another.
#[derive(Debug)]
pub(super) struct Weights {
    slots: Vec<Slot>,
    pub(super) learned: Floats,
    pub(super) running: Floats,
}

impl Weights {
    pub(super) fn new(graph: &Graph, params: &Params) -> Result<Self, DeviceError> {
        let mut slots = Vec::new();
        let mut ends = [0usize; 2];
        for (name, spec) in graph.param_specs() {
            let end = &mut ends[usize::from(spec.learned)];
            let len = spec.dims.iter().product::<usize>();
            slots.push(Slot { name, dims: spec.dims, range: *end..*end + len, learned: spec.learned });
            // Each tensor begins on a cache line; the zeros between are never moved by an optimizer.
            *end = (*end + len).next_multiple_of(16);
        }
        let mut weights =
            Self { learned: Floats::zeroed(ends[1])?, running: Floats::zeroed(ends[0])?, slots };
        for slot in &weights.slots {
            let block = if slot.learned { &mut weights.learned } else { &mut weights.running };
            block[slot.range.clone()].copy_from_slice(&tensor(params, &slot.name)?);
        }
        Ok(weights)
    }

    /// Where each tensor lies, by name.
    pub(super) fn places(&self) -> HashMap<&str, Range<usize>> {
        self.slots.iter().map(|slot| (slot.name.as_str(), slot.range.clone())).collect()
    }

    /// All tensors.
    pub(super) fn params(&self) -> Params {
        self.named("", &self.learned, &self.running)
    }

    /// Blocks laid out as this one, as tensors named `prefix` + name.
    pub(super) fn named(&self, prefix: &str, learned: &[f32], running: &[f32]) -> Params {
        self.pick(prefix, |_| true, learned, running)
    }

    /// A block laid out as the learned one, as tensors named `prefix` + name.
    pub(super) fn named_learned(&self, prefix: &str, learned: &[f32]) -> Params {
        self.pick(prefix, |slot| slot.learned, learned, &[])
    }

    fn pick(&self, prefix: &str, which: impl Fn(&Slot) -> bool, learned: &[f32], running: &[f32]) -> Params {
        let tensor = |slot: &Slot| {
            let block = if slot.learned { learned } else { running };
            // Dimensions and length belong together, so this never falls back.
            let tensor = Tensor::from_shape_vec(slot.dims.clone(), block[slot.range.clone()].to_vec());
            (format!("{prefix}{}", slot.name), tensor.unwrap_or_default())
        };
        self.slots.iter().filter(|slot| which(slot)).map(tensor).collect()
    }

    /// Fills a block laid out as the learned one (and one as the running one, where given) from tensors named
    /// `prefix` + name.
    pub(super) fn fill(
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
