//! The zoo against published facts: parameter counts, names, where the backbone ends, what is refused.

use eyespot_graph::zoo::{self, Head, build, with_head};
use eyespot_graph::{Graph, GraphError, Shape, initialise};

/// torchvision's documented counts, He et al. 2015 (table 6) for the CIFAR networks in full digits, and sums by
/// hand for the rest.
const PARAMETERS: &[(&str, u64)] = &[
    ("linear", (3 * 64 * 64 + 1) * 1000),
    ("mlp", 3072 * 1536 + 1536 + 1536 * 1000 + 1000),
    ("alexnet", 61_100_840),
    ("vgg11", 132_863_336),
    ("vgg11_bn", 132_868_840),
    ("vgg13", 133_047_848),
    ("vgg13_bn", 133_053_736),
    ("vgg16", 138_357_544),
    ("vgg16_bn", 138_365_992),
    ("vgg19", 143_667_240),
    ("vgg19_bn", 143_678_248),
    ("resnet18", 11_689_512),
    ("resnet34", 21_797_672),
    ("resnet50", 25_557_032),
    ("resnet101", 44_549_160),
    ("resnet152", 60_192_808),
    ("squeezenet1_0", 1_248_424),
    ("squeezenet1_1", 1_235_496),
    ("mobilenet_v2", 3_504_872),
];

/// The same for 10 classes.
const PARAMETERS_10: &[(&str, u64)] = &[
    ("cifar_resnet20", 269_722),
    ("cifar_resnet32", 464_154),
    ("cifar_resnet44", 658_586),
    ("cifar_resnet56", 853_018),
    // C1 156, S2 12, C3 2416, S4 32, C5 48120, F6 10164, output 850 or, without biases, 840.
    ("lenet5", 61_750),
    ("lenet5_gaussian", 61_740),
];

fn graph(name: &str, classes: usize) -> Graph {
    build(name, classes, None).unwrap()
}

#[test]
fn parameter_counts_are_the_published_ones() {
    for (classes, table) in [(1000, PARAMETERS), (10, PARAMETERS_10)] {
        for &(name, count) in table {
            assert_eq!(graph(name, classes).parameter_count(), count, "{name}");
        }
    }
    assert_eq!(PARAMETERS.len() + PARAMETERS_10.len() + 1, zoo::names().len(), "only small_cnn is our own");
}

/// Counts, names, shapes and their order as PyTorch and torchvision have them; made by
/// scripts/reference/networks.py.
#[test]
fn names_and_shapes_are_torchvisions() {
    let reference: serde_json::Value = serde_json::from_str(include_str!("data/parameters.json")).unwrap();
    for name in zoo::names() {
        let expected = &reference[name];
        let graph = graph(name, expected["classes"].as_u64().unwrap() as usize);
        assert_eq!(graph.parameter_count(), expected["parameters"].as_u64().unwrap(), "{name}");
        let layout: String =
            graph.param_specs().iter().map(|(name, spec)| layout_line(name, &spec.dims)).collect();
        assert_eq!(
            format!("{:016x}", fnv1a(&layout)),
            expected["layout"].as_str().unwrap(),
            "{name}:\n{layout}"
        );
    }
}

fn layout_line(name: &str, dims: &[usize]) -> String {
    let dims: Vec<String> = dims.iter().map(usize::to_string).collect();
    format!("{name} {}\n", dims.join("x"))
}

