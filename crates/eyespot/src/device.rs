//! Which device computes, said in a word.

use crate::Error;
use crate::gpu::{Gpu, gpus};
use eyespot_graph::{Device, DeviceError, Graph, Inference, Params, Training};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Where networks are computed: `auto`, `cpu`, `cuda` (the first GPU) or `cuda:N`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU that can be used and whose memory suffices, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// An NVIDIA GPU by its number.
    Cuda(usize),
}

/// The numbers that a GPU multiplies. Weights that learn, sums and statistics are f32 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits, as on the CPU.
    F32,
    /// Products of numbers that are rounded to 11 significant bits; PyTorch's default for convolutions, and ours on a GPU.
    Tf32,
    /// Products and results of layers in bfloat16, 8 significant bits: half the memory, twice the speed or more.
    Bf16,
}

/// A device that was chosen.
#[derive(Debug, Clone)]
pub struct OpenDevice {
    /// What computes; none for the CPU, which is every program's default.
    pub device: Option<Arc<dyn Device>>,
    /// A GPU's name and precision.
    pub about: Option<String>,
}

/// A device of this machine, for `eyespot devices`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceEntry {
    /// What it is called in a choice: `cpu`, `cuda:0`; `cuda` where no GPU can even be counted.
    pub choice: String,
    /// Its name.
    pub name: String,
    /// Bytes of its memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// The newest CUDA that its driver knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// cuDNN's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cudnn: Option<String>,
    /// Why it can't be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
}

/// Somebody who is told in a line what was decided.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

impl DeviceChoice {
    /// Opens the device. Where `auto` finds the GPU's memory too small for a program, that program goes to the CPU, and
    /// `say` is told.
    ///
    /// # Errors
    /// A GPU that was asked for and can't be used; a precision that the CPU hasn't.
    pub fn open(self, precision: Option<Precision>, fast: bool, say: Say) -> Result<OpenDevice, Error> {
        let cpu = OpenDevice { device: None, about: None };
        match self {
            Self::Cpu => match precision {
                None | Some(Precision::F32) => Ok(cpu),
                Some(other) => Err(Error::Usage(format!(
                    "the CPU computes in f32; leave out --precision {other}, or choose a GPU by --device cuda"
                ))),
            },
            Self::Cuda(index) => {
                open_gpu(index, precision.unwrap_or(Precision::Tf32), fast).map_err(Error::Gpu)
            }
            Self::Auto => match open_gpu(0, precision.unwrap_or(Precision::Tf32), fast) {
                Ok(OpenDevice { device: Some(gpu), about }) => {
                    let auto = Auto { gpu, cpu: eyespot_cpu::Cpu::new(0), say };
                    Ok(OpenDevice { device: Some(Arc::new(auto)), about })
                }
                Ok(other) => Ok(other),
                Err(_) if matches!(precision, None | Some(Precision::F32)) => Ok(cpu),
                Err(reason) => Err(Error::Gpu(reason)),
            },
        }
    }
}

impl DeviceChoice {
    /// As [`open`](Self::open), for `eyespot bench`: none for the CPU.
    pub(crate) fn open_for_bench(
        self,
        precision: Option<Precision>,
        fast: bool,
    ) -> Result<Option<Gpu>, Error> {
        let index = match self {
            Self::Cpu => {
                self.open(precision, fast, Arc::new(|_| {}))?;
                return Ok(None);
            }
            Self::Auto => 0,
            Self::Cuda(index) => index,
        };
        match Gpu::open(index, precision.unwrap_or(Precision::Tf32), fast) {
            Ok(gpu) => Ok(Some(gpu)),
            Err(_) if self == Self::Auto && matches!(precision, None | Some(Precision::F32)) => Ok(None),
            Err(reason) => Err(Error::Gpu(reason)),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => write!(f, "auto"),
            Self::Cpu => write!(f, "cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().filter(|&index| index < 1024);
        match (text, text.strip_prefix("cuda:").and_then(number)) {
            ("auto", _) => Ok(Self::Auto),
            ("cpu", _) => Ok(Self::Cpu),
            ("cuda", _) => Ok(Self::Cuda(0)),
            (_, Some(index)) => Ok(Self::Cuda(index)),
            _ => Err("it is auto, cpu, cuda or cuda:N, N counting the GPUs from 0".to_owned()),
        }
    }
}

impl Serialize for DeviceChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        })
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::F32, Self::Tf32, Self::Bf16];
        let known = all.into_iter().find(|precision| precision.to_string() == text);
        known.ok_or_else(|| "it is f32, tf32 or bf16".to_owned())
    }
}

