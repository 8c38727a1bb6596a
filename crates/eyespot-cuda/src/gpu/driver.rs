//! A GPU, its compiled kernels and its streams, over the CUDA driver.

use super::nvrtc;
use crate::CudaError;
use crate::kernels::{Element, Parameter, signatures};
use cudarc::driver::{DriverError, result, sys};
use std::collections::HashMap;
use std::ffi::CString;
use std::sync::{Arc, Mutex, PoisonError};

/// Turns a driver's error into one of this crate.
pub(super) fn checked<T>(call: &'static str, result: Result<T, DriverError>) -> Result<T, CudaError> {
    result.map_err(|error| CudaError::Call { call, reason: reason(error) })
}

fn reason(error: DriverError) -> String {
    let text = error.error_string().map(|text| text.to_string_lossy().into_owned());
    text.unwrap_or_else(|_| format!("{:?}", error.0))
}

/// How many GPUs the driver finds.
pub(crate) fn count() -> Result<usize, CudaError> {
    super::load()?;
    checked("cuInit", result::init())?;
    Ok(checked("cuDeviceGetCount", result::device::get_count())?.max(0) as usize)
}

/// The newest CUDA that the driver knows: 13000 is 13.0.
pub(crate) fn driver_version() -> Result<usize, CudaError> {
    let mut version = 0;
    // SAFETY: the driver writes a number there.
    checked("cuDriverGetVersion", unsafe { sys::cuDriverGetVersion(&mut version) }.result())?;
    Ok(version.max(0) as usize)
}

/// Name, memory in bytes, compute capability as 10 × major + minor.
pub(crate) fn information(index: usize) -> Result<(String, usize, u32), CudaError> {
    let device = checked("cuDeviceGet", result::device::get(index as i32))?;
    let name = checked("cuDeviceGetName", result::device::get_name(device))?;
    // SAFETY: the device was given by the driver.
    let memory = checked("cuDeviceTotalMem", unsafe { result::device::total_mem(device) })?;
    use sys::CUdevice_attribute::{
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR as MAJOR,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR as MINOR,
    };
    let attribute = |which| {
        // SAFETY: as above.
        checked("cuDeviceGetAttribute", unsafe { result::device::get_attribute(device, which) })
    };
    Ok((name, memory, (10 * attribute(MAJOR)? + attribute(MINOR)?) as u32))
}

/// A GPU in use. Clones of its `Arc` share one context.
pub(crate) struct Gpu {
    device: sys::CUdevice,
    context: sys::CUcontext,
    pub(crate) name: String,
    pub(crate) capability: u32,
    modules: Mutex<HashMap<Element, Arc<Module>>>,
    /// Which of cuDNN's plans a convolution takes is decided once.
    pub(super) plans: Mutex<super::cudnn::Plans>,
}

// SAFETY: the driver's handles may be used from any thread; each call is preceded by `bind`.
unsafe impl Send for Gpu {}
// SAFETY: as above; what is changed here stands behind mutexes.
unsafe impl Sync for Gpu {}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gpu({}, sm_{})", self.name, self.capability)
    }
}

impl Gpu {
    pub(crate) fn open(index: usize) -> Result<Arc<Self>, CudaError> {
        let count = count()?;
        if index >= count {
            return Err(CudaError::NoDevice { index, count });
        }
        let (name, _, capability) = information(index)?;
        let device = checked("cuDeviceGet", result::device::get(index as i32))?;
        // SAFETY: the device was given by the driver; the context is released when this value is dropped.
        let context = checked("cuDevicePrimaryCtxRetain", unsafe { result::primary_ctx::retain(device) })?;
        let gpu =
            Self { device, context, name, capability, modules: Mutex::default(), plans: Mutex::default() };
        gpu.bind()?;
        Ok(Arc::new(gpu))
    }

    /// Makes the context the calling thread's.
    pub(super) fn bind(&self) -> Result<(), CudaError> {
        // SAFETY: the context is retained for as long as this value lives.
        checked("cuCtxSetCurrent", unsafe { result::ctx::set_current(self.context) })
    }

    /// Free and total memory in bytes.
    pub(crate) fn memory(&self) -> Result<(usize, usize), CudaError> {
        self.bind()?;
        checked("cuMemGetInfo", result::mem_get_info())
    }

    /// The kernels, compiled when they are first asked for.
    pub(super) fn module(&self, element: Element) -> Result<Arc<Module>, CudaError> {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.get(&element) {
            return Ok(Arc::clone(module));
        }
        self.bind()?;
        let module = Arc::new(Module::new(element, self.capability)?);
        modules.insert(element, Arc::clone(&module));
        Ok(module)
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        // cuDNN's plans go while the context is there.
        self.plans.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        // SAFETY: retained in `open`; programs hold an `Arc` of this value, so none is left that uses the context.
        let _ = unsafe { result::primary_ctx::release(self.device) };
    }
}

/// The compiled kernels.
pub(super) struct Module {
    functions: HashMap<String, (sys::CUfunction, Vec<Parameter>)>,
}

// SAFETY: functions are handles of the driver, which may be used from any thread.
unsafe impl Send for Module {}
// SAFETY: as above, and nothing is changed.
unsafe impl Sync for Module {}

impl Module {
    fn new(element: Element, capability: u32) -> Result<Self, CudaError> {
        // Later GPUs run what was compiled for earlier ones; libraries may be older than the GPU.
        let mut ptx = nvrtc::compile(element, capability);
        for older in [90, 80, 70] {
            if ptx.is_err() && older < capability {
                ptx = nvrtc::compile(element, older);
            }
        }
        let mut ptx = ptx?;
        ptx.push(0);
        // SAFETY: PTX that ends with a zero byte. The module is never unloaded: it lives as long as its GPU's context.
        let module = checked("cuModuleLoadData", unsafe { result::module::load_data(ptx.as_ptr().cast()) })?;
        let mut functions = HashMap::new();
        for (name, parameters) in signatures() {
            let text = CString::new(name.as_str()).expect("names hold no zero byte");
            // SAFETY: the module was loaded above.
            let function =
                checked("cuModuleGetFunction", unsafe { result::module::get_function(module, text) })?;
            functions.insert(name, (function, parameters));
        }
        Ok(Self { functions })
    }

    /// A kernel and what it takes.
    pub(super) fn function(&self, name: &str) -> Result<(sys::CUfunction, &[Parameter]), CudaError> {
        let found = self.functions.get(name);
        let (function, parameters) = found.ok_or_else(|| CudaError::Call {
            call: "cuModuleGetFunction",
            reason: format!("there is no kernel `{name}`"),
        })?;
        Ok((*function, parameters))
    }
}

/// A stream of its own.
pub(super) struct Stream {
    pub(super) raw: sys::CUstream,
    gpu: Arc<Gpu>,
}

// SAFETY: a stream is a handle of the driver, which may be used from any thread.
unsafe impl Send for Stream {}

impl Stream {
    pub(super) fn new(gpu: &Arc<Gpu>) -> Result<Self, CudaError> {
        gpu.bind()?;
        let raw = checked("cuStreamCreate", result::stream::create(result::stream::StreamKind::NonBlocking))?;
        Ok(Self { raw, gpu: Arc::clone(gpu) })
    }

    /// Waits until everything on it is done.
    pub(super) fn synchronize(&self) -> Result<(), CudaError> {
        // SAFETY: the stream lives.
        checked("cuStreamSynchronize", unsafe { result::stream::synchronize(self.raw) })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.gpu.bind().is_ok() {
            // SAFETY: it was created in `new`, and its owner is gone.
            let _ = unsafe { result::stream::destroy(self.raw) };
        }
    }
}
