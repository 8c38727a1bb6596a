//! Graphs from outside: whatever a file says, reading gives a sound graph or an error, never a panic.

use eyespot_graph::{Graph, NodeId, Op, Shape, zoo};
use serde_json::{Value, json};

/// Everything a reader might do with a graph it accepted.
fn use_it(graph: &Graph) {
    graph.validate().unwrap();
    let _ = graph.summary(usize::MAX).to_string();
    let _ = graph.classifier_layer();
    let _ = graph.split(graph.features).map(|(front, rest)| front.join(&rest).unwrap());
    let _ = graph.split_after_prefix("layer1");
    let _ = zoo::with_head(graph, zoo::Head::Mlp, 3);
}

/// Paths to all numbers of a JSON value.
fn numbers(value: &Value, path: String, out: &mut Vec<String>) {
    match value {
        Value::Number(_) => out.push(path),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| numbers(item, format!("{path}/{i}"), out))
        }
        Value::Object(items) => {
            items.iter().for_each(|(key, item)| numbers(item, format!("{path}/{key}"), out))
        }
        _ => (),
    }
}

#[test]
fn graphs_survive_the_round_trip() {
    for name in zoo::names() {
        let graph = zoo::build(name, 4, None).unwrap();
        let text = serde_json::to_string(&graph).unwrap();
        assert_eq!(serde_json::from_str::<Graph>(&text).unwrap(), graph, "{name}");
    }
}

#[test]
fn no_changed_number_makes_a_panic() {
    let hostile =
        [json!(0), json!(1), json!(2), json!(7), json!(1u64 << 31), json!(u64::MAX), json!(-1), json!(1e300)];
    let mut accepted = 0;
    for name in ["small_cnn", "lenet5_gaussian", "squeezenet1_1", "cifar_resnet20"] {
        let original = serde_json::to_value(zoo::build(name, 2, None).unwrap()).unwrap();
        let mut paths = Vec::new();
        numbers(&original, String::new(), &mut paths);
        for path in &paths {
            for value in &hostile {
                let mut changed = original.clone();
                *changed.pointer_mut(path).unwrap() = value.clone();
                if let Ok(graph) = serde_json::from_value::<Graph>(changed) {
                    accepted += 1;
                    use_it(&graph);
                }
            }
        }
    }
    assert!(accepted > 100, "only {accepted} changes were accepted; does the test still reach the code?");
}

#[test]
fn changed_structure_makes_no_panic() {
    let original = serde_json::to_value(zoo::build("small_cnn", 2, None).unwrap()).unwrap();
    let count = original["nodes"].as_array().unwrap().len();
    for index in 0..count {
        let change = |edit: &dyn Fn(&mut Vec<Value>)| {
            let mut changed = original.clone();
            edit(changed["nodes"].as_array_mut().unwrap());
            if let Ok(graph) = serde_json::from_value::<Graph>(changed) {
                use_it(&graph);
            }
        };
        change(&|nodes| drop(nodes.remove(index)));
        change(&|nodes| nodes.truncate(index));
        change(&|nodes| nodes.swap(index, count - 1 - index));
        change(&|nodes| nodes.insert(index, nodes[index].clone()));
        change(&|nodes| nodes[index]["inputs"] = json!([]));
        change(&|nodes| nodes[index]["inputs"] = json!([0, 0]));
        change(&|nodes| nodes[index]["op"] = json!("Concat"));
        change(&|nodes| nodes[index]["op"] = json!("Input"));
        change(&|nodes| nodes[index]["name"] = json!(""));
    }
    for text in ["{}", "[]", r#"{"name":"x","nodes":[],"features":0}"#] {
        assert!(serde_json::from_str::<Graph>(text).is_err());
    }
}

/// A one-layer graph read from JSON.
fn layer(input: Value, op: Value, shape: Value) -> Result<Graph, String> {
    let node = |name: &str, op: Value, inputs: Value, shape: Value| json!({"name": name, "op": op, "inputs": inputs, "shape": shape});
    let nodes =
        json!([node("input", json!("Input"), json!([]), input), node("layer", op, json!([0]), shape)]);
    let graph = json!({"name": "read", "nodes": nodes, "features": 0});
    serde_json::from_value(graph).map_err(|e| e.to_string())
}

