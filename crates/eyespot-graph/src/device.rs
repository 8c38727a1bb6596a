//! What a device does: it compiles a graph with its weights into a program for one purpose and one batch size.
//!
//! The traits stand on the ground floor so that training (above) and a device (beside it) never meet.

use crate::{Graph, GraphError, Params};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use thiserror::Error;

/// Why a program can't be compiled or run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeviceError {
    /// The graph itself is unsound.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The weights lack a tensor the graph needs.
    #[error("the weights have no tensor `{0}`, which the network needs")]
    MissingTensor(String),
    /// A tensor has another shape than the graph needs.
    #[error("tensor `{name}` has shape {found:?}, the network needs {expected:?}")]
    TensorShape {
        /// The tensor's name.
        name: String,
        /// The shape the graph needs.
        expected: Vec<usize>,
        /// The shape it has.
        found: Vec<usize>,
    },
    /// An operator the device has no program for, in this purpose.
    #[error("layer `{node}`: {reason}")]
    Unsupported {
        /// The layer's name.
        node: String,
        /// Why not.
        reason: String,
    },
    /// A call with the wrong amount of data.
    #[error("{0}")]
    Call(String),
    /// The device's memory doesn't suffice for the program.
    #[error("{}", out_of_memory(*needed, *free, *fitting_batch))]
    OutOfMemory {
        /// What the program needs, in bytes.
        needed: usize,
        /// What is free, in bytes.
        free: usize,
        /// The largest batch that would fit, where that is known; 0 where not even one image would.
        fitting_batch: Option<usize>,
    },
    /// The device itself failed: its driver, a library, the hardware. What was on it is lost.
    #[error("the device failed: {0}")]
    Device(String),
}

fn out_of_memory(needed: usize, free: usize, fitting_batch: Option<usize>) -> String {
    let gib = |bytes: usize| format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64);
    let advice = match fitting_batch {
        Some(0) => "not even a single image would fit".to_owned(),
        Some(1) => "a batch of 1 image would fit".to_owned(),
        Some(images) => format!("a batch of {images} images would fit"),
        None => "try a smaller batch".to_owned(),
    };
    format!("the network needs {} of the GPU's memory, and {} are free; {advice}", gib(needed), gib(free))
}

/// What networks are computed on: the CPU, a GPU.
pub trait Device: Debug + Send + Sync {
    /// Compiles `graph` for inference on up to `batch` pictures a call.
    fn inference(
        &self,
        graph: &Graph,
        params: &Params,
        batch: usize,
    ) -> Result<Box<dyn Inference>, DeviceError>;

    /// Compiles `graph` for training on up to `batch` pictures a call. `seed` decides dropout.
    fn training(
        &self,
        graph: &Graph,
        params: &Params,
        batch: usize,
        seed: u64,
    ) -> Result<Box<dyn Training>, DeviceError>;
}

/// A program that computes scores.
pub trait Inference: Send {
    /// The most pictures one call takes.
    fn batch(&self) -> usize;

    /// Scores `images` pictures. `input` is images × height × width × channels (NHWC); the answer is
    /// images × outputs (a map as output: images × height × width × channels).
    fn run(&mut self, input: &[f32], images: usize) -> Result<&[f32], DeviceError>;

    /// Takes other weights for the same network, as if the program had been compiled with them.
    ///
    /// # Errors
    /// A tensor that is missing or has another shape; the program then keeps the weights that it has.
    fn set_params(&mut self, params: &Params) -> Result<(), DeviceError>;

    /// Bytes held for activations and packed weights.
    fn memory_bytes(&self) -> usize;
}

/// A program that learns: forward, backward, optimizer step.
pub trait Training: Send {
    /// The most pictures one call takes.
    fn batch(&self) -> usize;

    /// Scores `images` pictures in training mode (batch statistics, dropout) and keeps what `backward` needs.
    /// `step` counts the optimizer steps from 0 and, with the seed, decides dropout.
    fn forward(&mut self, input: &[f32], images: usize, step: u64) -> Result<&[f32], DeviceError>;

