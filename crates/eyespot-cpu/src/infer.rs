//! Inference programs.

use crate::chunks::Chunks;
use crate::lower::lower;
use crate::memory::{Floats, reserve};
use crate::step::Step;
use eyespot_compile::{Layout, Span, check, check_call, check_params};
use eyespot_graph::{DeviceError, Graph, Inference, Params};
use eyespot_kernels::Threads;
use eyespot_system::{Budget, Reserved};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

/// Steps with less work than this (multiply-adds and floats written) run on the calling thread alone: waking others
/// costs more than it saves.
pub(crate) const TOO_SMALL_FOR_THREADS: usize = 1 << 16;

/// A network compiled for inference on the CPU.
#[derive(Debug)]
pub struct CpuInference {
    threads: Arc<Threads>,
    alone: Threads,
    graph: Graph,
    batch: usize,
    input_len: usize,
    steps: Vec<Step>,
    /// The first steps run on a few pictures at a time.
    chunks: Option<Chunks>,
    layout: Layout,
    output: Span,
    arena: Floats,
    scratch: Floats,
    _reserved: Reserved<'static>,
}

/// One step's time.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerTime {
    /// The layers that the step computes: the first one's name, then what is fused to it.
    pub name: String,
    /// How it was computed.
    pub algorithm: &'static str,
    /// Multiply-adds of all pictures.
    pub multiply_adds: u64,
    /// Time for all pictures.
    pub seconds: f64,
}

impl CpuInference {
    pub(crate) fn new(
        threads: Arc<Threads>,
        graph: &Graph,
        params: Cow<Params>,
        batch: usize,
    ) -> Result<Self, DeviceError> {
        check(graph, &params, batch)?;
        let mut lowered = lower(graph, params, batch)?;
        let chunks = Chunks::plan(&lowered.steps, &lowered.planner, batch);
        if let Some(chunks) = &chunks {
            lowered.planner.chunked(chunks.split, chunks.images, batch, chunks.crossing);
        }
        let layout = lowered.planner.layout()?;
        let scratch_len =
            lowered.steps.iter().map(|step| step.kernel.operator().scratch_len(&threads)).max().unwrap_or(0);
        let reserved = reserve(layout.total.saturating_add(scratch_len), batch, Budget::hold)?;
        Ok(Self {
            _reserved: reserved,
            arena: Floats::zeroed(layout.total)?,
            scratch: Floats::zeroed(scratch_len)?,
            threads,
            alone: Threads::new(1),
            graph: graph.clone(),
            batch,
            input_len: graph.input_shape().elements(),
            steps: lowered.steps,
            chunks,
            layout,
            output: lowered.output,
        })
    }

    /// Runs the program once and times every step. The times add up to a little more than an untimed run takes.
    ///
    /// # Errors
    /// As [`Inference::run`].
    pub fn profile(&mut self, input: &[f32], images: usize) -> Result<Vec<LayerTime>, DeviceError> {
        check_call(input, images, self.input_len, self.batch)?;
        let mut seconds = vec![0.0; self.steps.len()];
        self.run_steps(input, images, Some(&mut seconds));
        let time = |(step, seconds): (&Step, f64)| LayerTime {
            name: step.name.clone(),
            algorithm: step.kernel.operator().algorithm(),
            multiply_adds: step.multiply_adds.saturating_mul(images as u64),
            seconds,
        };
        Ok(self.steps.iter().zip(seconds).map(time).collect())
    }

    /// Runs every step, the first ones chunk by chunk, and adds each one's time to `seconds`.
    fn run_steps(&mut self, input: &[f32], images: usize, mut seconds: Option<&mut [f64]>) {
        let mut split = 0;
        if let Some(chunks) = self.chunks {
            split = chunks.split;
            for first in (0..images).step_by(chunks.images) {
                let count = chunks.images.min(images - first);
                self.layout.shifted = Some((chunks.crossing, first));
                let part = &input[first * self.input_len..(first + count) * self.input_len];
                (0..split).for_each(|index| self.run_step(index, part, count, &mut seconds));
            }
            self.layout.shifted = None;
        }
        (split..self.steps.len()).for_each(|index| self.run_step(index, input, images, &mut seconds));
    }

    fn run_step(&mut self, index: usize, input: &[f32], images: usize, seconds: &mut Option<&mut [f64]>) {
        let step = &self.steps[index];
        let small = step.work.saturating_mul(images) < TOO_SMALL_FOR_THREADS;
        let threads = if small { &self.alone } else { &*self.threads };
        let start = seconds.is_some().then(Instant::now);
        step.run(threads, images, &self.layout, input, &mut self.arena, &mut self.scratch);
        if let (Some(seconds), Some(start)) = (seconds, start) {
            seconds[index] += start.elapsed().as_secs_f64();
        }
    }
}

impl Inference for CpuInference {
    fn batch(&self) -> usize {
        self.batch
    }

    fn run(&mut self, input: &[f32], images: usize) -> Result<&[f32], DeviceError> {
        check_call(input, images, self.input_len, self.batch)?;
        if images == 0 {
            return Ok(&[]);
        }
        self.run_steps(input, images, None);
        Ok(&self.arena[self.layout.range(self.output, images)])
    }

    fn set_params(&mut self, params: &Params) -> Result<(), DeviceError> {
        check_params(&self.graph, params)?;
        // The old weights go first, so that there are never two sets. Buffers depend on the graph alone, and stay.
        self.steps = Vec::new();
        self.steps = lower(&self.graph, Cow::Borrowed(params), self.batch)?.steps;
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        let weights: usize = self.steps.iter().map(|step| step.kernel.operator().weight_bytes()).sum();
        self.arena.bytes() + self.scratch.bytes() + weights
    }
}
