#![no_main]
//! Any text as the network in a model file.

use eyespot_formats::{ModelFile, safetensors_bytes};
use eyespot_graph::Params;

libfuzzer_sys::fuzz_target!(|graph: &str| {
    let metadata = [
        ("eyespot.format_version", "1"),
        ("eyespot.graph", graph),
        ("eyespot.classes", "[\"a\", \"b\"]"),
        ("eyespot.transform", "{}"),
        ("eyespot.training", "{}"),
    ];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let file = safetensors_bytes(Params::new().iter(), &metadata.into()).expect("can be written");
    let _ = ModelFile::from_bytes(&file);
});
