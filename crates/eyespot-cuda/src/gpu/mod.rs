//! The GPU itself: everything here talks to the driver, NVRTC or cuDNN, and all `unsafe` of this crate stands here.

mod convolution;
mod cudnn;
mod driver;
pub(crate) mod inference;
mod library;
mod memory;
pub(crate) mod nvrtc;
mod program;
pub(crate) mod training;

pub(crate) use cudnn::version as cudnn_version;
pub(crate) use driver::{Gpu, count, driver_version, information};
pub(crate) use library::load;
pub(crate) use program::Settings;
