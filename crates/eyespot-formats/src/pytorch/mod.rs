//! PyTorch checkpoints: a pickle that describes the saved object, and the bytes of its tensors beside it.
//!
//! The pickle is never executed. [`pickle`] interprets the few instructions that a state dict needs and refuses
//! everything else by name; [`state`] finds the weights in what was saved; [`zip`] and [`legacy`] are the two ways
//! in which `torch.save` has laid out files.

mod global;
mod legacy;
mod pickle;
mod state;
mod value;
mod zip;

pub(crate) use legacy::read as read_legacy;
pub(crate) use zip::read as read_zip;
