//! Compiles a graph into a program for an NVIDIA GPU.
//!
//! Driver, NVRTC and cuDNN are loaded when a device is opened, never linked: this crate builds on any machine.

#[allow(dead_code)] // The programs that use it follow.
mod address;
mod error;

pub use error::CudaError;
