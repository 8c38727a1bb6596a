#![no_main]
//! Any bytes as a picture, of whichever format they look like.

use eyespot_data::{DecodeError, DecodeOptions, Limits};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { max_pixels: 1 << 20, ..Limits::default() };
    // The length decides what is asked for, so that a file keeps its meaning.
    let range = (bytes.len() % 2 == 0).then_some([10.0, 4000.0]);
    let options = DecodeOptions { range, keep_samples: 64, ..DecodeOptions::with_limits(&limits) };
    match options.decode_bytes(bytes) {
        Ok(decoded) => {
            let (width, height) = decoded.image.dimensions();
            assert!(u64::from(width) * u64::from(height) <= 1 << 20);
            assert!(decoded.samples.len() <= 64);
        }
        // Our own panics are mistakes; the one known in the `tiff` crate isn't compiled into release builds.
        Err(DecodeError::Damaged { cause, .. }) => assert!(!cause.contains("gave up"), "a decoder panics"),
        Err(_) => {}
    }
});
