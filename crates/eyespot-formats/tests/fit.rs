//! Weights that fit, that nearly fit, and that are another network's.

use eyespot_formats::{FormatError, Misfit, fit_weights};
use eyespot_graph::{Graph, Params, Shape, Tensor, zoo};

fn net(name: &str, classes: usize) -> Graph {
    zoo::build(name, classes, None).expect("in the zoo")
}

/// Tensors of the right names and shapes, every number the same: values don't matter here.
fn filled(graph: &Graph, value: f32) -> Params {
    let tensor = |dims: Vec<usize>| Tensor::from_elem(dims, value);
    graph.param_specs().into_iter().map(|(name, spec)| (name, tensor(spec.dims))).collect()
}

fn weights(name: &str, classes: usize) -> Params {
    filled(&net(name, classes), 0.0)
}

fn renamed(params: &Params, rename: impl Fn(&str) -> String) -> Params {
    params.iter().map(|(name, tensor)| (rename(name), tensor.clone())).collect()
}

fn misfit(graph: &Graph, params: Params, replace_head: bool) -> Misfit {
    match fit_weights(graph, params, replace_head).expect_err("doesn't fit") {
        FormatError::DoesNotFit(misfit) => *misfit,
        other => panic!("{other}"),
    }
}

fn cause(graph: &Graph, params: Params) -> String {
    misfit(graph, params, true).cause.expect("a cause")
}

#[test]
fn order_and_names_are_the_networks() {
    let graph = net("resnet18", 10);
    let mut backwards: Vec<(String, Tensor)> =
        weights("resnet18", 10).iter().map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect();
    backwards.reverse();
    let fitted = fit_weights(&graph, backwards.into_iter().collect(), false).expect("fits");
    let names: Vec<String> = graph.param_specs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(fitted.params.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>(), names);
    assert_eq!(fitted.params, weights("resnet18", 10));
    assert!(fitted.missing.is_empty() && fitted.notices.is_empty());
}

#[test]
fn everything_wrong_is_in_one_error() {
    let mut params = weights("resnet18", 10);
    let conv = params.remove("conv1.weight").expect("there");
    params.insert("stem.weight", conv);
    params.insert("bn1.bias", Tensor::zeros(vec![65]));
    let error = fit_weights(&net("resnet18", 10), params, false).expect_err("doesn't fit").to_string();
    for part in [
        "`resnet18`",
        "missing from the file (1): `conv1.weight`",
        "(1): `stem.weight`",
        "`bn1.bias` is [65]",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn another_number_of_classes() {
    let graph = net("vgg11", 2);
    let published = weights("vgg11", 7);
    let error = misfit(&graph, published.clone(), false).cause.expect("a cause");
    assert!(error.contains("7 classes") && error.contains("network 2"), "{error}");
    let fitted = fit_weights(&graph, published, true).expect("fits but for the classifier");
    assert!(fitted.missing.iter().all(|name| name.starts_with("classifier.")), "{:?}", fitted.missing);
    assert!(fitted.missing.contains(&"classifier.6.weight".to_owned()));
    assert_eq!(fitted.notices.len(), 1);
    let initial = filled(&graph, 1.0);
    let classifier = initial.get("classifier.6.weight").expect("there").clone();
    let params = fitted.over(initial);
    assert_eq!(params.get("classifier.6.weight"), Some(&classifier), "keeps the values it starts with");
    assert_eq!(params.get("features.0.weight"), weights("vgg11", 7).get("features.0.weight"));
}

#[test]
fn another_head() {
    let original = net("resnet18", 1000);
    let graph = zoo::with_head(&original, zoo::Head::Mlp, 3).expect("a head");
    let fitted = fit_weights(&graph, weights("resnet18", 1000), true).expect("the backbone fits");
    assert_eq!(fitted.missing, ["head.0.weight", "head.0.bias", "head.2.weight", "head.2.bias"]);
    assert!(fitted.params.get("fc.weight").is_none(), "the old classifier is left behind");
}

#[test]
fn another_network_is_recognised() {
    let message = cause(&net("resnet50", 2), weights("resnet18", 1000));
    assert!(message.contains("weights of resnet18"), "{message}");
    // All of ResNet-18's tensors are in ResNet-34's file, and still it is the wrong file.
    let message = cause(&net("resnet18", 1000), weights("resnet34", 10));
    assert!(message.contains("weights of resnet34"), "{message}");
    let message = cause(&net("vgg11", 2), weights("vgg11_bn", 2));
    assert!(message.contains("weights of vgg11_bn"), "{message}");
}

#[test]
fn names_and_shapes_give_the_cause_away() {
    let graph = net("resnet18", 2);
    let wrapped = renamed(&weights("resnet18", 2), |name| format!("backbone.body.{name}"));
    assert!(fit_weights(&graph, wrapped, false).is_ok(), "any prefix comes off");
    let grey = zoo::build("resnet18", 2, Some(Shape::map(1, 224, 224))).expect("in the zoo");
    let message = cause(&grey, weights("resnet18", 2));
    assert!(message.contains("pictures of 3 channels, this network for 1"), "{message}");
    let message = cause(&graph, renamed(&weights("resnet18", 2), |name| name.replace('.', "/")));
    assert!(message.contains("not one name"), "{message}");
    let mut headless = weights("resnet18", 2);
    for name in ["fc.weight", "fc.bias"] {
        headless.remove(name).expect("has a head");
    }
    let message = misfit(&graph, headless, false).cause.expect("a cause");
    assert!(message.contains("without the classifier"), "{message}");
    let mut pruned = weights("resnet18", 2);
    let conv = pruned.remove("conv1.weight").expect("there");
    pruned.insert("conv1.weight_orig", conv);
    assert!(cause(&graph, pruned).contains("prune.remove"));
    let mut part = weights("resnet18", 2);
    part.remove("layer4.1.conv2.weight");
    assert!(misfit(&graph, part, false).cause.expect("a cause").contains("only a part"));
}

#[test]
fn a_layer_is_replaced_whole() {
    let graph = net("resnet18", 2);
    let mut params = weights("resnet18", 2);
    params.remove("fc.bias");
    assert_eq!(misfit(&graph, params.clone(), false).missing, ["fc.bias"]);
    let fitted = fit_weights(&graph, params, true).expect("fits");
    assert_eq!(fitted.missing, ["fc.weight", "fc.bias"]);
}
