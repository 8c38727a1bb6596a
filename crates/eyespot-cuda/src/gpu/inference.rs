//! Inference programs.

use super::memory::Pinned;
use super::program::{Prepared, Program, Settings};
use crate::plan::inference::{Inference as Planned, blocks};
use crate::plan::{Block, Constants, Place};
use eyespot_compile::{InferencePlan, Layout, check, check_call, check_params};
use eyespot_graph::{DeviceError, Graph, Inference, Params};
use std::collections::HashMap;
use std::time::Instant;

/// A network compiled for inference on a GPU.
pub(crate) struct CudaInference {
    graph: Graph,
    plan: InferencePlan,
    layout: Layout,
    program: Program,
    params: Params,
    batch: usize,
    /// Calls for a number of images, made when they are first needed.
    prepared: HashMap<usize, Prepared>,
    constants_len: usize,
    scores: Pinned,
}

impl CudaInference {
    pub(crate) fn new(
        settings: &Settings,
        graph: &Graph,
        params: &Params,
        batch: usize,
    ) -> Result<Self, DeviceError> {
        check(graph, params, batch)?;
        let plan = InferencePlan::new(graph, batch)?;
        let layout = plan.planner.layout()?;
        let element = settings.element;
        let planned = Planned { graph, plan: &plan, layout: &layout, element };
        let mut constants = Constants::default();
        planned.calls(params, batch, &mut constants)?;
        let (channels, constants_len) = (planned.channels(), constants.bytes.len());
        let bytes = |batch, layout: &Layout| blocks(graph, element, batch, layout, channels, constants_len);
        let program = Program::new(settings, &bytes(batch, &layout)).map_err(|error| {
            error.with_fitting_batch(batch, |batch| {
                let layout = InferencePlan::new(graph, batch)?.planner.layout()?;
                Ok(bytes(batch, &layout))
            })
        })?;
        program.write(Place::new(Block::Constants, 0), &constants.bytes)?;
        let scores = Pinned::zeroed(&settings.gpu, batch * graph.output_shape().elements())?;
        Ok(Self {
            graph: graph.clone(),
            plan,
            layout,
            program,
            params: params.clone(),
            batch,
            prepared: HashMap::new(),
            constants_len,
            scores,
        })
    }

    fn planned(&self) -> Planned<'_> {
        let element = self.program.settings.element;
        Planned { graph: &self.graph, plan: &self.plan, layout: &self.layout, element }
    }

    fn run_images(&mut self, images: usize) -> Result<(), DeviceError> {
        if !self.prepared.contains_key(&images) {
            let mut constants = Constants::default();
            let calls = self.planned().calls(&self.params, images, &mut constants)?;
            assert_eq!(constants.bytes.len(), self.constants_len, "constants don't depend on the images");
            let prepared = self.program.prepare(&calls)?;
            self.prepared.insert(images, prepared);
        }
        let prepared = self.prepared.get_mut(&images).expect("it was made above");
        Ok(self.program.run(prepared)?)
    }
}

impl CudaInference {
    /// Seconds that each call takes by itself, for a whole batch.
    pub(crate) fn profile(&mut self) -> Result<Vec<(String, f64)>, DeviceError> {
        self.run_images(self.batch)?;
        Ok(self.program.profile(&self.prepared[&self.batch])?)
    }

    /// Seconds that a whole batch takes, its images being on the GPU already: the mean of `rounds` after a warm-up.
    pub(crate) fn time(&mut self, rounds: usize) -> Result<f64, DeviceError> {
        for _ in 0..3 {
            self.run_images(self.batch)?;
        }
        self.program.stream.synchronize()?;
        let start = Instant::now();
        for _ in 0..rounds {
            self.run_images(self.batch)?;
        }
        self.program.stream.synchronize()?;
        Ok(start.elapsed().as_secs_f64() / rounds.max(1) as f64)
    }
}

impl Inference for CudaInference {
    fn batch(&self) -> usize {
        self.batch
    }

    fn run(&mut self, input: &[f32], images: usize) -> Result<&[f32], DeviceError> {
        check_call(input, images, self.graph.input_shape().elements(), self.batch)?;
        if images == 0 {
            return Ok(&[]);
        }
        self.program.write(Place::new(Block::Input, 0), input)?;
        self.run_images(images)?;
        let count = images * self.graph.output_shape().elements();
        self.program.read(Place::new(Block::Scores, 0), &mut self.scores[..count])?;
        Ok(&self.scores[..count])
    }

    fn set_params(&mut self, params: &Params) -> Result<(), DeviceError> {
        check_params(&self.graph, params)?;
        let mut constants = Constants::default();
        self.planned().calls(params, self.batch, &mut constants)?;
        self.program.write(Place::new(Block::Constants, 0), &constants.bytes)?;
        self.params = params.clone();
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.program.memory_bytes()
    }
}
