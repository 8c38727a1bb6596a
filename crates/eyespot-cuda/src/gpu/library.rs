//! Finds NVIDIA's libraries when the program runs.

use crate::CudaError;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Names a folder that is searched before the system's: where CUDA and cuDNN lie, or the folder `nvidia` of NVIDIA's
/// Python packages.
pub(crate) const SEARCH_PATH: &str = "EYESPOT_CUDA_PATH";

const DRIVER: &str = "install NVIDIA's driver for this GPU (version 525 or newer)";
const NVRTC: &str = "install CUDA 12 or 13, or the Python package nvidia-cuda-nvrtc, and name its folder `nvidia` in EYESPOT_CUDA_PATH";
const CUDNN: &str = "install cuDNN 9, or the Python package nvidia-cudnn-cu13 (cu12 for CUDA 12), and name its folder `nvidia` in EYESPOT_CUDA_PATH";

/// What the libraries' file names begin with, in the order in which they need each other.
const STEMS: [&str; 5] = ["nvrtc-builtins", "nvrtc", "cublasLt", "cublas", "cudnn"];

/// Loads what lies in the search path, and checks that nothing is missing.
///
/// # Errors
/// The first library that isn't there, with what to do.
pub(crate) fn load() -> Result<(), CudaError> {
    preload();
    // SAFETY: loading NVIDIA's libraries runs their initialisers, which ask nothing of the caller.
    let (driver, nvrtc, cudnn) = unsafe {
        (
            cudarc::driver::sys::is_culib_present(),
            cudarc::nvrtc::sys::is_culib_present(),
            cudarc::cudnn::sys::is_culib_present(),
        )
    };
    for (library, present, cure) in
        [("the NVIDIA driver", driver, DRIVER), ("NVRTC", nvrtc, NVRTC), ("cuDNN", cudnn, CUDNN)]
    {
        if !present {
            return Err(CudaError::MissingLibrary { library, cure });
        }
    }
    Ok(())
}

/// Loads NVRTC alone, which needs neither driver nor GPU.
pub(crate) fn load_nvrtc() -> Result<(), CudaError> {
    preload();
    // SAFETY: as above.
    if unsafe { cudarc::nvrtc::sys::is_culib_present() } {
        Ok(())
    } else {
        Err(CudaError::MissingLibrary { library: "NVRTC", cure: NVRTC })
    }
}

/// Once loaded by its path, a library is found by its name, too, wherever another asks for it.
fn preload() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let Some(folder) = std::env::var_os(SEARCH_PATH) else { return };
        for path in found(Path::new(&folder)) {
            // SAFETY: the user names the folder as the one of NVIDIA's libraries; their initialisers ask nothing.
            if let Ok(library) = unsafe { open(&path) } {
                // It stays loaded for as long as the process lives.
                std::mem::forget(library);
            }
        }
    });
}

/// The libraries in a folder and up to two folders below it, in the order of [`STEMS`].
fn found(folder: &Path) -> Vec<PathBuf> {
    let below = folders_in(folder);
    let further = below.iter().flat_map(|folder| folders_in(folder)).collect::<Vec<_>>();
    let folders = std::iter::once(folder.to_owned()).chain(below).chain(further);
    let mut files: Vec<(usize, PathBuf)> = Vec::new();
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if let Some(order) = STEMS.iter().position(|stem| is_library(name, stem)) {
                files.push((order, path));
            }
        }
    }
    files.sort();
    files.into_iter().map(|(_, path)| path).collect()
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// `libcudnn.so.9`, `cudnn64_9.dll`; not `libcudnn_ops.so.9`, which cuDNN loads itself.
fn is_library(name: &str, stem: &str) -> bool {
    let linux = name.strip_prefix("lib").and_then(|name| name.strip_prefix(stem));
    let windows = name.strip_prefix(stem).filter(|_| name.ends_with(".dll"));
    linux.is_some_and(|rest| rest.starts_with(".so")) || windows.is_some_and(|rest| rest.starts_with("64_"))
}

#[cfg(unix)]
unsafe fn open(path: &Path) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: the caller's.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }.map(Into::into)
}

#[cfg(not(unix))]
unsafe fn open(path: &Path) -> Result<libloading::Library, libloading::Error> {
    // SAFETY: the caller's.
    unsafe { libloading::Library::new(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_known_by_their_names() {
        assert!(is_library("libcudnn.so.9", "cudnn") && is_library("cudnn64_9.dll", "cudnn"));
        assert!(!is_library("libcudnn_ops.so.9", "cudnn") && !is_library("cudnn.h", "cudnn"));
        assert!(is_library("libnvrtc-builtins.so.13.0", "nvrtc-builtins"));
        assert!(!is_library("libnvrtc-builtins.so.13.0", "nvrtc"));
    }
}
