//! Numerics on slices: how every operator is computed, forward and backward.
//!
//! Activations are `f32` in NHWC order (a pixel is a contiguous vector of channels). Functions take sizes and slices
//! and write into slices; none allocates in its steady state. A slice of the wrong length, or sizes that contradict each
//! other or can't be, are a bug of the caller and panic: every safe function, called with anything, either is right or
//! panics. All results are bit-identical for any number of [`Threads`]: work is cut into fixed blocks and partial
//! sums are added in a fixed order.

// Register tiles index several arrays by the same counters, and closures of iterators would not be inlined into code
// compiled for an instruction set.
#![allow(clippy::needless_range_loop)]

mod activation;
pub mod batch_norm;
pub mod channels;
mod check;
pub mod conv2d;
pub mod dropout;
pub mod gaussian;
mod gemm;
pub mod linear;
pub mod local_response_norm;
mod math;
mod memory;
pub mod optimizer;
mod peak;
pub mod pointwise;
pub mod pool;
pub mod product;
#[cfg(test)]
mod same_bits;
mod simd;
pub mod softmax;
mod threads;
pub mod vectorised;

pub use activation::Activation;
pub use memory::Floats;
pub use peak::peak_flops;
pub use threads::Threads;

/// How many numbers a task of an element-wise loop takes: enough to outweigh handing it out, few enough to stay in
/// the second-level cache and to keep many cores busy.
pub(crate) const BLOCK: usize = 1 << 14;
