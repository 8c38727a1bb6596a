//! A network's weights in the two blocks that [`Slots`] lays out.

use crate::memory::Floats;
use eyespot_compile::Slots;
use eyespot_graph::{DeviceError, Graph, Params};

/// Learned tensors in one block, running statistics in another.
#[derive(Debug)]
pub(super) struct Weights {
    pub(super) slots: Slots,
    pub(super) learned: Floats,
    pub(super) running: Floats,
}

impl Weights {
    pub(super) fn new(graph: &Graph, params: &Params) -> Result<Self, DeviceError> {
        let slots = Slots::new(graph);
        let mut learned = Floats::zeroed(slots.learned_len)?;
        let mut running = Floats::zeroed(slots.running_len)?;
        slots.fill("", params, &mut learned, Some(&mut running))?;
        Ok(Self { slots, learned, running })
    }

    /// All tensors.
    pub(super) fn params(&self) -> Params {
        self.slots.named("", &self.learned, &self.running)
    }
}
