//! GPUs as devices.

use crate::CudaError;
use crate::gpu::inference::CudaInference;
use crate::gpu::training::CudaTraining;
use crate::gpu::{Gpu, Settings, count, driver_version, information};
use crate::kernels::Element;
use eyespot_graph::{Device, DeviceError, Graph, Inference, Params, Training, Update};

/// In which numbers a GPU computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 32 bits throughout, as the CPU.
    F32,
    /// 32 bits, multiplied with 10 bits behind the point (TensorFloat-32, NVIDIA GPUs from Ampere on).
    #[default]
    Tf32,
    /// Activations and products with 7 bits behind the point (bfloat16); sums, statistics, the weights that learn and the
    /// optimizer in 32 bits.
    Bf16,
}

/// An NVIDIA GPU as a device.
#[derive(Debug, Clone)]
pub struct Cuda {
    settings: Settings,
}

impl Cuda {
    /// GPU number `index`, counted from 0 as the driver does.
    ///
    /// # Errors
    /// A library is missing, there is no such GPU, or it can't be used.
    pub fn new(index: usize, precision: Precision) -> Result<Self, CudaError> {
        let element = if precision == Precision::Bf16 { Element::Bf16 } else { Element::F32 };
        let tensor_cores = precision != Precision::F32;
        Ok(Self { settings: Settings { gpu: Gpu::open(index)?, element, tensor_cores, any_order: false } })
    }

    /// Allows faster algorithms whose results differ in their last bits from run to run.
    pub fn fast(mut self) -> Self {
        self.settings.any_order = true;
        self
    }

    /// What the GPU does for a batch, in order, with the seconds of each call by itself: a training step's two passes, or
    /// inference.
    ///
    /// # Errors
    /// As [`Cuda::time`].
    pub fn profile(
        &self,
        graph: &Graph,
        params: &Params,
        batch: usize,
        training: bool,
    ) -> Result<Vec<(String, f64)>, DeviceError> {
        if training {
            CudaTraining::new(&self.settings, graph, params, batch, 0)?.profile()
        } else {
            CudaInference::new(&self.settings, graph, params, batch)?.profile()
        }
    }

    /// Seconds that a batch takes and bytes that it needs, its images being on the GPU already: what the GPU computes, without
    /// what feeds it. With `update` a training step, else inference.
    ///
    /// # Errors
    /// As [`Device::training`] and [`Device::inference`].
    pub fn time(
        &self,
        graph: &Graph,
        params: &Params,
        batch: usize,
        update: Option<&Update>,
    ) -> Result<(f64, usize), DeviceError> {
        let rounds = 20;
        match update {
            Some(update) => {
                let mut program = CudaTraining::new(&self.settings, graph, params, batch, 0)?;
                Ok((program.time(rounds, update)?, program.memory_bytes()))
            }
            None => {
                let mut program = CudaInference::new(&self.settings, graph, params, batch)?;
                Ok((program.time(rounds)?, program.memory_bytes()))
            }
        }
    }

    /// The GPU's name.
    pub fn name(&self) -> &str {
        &self.settings.gpu.name
    }

    /// Free and total memory in bytes.
    ///
    /// # Errors
    /// The driver doesn't answer.
    pub fn memory(&self) -> Result<(usize, usize), CudaError> {
        self.settings.gpu.memory()
    }
}

impl Device for Cuda {
    fn inference(
        &self,
        graph: &Graph,
        params: &Params,
        batch: usize,
    ) -> Result<Box<dyn Inference>, DeviceError> {
        Ok(Box::new(CudaInference::new(&self.settings, graph, params, batch)?))
    }

    fn training(
        &self,
        graph: &Graph,
        params: &Params,
        batch: usize,
        seed: u64,
    ) -> Result<Box<dyn Training>, DeviceError> {
        Ok(Box::new(CudaTraining::new(&self.settings, graph, params, batch, seed)?))
    }
}

/// cuDNN's version, such as `9.10.2`.
///
/// # Errors
/// A library is missing, with what to install.
pub fn cudnn_version() -> Result<String, CudaError> {
    count()?;
    let version = crate::gpu::cudnn_version();
    Ok(format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100))
}

/// A GPU that the driver finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its number.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its memory in bytes.
    pub memory: usize,
    /// Its compute capability, 10 × major + minor.
    pub capability: u32,
    /// The newest CUDA that its driver knows, such as `13.0`.
    pub driver: String,
}

/// The GPUs of this machine.
///
/// # Errors
/// A library is missing, with what to install.
pub fn devices() -> Result<Vec<DeviceInfo>, CudaError> {
    let count = count()?;
    let version = driver_version()?;
    let driver = format!("{}.{}", version / 1000, version % 1000 / 10);
    let describe = |index| {
        let (name, memory, capability) = information(index)?;
        Ok(DeviceInfo { index, name, memory, capability, driver: driver.clone() })
    };
    (0..count).map(describe).collect()
}
