#![forbid(unsafe_code)]
//! What eyespot asks of the operating system, in the one way that is safe for the user's files.
//!
//! - [`open`], [`read`] and [`read_text`] open regular files only and no more bytes than allowed: a pipe, socket or
//!   device never hangs a run, and `/dev/zero` never fills the memory.
//! - [`write_atomically`] and [`AtomicFile`] write a file whole or not at all.
//! - [`OwnedFolder`] is a folder that eyespot made, used by one process at a time.
//! - [`Budget`] is the memory that images and programs may take together.
//! - [`printable`] and [`printable_path`] make a name from outside harmless in a message.

mod atomic;
mod file;
mod folder;
mod memory;
mod printable;

pub use atomic::{AtomicFile, write_atomically, write_new_atomically, write_new_unsynced};
pub use file::{FileError, MAX_TEXT, open, read, read_text};
pub use folder::{FolderError, MARKER, OwnedFolder};
pub use memory::{Budget, OverBudget, Reserved, parse_size};
pub use printable::{printable, printable_lines, printable_path};
