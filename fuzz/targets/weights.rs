#![no_main]
//! Any bytes as a file of weights and as a model.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(params) = eyespot_formats::weights_from_bytes(bytes) {
        let numbers: usize = params.iter().map(|(_, tensor)| tensor.len()).sum();
        assert!(numbers <= (2 * bytes.len()).max(1 << 20));
    }
    let _ = eyespot_formats::ModelFile::from_bytes(bytes);
});
