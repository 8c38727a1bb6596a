//! How fast networks run on this machine.

use crate::network::network;
use crate::{DeviceChoice, Error, Precision, Transform};
use eyespot_cpu::{Cpu, LayerTime};
use eyespot_data::{Failure, Loader, LoaderOptions, Sample};
use eyespot_graph::{DeviceError, Graph, Inference, Optimizer, Training, Update, initialise};
use serde::Serialize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BenchMode {
    /// Scoring pictures.
    Infer,
    /// A training step: forward, backward, SGD with momentum.
    Train,
    /// Files to normalised tensors, on all threads.
    Data,
}

/// A measurement to make.
#[derive(Debug, Clone)]
pub struct Bench {
    /// A network of the zoo.
    pub model: String,
    /// Pictures at a time.
    pub batch: usize,
    /// What is measured.
    pub mode: BenchMode,
    /// Threads, 0 for all cores.
    pub threads: usize,
    /// Folder of pictures for [`BenchMode::Data`].
    pub data: Option<PathBuf>,
    /// Whether each layer is measured, too.
    pub layers: bool,
    /// What computes; `auto` is the CPU where there is no GPU.
    pub device: DeviceChoice,
    /// The numbers that a GPU multiplies; default TF32.
    pub precision: Option<Precision>,
    /// Whether a GPU may take algorithms whose last bits differ from run to run.
    pub fast: bool,
}

/// A layer's time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerSpeed {
    /// The layers that are computed in one step.
    pub name: String,
    /// How.
    pub algorithm: String,
    /// Milliseconds for the whole batch.
    pub ms: f64,
    /// Billions of operations a second; a multiply-add counts as two.
    pub gflops: f64,
}

/// A measurement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchResult {
    /// The network.
    pub model: String,
    /// What was measured.
    pub mode: BenchMode,
    /// Pictures at a time.
    pub batch: usize,
    /// Threads.
    pub threads: usize,
    /// The GPU, where one computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The numbers' type.
    pub precision: Precision,
    /// Milliseconds for a picture: the median of the rounds, after a warm-up.
    pub ms_per_image: f64,
    /// Pictures a second.
    pub images_per_second: f64,
    /// Billions of operations a second; a multiply-add counts as two, a training step as three forward passes.
    /// `None` where nothing is multiplied.
    pub gflops: Option<f64>,
    /// `gflops` as a share (0..1) of what the machine's threads reach at best, measured in the same run. An
    /// algorithm that saves operations (Winograd) may exceed 1.
    pub share_of_peak: Option<f64>,
    /// The most memory the process held, in bytes, where the system tells; else that of the program alone.
    pub peak_memory_bytes: u64,
    /// The memory that the program holds on the GPU, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_memory_bytes: Option<u64>,
    /// Each layer, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<LayerSpeed>>,
}

/// At least so many rounds, and at least so long.
const ROUNDS: usize = 7;
const LONG: Duration = Duration::from_secs(2);

impl Bench {
    /// Measures. On a GPU the images lie in its memory already, and nothing is copied.
    ///
    /// # Errors
    /// An unknown network, pictures that can't be found, a GPU that can't be used.
    pub fn run(&self) -> Result<BenchResult, Error> {
        let device = Cpu::new(self.threads);
        if self.mode == BenchMode::Data {
            return self.pictures(&device);
        }
        if let Some(gpu) = self.device.open_for_bench(self.precision, self.fast)? {
            return gpu.run(self, &device);
        }
        let graph = network(&self.model, None, None)?;
        let params = initialise(&graph, 0);
        let input = noise(self.batch * graph.input_shape().elements());
        let mut layers = None;
        let (seconds, memory) = if self.mode == BenchMode::Infer {
            let mut program = device.compile_inference_owned(&graph, params, self.batch)?;
            let seconds = median(|| program.run(&input, self.batch).map(drop))?;
            if self.layers {
                layers = Some(program.profile(&input, self.batch)?);
            }
            (seconds, program.memory_bytes())
        } else {
            let mut program = device.compile_training(&graph, &params, self.batch, 0)?;
            let gradient = noise(self.batch * graph.output_shape().elements());
            let mut step = 0;
            let seconds = median(|| {
                program.forward(&input, self.batch, step)?;
                program.backward(&input, &gradient)?;
                program.update(&update(step))?;
                step += 1;
                Ok::<(), DeviceError>(())
            })?;
            if self.layers {
                layers = Some(program.profile(&input, self.batch, &gradient)?);
            }
            (seconds, program.memory_bytes())
        };
        let gflops = self.operations(&graph) / seconds / 1e9;
        Ok(BenchResult {
            gflops: Some(gflops),
            share_of_peak: Some(gflops * 1e9 / device.peak_flops()),
            layers: layers.map(|layers| layers.iter().map(speed).collect()),
            ..self.result(&device, seconds / self.batch as f64, memory)
        })
    }

