//! The checksum in files that eyespot writes: no flipped bit goes unseen, and files without one load.

use eyespot_formats::{ModelFile, WeightsFile, read_safetensors, safetensors_bytes};
use eyespot_graph::{Builder, Graph, Params, Shape, Tensor, initialise};
use std::collections::BTreeMap;

fn graph() -> Graph {
    let mut b = Builder::new("tiny", Shape::Vector(4));
    let x = b.input();
    let x = b.linear("hidden", x, 5);
    b.linear("fc", x, 2);
    b.finish().expect("a network")
}

fn model() -> ModelFile {
    let graph = graph();
    ModelFile {
        params: initialise(&graph, 1),
        graph,
        classes: vec!["ants".to_owned(), "bees".to_owned()],
        transform: serde_json::json!({"resize": 256, "mean": [0.485, 0.456, 0.406]}),
        training: serde_json::json!({"epochs": 3, "accuracy": 0.5}),
        learned_from: Default::default(),
    }
}

fn written(model: &ModelFile) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    model.write(&path).expect("written");
    std::fs::read(&path).expect("there")
}

/// The same file without its checksum, as earlier versions wrote it, by way of the header's text.
fn without_checksum(bytes: &[u8]) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).expect("JSON");
    let removed = header["__metadata__"].as_object_mut().expect("an object").remove("eyespot.blake3");
    assert!(removed.is_some_and(|text| text.as_str().is_some_and(|text| text.starts_with("blake3:"))));
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &bytes[8 + length..]].concat()
}

#[test]
fn every_flipped_bit_of_a_model_is_found() {
    let model = model();
    let mut bytes = written(&model);
    assert_eq!(ModelFile::from_bytes(&bytes).expect("undamaged"), model);
    for place in 0..bytes.len() {
        for bit in 0..8 {
            bytes[place] ^= 1 << bit;
            assert!(ModelFile::from_bytes(&bytes).is_err(), "bit {bit} of byte {place} flipped, unseen");
            let fits = WeightsFile::from_bytes(&bytes).is_ok_and(|file| file.fit(&model.graph, true).is_ok());
            assert!(!fits, "bit {bit} of byte {place} flipped, unseen as weights");
            bytes[place] ^= 1 << bit;
        }
    }
}

#[test]
fn files_without_a_checksum_load_as_before() {
    let model = model();
    let old = without_checksum(&written(&model));
    assert_eq!(ModelFile::from_bytes(&old).expect("an old file"), model);
}

#[test]
fn a_changed_number_is_told_as_such() {
    let mut bytes = written(&model());
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let error = ModelFile::from_bytes(&bytes).expect_err("changed").to_string();
    assert!(error.contains("checksum differs") && error.contains("eyespot.blake3"), "{error}");
}

/// Tensors of many pieces, of none, and of none but a number.
#[test]
fn tensors_of_any_size_are_covered() {
    let shapes: [&[usize]; 6] = [&[0, 3], &[], &[1 << 18], &[(1 << 18) + 1], &[3, 1 << 18], &[2, 0]];
    let tensor = |index: usize, shape: &[usize]| {
        let numbers: Vec<f32> =
            (0..shape.iter().product()).map(|place: usize| (place + index) as f32).collect();
        Tensor::from_shape_vec(shape, numbers).expect("as many numbers")
    };
    let params: Params =
        shapes.iter().enumerate().map(|(index, shape)| (format!("t{index}"), tensor(index, shape))).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.safetensors");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("writes");
        read_safetensors(&path).map(|(tensors, _)| tensors.into_iter().collect::<Params>())
    };
    let mut bytes = safetensors_bytes(params.iter(), &BTreeMap::new()).expect("written");
    let again = read(&bytes).expect("undamaged");
    assert!(params.iter().all(|(name, tensor)| again.get(name) == Some(tensor)));
    let end = bytes.len();
    for back in [1, 5, 1 << 20, (1 << 20) + 4, 3 << 20, (5 << 20) - 1] {
        bytes[end - back] ^= 0x10;
        assert!(read(&bytes).is_err(), "{back} bytes before the end");
        bytes[end - back] ^= 0x10;
    }
}
