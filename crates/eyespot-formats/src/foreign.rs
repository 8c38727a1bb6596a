//! Files that carry the name of weights and are something else.

use crate::ReadError;
use crate::error::unsupported;

/// What a file is that begins with these bytes and is no file of weights, and what to do about it.
pub(crate) fn refusal(start: &[u8]) -> ReadError {
    let text = String::from_utf8_lossy(start).trim_start_matches('\u{feff}').trim_start().to_lowercase();
    unsupported(if start.is_empty() {
        "it is empty; fetch it again"
    } else if text.starts_with("version https://git-lfs") {
        "it is a pointer of Git LFS, not the file itself; fetch that with `git lfs pull`, or download it from the \
         project's page"
    } else if ["<!doctype", "<html", "<head", "<?xml", "<error"].iter().any(|tag| text.starts_with(tag)) {
        "it is a web page, not the file itself (the link led to a page about it, to a login or to an error); download \
         the file from its direct link"
    } else if start.starts_with(b"\x89HDF") {
        "it is an HDF5 file, as Keras writes; give weights of PyTorch or safetensors"
    } else if start.starts_with(b"\x1f\x8b") || start.starts_with(b"BZh") || start.starts_with(b"\xfd7zXZ\0")
    {
        "it is compressed; unpack it first"
    } else if start.starts_with(b"7z\xbc\xaf")
        || start.starts_with(b"Rar!")
        || start.get(257..262) == Some(b"ustar")
    {
        "it is an archive; unpack it first (PyTorch wrote such files itself before 0.1.10: load and save those again)"
    } else if start.starts_with(b"GGUF") {
        "it is a GGUF file, which holds language models; give weights of PyTorch or safetensors"
    } else if start.get(4..8) == Some(b"TFL3") {
        "it is a network of TensorFlow Lite; give weights of PyTorch or safetensors"
    } else if start.first() == Some(&8) && text.contains("pytorch") {
        "it is a network in ONNX; in Python, save the weights it was made from with torch.save(model.state_dict(), PATH)"
    } else {
        "it is neither a safetensors file nor a PyTorch checkpoint (zip or legacy); give a .safetensors, .pth, .pt or \
         .th file"
    })
}
