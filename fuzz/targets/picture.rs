#![no_main]
//! Any bytes as a picture.

use eyespot_data::{Limits, decode_bytes};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { max_pixels: 1 << 20, ..Limits::default() };
    if let Ok(picture) = decode_bytes(bytes, &limits) {
        assert!(u64::from(picture.width()) * u64::from(picture.height()) <= 1 << 20);
    }
});
