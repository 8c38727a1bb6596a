//! Numerics on slices: how every operator is computed, forward and backward.
//!
//! Activations are `f32` in NHWC order (a pixel is a contiguous vector of channels). Functions take sizes and slices
//! and write into slices; none allocates in its steady state. A slice of the wrong length is a bug of the caller and
//! panics. All results are bit-identical for any number of [`Threads`]: work is cut into fixed blocks and partial
//! sums are added in a fixed order.

mod activation;
pub mod conv2d;
mod gemm;
pub mod linear;
mod simd;
mod threads;

pub use activation::Activation;
pub use threads::Threads;
