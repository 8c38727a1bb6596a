//! cuDNN's backend interface: descriptors with attributes, graphs of operations, plans.

use super::driver::{Gpu, Stream};
use crate::CudaError;
use cudarc::cudnn::sys;
use cudarc::cudnn::sys::cudnnBackendAttributeName_t as Name;
use cudarc::cudnn::sys::cudnnBackendAttributeType_t as Type;
use cudarc::cudnn::sys::cudnnBackendDescriptorType_t as Kind;
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_void};
use std::sync::Arc;

/// The plans that were made, by what they compute; none where cuDNN has none.
pub(super) type Plans = HashMap<String, Option<Arc<Plan>>>;

/// cuDNN's version: 91002 is 9.10.2.
pub(crate) fn version() -> usize {
    // SAFETY: it asks nothing.
    unsafe { sys::cudnnGetVersion() }
}

fn checked(call: &'static str, status: sys::cudnnStatus_t) -> Result<(), CudaError> {
    if status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS {
        return Ok(());
    }
    let mut text: [c_char; 512] = [0; 512];
    // SAFETY: cuDNN writes at most as many bytes as there are, the last one being zero.
    unsafe { sys::cudnnGetLastErrorString(text.as_mut_ptr(), text.len()) };
    // SAFETY: as above.
    let text = unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned();
    Err(CudaError::Call { call, reason: format!("{status:?} {text}") })
}

/// cuDNN for one stream.
pub(super) struct Handle {
    raw: sys::cudnnHandle_t,
}

// SAFETY: a handle may be used by one thread after the other.
unsafe impl Send for Handle {}

impl Handle {
    pub(super) fn new(gpu: &Gpu, stream: &Stream) -> Result<Self, CudaError> {
        gpu.bind()?;
        let mut raw = std::ptr::null_mut();
        // SAFETY: cuDNN writes a handle there; the context is current.
        checked("cudnnCreate", unsafe { sys::cudnnCreate(&mut raw) })?;
        let handle = Self { raw };
        // SAFETY: the stream lives at least as long as its program, which owns this handle, too.
        checked("cudnnSetStream", unsafe { sys::cudnnSetStream(raw, stream.raw.cast()) })?;
        Ok(handle)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: it was made in `new` and isn't used any more.
        let _ = unsafe { sys::cudnnDestroy(self.raw) };
    }
}

/// A descriptor, destroyed when it is dropped.
pub(super) struct Descriptor(sys::cudnnBackendDescriptor_t);

// SAFETY: once finalized a descriptor isn't changed any more, and cuDNN lets any thread use it.
unsafe impl Send for Descriptor {}
// SAFETY: as above.
unsafe impl Sync for Descriptor {}

