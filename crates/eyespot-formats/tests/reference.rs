//! Files written by PyTorch 2.15 and safetensors 0.8 (scripts/reference/checkpoints.py) against the numbers PyTorch
//! says are in them.

mod support;

use eyespot_formats::weights_from_bytes;
use eyespot_graph::Params;
use std::collections::BTreeMap;
use support::committed;

#[derive(serde::Deserialize)]
struct Expected {
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn check(file: &str) -> Params {
    let expected: BTreeMap<String, Expected> =
        serde_json::from_slice(&committed("expected.json")).expect("made by the script");
    let params = weights_from_bytes(&committed(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    for (name, expected) in &expected {
        let tensor = params.get(name).unwrap_or_else(|| panic!("{file} lacks {name}"));
        assert_eq!(tensor.shape(), expected.shape, "{file} {name}");
        let values: Vec<f32> = tensor.iter().copied().collect();
        assert_eq!(values, expected.values, "{file} {name}");
    }
    assert_eq!(params.len(), expected.len(), "{file} has tensors that it shouldn't have");
    params
}

#[test]
fn zip_checkpoint() {
    let params = check("zip.pth");
    assert_eq!(params.iter().next().expect("not empty").0, "conv.weight", "the order is kept");
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
    let message = error("complex.pth");
    assert!(message.contains("ComplexFloatStorage"), "{message}");
}