fn fnv1a(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn every_network_takes_other_classes_channels_and_sizes() {
    for network in zoo::networks() {
        let (_, height, width) = network.input.chw();
        let sizes = [(network.min_side, network.min_side), (height + 13, width + 6)];
        for (height, width) in sizes {
            for channels in [1, 3, 4] {
                let graph = build(network.name, 7, Some(Shape::map(channels, height, width)));
                let graph =
                    graph.unwrap_or_else(|e| panic!("{} {channels}x{height}x{width}: {e}", network.name));
                assert_eq!(graph.output_shape(), Shape::Vector(7), "{}", network.name);
            }
        }
    }
}

#[test]
fn initialised_weights_have_the_described_shapes() {
    for name in ["lenet5_gaussian", "small_cnn", "squeezenet1_1", "mobilenet_v2"] {
        let graph = graph(name, 5);
        let params = initialise(&graph, 1);
        for (name, spec) in graph.param_specs() {
            let tensor = params.get(&name).unwrap();
            assert_eq!(tensor.shape(), spec.dims);
            assert!(tensor.iter().all(|w| w.is_finite()));
        }
    }
}

#[test]
fn backbones_end_where_heads_begin() {
    for (name, shape) in [
        ("linear", Shape::Vector(12_288)),
        ("mlp", Shape::Vector(1536)),
        ("small_cnn", Shape::Vector(112)),
        ("lenet5", Shape::Vector(84)),
        ("alexnet", Shape::Vector(4096)),
        ("vgg16", Shape::Vector(4096)),
        ("resnet18", Shape::Vector(512)),
        ("resnet50", Shape::Vector(2048)),
        ("squeezenet1_0", Shape::map(512, 13, 13)),
        ("squeezenet1_1", Shape::map(512, 13, 13)),
        ("mobilenet_v2", Shape::Vector(1280)),
        ("cifar_resnet20", Shape::Vector(64)),
    ] {
        let graph = graph(name, 10);
        assert_eq!(graph.node(graph.features).shape, shape, "{name}");
    }
}

#[test]
fn every_backbone_splits_off_and_joins_again() {
    for name in zoo::names() {
        let graph = graph(name, 3);
        let (front, rest) = graph.split(graph.features).unwrap();
        assert_eq!(front.output_shape(), rest.input_shape());
        front.validate().unwrap();
        rest.validate().unwrap();
        assert_eq!(front.join(&rest).unwrap(), graph, "{name}");
    }
}

#[test]
fn stages_split_off_by_name() {
    let graph = graph("resnet50", 10);
    let (front, rest) = graph.split_after_prefix("layer3").unwrap();
    assert_eq!(front.output_shape(), Shape::map(1024, 14, 14));
    assert!(front.nodes.iter().all(|node| !node.name.starts_with("layer4")));
    assert_eq!(rest.nodes[1].name, "layer4.0.conv1");
    assert_eq!(rest.node(rest.features).shape, Shape::Vector(2048));
    assert_eq!(front.join(&rest).unwrap(), graph);

    // Not `layer1`, though the text begins alike; the answer lists what there is.
    let Err(GraphError::Cut(message)) = graph.split_after_prefix("layer") else {
        panic!("cut after nothing")
    };
    assert!(message.contains("layer1, layer2"), "{message}");
}

#[test]
fn a_cut_through_a_shortcut_names_it() {
    let graph = graph("resnet18", 10);
    let Err(GraphError::Cut(message)) = graph.split_after_prefix("layer2.0.conv1") else {
        panic!("cut through a residual block")
    };
    assert!(message.contains("`layer2.0.downsample.0` also reads `layer1.1.relu`"), "{message}");
    assert!(graph.split(eyespot_graph::NodeId(0)).is_err());
    assert!(graph.split(graph.output()).is_err());
    assert!(graph.split(eyespot_graph::NodeId(usize::MAX)).is_err());
}

#[test]
fn new_heads_take_the_old_name_on_a_vector() {
    for (name, layer) in [
        ("resnet18", "fc"),
        ("vgg16", "classifier.6"),
        ("mobilenet_v2", "classifier.1"),
        ("cifar_resnet20", "linear"),
        ("squeezenet1_1", "head"),
        ("lenet5_gaussian", "head"),
    ] {
        let original = graph(name, 1000);
        let graph = with_head(&original, Head::Linear, 2).unwrap();
        assert_eq!(graph.output_shape(), Shape::Vector(2));
        assert_eq!(graph.node(graph.output()).name, layer);
        assert_eq!(graph.node(graph.features).name, original.node(original.features).name);
        // One that drops has the same tensors.
        let dropping = with_head(&original, Head::DropoutLinear, 2).unwrap();
        assert_eq!(dropping.param_specs(), graph.param_specs());
        assert_eq!(dropping.nodes.len(), graph.nodes.len() + 1);
        let mlp = with_head(&original, Head::Mlp, 2).unwrap();
        assert_eq!(mlp.node(mlp.output()).name, "head.2");
        // A head on a head replaces it.
        assert_eq!(with_head(&mlp, Head::Linear, 3).unwrap().output_shape(), Shape::Vector(3));
    }
}

#[test]
fn the_classifier_is_the_layer_with_a_row_per_class() {
    for (name, layer) in [
        ("resnet50", "fc"),
        ("alexnet", "classifier.6"),
        ("squeezenet1_1", "classifier.1"),
        ("mobilenet_v2", "classifier.1"),
        ("cifar_resnet20", "linear"),
        ("lenet5_gaussian", "output"),
    ] {
        let graph = graph(name, 17);
        let node = graph.node(graph.classifier_layer().unwrap());
        assert_eq!(node.name, layer);
        assert_eq!(node.op.params()[0].dims[0], 17);
    }
}

#[test]
fn what_cannot_be_built_is_explained() {
    let text = |result: Result<Graph, GraphError>| result.unwrap_err().to_string();
    assert!(text(build("resnet51", 2, None)).contains("resnet50"));
    assert!(text(build("resnet18", 0, None)).contains("at least one class"));
    assert!(
        text(build("vgg16", 2, Some(Shape::map(3, 224, 31)))).contains("at least 32x32 pixels, not 224x31")
    );
    assert!(text(build("alexnet", 2, Some(Shape::map(0, 224, 224)))).contains("empty"));
    assert!(text(build("resnet18", 2, Some(Shape::Vector(64)))).contains("not vectors of 64"));
    assert!(build("linear", 2, Some(Shape::Vector(64))).is_ok());
    let _ = build("resnet18", usize::MAX, Some(Shape::map(usize::MAX, usize::MAX, usize::MAX)));
    assert!(with_head(&graph("resnet18", 2), Head::Linear, 0).is_err());
}
