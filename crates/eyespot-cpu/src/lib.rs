#![forbid(unsafe_code)]
//! Compiles a graph into a program for the CPU.
//!
//! A program knows its weights and the largest batch, so everything is decided before the first picture comes:
//! operators are fused (convolution, batch norm, residual sum and activation become one step), weights are packed,
//! and every intermediate result has its place in one arena that is reused as soon as a result is no longer needed.
//! Running a program allocates nothing.
//!
//! ```
//! use eyespot_cpu::Cpu;
//! use eyespot_graph::{Builder, Device, Inference, Shape, initialise};
//! let mut b = Builder::new("tiny", Shape::Vector(2));
//! let x = b.input();
//! b.linear("fc", x, 3);
//! let graph = b.finish()?;
//! let mut program = Cpu::new(1).inference(&graph, &initialise(&graph, 0), 4)?;
//! let scores = program.run(&[0.5, -1.0, 0.25, 2.0], 2)?; // two pictures of two numbers
//! assert_eq!(scores.len(), 2 * 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chunks;
mod fuse;
mod infer;
mod lower;
mod memory;
mod ops;
mod step;
mod train;

pub use infer::{CpuInference, LayerTime};
pub use train::CpuTraining;

use eyespot_graph::{Device, DeviceError, Graph, Inference, Params, Training};
use eyespot_kernels::Threads;
use std::borrow::Cow;
use std::sync::Arc;

/// The CPU as a device: a set of threads that all its programs share.
#[derive(Debug, Clone)]
pub struct Cpu {
    threads: Arc<Threads>,
}

impl Cpu {
    /// Computes on this many threads, the calling one included; 0 takes one per core, and no more are taken than
    /// four per core (or 16): they would only wait for each other. Results are the same, bit for bit, for any number.
    pub fn new(threads: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads: Arc::new(Threads::new(threads.min(cores.saturating_mul(4).max(16)))) }
    }

    /// How many threads compute at once.
    pub fn threads(&self) -> usize {
        self.threads.count()
    }

    /// The `f32` operations per second that the threads reach at best, measured with nothing but multiply-adds in
    /// registers (each counts as two operations). Takes about a tenth of a second.
    pub fn peak_flops(&self) -> f64 {
        eyespot_kernels::peak_flops(&self.threads, 100)
    }

    /// As [`Device::inference`], with the CPU's own type, which can also be timed layer by layer.
    pub fn compile_inference(
        &self,
        graph: &Graph,
        params: &Params,
        batch: usize,
    ) -> Result<CpuInference, DeviceError> {
        CpuInference::new(Arc::clone(&self.threads), graph, Cow::Borrowed(params), batch)
    }

    /// As [`compile_inference`](Self::compile_inference), for weights that nothing else needs: each tensor is let go of
    /// as soon as it is packed, so that large ones are never held twice.
    pub fn compile_inference_owned(
        &self,
        graph: &Graph,
        params: Params,
        batch: usize,
    ) -> Result<CpuInference, DeviceError> {
        CpuInference::new(Arc::clone(&self.threads), graph, Cow::Owned(params), batch)
    }

    /// As [`Device::training`], with the CPU's own type, which can also be timed layer by layer.
    pub fn compile_training(
        &self,
        graph: &Graph,
        params: &Params,
        batch: usize,
        seed: u64,
    ) -> Result<CpuTraining, DeviceError> {
        CpuTraining::new(Arc::clone(&self.threads), graph, params, batch, seed)
    }
}

impl Device for Cpu {
    fn inference(
        &self,
        graph: &Graph,
        params: &Params,
        batch: usize,
    ) -> Result<Box<dyn Inference>, DeviceError> {
        Ok(Box::new(self.compile_inference(graph, params, batch)?))
    }

    fn training(
        &self,
        graph: &Graph,
        params: &Params,
        batch: usize,
        seed: u64,
    ) -> Result<Box<dyn Training>, DeviceError> {
        Ok(Box::new(self.compile_training(graph, params, batch, seed)?))
    }
}
