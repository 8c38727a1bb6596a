#![no_main]
//! Any bytes as the description of weights, in an archive whose checksums are right.

use std::io::Write;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let archive = archive(bytes).expect("memory doesn't fail");
    let _ = eyespot_formats::weights_from_bytes(&archive);
});

fn archive(pickle: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut file = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut file);
    let storage: Vec<u8> = (0..64).collect();
    for (name, data) in [("a/data.pkl", pickle), ("a/data/0", &storage)] {
        let (mut entry, config) = archive.new_file(name).start()?;
        let mut writer = config.wrap(&mut entry);
        writer.write_all(data)?;
        let (_, descriptor) = writer.finish()?;
        entry.finish(descriptor)?;
    }
    archive.finish()?;
    Ok(file)
}
