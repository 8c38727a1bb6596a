//! Compiles a graph into a program for an NVIDIA GPU.
//!
//! Driver, NVRTC and cuDNN are loaded when a GPU is opened, never linked: this crate builds on any machine, and says at run
//! time what is missing ([`devices`], [`CudaError`]).
//!
//! A program is made in two steps. `plan` makes of the graph's plan a list of calls, which is data: which kernel or
//! convolution, on which places in memory, with which numbers. `gpu` makes the places addresses and the calls a CUDA
//! graph, which is launched as a whole. All that CUDA asks for in `unsafe` stands in `gpu`.

mod device;
mod error;
mod gpu;
mod kernels;
mod plan;

pub use device::{Cuda, DeviceInfo, Precision, cudnn_version, devices};
pub use error::CudaError;
pub use gpu::nvrtc::compile_kernels;
