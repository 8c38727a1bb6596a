#![no_main]
//! Any bytes as a CSV of pictures and as the images of an IDX pair.

use eyespot_data::{Dataset, SplitOptions};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("a file");
    write("table.csv", bytes);
    let _ = Dataset::open(folder.path().join("table.csv"), &SplitOptions::default());
    write("train-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 2, 0, 1]);
    write("train-images-idx3-ubyte", bytes);
    if let Ok(data) = Dataset::open(folder.path(), &SplitOptions::default()) {
        for sample in data.train.iter().chain(&data.val) {
            let _ = sample.read(&Default::default());
        }
    }
});
