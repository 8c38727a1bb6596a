//! NVIDIA GPUs, where this build knows them (cargo feature `cuda`). This is all that asks for the feature.

#[cfg(feature = "cuda")]
pub(crate) use with::{Gpu, gpus};
#[cfg(not(feature = "cuda"))]
pub(crate) use without::{Gpu, gpus};

use crate::DeviceEntry;

/// The entry where there is no GPU to be listed.
fn none(unusable: String) -> DeviceEntry {
    DeviceEntry {
        choice: "cuda".to_owned(),
        name: "NVIDIA GPUs".to_owned(),
        memory_bytes: None,
        driver: None,
        cudnn: None,
        unusable: Some(unusable),
    }
}

#[cfg(feature = "cuda")]
mod with {
    use crate::bench::update;
    use crate::{Bench, BenchMode, BenchResult, DeviceEntry, Error, Precision, network};
    use eyespot_cpu::Cpu;
    use eyespot_cuda::Cuda;
    use eyespot_graph::{Device, initialise};
    use std::sync::Arc;

    /// A GPU in use.
    pub(crate) struct Gpu {
        cuda: Cuda,
        precision: Precision,
    }

    impl Gpu {
        pub(crate) fn open(index: usize, precision: Precision, fast: bool) -> Result<Self, String> {
            let numbers = match precision {
                Precision::F32 => eyespot_cuda::Precision::F32,
                Precision::Tf32 => eyespot_cuda::Precision::Tf32,
                Precision::Bf16 => eyespot_cuda::Precision::Bf16,
            };
            let cuda = Cuda::new(index, numbers).map_err(|e| e.to_string())?;
            Ok(Self { cuda: if fast { cuda.fast() } else { cuda }, precision })
        }

        pub(crate) fn name(&self) -> &str {
            self.cuda.name()
        }

        pub(crate) fn device(self) -> Arc<dyn Device> {
            Arc::new(self.cuda)
        }

        /// The measurement of a network.
        pub(crate) fn run(&self, bench: &Bench, cpu: &Cpu) -> Result<BenchResult, Error> {
            if bench.layers {
                return Err(Error::Usage("layers are timed on the CPU only; leave out --layers".to_owned()));
            }
            let graph = network(&bench.model, None, None)?;
            let params = initialise(&graph, 0);
            let update = (bench.mode == BenchMode::Train).then(|| update(0));
            let (seconds, memory) = self.cuda.time(&graph, &params, bench.batch, update.as_ref())?;
            Ok(BenchResult {
                device: Some(self.name().to_owned()),
                precision: self.precision,
                gflops: Some(bench.operations(&graph) / seconds / 1e9),
                device_memory_bytes: Some(memory as u64),
                ..bench.result(cpu, seconds / bench.batch as f64, memory)
            })
        }
    }

    /// The GPUs of this machine.
    pub(crate) fn gpus() -> Vec<DeviceEntry> {
        let found = match eyespot_cuda::devices() {
            Ok(found) if found.is_empty() => return vec![super::none("the driver finds none".to_owned())],
            Ok(found) => found,
            Err(reason) => return vec![super::none(reason.to_string())],
        };
        let cudnn = eyespot_cuda::cudnn_version().ok();
        let entry = |gpu: eyespot_cuda::DeviceInfo| DeviceEntry {
            choice: format!("cuda:{}", gpu.index),
            name: gpu.name,
            memory_bytes: Some(gpu.memory as u64),
            driver: Some(gpu.driver),
            cudnn: cudnn.clone(),
            unusable: None,
        };
        found.into_iter().map(entry).collect()
    }
}

#[cfg(not(feature = "cuda"))]
mod without {
    use crate::{Bench, BenchResult, DeviceEntry, Error, Precision};
    use eyespot_cpu::Cpu;
    use eyespot_graph::Device;
    use std::sync::Arc;

    const WHY: &str = "this eyespot was built without GPUs; build it with `--features cuda`";

    /// There is none.
    pub(crate) enum Gpu {}

    impl Gpu {
        pub(crate) fn open(_index: usize, _precision: Precision, _fast: bool) -> Result<Self, String> {
            Err(WHY.to_owned())
        }

        pub(crate) fn name(&self) -> &str {
            match *self {}
        }

        pub(crate) fn device(self) -> Arc<dyn Device> {
            match self {}
        }

        pub(crate) fn run(&self, _bench: &Bench, _cpu: &Cpu) -> Result<BenchResult, Error> {
            match *self {}
        }
    }

    pub(crate) fn gpus() -> Vec<DeviceEntry> {
        vec![super::none(WHY.to_owned())]
    }
}
