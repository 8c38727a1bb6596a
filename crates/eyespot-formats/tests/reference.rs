//! Files written by PyTorch 2.15 and safetensors 0.8 (scripts/reference/checkpoints.py) against the numbers PyTorch
//! says are in them.

mod support;

use eyespot_formats::{WeightsFile, weights_from_bytes};
use eyespot_graph::{Builder, Params, Shape};
use std::collections::BTreeMap;
use support::committed;

#[derive(serde::Deserialize)]
struct Expected {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// Tensors of whole numbers: counts, or weights of quantised networks, which are none without a scale.
const WHOLE: [&str; 6] = ["i64", "i32", "i16", "i8", "u8", "bool"];

fn check(file: &str) -> Params {
    let expected: BTreeMap<String, Expected> =
        serde_json::from_slice(&committed("expected.json")).expect("made by the script");
    let params = weights_from_bytes(&committed(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    for (name, expected) in expected.iter().filter(|(name, _)| !WHOLE.contains(&name.as_str())) {
        let end = format!(".{name}");
        let found = params.iter().find(|(key, _)| *key == name || key.ends_with(&end));
        let (_, tensor) = found.unwrap_or_else(|| panic!("{file} lacks {name}"));
        assert_eq!(tensor.shape(), expected.shape, "{file} {name}");
        let values: Vec<f32> = tensor.iter().copied().collect();
        assert_eq!(values, expected.values, "{file} {name}");
    }
    let whole = |key: &str| WHOLE.iter().any(|name| key.ends_with(&format!(".{name}")) || key == *name);
    assert!(!params.iter().any(|(key, _)| whole(key)), "{file}: whole numbers are no weights");
    params
}

#[test]
fn zip_checkpoint() {
    let params = check("zip.pth");
    let first = params.iter().map(|(name, _)| name).find(|name| name.starts_with("state_dict."));
    assert_eq!(first, Some("state_dict.module.conv.weight"), "the order is kept");
}

#[test]
fn legacy_checkpoint() {
    check("legacy.pth");
}

#[test]
fn checkpoint_in_pickle_protocol_4() {
    check("protocol4.pth");
}

#[test]
fn checkpoint_wrapped_twice() {
    check("nested.pth");
}

/// Arguments, schedules and NumPy's numbers beside the weights are passed over.
#[test]
fn checkpoints_of_reference_training() {
    check("with_arguments.pth");
    check("with_arguments4.pth");
}

#[test]
fn safetensors() {
    check("reference.safetensors");
}

fn error(file: &str) -> String {
    weights_from_bytes(&committed(file)).expect_err("can't be read").to_string()
}

#[test]
fn whole_networks_are_refused_by_name() {
    let message = error("whole_network.pth");
    assert!(
        message.contains("torch.nn.modules.linear.Linear") && message.contains("state_dict()"),
        "{message}"
    );
}

#[test]
fn complex_numbers_are_refused_by_name() {
    let mut b = Builder::new("line", Shape::Vector(1));
    let x = b.input();
    b.linear("fc", x, 2);
    let graph = b.finish().expect("a network");
    // The file's one tensor has the shape of the layer's bias.
    let bytes = committed("complex.pth");
    let params = WeightsFile::from_bytes(&bytes).expect("listed").all().expect("nothing to read");
    assert!(params.is_empty());
    let error = WeightsFile::from_bytes(&bytes).expect("listed").fit(&graph, false).expect_err("other names");
    assert!(error.to_string().contains("`weight`"), "{error}");
}
