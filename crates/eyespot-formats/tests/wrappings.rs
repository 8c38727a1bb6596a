//! The ways in which training programs wrap weights.

mod support;

use eyespot_formats::WeightsFile;
use eyespot_graph::{Builder, Graph, Init, Op, Shape, ops::Linear};
use support::{Pickle, checkpoint};

/// Puts a tensor with this one number into the open dict.
fn tensor(pickle: Pickle, name: &str, number: i64) -> Pickle {
    pickle.text(name).tensor(("FloatStorage", 8), number, &[1, 1], &[1, 1]).raw(b"s")
}

/// A network with the tensors `w.weight` [1, 1] and, as its head, `b.weight` [1, 1].
fn graph() -> Graph {
    let linear = || Op::Linear(Linear { in_features: 1, out_features: 1, bias: false, init: Init::Default });
    let mut b = Builder::new("two", Shape::Vector(1));
    let x = b.input();
    let x = b.add_op("w", linear(), &[x]);
    b.mark_features(x);
    b.add_op("b", linear(), &[x]);
    b.finish().expect("a network")
}

/// 0, 1, 2, … 7
fn storage() -> Vec<u8> {
    (0u8..8).flat_map(|number| f32::from(number).to_le_bytes()).collect()
}

/// Names and numbers that the network takes, and what is said.
fn read(pickle: Pickle) -> Result<(Vec<(String, f32)>, String), String> {
    let file = checkpoint(&pickle.raw(b".").0, &storage());
    let file = WeightsFile::from_bytes(&file).map_err(|error| error.to_string())?;
    let fitted = file.fit(&graph(), false).map_err(|error| error.to_string())?;
    let pairs = fitted.params.iter().map(|(name, tensor)| (name.to_owned(), tensor[[0, 0]])).collect();
    Ok((pairs, fitted.notices.join("\n")))
}

fn numbers(weight: f32, bias: f32) -> Vec<(String, f32)> {
    vec![("w.weight".to_owned(), weight), ("b.weight".to_owned(), bias)]
}

fn root() -> Pickle {
    Pickle::new().raw(b"}")
}

/// Puts the network's two tensors into the open dict, under a prefix.
fn both(pickle: Pickle, prefix: &str, weight: i64, bias: i64) -> Pickle {
    let pickle = tensor(pickle, &format!("{prefix}w.weight"), weight);
    tensor(pickle, &format!("{prefix}b.weight"), bias)
}

/// A dict with the two tensors under a key of the open dict.
fn dict(pickle: Pickle, key: &str, weight: i64, bias: i64) -> Pickle {
    both(pickle.text(key).raw(b"}"), "", weight, bias).raw(b"s")
}

#[test]
fn any_key_and_any_prefix() {
    for key in ["state_dict", "model", "weights of my network", "ema", "0"] {
        let pickle = tensor(root(), "best_accuracy", 7);
        assert_eq!(read(dict(pickle, key, 1, 2)).map(|read| read.0), Ok(numbers(1.0, 2.0)), "{key}");
    }
    for prefix in ["module.", "model.", "_orig_mod.", "module._orig_mod.", "a.b.c.", "w.", "b.weight."] {
        assert_eq!(read(both(root(), prefix, 1, 2)).map(|read| read.0), Ok(numbers(1.0, 2.0)), "{prefix}");
    }
    let count = tensor(both(root(), "module.", 1, 2), "n_averaged", 3);
    assert_eq!(read(count), Ok((numbers(1.0, 2.0), String::new())), "a count isn't worth a word");
}

#[test]
fn of_several_sets_the_likeliest_is_taken_and_told() {
    for (likely, other) in [
        ("model_ema", "model"),
        ("ema", "state_dict"),
        ("teacher", "student"),
        ("encoder_q", "encoder_k"),
        ("online_network", "target_network"),
        ("model", "momentum_model"),
        ("averaged_model", "model"),
    ] {
        for first in [likely, other] {
            let second = if first == likely { other } else { likely };
            let number = |name: &str| if name == likely { 1 } else { 5 };
            let file = dict(dict(root(), first, number(first), 2), second, number(second), 2);
            let (taken, said) = read(file).expect("fits");
            assert_eq!(taken, numbers(1.0, 2.0), "{likely}, not {other}");
            assert!(said.contains(&format!("`{likely}` is taken, not `{other}`")), "{said}");
            assert!(said.contains(&format!("FILE#{other}")), "{said}");
        }
    }
}

#[test]
fn sets_that_cannot_be_told_apart_are_asked_for() {
    let two = dict(dict(root(), "generator", 1, 2), "critic", 3, 4);
    let error = read(two.clone()).expect_err("which of the two?");
    assert!(error.contains("`generator`, `critic`") && error.contains("FILE#generator"), "{error}");
    let file = checkpoint(&two.raw(b".").0, &storage());
    let set = |name: &str| WeightsFile::from_bytes(&file).expect("listed").set(name).fit(&graph(), false);
    assert_eq!(set("critic").expect("fits").params.get("b.weight").map(|tensor| tensor[[0, 0]]), Some(4.0));
    assert!(set("crit").expect_err("a part of a name").to_string().contains("`crit`"));
    // One tensor under two names is one set.
    let twice = both(both(root(), "model.backbone.", 1, 2), "backbone.", 1, 2);
    assert_eq!(read(twice), Ok((numbers(1.0, 2.0), String::new())));
    // The same name behind a wrapper and without is two tensors for one.
    let error = read(tensor(both(root(), "", 1, 2), "_orig_mod.w.weight", 3)).expect_err("which?");
    assert!(error.contains("`w.weight` twice"), "{error}");
}

