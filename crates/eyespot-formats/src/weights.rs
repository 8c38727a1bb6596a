//! Any file of weights: which format it is, and what all formats have in common.

use crate::error::{damaged, unsupported};
use crate::limits::Budget;
use crate::{FormatError, ReadError, names, pytorch, safetensors_file};
use eyespot_graph::{Params, Tensor};
use eyespot_system::FileError;
use std::path::Path;

/// Reads a file of weights: safetensors, or a PyTorch checkpoint (`.pth`, `.pt`, `.th`; zip and legacy). The content
/// decides, not the ending.
///
/// All numbers become `f32`. Wrappings (`{"state_dict": …}`, `module.` before every name and the like) are taken
/// off, batch norm's `num_batches_tracked` is dropped, and whatever is no tensor (epoch, optimizer) is passed over.
/// Nothing in the file is executed. The file is held in memory while it is read.
///
/// # Errors
/// The file can't be read, is damaged, holds something else than weights, or asks for more than its size justifies.
pub fn read_weights(path: &Path) -> Result<Params, FormatError> {
    let bytes = read_file(path)?;
    weights_from_bytes(&bytes).map_err(|source| FormatError::File { path: path.to_owned(), source })
}

/// [`read_weights`] for a file that is already in memory.
pub fn weights_from_bytes(bytes: &[u8]) -> Result<Params, ReadError> {
    let mut budget = Budget::for_file(bytes.len());
    let params = if bytes.get(8) == Some(&b'{') {
        safetensors_file::read(bytes, &mut budget)?.params
    } else if bytes.starts_with(b"PK\x03\x04") {
        pytorch::read_zip(bytes, &mut budget)?
    } else if bytes.first() == Some(&0x80) {
        pytorch::read_legacy(bytes, &mut budget)?
    } else {
        return Err(unsupported(
            "it is neither a safetensors file nor a PyTorch checkpoint (zip or legacy); \
             give a .safetensors, .pth, .pt or .th file",
        ));
    };
    if params.is_empty() {
        return Err(unsupported("it holds no tensors, so there are no weights to take from it"));
    }
    Ok(unwrapped(params))
}

/// The most bytes a file of weights may have: several times the largest that are published for these networks.
const MAX_BYTES: u64 = 32 << 30;

/// A whole regular file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, FormatError> {
    eyespot_system::read(path, MAX_BYTES).map_err(|error| match error {
        FileError::Io(source) => FormatError::io("read", path, source),
        other => FormatError::File {
            path: path.to_owned(),
            source: unsupported(format!("it {other}; give the path of one file")),
        },
    })
}

/// Takes wrapper prefixes that all names share off.
fn unwrapped(params: Params) -> Params {
    let prefix = names::shared_prefix(&params.iter().map(|(name, _)| name).collect::<Vec<_>>());
    if prefix == 0 {
        return params;
    }
    into_pairs(params).into_iter().map(|(name, tensor)| (name[prefix..].to_owned(), tensor)).collect()
}

/// Names and tensors in order, without copying the numbers.
fn into_pairs(mut params: Params) -> Vec<(String, Tensor)> {
    params.iter_mut().map(|(name, tensor)| (name.to_owned(), std::mem::take(tensor))).collect()
}

/// A tensor from its numbers.
pub(crate) fn tensor(shape: &[usize], numbers: Vec<f32>) -> Result<Tensor, ReadError> {
    let count = numbers.len();
    Tensor::from_shape_vec(shape, numbers)
        .map_err(|_| damaged(format!("{count} numbers can't have the shape {shape:?}")))
}
