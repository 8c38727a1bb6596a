//! Compiles the kernels when a GPU is opened.

use super::library::load_nvrtc;
use crate::CudaError;
use crate::kernels::{Element, source};
use cudarc::nvrtc::result;
use std::ffi::CString;

/// Compiles all kernels for a compute capability (70, 80, 90, …), in both types of elements. No GPU is needed: this is how
/// tests check the kernels where there is none.
///
/// # Errors
/// NVRTC isn't there, or what it has to say.
pub fn compile_kernels(capability: u32) -> Result<(), CudaError> {
    for element in [Element::F32, Element::Bf16] {
        compile(element, capability)?;
    }
    Ok(())
}

/// The kernels in PTX.
pub(crate) fn compile(element: Element, capability: u32) -> Result<Vec<u8>, CudaError> {
    load_nvrtc()?;
    let source = CString::new(source(element)).expect("the sources hold no zero byte");
    let failed = |reason: String| CudaError::Call { call: "NVRTC", reason };
    let program =
        result::create_program(&source, Some(c"eyespot.cu")).map_err(|e| failed(format!("{e:?}")))?;
    let options = [format!("--gpu-architecture=compute_{capability}"), "--std=c++17".to_owned()];
    // SAFETY: the program was created above and is destroyed below.
    let compiled = unsafe { result::compile_program(program, &options) };
    let answer = match compiled {
        // SAFETY: as above, and it is compiled.
        Ok(()) => unsafe { result::get_ptx(program) }.map_err(|e| failed(format!("{e:?}"))),
        Err(error) => {
            // SAFETY: as above.
            let log = unsafe { result::get_program_log(program) }.unwrap_or_default();
            let log: Vec<u8> = log.into_iter().map(|c| c as u8).take_while(|&c| c != 0).collect();
            Err(failed(format!("{error:?}: {}", String::from_utf8_lossy(&log))))
        }
    };
    // SAFETY: it was created above, and nothing uses it from here on.
    let _ = unsafe { result::destroy_program(program) };
    Ok(answer?.into_iter().map(|c| c as u8).collect())
}
