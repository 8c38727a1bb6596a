//! Training programs.

use super::memory::Pinned;
use super::program::{Prepared, Program, Settings};
use crate::CudaError;
use crate::plan::training::Training as Planned;
use crate::plan::{Block, Call, Constants, Launch, Place, tables};
use eyespot_compile::slots::{EMA, EXP_AVG, EXP_AVG_SQ, MOMENTUM};
use eyespot_compile::{Layout, Slots, TrainingPlan, check, check_call};
use eyespot_graph::{DeviceError, Graph, Optimizer, Params, TensorScale, TensorScales, Training, Update};
use std::collections::HashMap;
use std::ops::Range;
use std::time::Instant;

/// A network compiled for training on a GPU.
pub(crate) struct CudaTraining {
    graph: Graph,
    plan: TrainingPlan,
    layout: Layout,
    slots: Slots,
    program: Program,
    batch: usize,
    seed: u64,
    /// Forward and backward calls for a number of images.
    prepared: HashMap<usize, (Prepared, Prepared)>,
    /// Images of the last forward pass, until its backward pass.
    images: Option<usize>,
    parts: Vec<(Range<usize>, TensorScale)>,
    state: State,
    scores: Pinned,
}

/// Which of the optimizer's blocks are in use.
#[derive(Default, Clone, Copy)]
struct State {
    velocity: bool,
    moments: bool,
    average: bool,
}

impl CudaTraining {
    pub(crate) fn new(
        settings: &Settings,
        graph: &Graph,
        params: &Params,
        batch: usize,
        seed: u64,
    ) -> Result<Self, DeviceError> {
        check(graph, params, batch)?;
        let slots = Slots::new(graph);
        let plan = TrainingPlan::new(graph, &slots, batch)?;
        let layout = plan.planner.layout()?;
        let element = settings.element;
        let planned = Planned::new(graph, &plan, &layout, element)?;
        let mut constants = Constants::default();
        planned.forward(batch, &mut constants)?;
        planned.backward(batch, &mut constants)?;
        let constants_len = constants.bytes.len();
        let program =
            Program::new(settings, &planned.blocks(&slots, batch, constants_len)).map_err(|error| {
                error.with_fitting_batch(batch, |batch| {
                    let plan = TrainingPlan::new(graph, &slots, batch)?;
                    let layout = plan.planner.layout()?;
                    Ok(Planned::new(graph, &plan, &layout, element)?.blocks(&slots, batch, constants_len))
                })
            })?;
        let (mut learned, mut running) = (vec![0.0; slots.learned_len], vec![0.0; slots.running_len]);
        slots.fill("", params, &mut learned, Some(&mut running))?;
        program.write(Place::new(Block::Learned, 0), &learned)?;
        program.write(Place::new(Block::Running, 0), &running)?;
        program.write(Place::new(Block::Constants, 0), &constants.bytes)?;
        let parts = slots.scaled(&TensorScales::new())?;
        program.write(Place::new(Block::Parts, 0), &tables::parts(&parts))?;
        let scores = Pinned::zeroed(&settings.gpu, batch * graph.output_shape().elements())?;
        Ok(Self {
            graph: graph.clone(),
            plan,
            layout,
            slots,
            program,
            batch,
            seed,
            prepared: HashMap::new(),
            images: None,
            parts,
            state: State::default(),
            scores,
        })
    }

    fn prepare(&mut self, images: usize) -> Result<(), DeviceError> {
        if self.prepared.contains_key(&images) {
            return Ok(());
        }
        let element = self.program.settings.element;
        let planned = Planned::new(&self.graph, &self.plan, &self.layout, element)?;
        let mut constants = Constants::default();
        let forward = planned.forward(images, &mut constants)?;
        let backward = planned.backward(images, &mut constants)?;
        let both = (self.program.prepare(&forward)?, self.program.prepare(&backward)?);
        self.prepared.insert(images, both);
        Ok(())
    }

    /// Runs launches that aren't worth a graph.
    fn run_once(&mut self, launches: Vec<Launch>) -> Result<(), CudaError> {
        let calls: Vec<Call> = launches.into_iter().map(Call::from).collect();
        let mut prepared = self.program.prepare(&calls)?;
        self.program.run(&mut prepared)
    }

    fn block(&self, block: Block, len: usize) -> Result<Vec<f32>, DeviceError> {
        let mut values = vec![0.0; len];
        self.program.read(Place::new(block, 0), &mut values)?;
        Ok(values)
    }

    /// Makes an optimizer's block of zeros where there is none.
    fn need(&mut self, block: Block, len: usize) -> Result<Place, CudaError> {
        self.program.add(block, 4 * len)?;
        Ok(Place::new(block, 0))
    }

