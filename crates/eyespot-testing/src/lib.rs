#![forbid(unsafe_code)]
//! The tests that any device has to pass, as functions of `&dyn Device`. Each panics where a device fails, so a device's
//! own tests are calls:
//!
//! ```no_run
//! # use eyespot_graph::Device;
//! fn operators(device: &dyn Device) {
//!     eyespot_testing::inference::every_operator_alone(device);
//!     eyespot_testing::training::every_operator(device);
//! }
//! ```
//!
//! - [`inference`]: operators, fusion and random graphs against a naive [`interpreter`] in f64.
//! - [`training`]: gradients against finite differences of the interpreter, the optimizer's books, resuming.
//! - [`networks`]: all networks of the zoo against PyTorch's logits for the same weights.
//! - [`curves`]: whole training runs against PyTorch's losses and last weights.
//! - [`seeded`]: the weights and images by formula that PyTorch's numbers were made with.

pub mod curves;
pub mod inference;
pub mod interpreter;
pub mod networks;
mod random;
pub mod seeded;
pub mod training;

pub use random::{graph, weights};