impl Descriptor {
    pub(super) fn new(kind: Kind) -> Result<Self, CudaError> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: cuDNN writes a descriptor there.
        checked("cudnnBackendCreateDescriptor", unsafe {
            sys::cudnnBackendCreateDescriptor(kind, &mut raw)
        })?;
        Ok(Self(raw))
    }

    /// `T` is what cuDNN expects under this type.
    fn set<T>(&self, name: Name, kind: Type, values: &[T]) -> Result<(), CudaError> {
        let pointer: *const c_void = values.as_ptr().cast();
        // SAFETY: the values are as many as said, of the type that the callers below name, and cuDNN copies them.
        let status =
            unsafe { sys::cudnnBackendSetAttribute(self.0, name, kind, values.len() as i64, pointer) };
        checked("cudnnBackendSetAttribute", status)
    }

    pub(super) fn integers(&self, name: Name, values: &[i64]) -> Result<(), CudaError> {
        self.set(name, Type::CUDNN_TYPE_INT64, values)
    }

    pub(super) fn float(&self, name: Name, value: f32) -> Result<(), CudaError> {
        self.set(name, Type::CUDNN_TYPE_FLOAT, &[value])
    }

    pub(super) fn double(&self, name: Name, value: f64) -> Result<(), CudaError> {
        self.set(name, Type::CUDNN_TYPE_DOUBLE, &[value])
    }

    pub(super) fn flag(&self, name: Name, value: bool) -> Result<(), CudaError> {
        self.set(name, Type::CUDNN_TYPE_BOOLEAN, &[value])
    }

    pub(super) fn data_type(&self, name: Name, value: sys::cudnnDataType_t) -> Result<(), CudaError> {
        self.set(name, Type::CUDNN_TYPE_DATA_TYPE, &[value])
    }

    pub(super) fn convolution_mode(&self, name: Name) -> Result<(), CudaError> {
        let value = sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        self.set(name, Type::CUDNN_TYPE_CONVOLUTION_MODE, &[value])
    }

    pub(super) fn pointwise_mode(
        &self,
        name: Name,
        value: sys::cudnnPointwiseMode_t,
    ) -> Result<(), CudaError> {
        self.set(name, Type::CUDNN_TYPE_POINTWISE_MODE, &[value])
    }

    pub(super) fn descriptors(&self, name: Name, values: &[&Descriptor]) -> Result<(), CudaError> {
        let values: Vec<_> = values.iter().map(|descriptor| descriptor.0).collect();
        self.set(name, Type::CUDNN_TYPE_BACKEND_DESCRIPTOR, &values)
    }

    fn handle(&self, name: Name, handle: &Handle) -> Result<(), CudaError> {
        self.set(name, Type::CUDNN_TYPE_HANDLE, &[handle.raw])
    }

    fn pointers(&self, name: Name, values: &[u64]) -> Result<(), CudaError> {
        self.set(name, Type::CUDNN_TYPE_VOID_PTR, values)
    }

    pub(super) fn finalize(&self) -> Result<(), CudaError> {
        // SAFETY: the descriptor was created in `new`.
        checked("cudnnBackendFinalize", unsafe { sys::cudnnBackendFinalize(self.0) })
    }

    /// Fills `values` and says how many there were.
    fn get<T>(&self, name: Name, kind: Type, values: &mut [T]) -> Result<usize, CudaError> {
        let mut found = 0i64;
        let pointer: *mut c_void = values.as_mut_ptr().cast();
        // SAFETY: cuDNN writes at most as many values as there are, of the type that the callers below name.
        let status = unsafe {
            sys::cudnnBackendGetAttribute(self.0, name, kind, values.len() as i64, &mut found, pointer)
        };
        checked("cudnnBackendGetAttribute", status)?;
        Ok((found.max(0) as usize).min(values.len()))
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: it was created in `new`; what was made from it holds what it needs.
        let _ = unsafe { sys::cudnnBackendDestroyDescriptor(self.0) };
    }
}

/// Which of cuDNN's engines may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Rules {
    /// Whether f32 may be multiplied as TF32.
    pub(super) tensor_cores: bool,
    /// Whether results may differ from run to run.
    pub(super) any_order: bool,
}

/// A compiled graph of operations.
pub(super) struct Plan {
    plan: Descriptor,
    /// cuDNN's documentation doesn't promise that a plan holds what it was made from.
    _from: Vec<Descriptor>,
    pub(super) workspace: usize,
    identifiers: Vec<i64>,
}

/// The most memory that a plan may work in.
const MOST_WORKSPACE: usize = 1 << 30;

impl Plan {
    /// The first plan that cuDNN recommends for the operations and that the rules allow; none where there is none.
    /// `identifiers` are those of the tensors that are given an address.
    pub(super) fn new(
        handle: &Handle,
        mut descriptors: Vec<Descriptor>,
        operations: &[usize],
        identifiers: Vec<i64>,
        rules: Rules,
    ) -> Result<Option<Self>, CudaError> {
        let graph = Descriptor::new(Kind::CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR)?;
        let operations: Vec<&Descriptor> = operations.iter().map(|&index| &descriptors[index]).collect();
        graph.descriptors(Name::CUDNN_ATTR_OPERATIONGRAPH_OPS, &operations)?;
        graph.handle(Name::CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle)?;
        if graph.finalize().is_err() {
            return Ok(None);
        }
        descriptors.push(graph);
        let graph = descriptors.len() - 1;
        use sys::cudnnBackendHeurMode_t::{CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK};
        for mode in [CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK] {
            for config in configurations(&descriptors[graph], mode)? {
                if !allowed(&config, rules)? {
                    continue;
                }
                let plan = Descriptor::new(Kind::CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR)?;
                plan.handle(Name::CUDNN_ATTR_EXECUTION_PLAN_HANDLE, handle)?;
                plan.descriptors(Name::CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, &[&config])?;
                if plan.finalize().is_err() {
                    continue;
                }
                let mut workspace = [0i64];
                let name = Name::CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE;
                plan.get(name, Type::CUDNN_TYPE_INT64, &mut workspace)?;
                let workspace = workspace[0].max(0) as usize;
                if workspace > MOST_WORKSPACE {
                    continue;
                }
                descriptors.push(config);
                return Ok(Some(Self { plan, _from: descriptors, workspace, identifiers }));
            }
        }
        Ok(None)
    }

