//! Little pieces of a byte slice, without panics.

use crate::ReadError;
use crate::error::damaged;

/// `length` bytes from `start`.
pub(crate) fn slice(bytes: &[u8], start: usize, length: usize) -> Result<&[u8], ReadError> {
    let end = start.checked_add(length);
    end.and_then(|end| bytes.get(start..end)).ok_or_else(|| damaged("it ends too early"))
}

/// `N` bytes from `start`.
pub(crate) fn array<const N: usize>(bytes: &[u8], start: usize) -> Result<[u8; N], ReadError> {
    let slice = slice(bytes, start, N)?;
    slice.try_into().map_err(|_| damaged("it ends too early"))
}
