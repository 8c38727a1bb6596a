//! A program: its memory, and calls that are launched as one CUDA graph.

use super::convolution;
use super::cudnn::{Descriptor, Handle, Plan, Rules};
use super::driver::{Gpu, Module, Stream, checked};
use super::memory::Buffer;
use crate::CudaError;
use crate::kernels::{Element, Parameter};
use crate::plan::{Argument, Block, Call, Convolution, Launch, Place};
use cudarc::driver::{result, sys};
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

/// What programs of one device have in common.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) gpu: Arc<Gpu>,
    pub(crate) element: Element,
    /// Whether f32 may be multiplied as TF32.
    pub(crate) tensor_cores: bool,
    /// Whether results may differ in their last bits from run to run.
    pub(crate) any_order: bool,
}

/// Memory, stream and cuDNN's handle.
pub(super) struct Program {
    pub(super) settings: Settings,
    module: Arc<Module>,
    memory: HashMap<Block, Buffer>,
    /// What convolutions work in. Earlier ones stay, because graphs hold their addresses.
    workspaces: Vec<Buffer>,
    handle: Handle,
    pub(super) stream: Stream,
}

/// Calls with their addresses.
pub(super) struct Prepared {
    calls: Vec<Ready>,
    runs: usize,
    graph: Option<Graph>,
}

enum Ready {
    Kernel {
        name: String,
        function: sys::CUfunction,
        grid: (u32, u32),
        threads: (u32, u32),
        arguments: Vec<Value>,
    },
    Convolution {
        name: String,
        plan: Arc<Plan>,
        variant: Descriptor,
    },
}

/// An argument in the form in which the driver copies it: a pointer, u32, u64 or f32 in the first bytes.
type Value = [u8; 8];

// SAFETY: the functions are handles of the driver, which may be used from any thread.
unsafe impl Send for Ready {}

impl Program {
    /// `bytes` says how long each block is; blocks that are never used have none.
    pub(super) fn new(settings: &Settings, bytes: &[(Block, usize)]) -> Result<Self, CudaError> {
        let gpu = &settings.gpu;
        let needed: usize = bytes.iter().map(|(_, len)| len).sum();
        let free = gpu.memory()?.0;
        if needed > free {
            return Err(CudaError::OutOfMemory { needed, free });
        }
        let mut memory = HashMap::new();
        for &(block, len) in bytes {
            memory.insert(block, Buffer::zeroed(gpu, len)?);
        }
        let stream = Stream::new(gpu)?;
        let handle = Handle::new(gpu, &stream)?;
        let module = gpu.module(settings.element)?;
        Ok(Self { settings: settings.clone(), module, memory, workspaces: Vec::new(), handle, stream })
    }

    /// Adds a block of zeros, if it isn't there yet.
    pub(super) fn add(&mut self, block: Block, len: usize) -> Result<(), CudaError> {
        if !self.memory.contains_key(&block) {
            self.memory.insert(block, Buffer::zeroed(&self.settings.gpu, len)?);
        }
        Ok(())
    }

    /// Copies one block to another as long.
    pub(super) fn copy(&self, from: Block, to: Block) -> Result<(), CudaError> {
        self.buffer(from)?.copy_to(self.buffer(to)?, &self.stream)
    }

