#![forbid(unsafe_code)]
//! Networks as data.
//!
//! A [`Graph`] is a network without device, weights or batch size: operators, shapes and names. [`Params`] are
//! its weights, named tensors under torchvision's names. A [`Device`] compiles the two into a program.

mod cut;
mod device;
mod error;
mod graph;
mod init;
pub mod ops;
mod params;
mod shape;
mod summary;
pub mod zoo;

pub use device::{Device, DeviceError, Inference, Optimizer, TensorScale, TensorScales, Training, Update};
pub use error::GraphError;
pub use graph::{Builder, Graph, Node, NodeId};
pub use init::{Init, initialise};
pub use ops::{Op, ParamSpec};
pub use params::{Params, Tensor};
pub use shape::Shape;
pub use summary::{LayerSummary, Memory, Summary};
