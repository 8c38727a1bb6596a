//! The kinds of weight files that training programs write (scripts/reference/weight_files.py): each gives what PyTorch
//! computes with the weights that went into it, or is refused with the cure.

use eyespot_cpu::Cpu;
use eyespot_formats::{FormatError, ModelFile, WeightsFile};
use eyespot_graph::{Builder, Device, Graph, Params, Shape, initialise, ops::Conv2d, zoo};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What PyTorch says about a file.
#[derive(serde::Deserialize)]
struct Expected {
    /// Whether the outputs are the backbone's, because the file has no classifier.
    features: bool,
    outputs: Vec<f32>,
    /// Words of the notices.
    says: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/weight_files")
}

/// `Tiny` of the script.
fn graph() -> Graph {
    let conv = |inputs| Conv2d::new(inputs, 4, 3).padding(1).no_bias();
    let mut b = Builder::new("tiny", Shape::map(3, 8, 8));
    let x = b.input();
    let x = b.conv2d("conv1", x, conv(3));
    let x = b.batch_norm("bn1", x);
    let x = b.relu("relu", x);
    let y = b.conv2d("layer1.0.conv1", x, conv(4));
    let y = b.batch_norm("layer1.0.bn1", y);
    let sum = b.add("layer1.0.add", y, x);
    let x = b.relu("layer1.0.relu", sum);
    let x = b.global_avg_pool("avgpool", x);
    let x = b.flatten("flatten", x);
    b.mark_features(x);
    b.linear("fc", x, 3);
    b.finish().expect("a network")
}

/// `picture` of the script, height × width × channels.
fn picture() -> Vec<f32> {
    let number = |index: usize| (index * 37 % 101) as f32 / 101.0 - 0.5;
    (0..64).flat_map(|pixel| (0..3).map(move |channel| number(channel * 64 + pixel))).collect()
}

fn outputs(graph: &Graph, params: &Params) -> Vec<f32> {
    let mut network = Cpu::new(1).inference(graph, params, 1).expect("runs");
    network.run(&picture(), 1).expect("runs").to_vec()
}

/// What a file's network computes, and what is said about it.
fn computed(file: &str, features: bool) -> Result<(Vec<f32>, String), FormatError> {
    let graph = graph();
    let fitted = WeightsFile::open(&folder().join(file))?.fit(&graph, features)?;
    let notices = fitted.notices.join("\n");
    let params = fitted.over(initialise(&graph, 0));
    let graph = if features { zoo::backbone(&graph).expect("has one") } else { graph };
    Ok((outputs(&graph, &params), notices))
}

fn check(file: &str, expected: &Expected) {
    let (outputs, notices) =
        computed(file, expected.features).unwrap_or_else(|error| panic!("{file}: {error}"));
    let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-5 * b.abs().max(1.0);
    let same = outputs.len() == expected.outputs.len() && outputs.iter().zip(&expected.outputs).all(close);
    assert!(same, "{file}: {outputs:?}, PyTorch says {:?}", expected.outputs);
    for word in &expected.says {
        assert!(notices.contains(word.as_str()), "{file} should say something of {word}: {notices}");
    }
    if expected.says.is_empty() && !expected.features && !file.contains('#') {
        assert_eq!(notices, "", "{file}");
    }
}

fn all_expected() -> BTreeMap<String, Expected> {
    let text = std::fs::read_to_string(folder().join("expected.json")).expect("committed");
    serde_json::from_str(&text).expect("made by the script")
}

/// Files that are read, in the groups of the script. Every expectation stands in exactly one, so none is forgotten.
fn check_all(files: &[&str]) {
    let expected = all_expected();
    for file in files {
        check(file, expected.get(*file).unwrap_or_else(|| panic!("{file} isn't the script's")));
    }
}

