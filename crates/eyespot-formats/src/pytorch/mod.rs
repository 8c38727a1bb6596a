//! PyTorch checkpoints: a pickle that describes the saved object, and the bytes of its tensors beside it.
//!
//! The pickle is never executed. [`pickle`] interprets the few instructions that a state dict needs and refuses
//! everything else by name; [`state`] lists the tensors in what was saved; [`zip`] and [`legacy`] are the two ways
//! in which `torch.save` has laid out files.

mod global;
mod legacy;
mod pickle;
mod state;
mod value;
mod zip;

pub(crate) use legacy::list as list_legacy;
pub(crate) use zip::list as list_zip;