    /// Sets the gradients of all weights from the loss' gradient at the scores of the last `forward`. A gradient from
    /// an earlier call is overwritten, never added to.
    ///
    /// `input` is what that `forward` was given: the first layer's gradient is computed from it. A device in whose memory
    /// it lies already reads it there again; one that had to copy it has no use for it. To keep a copy on the CPU would
    /// double the memory of the batch, and for a linear layer on a large batch most of the step's time.
    fn backward(&mut self, input: &[f32], scores_gradient: &[f32]) -> Result<(), DeviceError>;

    /// The Euclidean norm over all gradients of the last `backward`.
    ///
    /// # Errors
    /// A device that fails, as all methods below.
    fn gradient_norm(&mut self) -> Result<f64, DeviceError>;

    /// One optimizer step with the gradients of the last `backward`.
    fn update(&mut self, update: &Update) -> Result<(), DeviceError>;

    /// From now on every [`Training::update`] takes its learning rate and weight decay times these factors, tensor by
    /// tensor; tensors that aren't named have 1 and 1, as all have before the first call. PyTorch's parameter groups.
    ///
    /// # Errors
    /// A name that is no learned tensor of this network, a factor that is negative or not finite; the factors from before
    /// then stay.
    fn set_tensor_scales(&mut self, scales: &TensorScales) -> Result<(), DeviceError>;

    /// The weights and running statistics as they are now.
    fn params(&self) -> Result<Params, DeviceError>;

    /// The exponential moving average of [`Training::params`], if [`Update::ema_decay`] was ever set.
    fn averaged_params(&self) -> Result<Option<Params>, DeviceError>;

    /// The gradients of the last `backward`, under the names of their tensors.
    fn gradients(&self) -> Result<Params, DeviceError>;

    /// The optimizer's state (momentum and the like, and the moving average) as named tensors, for a checkpoint.
    fn optimizer_state(&self) -> Result<Params, DeviceError>;

    /// Puts back what [`Training::optimizer_state`] gave.
    fn set_optimizer_state(&mut self, state: &Params) -> Result<(), DeviceError>;

    /// Bytes held for activations, gradients, weights and optimizer state.
    fn memory_bytes(&self) -> usize;
}

/// The rule by which weights follow their gradients, PyTorch's `torch.optim`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Optimizer {
    /// Stochastic gradient descent: `v ← m·v + (g + λ·w)`, `w ← w − lr·v`; the first step sets `v` to the gradient.
    Sgd {
        /// `m`; PyTorch's default is 0.
        momentum: f32,
        /// Nesterov's variant: steps along `g + m·v`.
        nesterov: bool,
    },
    /// Adam; weight decay is added to the gradient. PyTorch's defaults: 0.9, 0.999, 1e-8.
    Adam {
        /// Decay of the mean gradient.
        beta1: f32,
        /// Decay of the mean squared gradient.
        beta2: f32,
        /// Added to the denominator.
        eps: f32,
    },
    /// AdamW: like Adam, but weights shrink by `lr·λ` apart from the gradient.
    AdamW {
        /// Decay of the mean gradient.
        beta1: f32,
        /// Decay of the mean squared gradient.
        beta2: f32,
        /// Added to the denominator.
        eps: f32,
    },
}

/// Factors of learned tensors, by name.
pub type TensorScales = IndexMap<String, TensorScale>;

/// How one tensor's steps differ from the others'.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TensorScale {
    /// Times [`Update::learning_rate`]; with 0 the tensor stays as it is.
    pub learning_rate: f32,
    /// Times [`Update::weight_decay`]; 0 for the biases and norms that are usually left out.
    pub weight_decay: f32,
}

impl Default for TensorScale {
    fn default() -> Self {
        Self { learning_rate: 1.0, weight_decay: 1.0 }
    }
}

/// One optimizer step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Update {
    /// The rule.
    pub optimizer: Optimizer,
    /// The learning rate of this step.
    pub learning_rate: f32,
    /// λ, the weight decay.
    pub weight_decay: f32,
    /// Gradients are multiplied by this first (1 where nothing is clipped).
    pub gradient_scale: f32,
    /// Optimizer steps done before this one; Adam's bias correction uses it.
    pub step: u64,
    /// After the step: `average ← d·average + (1 − d)·weights`. The average starts as the first weights.
    pub ema_decay: Option<f32>,
}