const WRAPPINGS: [&str; 11] = [
    "plain.pth",
    "legacy.pth",
    "key_state_dict.pth",
    "key_model.pth",
    "key_model_state_dict.pth",
    "prefix_module.pth",
    "prefix_backbone.pth",
    "prefix_encoder.pth",
    "prefix_resnet.pth",
    "prefix_net.pth",
    "without_num_batches_tracked.pth",
];
const PROGRAMS: [&str; 10] = [
    "lightning.ckpt",
    "moco.pth",
    "moco.pth#encoder_k",
    "simclr.pth",
    "dino.pth",
    "dino.pth#student",
    "ema.pth",
    "ema.pth#model",
    "averaged.pth",
    "total_ops.pth",
];
const WRAPPERS: [&str; 4] = ["fsdp.pth", "checkpoint_wrapper.pth", "compiled.pth", "compiled_inside.pth"];
const WEIGHT_NORM: [&str; 2] = ["weight_norm_old.pth", "weight_norm.pth"];
const WRITTEN: [&str; 12] = [
    "negative_bit.pth",
    "conjugate_imaginary.pth",
    "parameters_with_state.pth",
    "tensor_subclass.pth",
    "state_dict_subclass.pth",
    "dict_subclass.pth",
    "numpy_arrays.pth",
    "numpy_arrays2.pkl",
    "numpy_arrays4.pkl",
    "not_contiguous.pth",
    "shared_storage.pth",
    "tied.pth",
];
const NUMBERS: [&str; 10] = [
    "float8_e4m3fn.pth",
    "float8_e4m3fn.safetensors",
    "float8_e5m2.pth",
    "float8_e5m2.safetensors",
    "bfloat16.pth",
    "bfloat16.safetensors",
    "float16.pth",
    "float16.safetensors",
    "float64.pth",
    "float64.safetensors",
];
const CONTAINERS: [&str; 4] =
    ["compressed.pth", "protocol4.pth", "plain.safetensors", "shards/model.safetensors.index.json"];

#[test]
fn state_dicts_under_any_key_and_prefix() {
    check_all(&WRAPPINGS);
}

#[test]
fn checkpoints_of_known_training_programs() {
    check_all(&PROGRAMS);
}

#[test]
fn wrappers_inside_names() {
    check_all(&WRAPPERS);
}

#[test]
fn weight_normalisation_is_multiplied_out() {
    check_all(&WEIGHT_NORM);
}

#[test]
fn tensors_however_they_are_written() {
    check_all(&WRITTEN);
}

#[test]
fn floating_point_numbers_of_any_width() {
    check_all(&NUMBERS);
}

#[test]
fn archives_shards_and_protocols() {
    check_all(&CONTAINERS);
    // A folder means the index in it.
    check("shards", &all_expected()["shards/model.safetensors.index.json"]);
}

#[test]
fn no_expectation_is_forgotten() {
    let groups: [&[&str]; 7] =
        [&WRAPPINGS, &PROGRAMS, &WRAPPERS, &WEIGHT_NORM, &WRITTEN, &NUMBERS, &CONTAINERS];
    let mut checked: Vec<&str> = groups.concat();
    checked.sort_unstable();
    let mut expected: Vec<String> = all_expected().into_keys().collect();
    expected.sort_unstable();
    assert_eq!(checked, expected);
}

/// A run's folder and a model file are weights as well, and say themselves of which network.
#[test]
fn runs_and_model_files() {
    let expected = &all_expected()["plain.pth"];
    let graph = graph();
    let params = WeightsFile::open(&folder().join("plain.pth")).and_then(|file| file.fit(&graph, false));
    let model = ModelFile {
        params: params.expect("fits").params,
        graph: graph.clone(),
        classes: ["a", "b", "c"].map(str::to_owned).to_vec(),
        transform: serde_json::json!({}),
        training: serde_json::json!({}),
        learned_from: Default::default(),
    };
    let run = tempfile::tempdir().expect("a folder");
    let file = run.path().join("model.safetensors");
    model.write(&file).expect("written");
    for path in [run.path(), &file] {
        let weights = WeightsFile::open(path).expect("readable");
        assert_eq!(weights.graph().expect("undamaged"), Some(graph.clone()));
        let fitted = weights.fit(&graph, false).expect("fits");
        assert_eq!(fitted.notices, [""; 0]);
        assert!(
            outputs(&graph, &fitted.params).iter().zip(&expected.outputs).all(|(a, b)| (a - b).abs() < 1e-5)
        );
    }
    assert_eq!(
        WeightsFile::open(&folder().join("plain.safetensors")).expect("readable").graph().expect("is none"),
        None
    );
}

