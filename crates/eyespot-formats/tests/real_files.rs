//! Real published files. They are not part of the project; without them these tests say so and pass.

use eyespot_formats::{Fitted, WeightsFile, fit_weights, read_weights};
use eyespot_graph::zoo;
use std::io::Write;
use std::path::PathBuf;

fn data(file: &str) -> Option<PathBuf> {
    let named = std::env::var_os("EYESPOT_TEST_DATA").map(PathBuf::from);
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    let path = named.clone().unwrap_or_else(beside).join(file);
    if path.exists() {
        return Some(path);
    }
    assert!(named.is_none(), "EYESPOT_TEST_DATA is set, but there is no {}", path.display());
    // Past the test harness, which shows nothing that a passing test prints.
    let _ =
        writeln!(std::io::stderr(), "skipped: a test with {file}; EYESPOT_TEST_DATA says where the data is");
    None
}

#[test]
fn squeezenet_from_safetensors_fits() {
    let Some(path) = data("weights/squeezenet1_1.safetensors") else { return };
    let params = read_weights(&path).expect("readable");
    assert_eq!(params.len(), 52);
    let graph = zoo::build("squeezenet1_1", 1000, None).expect("in the zoo");
    let fitted = fit_weights(&graph, params, false).expect("fits");
    assert_eq!(fitted.params.len(), graph.param_specs().len());
    assert!(fitted.missing.is_empty());

    // For two classes the classifier is left out, and only then.
    let graph = zoo::build("squeezenet1_1", 2, None).expect("in the zoo");
    let params = read_weights(&path).expect("readable");
    let error = fit_weights(&graph, params.clone(), false).expect_err("1,000 classes are not 2").to_string();
    assert!(error.contains("1000 classes"), "{error}");
    let Fitted { missing, notices, .. } =
        fit_weights(&graph, params, true).expect("fits but for the classifier");
    assert_eq!(missing, ["classifier.1.weight", "classifier.1.bias"]);
    assert!(notices[0].contains("1000"), "{notices:?}");
}

#[test]
fn cifar_resnet_from_a_legacy_checkpoint_fits() {
    let Some(path) = data("weights/cifar_resnet20.th") else { return };
    let graph = zoo::build("cifar_resnet20", 10, None).expect("in the zoo");
    let fitted = WeightsFile::open(&path).expect("readable").fit(&graph, false).expect("fits");
    assert_eq!(fitted.params.len(), graph.param_specs().len());
    assert!(fitted.notices.is_empty(), "{:?}", fitted.notices);
}
