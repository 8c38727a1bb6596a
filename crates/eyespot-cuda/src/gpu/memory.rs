//! Memory on the GPU, and memory of the CPU that it reads and writes by itself.

use super::driver::{Gpu, Stream, checked};
use crate::CudaError;
use cudarc::driver::{DriverError, result, sys};
use std::sync::Arc;

/// Memory on the GPU, zero at first.
pub(super) struct Buffer {
    address: sys::CUdeviceptr,
    len: usize,
    gpu: Arc<Gpu>,
}

impl Buffer {
    pub(super) fn zeroed(gpu: &Arc<Gpu>, len: usize) -> Result<Self, CudaError> {
        gpu.bind()?;
        // Kernels read whole packs, and nothing is empty.
        let bytes = len.next_multiple_of(256).max(256);
        // SAFETY: the memory is cleared below, before anything reads it.
        let address = match unsafe { result::malloc_sync(bytes) } {
            Err(DriverError(sys::cudaError_enum::CUDA_ERROR_OUT_OF_MEMORY)) => {
                return Err(CudaError::OutOfMemory { needed: bytes, free: gpu.memory()?.0 });
            }
            other => checked("cuMemAlloc", other)?,
        };
        let buffer = Self { address, len, gpu: Arc::clone(gpu) };
        // SAFETY: `bytes` were allocated.
        checked("cuMemsetD8", unsafe { result::memset_d8_sync(address, 0, bytes) })?;
        Ok(buffer)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The address of its byte `offset`.
    ///
    /// # Panics
    /// When it lies behind the end, which would be a mistake in the plan.
    pub(super) fn address(&self, offset: usize) -> u64 {
        assert!(offset <= self.len, "byte {offset} of {}", self.len);
        self.address + offset as u64
    }

    /// Waits until the bytes are there.
    pub(super) fn write<T: Copy>(
        &self,
        offset: usize,
        values: &[T],
        stream: &Stream,
    ) -> Result<(), CudaError> {
        assert!(offset + size_of_val(values) <= self.len, "the values fit");
        self.gpu.bind()?;
        if values.is_empty() {
            return Ok(());
        }
        // SAFETY: the range lies in this buffer; the values stay where they are until the stream is done.
        let copied = unsafe { result::memcpy_htod_async(self.address + offset as u64, values, stream.raw) };
        checked("cuMemcpyHtoD", copied)?;
        stream.synchronize()
    }

    /// Copies everything into a buffer as long, and waits until it is there.
    pub(super) fn copy_to(&self, other: &Self, stream: &Stream) -> Result<(), CudaError> {
        assert_eq!(self.len, other.len, "both are as long");
        self.gpu.bind()?;
        // SAFETY: both buffers live and are as long as said.
        let copied = unsafe { result::memcpy_dtod_async(other.address, self.address, self.len, stream.raw) };
        checked("cuMemcpyDtoD", copied)?;
        stream.synchronize()
    }

    /// Waits until the bytes are there.
    pub(super) fn read<T: Copy>(
        &self,
        offset: usize,
        values: &mut [T],
        stream: &Stream,
    ) -> Result<(), CudaError> {
        assert!(offset + size_of_val(values) <= self.len, "the values are there");
        self.gpu.bind()?;
        if values.is_empty() {
            return Ok(());
        }
        // SAFETY: as above; T is a number, any bytes make one.
        let copied = unsafe { result::memcpy_dtoh_async(values, self.address + offset as u64, stream.raw) };
        checked("cuMemcpyDtoH", copied)?;
        stream.synchronize()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.gpu.bind().is_ok() {
            // SAFETY: it was allocated in `zeroed`. Freeing waits for whatever still uses it.
            let _ = unsafe { result::free_sync(self.address) };
        }
    }
}

/// Memory of the CPU from which and to which the GPU copies at full speed.
pub(super) struct Pinned {
    values: *mut f32,
    len: usize,
    gpu: Arc<Gpu>,
}

// SAFETY: it is memory that this value owns alone.
unsafe impl Send for Pinned {}

impl Pinned {
    pub(super) fn zeroed(gpu: &Arc<Gpu>, len: usize) -> Result<Self, CudaError> {
        gpu.bind()?;
        // SAFETY: the memory is filled below before anything reads it.
        let values =
            checked("cuMemHostAlloc", unsafe { result::malloc_host(len.max(1) * 4, 0) })?.cast::<f32>();
        // SAFETY: `len` floats were allocated; zero bytes are zeros.
        unsafe { values.write_bytes(0, len) };
        Ok(Self { values, len, gpu: Arc::clone(gpu) })
    }
}

impl std::ops::Deref for Pinned {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        // SAFETY: `len` floats were allocated and filled; they are freed when this value is dropped.
        unsafe { std::slice::from_raw_parts(self.values, self.len) }
    }
}

impl std::ops::DerefMut for Pinned {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and this borrow is the only one.
        unsafe { std::slice::from_raw_parts_mut(self.values, self.len) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if self.gpu.bind().is_ok() {
            // SAFETY: it was allocated in `zeroed`, and no copy is under way: each is waited for.
            let _ = unsafe { result::free_host(self.values.cast()) };
        }
    }
}