    fn try_gradient_norm(&mut self) -> Result<f64, CudaError> {
        let partial = Place::new(Block::Partial, 0);
        let gradients = Place::new(Block::Gradients, 0);
        let first = Launch::new("squares", (256, 1), (256, 1)).args([gradients, partial]);
        let second = Launch::new("squares_finish", (1, 1), (256, 1)).arg(partial).arg(256usize);
        self.run_once(vec![first.arg(self.slots.learned_len), second])?;
        let mut sum = [0.0f64];
        self.program.read(partial, &mut sum)?;
        Ok(sum[0].sqrt())
    }

    fn try_update(&mut self, update: &Update) -> Result<(), CudaError> {
        let len = self.slots.learned_len;
        let [parts, gradients, weights] =
            [Block::Parts, Block::Gradients, Block::Learned].map(|block| Place::new(block, 0));
        if update.ema_decay.is_some() && !self.state.average {
            self.need(Block::Average, len)?;
            self.need(Block::AverageRunning, self.slots.running_len)?;
            self.program.copy(Block::Learned, Block::Average)?;
            self.program.copy(Block::Running, Block::AverageRunning)?;
            self.state.average = true;
        }
        let average = update.ema_decay.map(|_| Place::new(Block::Average, 0));
        let ema = update.ema_decay.unwrap_or(0.0);
        let common = [update.learning_rate, update.weight_decay, update.gradient_scale];
        let begin = |kernel: &str| Launch::each(kernel, len).arg(parts).arg(self.parts.len());
        let mut launches = vec![match update.optimizer {
            Optimizer::Sgd { momentum, nesterov } => {
                let launch = begin("sgd").args([gradients, weights]);
                let mut velocity = None;
                if momentum != 0.0 {
                    velocity = Some(self.need(Block::Velocity, len)?);
                    self.state.velocity = true;
                }
                let launch = launch.arg(velocity).arg(average).arg(len).args(common).arg(momentum);
                launch.arg(usize::from(nesterov)).arg(ema)
            }
            Optimizer::Adam { beta1, beta2, eps } | Optimizer::AdamW { beta1, beta2, eps } => {
                let decoupled = matches!(update.optimizer, Optimizer::AdamW { .. });
                let launch = begin("adam").args([gradients, weights]);
                let (mean, square) = (self.need(Block::Mean, len)?, self.need(Block::Square, len)?);
                self.state.moments = true;
                let (beta1, beta2, t) = (decimal(beta1), decimal(beta2), update.step as f64 + 1.0);
                let numbers = [
                    (1.0 - beta1) as f32,
                    beta2 as f32,
                    (1.0 - beta2) as f32,
                    (1.0 / (1.0 - beta1.powf(t))) as f32,
                    (1.0 - beta2.powf(t)).sqrt() as f32,
                    eps,
                ];
                let launch = launch.args([mean, square]).arg(average).arg(len).args(common).args(numbers);
                launch.arg(usize::from(decoupled)).arg(ema)
            }
        }];
        if self.state.average && update.ema_decay.is_some() && self.slots.running_len > 0 {
            let places = [Place::new(Block::Running, 0), Place::new(Block::AverageRunning, 0)];
            let len = self.slots.running_len;
            launches.push(Launch::each("follow", len).args(places).arg(len).arg(ema));
        }
        self.run_once(launches)
    }
}

impl CudaTraining {
    /// Seconds that each call of the two passes takes by itself, for a whole batch.
    pub(crate) fn profile(&mut self) -> Result<Vec<(String, f64)>, DeviceError> {
        self.prepare(self.batch)?;
        let (forward, backward) = &self.prepared[&self.batch];
        let mut times = self.program.profile(forward)?;
        times.extend(self.program.profile(backward)?);
        Ok(times)
    }

    /// Seconds that a whole step with a whole batch takes, its images being on the GPU already: the mean of `rounds` after
    /// a warm-up. The weights follow `update`.
    pub(crate) fn time(&mut self, rounds: usize, update: &Update) -> Result<f64, DeviceError> {
        self.prepare(self.batch)?;
        let mut start = Instant::now();
        for round in 0..rounds + 3 {
            if round == 3 {
                self.program.stream.synchronize()?;
                start = Instant::now();
            }
            let (forward, backward) = self.prepared.get_mut(&self.batch).expect("it was made above");
            self.program.run(forward)?;
            self.program.run(backward)?;
            self.try_update(update)?;
        }
        self.program.stream.synchronize()?;
        Ok(start.elapsed().as_secs_f64() / rounds.max(1) as f64)
    }
}

/// The decimal number that a setting was written as, as the CPU has it.
fn decimal(x: f32) -> f64 {
    (f64::from(x) * 1e7).round() / 1e7
}

impl Training for CudaTraining {
    fn batch(&self) -> usize {
        self.batch
    }