/// `1 / 1e-45` is infinite.
#[test]
fn a_model_whose_transform_divides_by_next_to_nothing_is_refused() {
    let graph = graph();
    let transform = |std: f32| {
        let imagenet = eyespot::Transform::imagenet();
        eyespot::Transform { crop: (8, 8), resize: Some(8), std: vec![std; 3], ..imagenet }
    };
    let run = tempfile::tempdir().expect("a folder");
    let load = |std: f32| {
        let model = ModelFile {
            params: initialise(&graph, 1),
            graph: graph.clone(),
            classes: ["a", "b", "c"].map(str::to_owned).to_vec(),
            transform: serde_json::to_value(transform(std)).expect("JSON"),
            training: serde_json::json!({}),
            learned_from: Default::default(),
        };
        model.write(&run.path().join("model.safetensors")).expect("written");
        eyespot::Classifier::load(run.path()).map(drop)
    };
    load(0.25).expect("a usual one");
    let error = load(1e-45).expect_err("next to nothing").to_string();
    assert!(error.contains("model.safetensors") && error.contains("std"), "{error}");
}

fn error(file: &str) -> String {
    match computed(file, false) {
        Ok((outputs, _)) => panic!("{file} should be refused, and gives {outputs:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn refused_by_name_and_with_the_cure() {
    for (file, words) in [
        ("torchscript.pt", &["TorchScript", "torch.jit.load"][..]),
        ("whole_network.pth", &["whole pickled network", "Sequential", "state_dict()"]),
        ("whole_own_network.pth", &["whole pickled network", "Tiny", "state_dict()"]),
        ("int8.pth", &["`conv1.weight`", "int8", "quantised", "float32"]),
        ("int8.safetensors", &["`conv1.weight`", "I8", "quantised", "float32"]),
        ("scaled_float8.safetensors", &["`conv1.weight`", "`conv1.weight_scale`", "float32"]),
        ("quantised.pth", &["`fc.weight`", "qint8", "quantised"]),
        ("without_head.pth", &["without the classifier", "eyespot train", "`fc.weight`, `fc.bias`"]),
        ("lfs_pointer.pth", &["Git LFS", "git lfs pull"]),
        ("page.safetensors", &["web page", "direct link"]),
        ("two_of_a_kind.pth", &["`generator`", "`critic`", "FILE#"]),
        ("dino.pth#professor", &["`professor`", "`teacher.backbone`"]),
        (
            "shards/model-00001-of-00002.safetensors",
            &["one of several files", "model.safetensors.index.json"],
        ),
    ] {
        let message = error(file);
        for word in words {
            assert!(message.contains(word), "{file} should say {word}: {message}");
        }
    }
    // A backbone is enough where its classifier is replaced.
    computed("without_head.pth", true).expect("the backbone fits");
}

#[test]
fn numbers_that_are_none_and_negative_variances_are_refused() {
    for ending in ["pth", "safetensors"] {
        for (file, words) in [
            ("nan", ["`conv1.weight`", "NaN"]),
            ("infinity", ["`layer1.0.bn1.bias`", "inf"]),
            ("negative_variance", ["`bn1.running_var`", "-0.5"]),
        ] {
            let message = error(&format!("{file}.{ending}"));
            for word in words.iter().chain(&[file, ending]) {
                assert!(message.contains(word), "{file}.{ending} should say {word}: {message}");
            }
        }
    }
}

/// A name that really has a `#` goes before a set of weights.
#[test]
fn files_whose_names_have_a_hash_sign() {
    let run = tempfile::tempdir().expect("a folder");
    let copy = |from: &str, to: &str| {
        std::fs::copy(folder().join(from), run.path().join(to)).expect("copies");
    };
    copy("dino.pth", "a#b.pth");
    copy("plain.pth", "dino.pth#student");
    copy("dino.pth", "dino.pth");
    let graph = graph();
    let features = zoo::backbone(&graph).expect("has one");
    let of = |name: &str| {
        let fitted =
            WeightsFile::open(&run.path().join(name)).expect("readable").fit(&graph, true).expect("fits");
        outputs(&features, &fitted.params)
    };
    let expected = all_expected();
    let close =
        |a: &[f32], file: &str| a.iter().zip(&expected[file].outputs).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(close(&of("a#b.pth"), "dino.pth"));
    assert!(close(&of("a#b.pth#student"), "dino.pth#student"));
    let plain = WeightsFile::open(&run.path().join("dino.pth#student")).expect("readable");
    assert!(plain.fit(&graph, false).is_ok(), "the file, not the set of the other one");
}
