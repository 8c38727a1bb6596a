//! What networks are computed on.

use eyespot_cpu::Cpu;
use eyespot_graph::Device;
use std::sync::Arc;

/// The device that was chosen, else the CPU, whose threads read images in any case.
#[derive(Debug, Clone)]
pub(crate) struct Compute {
    device: Option<Arc<dyn Device>>,
    cpu: Cpu,
}

impl Compute {
    /// Nothing chosen: the CPU. 0 threads are one per core.
    pub fn new(device: Option<Arc<dyn Device>>, threads: usize) -> Self {
        Self { device, cpu: Cpu::new(threads) }
    }

    /// The same with another number of threads.
    pub fn with_threads(self, threads: usize) -> Self {
        Self::new(self.device, threads)
    }

    /// The same with another device.
    pub fn with_device(self, device: Arc<dyn Device>) -> Self {
        Self { device: Some(device), ..self }
    }

    /// What computes.
    pub fn device(&self) -> &dyn Device {
        self.device.as_deref().unwrap_or(&self.cpu)
    }

    /// The device that was chosen, to compute elsewhere with it.
    pub fn shared(&self) -> Option<Arc<dyn Device>> {
        self.device.clone()
    }

    /// How many threads read images.
    pub fn threads(&self) -> usize {
        self.cpu.threads()
    }
}