    fn forward(&mut self, input: &[f32], images: usize, step: u64) -> Result<&[f32], DeviceError> {
        check_call(input, images, self.graph.input_shape().elements(), self.batch)?;
        if images == 0 {
            return Err(DeviceError::Call("a training step needs at least one image".to_owned()));
        }
        self.prepare(images)?;
        self.program.write(Place::new(Block::Draw, 0), &[self.seed, step])?;
        self.program.write(Place::new(Block::Input, 0), input)?;
        let (forward, _) = self.prepared.get_mut(&images).expect("it was made above");
        self.program.run(forward)?;
        let count = images * self.graph.output_shape().elements();
        self.program.read(Place::new(Block::Scores, 0), &mut self.scores[..count])?;
        self.images = Some(images);
        Ok(&self.scores[..count])
    }

    fn backward(&mut self, _input: &[f32], scores_gradient: &[f32]) -> Result<(), DeviceError> {
        let Some(images) = self.images.take() else {
            return Err(DeviceError::Call("backward needs a forward pass before it".to_owned()));
        };
        let count = images * self.graph.output_shape().elements();
        if scores_gradient.len() != count {
            return Err(DeviceError::Call(format!(
                "the gradient has {} numbers, the scores of {images} images have {count}",
                scores_gradient.len()
            )));
        }
        self.program.write(Place::new(Block::ScoresGradient, 0), scores_gradient)?;
        let (_, backward) = self.prepared.get_mut(&images).expect("the forward pass made it");
        Ok(self.program.run(backward)?)
    }

    fn gradient_norm(&mut self) -> Result<f64, DeviceError> {
        Ok(self.try_gradient_norm()?)
    }

    fn update(&mut self, update: &Update) -> Result<(), DeviceError> {
        Ok(self.try_update(update)?)
    }

    fn set_tensor_scales(&mut self, scales: &TensorScales) -> Result<(), DeviceError> {
        let parts = self.slots.scaled(scales)?;
        self.program.write(Place::new(Block::Parts, 0), &tables::parts(&parts))?;
        self.parts = parts;
        Ok(())
    }

    fn params(&self) -> Result<Params, DeviceError> {
        let learned = self.block(Block::Learned, self.slots.learned_len)?;
        let running = self.block(Block::Running, self.slots.running_len)?;
        Ok(self.slots.named("", &learned, &running))
    }

    fn averaged_params(&self) -> Result<Option<Params>, DeviceError> {
        if !self.state.average {
            return Ok(None);
        }
        let learned = self.block(Block::Average, self.slots.learned_len)?;
        let running = self.block(Block::AverageRunning, self.slots.running_len)?;
        Ok(Some(self.slots.named("", &learned, &running)))
    }

    fn gradients(&self) -> Result<Params, DeviceError> {
        let gradients = self.block(Block::Gradients, self.slots.learned_len)?;
        Ok(self.slots.named_learned("", &gradients))
    }

    fn optimizer_state(&self) -> Result<Params, DeviceError> {
        let len = self.slots.learned_len;
        let mut state = Params::new();
        let blocks = [
            (self.state.velocity, MOMENTUM, Block::Velocity),
            (self.state.moments, EXP_AVG, Block::Mean),
            (self.state.moments, EXP_AVG_SQ, Block::Square),
        ];
        for (_, prefix, block) in blocks.into_iter().filter(|(used, _, _)| *used) {
            let named = self.slots.named_learned(prefix, &self.block(block, len)?);
            state.extend(named.iter().map(|(name, tensor)| (name.to_owned(), tensor.clone())));
        }
        if self.state.average {
            let learned = self.block(Block::Average, len)?;
            let running = self.block(Block::AverageRunning, self.slots.running_len)?;
            let named = self.slots.named(EMA, &learned, &running);
            state.extend(named.iter().map(|(name, tensor)| (name.to_owned(), tensor.clone())));
        }
        Ok(state)
    }

    fn set_optimizer_state(&mut self, state: &Params) -> Result<(), DeviceError> {
        let has = |prefix: &str| state.iter().any(|(name, _)| name.starts_with(prefix));
        let len = self.slots.learned_len;
        // Everything is read before anything is written: a state that doesn't fit changes nothing.
        let mut blocks = Vec::new();
        let prefixes = [(MOMENTUM, Block::Velocity), (EXP_AVG, Block::Mean), (EXP_AVG_SQ, Block::Square)];
        for (prefix, block) in prefixes.into_iter().filter(|(prefix, _)| has(prefix)) {
            let mut values = vec![0.0; len];
            self.slots.fill(prefix, state, &mut values, None)?;
            blocks.push((block, values));
        }
        if has(EMA) {
            let (mut learned, mut running) = (vec![0.0; len], vec![0.0; self.slots.running_len]);
            self.slots.fill(EMA, state, &mut learned, Some(&mut running))?;
            blocks.extend([(Block::Average, learned), (Block::AverageRunning, running)]);
        }
        for (block, values) in blocks {
            let place = self.need(block, values.len())?;
            self.program.write(place, &values)?;
        }
        self.state = State { velocity: has(MOMENTUM), moments: has(EXP_AVG), average: has(EMA) };
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.program.memory_bytes()
    }
}