#[test]
fn other_tensors_are_listed_and_left_out() {
    let wide =
        |pickle: Pickle, name: &str| pickle.text(name).tensor(("FloatStorage", 8), 0, &[8], &[1]).raw(b"s");
    let file = wide(wide(both(root(), "net.", 1, 2), "net.projector.0.weight"), "queue");
    let (taken, said) = read(file).expect("fits");
    assert_eq!(taken, numbers(1.0, 2.0));
    assert!(said.contains("2 tensors of the file (`projector`, `queue`)"), "{said}");
    let (_, said) = read(tensor(both(root(), "net.", 1, 2), "net.w.total_ops", 3)).expect("fits");
    assert!(said.contains("1 tensor of the file (`total_ops`)"), "{said}");
    // An optimizer's state is nobody's weights.
    let (_, said) = read(dict(dict(root(), "optimizer", 5, 6), "net", 1, 2)).expect("fits");
    assert_eq!(said, "");
    let error = read(dict(root(), "optimizer", 5, 6)).expect_err("no weights");
    assert!(error.contains("no named tensors"), "{error}");
    // A layer with more than the network has is another layer.
    let error = read(wide(both(root(), "", 1, 2), "w.bias")).expect_err("a bias too many");
    assert!(error.contains("`w.bias`"), "{error}");
}

/// Names for plain data are neither made nor called: whatever is built with them is passed over.
#[test]
fn plain_data_beside_the_weights() {
    let inert = |pickle: Pickle, module: &str, name: &str| pickle.text("x").global(module, name);
    for (module, name) in [
        ("argparse", "Namespace"),
        ("collections", "Counter"),
        ("numpy", "float64"),
        ("numpy.core.multiarray", "scalar"),
        ("torch", "per_tensor_affine"),
        ("pathlib", "PosixPath"),
        ("pytorch_lightning.utilities.parsing", "AttributeDict"),
    ] {
        // Called, made with attributes, filled, and simply mentioned.
        for made in [&b")Rs"[..], b")\x81}bs", b")R(K\x01K\x02us", b"s"] {
            let pickle = inert(both(root(), "", 3, 4), module, name).raw(made);
            assert_eq!(read(pickle), Ok((numbers(3.0, 4.0), String::new())), "{module}.{name} {made:?}");
        }
        // It is no tensor, whatever it was called with.
        let pickle = inert(root(), module, name).tensor(("FloatStorage", 8), 1, &[1, 1], &[1, 1]);
        assert!(read(pickle.raw(b"\x85Rs")).expect_err("no weights").contains("no named tensors"));
    }
    // An object needs a class.
    let error = read(inert(root(), "collections", "OrderedDict").raw(b")\x81s")).expect_err("no plain data");
    assert!(error.contains("an object of a class"), "{error}");
}

/// A class may say what a dict is; anything else that is done with its name is refused.
#[test]
fn classes_of_dicts() {
    let own = |pickle: Pickle| pickle.text("x").global("train", "Config");
    for made in [&b")Rs"[..], b")\x81}bs", b")R(X\x01\0\0\0aK\x02us"] {
        let pickle = own(both(root(), "", 3, 4)).raw(made);
        assert_eq!(read(pickle), Ok((numbers(3.0, 4.0), String::new())), "{made:?}");
    }
    for made in [&b"s"[..], b"K\x01\x85Rs"] {
        let error = read(own(both(root(), "", 3, 4)).raw(made)).expect_err("not only a class");
        assert!(error.contains("`train.Config`"), "{error}");
    }
    // A network is an object whose layers are its attributes.
    let network = own(both(root(), "", 3, 4)).raw(b")\x81}").text("_modules").raw(b"}sbs");
    let error = read(network).expect_err("a whole network");
    assert!(error.contains("whole pickled network (`train.Config`)"), "{error}");
}

#[test]
fn python_2() {
    // Short strings without an encoding, and an ordered dict made from a list of pairs.
    let pickle = Pickle::new().global("collections", "OrderedDict").raw(b"](](U\x08w.weight");
    let pickle = pickle.tensor(("FloatStorage", 8), 6, &[1, 1], &[1, 1]).raw(b"e](U\x08b.weight");
    let pickle = pickle.tensor(("FloatStorage", 8), 5, &[1, 1], &[1, 1]).raw(b"ee\x85R");
    assert_eq!(read(pickle), Ok((numbers(6.0, 5.0), String::new())));
    // Entries of another kind whose text is no UTF-8
    let pickle = both(root(), "", 4, 3).raw(b"U\x02\xff\xfe").raw(b"U\x01xs");
    assert_eq!(read(pickle), Ok((numbers(4.0, 3.0), String::new())));
}