    /// The addresses of its tensors, in the order of the identifiers.
    pub(super) fn variant(&self, addresses: &[u64], workspace: u64) -> Result<Descriptor, CudaError> {
        assert_eq!(addresses.len(), self.identifiers.len(), "an address for each tensor");
        let pack = Descriptor::new(Kind::CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)?;
        pack.pointers(Name::CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, addresses)?;
        pack.integers(Name::CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, &self.identifiers)?;
        pack.pointers(Name::CUDNN_ATTR_VARIANT_PACK_WORKSPACE, &[workspace])?;
        pack.finalize()?;
        Ok(pack)
    }

    pub(super) fn run(&self, handle: &Handle, variant: &Descriptor) -> Result<(), CudaError> {
        // SAFETY: the addresses in the variant pack are those of memory that its program owns, as long as the tensors
        // that the plan was made for; the workspace is as long as the plan asks.
        let status = unsafe { sys::cudnnBackendExecute(handle.raw, self.plan.0, variant.0) };
        checked("cudnnBackendExecute", status)
    }
}

/// What cuDNN recommends, the best first.
fn configurations(
    graph: &Descriptor,
    mode: sys::cudnnBackendHeurMode_t,
) -> Result<Vec<Descriptor>, CudaError> {
    let heuristics = Descriptor::new(Kind::CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR)?;
    heuristics.descriptors(Name::CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, &[graph])?;
    heuristics.set(Name::CUDNN_ATTR_ENGINEHEUR_MODE, Type::CUDNN_TYPE_HEUR_MODE, &[mode])?;
    if heuristics.finalize().is_err() {
        return Ok(Vec::new());
    }
    let configs = (0..24).map(|_| Descriptor::new(Kind::CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
    let mut configs: Vec<Descriptor> = configs.collect::<Result<_, _>>()?;
    let mut raw: Vec<_> = configs.iter().map(|config| config.0).collect();
    let kind = Type::CUDNN_TYPE_BACKEND_DESCRIPTOR;
    let found = heuristics.get(Name::CUDNN_ATTR_ENGINEHEUR_RESULTS, kind, &mut raw).unwrap_or(0);
    configs.truncate(found);
    Ok(configs)
}

fn allowed(config: &Descriptor, rules: Rules) -> Result<bool, CudaError> {
    use sys::cudnnBackendNumericalNote_t as Note;
    let engine = Descriptor::new(Kind::CUDNN_BACKEND_ENGINE_DESCRIPTOR)?;
    let kind = Type::CUDNN_TYPE_BACKEND_DESCRIPTOR;
    config.get(Name::CUDNN_ATTR_ENGINECFG_ENGINE, kind, &mut [engine.0])?;
    // Read as numbers: a newer cuDNN may have notes that this list of names doesn't.
    let mut notes = [u32::MAX; 32];
    let kind = Type::CUDNN_TYPE_NUMERICAL_NOTE;
    let found = engine.get(Name::CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, kind, &mut notes).unwrap_or(0);
    let has = |note: Note| notes[..found].contains(&(note as u32));
    let tensor_cores =
        has(Note::CUDNN_NUMERICAL_NOTE_TENSOR_CORE) || has(Note::CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS);
    Ok((rules.tensor_cores || !tensor_cores)
        && (rules.any_order || !has(Note::CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)))
}
