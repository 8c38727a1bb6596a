//! Every kernel compiles for three generations of GPUs, in both types of elements. NVRTC needs no GPU for it; where it
//! isn't there, the test says so. `.ci/run` installs it and asks for it.

use eyespot_cuda::{CudaError, compile_kernels};

#[test]
fn for_volta_ampere_and_hopper() {
    for capability in [70, 80, 90] {
        match compile_kernels(capability) {
            Ok(()) => {}
            Err(CudaError::MissingLibrary { library, cure }) => {
                assert!(
                    std::env::var_os("EYESPOT_TEST_NVRTC").is_none(),
                    "{library} was to be there; {cure}"
                );
                eprintln!("skipped: {library} isn't there; {cure}");
            }
            Err(error) => panic!("sm_{capability}: {error}"),
        }
    }
}
