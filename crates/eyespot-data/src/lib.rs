#![forbid(unsafe_code)]
//! See the crate description.

pub mod drawn;
pub mod features;
pub mod vary;
