//! Training programs.

mod layer;
mod optimizer;
mod weights;

use crate::infer::{LayerTime, TOO_SMALL_FOR_THREADS};
use crate::memory::{Floats, reserve};
use crate::ops::Draw;
use eyespot_compile::training::{Backward, Forward, Task};
use eyespot_compile::{Span, TrainingPlan, check, check_call};
use eyespot_graph::{DeviceError, Graph, Params, TensorScales, Training, Update};
use eyespot_kernels::{Threads, optimizer as rules};
use eyespot_system::{Budget, Reserved};
use layer::{Layer, Memory, Pass};
use optimizer::OptimizerState;
use std::sync::Arc;
use std::time::Instant;
use weights::Weights;

/// A network compiled for training on the CPU.
#[derive(Debug)]
pub struct CpuTraining {
    threads: Arc<Threads>,
    alone: Threads,
    batch: usize,
    input_len: usize,
    output_len: usize,
    layers: Vec<Layer>,
    forward: Vec<Forward>,
    backward: Vec<Backward>,
    output: Span,
    /// Where the caller's gradient goes; none where nothing learns.
    gradient: Option<Span>,
    weights: Weights,
    memory: Memory,
    optimizer: OptimizerState,
    draw: Draw,
    /// Pictures of the last forward pass, until its backward pass.
    images: Option<usize>,
    _reserved: Reserved<'static>,
}

impl CpuTraining {
    pub(crate) fn new(
        threads: Arc<Threads>,
        graph: &Graph,
        params: &Params,
        batch: usize,
        seed: u64,
    ) -> Result<Self, DeviceError> {
        check(graph, params, batch)?;
        let weights = Weights::new(graph, params)?;
        let optimizer = OptimizerState::new(&weights);
        let plan = TrainingPlan::new(graph, &weights.slots, batch)?;
        let layout = plan.planner.layout()?;
        let layers: Vec<Layer> = plan
            .layers
            .into_iter()
            .zip(&plan.flows)
            .map(|(layer, flow)| Layer::new(graph, layer, flow.inputs[0], batch))
            .collect::<Result<_, DeviceError>>()?;
        let most = |len: &dyn Fn(&Layer) -> usize| layers.iter().map(len).max().unwrap_or(0);
        let scratch_len = most(&|layer| layer.operator.scratch_len(&threads));
        let sums_len = most(&|layer| layer.operator.sums_len());
        let floats = [
            layout.total,
            plan.statistics_len,
            weights.learned.len(),
            scratch_len,
            sums_len,
            plan.winners_len,
        ]
        .into_iter()
        .fold(0, usize::saturating_add);
        let reserved = reserve(floats, batch, Budget::hold_chosen)?;
        let memory = Memory {
            arena: Floats::zeroed(layout.total)?,
            layout,
            statistics: Floats::zeroed(plan.statistics_len)?,
            winners: vec![0; plan.winners_len],
            gradients: Floats::zeroed(weights.learned.len())?,
            scratch: Floats::zeroed(scratch_len)?,
            sums: vec![0.0; sums_len],
        };
        Ok(Self {
            threads,
            alone: Threads::new(1),
            batch,
            input_len: graph.input_shape().elements(),
            output_len: graph.output_shape().elements(),
            layers,
            forward: plan.forward,
            backward: plan.backward,
            output: plan.output,
            gradient: plan.gradient,
            weights,
            memory,
            optimizer,
            draw: Draw { seed, step: 0 },
            images: None,
            _reserved: reserved,
        })
    }

    fn begin(&mut self, input: &[f32], images: usize, step: u64) -> Result<(), DeviceError> {
        check_call(input, images, self.input_len, self.batch)?;
        if images == 0 {
            return Err(DeviceError::Call("a training step needs at least one picture".to_owned()));
        }
        self.images = Some(images);
        self.draw.step = step;
        Ok(())
    }

    fn run_forward(&mut self, index: usize, input: &[f32], images: usize) {
        let step = &self.forward[index];
        let layer = &self.layers[step.layer];
        let threads = threads_for(layer, images, &self.alone, &self.threads);
        let (weights, memory) = (&mut self.weights, &mut self.memory);
        layer.forward(step, Pass { threads, images, draw: self.draw, input, weights, memory });
    }

    fn run_backward(&mut self, index: usize, input: &[f32], images: usize) {
        let step = &self.backward[index];
        let layer = &self.layers[step.layer];
        let threads = threads_for(layer, images, &self.alone, &self.threads);
        let (weights, memory) = (&mut self.weights, &mut self.memory);
        layer.backward(step, Pass { threads, images, draw: self.draw, input, weights, memory });
    }

    /// Takes the loss' gradient over, for the pictures of the last forward pass.
    fn begin_backward(&mut self, input: &[f32], scores_gradient: &[f32]) -> Result<usize, DeviceError> {
        let Some(images) = self.images.take() else {
            return Err(DeviceError::Call("backward needs a forward pass before it".to_owned()));
        };
        check_call(input, images, self.input_len, self.batch)?;
        if scores_gradient.len() != images * self.output_len {
            return Err(DeviceError::Call(format!(
                "the gradient has {} numbers, the scores of {images} pictures have {}",
                scores_gradient.len(),
                images * self.output_len
            )));
        }
        if let Some(span) = self.gradient {
            let range = self.memory.layout.range(span, images);
            self.memory.arena[range].copy_from_slice(scores_gradient);
        }
        Ok(images)
    }

