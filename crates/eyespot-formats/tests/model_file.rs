//! The eyespot model file, written, read and refused.

mod support;

use eyespot_formats::{ModelFile, read_weights, safetensors_bytes};
use eyespot_graph::{Builder, Graph, Params, Shape, initialise, ops::Conv2d};
use std::collections::{BTreeMap, BTreeSet};

fn graph() -> Graph {
    let mut b = Builder::new("tiny", Shape::map(3, 8, 8));
    let x = b.input();
    let x = b.conv2d("conv1", x, Conv2d::new(3, 4, 3).padding(1));
    let x = b.batch_norm("bn1", x);
    let x = b.global_avg_pool("avgpool", x);
    let x = b.flatten("flatten", x);
    b.mark_features(x);
    b.linear("fc", x, 2);
    b.finish().expect("a network")
}

fn model() -> ModelFile {
    let graph = graph();
    ModelFile {
        params: initialise(&graph, 1),
        graph,
        classes: vec!["ants".to_owned(), "bées \"2\"".to_owned()],
        transform: serde_json::json!({"resize": 256, "mean": [0.485, 0.456, 0.406]}),
        training: serde_json::json!({"epochs": 3, "accuracy": 0.5}),
        learned_from: BTreeSet::from([[0xab; 16], *b"an image's hash "]),
    }
}

/// A model file whose metadata has been changed.
fn with_metadata(key: &str, value: Option<&str>) -> Vec<u8> {
    with_metadata_and(&model().params, key, value)
}

/// The same with other weights; its checksum is right.
fn with_metadata_and(params: &Params, key: &str, value: Option<&str>) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m.safetensors");
    model().write(&path).expect("written");
    let bytes = std::fs::read(&path).expect("there");
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).expect("any reader opens it");
    let mut entries: BTreeMap<String, String> =
        metadata.metadata().clone().expect("has metadata").into_iter().collect();
    match value {
        Some(value) => drop(entries.insert(key.to_owned(), value.to_owned())),
        None => drop(entries.remove(key)),
    }
    safetensors_bytes(params.iter(), &entries).expect("written")
}

fn refused(bytes: &[u8], because: &str) {
    let error = ModelFile::from_bytes(bytes).expect_err(because).to_string();
    assert!(error.contains(because), "expected `{because}` in: {error}");
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new/folder/model.safetensors");
    let model = model();
    model.write(&path).expect("written");
    assert_eq!(ModelFile::read(&path).expect("readable"), model);
    // It is a file of weights as well, in the network's order.
    let weights = read_weights(&path).expect("readable");
    assert_eq!(weights, model.params);
    let first = std::fs::read(&path).expect("there");
    model.write(&path).expect("written again");
    assert_eq!(std::fs::read(&path).expect("there"), first, "the same model gives the same bytes");
    let left: Vec<_> = std::fs::read_dir(path.parent().expect("a folder")).expect("readable").collect();
    assert_eq!(left.len(), 1, "nothing is left beside the model");
}

#[test]
fn other_readers_open_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m.safetensors");
    let model = model();
    model.write(&path).expect("written");
    let bytes = std::fs::read(&path).expect("there");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("a safetensors file");
    assert_eq!(tensors.len(), model.params.len());
    for (name, tensor) in model.params.iter() {
        let view = tensors.tensor(name).expect("the same names");
        assert_eq!(view.shape(), tensor.shape());
        let expected: Vec<u8> = tensor.iter().flat_map(|number| number.to_le_bytes()).collect();
        assert_eq!(view.data(), expected);
    }
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
    assert_eq!(header % 8, 0, "tensors are aligned");
}

#[test]
fn other_versions_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m.safetensors");
    std::fs::write(&path, with_metadata("eyespot.format_version", Some("2"))).expect("written");
    let error = ModelFile::read(&path).expect_err("too new").to_string();
    assert!(error.contains("format `2`") && error.contains("`eyespot 0.1.0`"), "{error}");
    assert!(error.contains("m.safetensors"), "{error}");
    refused(&with_metadata("eyespot.format_version", None), "plain file of weights");
    refused(&support::committed("reference.safetensors"), "plain file of weights");
    refused(&support::committed("zip.pth"), "no eyespot model");
}