/// A GPU, and the CPU for what doesn't fit into its memory.
struct Auto {
    gpu: Arc<dyn Device>,
    cpu: eyespot_cpu::Cpu,
    say: Say,
}

impl fmt::Debug for Auto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auto").field("gpu", &self.gpu).field("cpu", &self.cpu).finish_non_exhaustive()
    }
}

impl Auto {
    /// What the GPU answers, or the CPU where the GPU hasn't enough memory.
    fn first_fitting<T>(
        &self,
        compile: impl Fn(&dyn Device) -> Result<T, DeviceError>,
    ) -> Result<T, DeviceError> {
        match compile(&*self.gpu) {
            Err(full @ DeviceError::OutOfMemory { .. }) => {
                (self.say)(&format!("on the CPU, since {full}"));
                compile(&self.cpu)
            }
            other => other,
        }
    }
}

impl Device for Auto {
    fn inference(
        &self,
        graph: &Graph,
        params: &Params,
        batch: usize,
    ) -> Result<Box<dyn Inference>, DeviceError> {
        self.first_fitting(|device| device.inference(graph, params, batch))
    }

    fn training(
        &self,
        graph: &Graph,
        params: &Params,
        batch: usize,
        seed: u64,
    ) -> Result<Box<dyn Training>, DeviceError> {
        self.first_fitting(|device| device.training(graph, params, batch, seed))
    }
}

/// The devices of this machine: the CPU and every GPU, also those that can't be used.
pub fn devices() -> Vec<DeviceEntry> {
    let cpu = DeviceEntry {
        choice: "cpu".to_owned(),
        name: format!("{} threads", eyespot_cpu::Cpu::new(0).threads()),
        memory_bytes: None,
        driver: None,
        cudnn: None,
        unusable: None,
    };
    let mut all = vec![cpu];
    all.extend(gpus());
    all
}

/// Opens a GPU as a device for anything.
fn open_gpu(index: usize, precision: Precision, fast: bool) -> Result<OpenDevice, String> {
    let gpu = Gpu::open(index, precision, fast)?;
    let about = format!("{} (cuda:{index}), {precision}", gpu.name());
    Ok(OpenDevice { device: Some(gpu.device()), about: Some(about) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn choices_are_words() {
        for (text, choice) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda", DeviceChoice::Cuda(0)),
            ("cuda:3", DeviceChoice::Cuda(3)),
        ] {
            assert_eq!(text.parse(), Ok(choice));
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        for wrong in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:5000", "CPU"] {
            assert!(wrong.parse::<DeviceChoice>().is_err(), "{wrong}");
        }
        assert_eq!("bf16".parse(), Ok(Precision::Bf16));
        assert!("fp16".parse::<Precision>().is_err());
    }

    #[test]
    fn the_cpu_computes_in_f32_alone() {
        let open = |choice: DeviceChoice, precision| choice.open(precision, false, Arc::new(|_| {}));
        assert!(open(DeviceChoice::Cpu, Some(Precision::F32)).unwrap().device.is_none());
        let refused = open(DeviceChoice::Cpu, Some(Precision::Bf16)).unwrap_err();
        assert!(refused.is_usage() && refused.to_string().contains("--precision bf16"), "{refused}");
    }

    /// A GPU whose memory is full.
    #[derive(Debug)]
    struct Full;

    impl Device for Full {
        fn inference(&self, _: &Graph, _: &Params, _: usize) -> Result<Box<dyn Inference>, DeviceError> {
            Err(DeviceError::OutOfMemory { needed: 3 << 30, free: 1 << 30, fitting_batch: Some(20) })
        }

        fn training(
            &self,
            _: &Graph,
            _: &Params,
            _: usize,
            _: u64,
        ) -> Result<Box<dyn Training>, DeviceError> {
            Err(DeviceError::Device("it is gone".to_owned()))
        }
    }

    /// What doesn't fit goes to the CPU and is told; any other failure is the user's to know.
    #[test]
    fn auto_goes_to_the_cpu_for_lack_of_memory_alone() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let say: Say = {
            let told = Arc::clone(&told);
            Arc::new(move |text| told.lock().unwrap().push(text.to_owned()))
        };
        let auto = Auto { gpu: Arc::new(Full), cpu: eyespot_cpu::Cpu::new(1), say };
        let graph = crate::network("lenet5", None, None).unwrap();
        let params = eyespot_graph::initialise(&graph, 0);
        assert_eq!(auto.inference(&graph, &params, 2).unwrap().batch(), 2);
        let told = told.lock().unwrap();
        assert!(told[0].contains("3.0 GiB") && told[0].contains("20 images"), "{told:?}");
        assert!(matches!(auto.training(&graph, &params, 2, 0), Err(DeviceError::Device(_))));
    }
}