    /// Runs forward, backward (with `scores_gradient`) once and times every step: first the forward steps, then the
    /// backward ones, whose names end in what they compute.
    ///
    /// # Errors
    /// As [`Training::forward`] and [`Training::backward`].
    pub fn profile(
        &mut self,
        input: &[f32],
        images: usize,
        scores_gradient: &[f32],
    ) -> Result<Vec<LayerTime>, DeviceError> {
        let mut times = Vec::with_capacity(self.forward.len() + self.backward.len());
        self.begin(input, images, self.draw.step)?;
        for index in 0..self.forward.len() {
            let start = Instant::now();
            self.run_forward(index, input, images);
            let seconds = start.elapsed().as_secs_f64();
            let layer = &self.layers[self.forward[index].layer];
            times.push(LayerTime {
                name: layer.name.clone(),
                algorithm: layer.operator.algorithm(),
                multiply_adds: layer.multiply_adds.saturating_mul(images as u64),
                seconds,
            });
        }
        let images = self.begin_backward(input, scores_gradient)?;
        for index in 0..self.backward.len() {
            let start = Instant::now();
            self.run_backward(index, input, images);
            let seconds = start.elapsed().as_secs_f64();
            let step = &self.backward[index];
            let layer = &self.layers[step.layer];
            let (what, multiplies) = match step.task {
                Task::Weights => ("gradient of weights", true),
                Task::Input(_) => ("gradient of input", true),
                Task::InPlace => ("gradient of input", false),
                Task::Recompute => ("computed again", false),
                Task::AddTo => ("sum of gradients", false),
                Task::Copy => ("copy of gradient", false),
            };
            let multiply_adds =
                if multiplies { layer.multiply_adds.saturating_mul(images as u64) } else { 0 };
            let algorithm = if matches!(step.task, Task::AddTo | Task::Copy) {
                "add"
            } else {
                layer.operator.algorithm()
            };
            times.push(LayerTime {
                name: format!("{}: {what}", layer.name),
                algorithm,
                multiply_adds,
                seconds,
            });
        }
        Ok(times)
    }
}

/// The threads that are worth while for a layer.
fn threads_for<'a>(layer: &Layer, images: usize, alone: &'a Threads, all: &'a Threads) -> &'a Threads {
    if layer.work.saturating_mul(images) < TOO_SMALL_FOR_THREADS { alone } else { all }
}

impl Training for CpuTraining {
    fn batch(&self) -> usize {
        self.batch
    }

    fn forward(&mut self, input: &[f32], images: usize, step: u64) -> Result<&[f32], DeviceError> {
        self.begin(input, images, step)?;
        for index in 0..self.forward.len() {
            self.run_forward(index, input, images);
        }
        Ok(&self.memory.arena[self.memory.layout.range(self.output, images)])
    }

    fn backward(&mut self, input: &[f32], scores_gradient: &[f32]) -> Result<(), DeviceError> {
        let images = self.begin_backward(input, scores_gradient)?;
        for index in 0..self.backward.len() {
            self.run_backward(index, input, images);
        }
        Ok(())
    }

    fn gradient_norm(&mut self) -> Result<f64, DeviceError> {
        let small = self.memory.gradients.len() < TOO_SMALL_FOR_THREADS;
        let threads = if small { &self.alone } else { &*self.threads };
        Ok(rules::squared_norm(threads, &self.memory.gradients).sqrt())
    }

    fn update(&mut self, update: &Update) -> Result<(), DeviceError> {
        let (alone, all) = (&self.alone, &*self.threads);
        let threads = |weights| if weights < TOO_SMALL_FOR_THREADS { alone } else { all };
        self.optimizer.update(threads, &mut self.weights, &self.memory.gradients, update);
        Ok(())
    }

    fn set_tensor_scales(&mut self, scales: &TensorScales) -> Result<(), DeviceError> {
        self.optimizer.set_scales(&self.weights, scales)
    }

    fn params(&self) -> Result<Params, DeviceError> {
        Ok(self.weights.params())
    }

    fn averaged_params(&self) -> Result<Option<Params>, DeviceError> {
        Ok(self.optimizer.average(&self.weights))
    }

    fn gradients(&self) -> Result<Params, DeviceError> {
        Ok(self.weights.slots.named_learned("", &self.memory.gradients))
    }

    fn optimizer_state(&self) -> Result<Params, DeviceError> {
        Ok(self.optimizer.save(&self.weights))
    }

    fn set_optimizer_state(&mut self, state: &Params) -> Result<(), DeviceError> {
        self.optimizer.load(&self.weights, state)
    }

    fn memory_bytes(&self) -> usize {
        let Memory { arena, statistics, winners, gradients, scratch, sums, .. } = &self.memory;
        let floats = [arena, statistics, gradients, scratch, &self.weights.learned, &self.weights.running];
        floats.into_iter().map(Floats::bytes).sum::<usize>()
            + size_of_val(&winners[..])
            + size_of_val(&sums[..])
            + self.optimizer.bytes()
    }
}