#[test]
fn contradictions_are_refused() {
    for key in ["eyespot.graph", "eyespot.classes", "eyespot.transform", "eyespot.training"] {
        refused(&with_metadata(key, None), &format!("lacks `{key}`"));
        refused(&with_metadata(key, Some("{nonsense")), &format!("`{key}` can't be understood"));
    }
    refused(
        &with_metadata("eyespot.classes", Some(r#"["one","two","three"]"#)),
        "2 outputs, but there are 3",
    );
    let graph = serde_json::to_string(&graph()).expect("JSON");
    let wider = graph.replace("\"fc\"", "\"fc2\"");
    refused(&with_metadata("eyespot.graph", Some(&wider)), "lack `fc2.weight`");
    let behind = graph.replace("\"features\":4", "\"features\":40");
    refused(&with_metadata("eyespot.graph", Some(&behind)), "beyond its last layer");

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m.safetensors");
    let mut wrong = model();
    wrong.classes.push("third".to_owned());
    assert!(wrong.write(&path).is_err());
    let mut wrong = model();
    wrong.params = Params::new();
    assert!(wrong.write(&path).is_err());
    let mut wrong = model();
    wrong.params.insert("extra", wrong.params.get("fc.bias").expect("there").clone());
    assert!(wrong.write(&path).is_err());
    assert!(!path.exists());
}

#[test]
fn numbers_that_no_network_computes_with_are_refused() {
    for (name, number, because) in [
        ("conv1.weight", f32::NAN, "`conv1.weight` has a number that isn't finite (NaN, at 7)"),
        ("fc.weight", f32::NEG_INFINITY, "`fc.weight` has a number that isn't finite (-inf, at 5)"),
        ("bn1.running_var", -1e-3, "`bn1.running_var` is a variance, but its number 1 is negative"),
    ] {
        let mut params = model().params;
        let numbers = params.get_mut(name).and_then(|tensor| tensor.as_slice_mut()).expect("there");
        let place = 7.min(numbers.len() - 3);
        numbers[place] = number;
        let bytes = with_metadata_and(&params, "eyespot.classes", Some(r#"["a","b"]"#));
        refused(&bytes, because);
        // As weights, too.
        let error = eyespot_formats::weights_from_bytes(&bytes).expect_err("no number").to_string();
        assert!(error.contains(because), "{error}");
    }
}

#[test]
fn two_classes_may_share_one_output() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m.safetensors");
    let mut model = model();
    let mut b = Builder::new("line", Shape::Vector(3));
    let x = b.input();
    b.linear("fc", x, 1);
    model.graph = b.finish().expect("a network");
    model.params = initialise(&model.graph, 0);
    model.write(&path).expect("written");
    assert_eq!(ModelFile::read(&path).expect("readable"), model);
}

#[test]
fn missing_files_and_folders_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = read_weights(&folder.path().join("none.pth")).expect_err("missing").to_string();
    assert!(error.contains("none.pth") && error.contains("can't be read"), "{error}");
    let error = read_weights(folder.path()).expect_err("a folder").to_string();
    assert!(error.contains("is a folder"), "{error}");
}

#[test]
fn the_images_it_learned_from_may_be_unknown_but_not_damaged() {
    let unknown = ModelFile::from_bytes(&with_metadata("eyespot.learned_from", None)).expect("reads");
    assert!(unknown.learned_from.is_empty());
    for damaged in ["abc", "no hexadecimal digits, 32 of them", "é"] {
        refused(&with_metadata("eyespot.learned_from", Some(damaged)), "the list of images it learned from");
    }
}

#[test]
fn two_classes_of_one_name_are_refused() {
    refused(&with_metadata("eyespot.classes", Some(r#"["ants","ants"]"#)), "two classes are called `ants`");
    let twice = ModelFile { classes: vec!["a".to_owned(), "a".to_owned()], ..model() };
    let folder = tempfile::tempdir().expect("a folder");
    let error = twice.write(&folder.path().join("m.safetensors")).expect_err("refused").to_string();
    assert!(error.contains("two classes are called `a`"), "{error}");
}