    /// Bytes held on the GPU.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory.values().chain(&self.workspaces).map(Buffer::len).sum()
    }

    pub(super) fn write<T: Copy>(&self, place: Place, values: &[T]) -> Result<(), CudaError> {
        self.buffer(place.block)?.write(place.offset, values, &self.stream)
    }

    pub(super) fn read<T: Copy>(&self, place: Place, values: &mut [T]) -> Result<(), CudaError> {
        self.buffer(place.block)?.read(place.offset, values, &self.stream)
    }

    fn buffer(&self, block: Block) -> Result<&Buffer, CudaError> {
        let missing = || CudaError::Call { call: "plan", reason: format!("there is no block {block:?}") };
        self.memory.get(&block).ok_or_else(missing)
    }

    fn address(&self, place: Place) -> Result<u64, CudaError> {
        Ok(self.buffer(place.block)?.address(place.offset))
    }

    /// Finds kernels and plans for the calls.
    pub(super) fn prepare(&mut self, calls: &[Call]) -> Result<Prepared, CudaError> {
        self.settings.gpu.bind()?;
        let mut chosen: Vec<Option<(Arc<Plan>, bool)>> = Vec::with_capacity(calls.len());
        for call in calls {
            chosen.push(match call {
                Call::Launch(_) => None,
                Call::Convolution(convolution) => self.plan(convolution)?,
            });
        }
        let workspace = chosen.iter().flatten().map(|(plan, _)| plan.workspace).max().unwrap_or(0);
        if self.workspaces.last().is_none_or(|last| last.len() < workspace) {
            self.workspaces.push(Buffer::zeroed(&self.settings.gpu, workspace)?);
        }
        let workspace = self.workspaces.last().map_or(0, |last| last.address(0));
        let mut ready = Vec::with_capacity(calls.len());
        for (call, plan) in calls.iter().zip(chosen) {
            match (call, plan) {
                (Call::Launch(launch), _) => ready.push(self.kernel(launch)?),
                (Call::Convolution(convolution), None) => {
                    ready.push(self.kernel(&convolution.instead)?);
                    if let Some(finish) = &convolution.finish {
                        ready.push(self.kernel(finish)?);
                    }
                }
                (Call::Convolution(convolution), Some((plan, fused))) => {
                    let places = convolution::places(convolution, fused);
                    let addresses: Vec<u64> =
                        places.into_iter().map(|place| self.address(place)).collect::<Result<_, _>>()?;
                    let variant = plan.variant(&addresses, workspace)?;
                    let name = convolution::label(convolution, fused);
                    ready.push(Ready::Convolution { name, plan, variant });
                    if let Some(finish) = convolution.finish.as_ref().filter(|_| !fused) {
                        ready.push(self.kernel(finish)?);
                    }
                }
            }
        }
        Ok(Prepared { calls: ready, runs: 0, graph: None })
    }

    /// cuDNN's plan for a convolution, and whether it takes with it what follows.
    fn plan(&self, convolution: &Convolution) -> Result<Option<(Arc<Plan>, bool)>, CudaError> {
        let Settings { gpu, element, tensor_cores, any_order } = &self.settings;
        let rules = Rules { tensor_cores: *tensor_cores, any_order: *any_order };
        let mut plans = gpu.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let ways: &[bool] = if convolution.finish.is_some() { &[true, false] } else { &[false] };
        for &fused in ways {
            let key = convolution::key(convolution, *element, fused, rules);
            if !plans.contains_key(&key) {
                let plan = convolution::plan(convolution, *element, fused, rules, &self.handle)?;
                plans.insert(key.clone(), plan.map(Arc::new));
            }
            if let Some(Some(plan)) = plans.get(&key) {
                return Ok(Some((Arc::clone(plan), fused)));
            }
        }
        Ok(None)
    }

    fn kernel(&self, launch: &Launch) -> Result<Ready, CudaError> {
        let (function, parameters) = self.module.function(&launch.kernel)?;
        let fits = |(parameter, argument): (&Parameter, &Argument)| {
            matches!(
                (parameter, argument),
                (Parameter::Pointer, Argument::Place(_) | Argument::Null)
                    | (Parameter::U32, Argument::U32(_))
                    | (Parameter::U64, Argument::U64(_))
                    | (Parameter::F32, Argument::F32(_))
            )
        };
        // The driver copies as many arguments as the kernel has, of the kernel's types, whatever it is given.
        let complete = parameters.len() == launch.arguments.len();
        if !complete || !parameters.iter().zip(&launch.arguments).all(fits) {
            let reason = format!("`{}` takes {parameters:?}, not {:?}", launch.kernel, launch.arguments);
            return Err(CudaError::Call { call: "plan", reason });
        }
        let value = |argument: &Argument| {
            let mut value = [0; 8];
            match *argument {
                Argument::Place(place) => value = self.address(place)?.to_le_bytes(),
                Argument::Null => {}
                Argument::U32(number) => value[..4].copy_from_slice(&number.to_le_bytes()),
                Argument::U64(number) => value = number.to_le_bytes(),
                Argument::F32(number) => value[..4].copy_from_slice(&number.to_le_bytes()),
            }
            Ok(value)
        };
        let arguments = launch.arguments.iter().map(value).collect::<Result<_, CudaError>>()?;
        let name = launch.kernel.clone();
        Ok(Ready::Kernel { name, function, grid: launch.grid, threads: launch.threads, arguments })
    }

    /// Runs the calls: one by one at first, when libraries still load code, then as one graph.
    pub(super) fn run(&self, prepared: &mut Prepared) -> Result<(), CudaError> {
        self.settings.gpu.bind()?;
        if let Some(graph) = &prepared.graph {
            // SAFETY: graph and stream live; the memory that the graph names belongs to this program.
            return checked("cuGraphLaunch", unsafe { result::graph::launch(graph.0, self.stream.raw) });
        }
        prepared.runs += 1;
        if prepared.runs == 1 {
            return self.run_calls(&prepared.calls);
        }
        let mode = sys::CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream lives, and nothing else is put on it.
        checked("cuStreamBeginCapture", unsafe { result::stream::begin_capture(self.stream.raw, mode) })?;
        let recorded = self.run_calls(&prepared.calls);
        // SAFETY: the capture was begun above.
        let graph = checked("cuStreamEndCapture", unsafe { result::stream::end_capture(self.stream.raw) });
        recorded?;
        let graph = graph?;
        let flags = sys::CUgraphInstantiate_flags(0);
        // SAFETY: the graph was given by the driver; it is destroyed after its executable form was made of it.
        let (made, _) = unsafe { (result::graph::instantiate(graph, flags), result::graph::destroy(graph)) };
        prepared.graph = Some(Graph(checked("cuGraphInstantiate", made)?));
        self.run(prepared)
    }

    /// Runs the calls one after the other, waits for each, and says how many seconds it took.
    pub(super) fn profile(&self, prepared: &Prepared) -> Result<Vec<(String, f64)>, CudaError> {
        self.run_calls(&prepared.calls)?;
        let mut times = Vec::with_capacity(prepared.calls.len());
        for call in &prepared.calls {
            self.stream.synchronize()?;
            let start = Instant::now();
            self.run_calls(std::slice::from_ref(call))?;
            self.stream.synchronize()?;
            let (Ready::Kernel { name, .. } | Ready::Convolution { name, .. }) = call;
            times.push((name.clone(), start.elapsed().as_secs_f64()));
        }
        Ok(times)
    }

    fn run_calls(&self, calls: &[Ready]) -> Result<(), CudaError> {
        for call in calls {
            match call {
                Ready::Kernel { function, grid, threads, arguments, .. } => {
                    let mut pointers: Vec<*mut c_void> =
                        arguments.iter().map(|value| value.as_ptr().cast_mut().cast()).collect();
                    let (grid, threads) = ((grid.0, grid.1, 1), (threads.0, threads.1, 1));
                    // SAFETY: number and types of the arguments are the kernel's (`kernel` checks them); the addresses
                    // are those of this program's memory, and the plan's places and sizes keep inside its blocks.
                    let launched = unsafe {
                        result::launch_kernel(*function, grid, threads, 0, self.stream.raw, &mut pointers)
                    };
                    checked("cuLaunchKernel", launched)?;
                }
                Ready::Convolution { plan, variant, .. } => plan.run(&self.handle, variant)?,
            }
        }
        Ok(())
    }
}

/// An executable CUDA graph.
struct Graph(sys::CUgraphExec);

// SAFETY: a handle of the driver, which may be used from any thread.
unsafe impl Send for Graph {}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: it was made in `run`, and its program is done with it.
        let _ = unsafe { result::graph::exec_destroy(self.0) };
    }
}
