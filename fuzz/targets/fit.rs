#![no_main]
//! Any bytes as the description of weights that a network takes, and as the index of several files.

use eyespot_formats::WeightsFile;
use eyespot_graph::{Builder, Graph, Shape};
use std::io::Write;
use std::sync::LazyLock;

/// Layers with the names that the corpus has (crates/eyespot/tests/weight_files).
static GRAPH: LazyLock<Graph> = LazyLock::new(|| {
    let mut b = Builder::new("tiny", Shape::Vector(1));
    let x = b.input();
    let x = b.linear("conv1", x, 2);
    let x = b.linear("layer1.0.conv1", x, 2);
    b.mark_features(x);
    b.linear("fc", x, 1);
    b.finish().expect("a network")
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for deflate in [false, true] {
        let archive = archive(bytes, deflate).expect("memory doesn't fail");
        fit(&archive);
    }
    fit(bytes);
    let folder = tempfile::tempdir().expect("a folder");
    let index = folder.path().join("w.index.json");
    std::fs::write(&index, bytes).expect("a file");
    let _ = WeightsFile::open(&index);
});

fn fit(file: &[u8]) {
    let Ok(weights) = WeightsFile::from_bytes(file) else { return };
    for replace_head in [false, true] {
        if let Ok(fitted) = weights.fit(&GRAPH, replace_head) {
            let finite = |tensor: &eyespot_graph::Tensor| tensor.iter().all(|number| number.is_finite());
            assert!(fitted.params.iter().all(|(_, tensor)| finite(tensor)));
        }
    }
}

/// An archive with this description, right checksums and one storage.
fn archive(pickle: &[u8], deflate: bool) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    use rawzip::CompressionMethod::{DEFLATE, STORE};
    let mut file = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut file);
    let storage: Vec<u8> = (0..64).collect();
    for (name, data) in [("a/data.pkl", pickle), ("a/data/0", &storage)] {
        let method = if deflate { DEFLATE } else { STORE };
        let (mut entry, config) = archive.new_file(name).compression_method(method).start()?;
        let descriptor = if deflate {
            let packer = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::fast());
            let mut writer = config.wrap(packer);
            writer.write_all(data)?;
            let (packer, descriptor) = writer.finish()?;
            packer.finish()?;
            descriptor
        } else {
            let mut writer = config.wrap(&mut entry);
            writer.write_all(data)?;
            writer.finish()?.1
        };
        entry.finish(descriptor)?;
    }
    archive.finish()?;
    Ok(file)
}