    pub(crate) fn operations(&self, graph: &Graph) -> f64 {
        let passes = if self.mode == BenchMode::Train { 3.0 } else { 1.0 };
        2.0 * passes * graph.summary(1).multiply_adds as f64 * self.batch as f64
    }

    fn pictures(&self, device: &Cpu) -> Result<BenchResult, Error> {
        let Some(folder) = &self.data else {
            return Err(Error::Usage("name the folder of pictures to read".to_owned()));
        };
        let unusable = |failure: Failure| Error::file(&failure.path, failure.cause);
        let samples: Vec<Sample> =
            eyespot_data::pictures(vec![folder.clone()]).collect::<Result<_, _>>().map_err(unusable)?;
        if samples.is_empty() {
            return Err(Error::file(folder, "there are no pictures in this folder"));
        }
        let options = LoaderOptions {
            batch_size: self.batch,
            threads: device.threads(),
            ..LoaderOptions::new(Transform::imagenet())
        };
        let mut images = 0;
        let seconds = median(|| {
            images = 0;
            let order = (0..samples.len()).collect();
            for batch in Loader::new(&samples, order, options.clone())? {
                let batch = batch?;
                // Refusing a file takes another time than reading it.
                if let Some(failure) = batch.failures.into_iter().next() {
                    return Err(unusable(failure));
                }
                images += batch.labels.len();
            }
            Ok::<(), Error>(())
        })?;
        Ok(self.result(device, seconds / images.max(1) as f64, 0))
    }

    pub(crate) fn result(&self, device: &Cpu, seconds_per_image: f64, memory: usize) -> BenchResult {
        BenchResult {
            model: self.model.clone(),
            mode: self.mode,
            batch: self.batch,
            threads: device.threads(),
            device: None,
            precision: Precision::F32,
            ms_per_image: 1e3 * seconds_per_image,
            images_per_second: 1.0 / seconds_per_image,
            gflops: None,
            share_of_peak: None,
            peak_memory_bytes: peak_memory().unwrap_or(memory as u64),
            device_memory_bytes: None,
            layers: None,
        }
    }
}

/// The median time of a call after a warm-up.
fn median<E: Into<Error>>(mut call: impl FnMut() -> Result<(), E>) -> Result<f64, Error> {
    call().map_err(E::into)?;
    let (began, mut times) = (Instant::now(), Vec::new());
    while times.len() < ROUNDS || began.elapsed() < LONG {
        let start = Instant::now();
        call().map_err(E::into)?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// A small step, so that weights stay sound for any number of them.
pub(crate) fn update(step: u64) -> Update {
    Update {
        optimizer: Optimizer::Sgd { momentum: 0.9, nesterov: false },
        learning_rate: 1e-9,
        weight_decay: 0.0,
        gradient_scale: 1.0,
        step,
        ema_decay: None,
    }
}

/// Numbers in −1..1 without a pattern that a program could profit from.
fn noise(count: usize) -> Vec<f32> {
    let number = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0;
    (0..count).map(number).collect()
}

fn speed(layer: &LayerTime) -> LayerSpeed {
    LayerSpeed {
        name: layer.name.clone(),
        algorithm: layer.algorithm.to_owned(),
        ms: 1e3 * layer.seconds,
        gflops: 2.0 * layer.multiply_adds as f64 / layer.seconds.max(1e-12) / 1e9,
    }
}

/// The most memory this process held; Linux tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