#[test]
fn impossible_layers_are_named() {
    let map = |c: u64, h: u64, w: u64| json!({"Map": {"channels": c, "height": h, "width": w}});
    let huge = 1u64 << 40;
    for (input, op, output, words) in [
        (map(0, 4, 4), json!("Relu"), map(0, 4, 4), "no numbers"),
        (map(3, huge, huge), json!("Relu"), map(3, huge, huge), "more than"),
        (map(3, 4, 4), json!({"Dropout": {"p": 1.5}}), map(3, 4, 4), "0..1"),
        (
            map(3, 4, 4),
            json!({"AdaptiveAvgPool2d": {"height": huge, "width": huge}}),
            map(3, huge, huge),
            "more than",
        ),
        (map(3, 4, 4), json!("Relu"), map(3, 4, 5), "gives 3×4×4, not 3×4×5"),
        (json!({"Vector": 4}), json!("Add"), json!({"Vector": 4}), "needs 2 inputs"),
        (
            json!({"Vector": 1 << 20}),
            json!({"Linear": {"in_features": 1 << 20, "out_features": 1 << 20, "bias": true, "init": "Default"}}),
            json!({"Vector": 1 << 20}),
            "weight of",
        ),
        (
            map(4, 4, 4),
            json!({"BatchNorm2d": {"features": 4, "eps": -1.0, "momentum": 0.1}}),
            map(4, 4, 4),
            "eps",
        ),
        (
            map(4, 4, 4),
            json!({"MaxPool2d": {"kernel": [2, 2], "stride": [0, 2], "padding": [0, 0], "ceil_mode": true}}),
            map(4, 2, 2),
            "at least 1",
        ),
        (
            map(4, 4, 4),
            json!({"Conv2d": {"in_channels": 4, "out_channels": 4, "kernel": [1, 1], "stride": [1, 1],
                "padding": [0, 0], "dilation": [1, 1], "groups": 0, "bias": false, "init": "Default"}}),
            map(4, 4, 4),
            "0 groups",
        ),
    ] {
        let error = layer(input, op.clone(), output).expect_err(&op.to_string());
        assert!(error.contains(words), "{op}: {error}");
    }
}

#[test]
fn a_thousand_layers_and_a_thousand_inputs_are_fine() {
    let mut graph = zoo::build("linear", 2, Some(Shape::Vector(8))).unwrap();
    for index in 0..5000 {
        let mut node = graph.nodes[1].clone();
        (node.name, node.op, node.inputs) = (format!("relu{index}"), Op::Relu, vec![graph.output()]);
        node.shape = graph.output_shape();
        graph.nodes.push(node);
    }
    let mut wide = graph.nodes[1].clone();
    (wide.name, wide.op) = ("wide".to_owned(), Op::Concat);
    wide.inputs = (0..5000).map(|index| NodeId(3 + index)).collect();
    wide.shape = Shape::Vector(2 * 5000);
    graph.nodes.push(wide);
    let text = serde_json::to_string(&graph).unwrap();
    use_it(&serde_json::from_str(&text).unwrap());
}

#[test]
fn names_that_would_steer_a_terminal_are_refused() {
    let graph = zoo::build("lenet5", 10, None).unwrap();
    let json = serde_json::to_value(&graph).unwrap();
    for name in ["conv\u{1b}[2J", "a\nerror: b", &"c".repeat(201)] {
        for place in ["/name", "/nodes/1/name"] {
            let mut changed = json.clone();
            *changed.pointer_mut(place).unwrap() = name.into();
            let read = serde_json::from_value::<Graph>(changed).map_err(|e| e.to_string());
            let error = read.and_then(|graph| graph.validate().map_err(|e| e.to_string())).unwrap_err();
            assert!(error.contains("control characters"), "{error}");
        }
    }
}
