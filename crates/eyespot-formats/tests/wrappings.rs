//! The ways in which training programs wrap weights.

mod support;

use eyespot_formats::weights_from_bytes;
use support::{Pickle, checkpoint};

/// Puts a tensor with this one number into the open dict.
fn tensor(pickle: Pickle, name: &str, number: i64) -> Pickle {
    pickle.text(name).tensor(("FloatStorage", 8), number, &[1], &[1]).raw(b"s")
}

/// A dict of tensors under a key of the open dict.
fn dict(pickle: Pickle, key: &str, tensors: &[(&str, i64)]) -> Pickle {
    let open = pickle.text(key).raw(b"}");
    tensors.iter().fold(open, |pickle, (name, number)| tensor(pickle, name, *number)).raw(b"s")
}

/// Names and numbers; the storage holds 0, 1, 2, … 7.
fn read(pickle: Pickle) -> Result<Vec<(String, f32)>, String> {
    let storage: Vec<u8> = (0u8..8).flat_map(|number| f32::from(number).to_le_bytes()).collect();
    let params =
        weights_from_bytes(&checkpoint(&pickle.raw(b".").0, &storage)).map_err(|error| error.to_string())?;
    Ok(params.iter().map(|(name, tensor)| (name.to_owned(), tensor[[0]])).collect())
}

fn pairs(pairs: &[(&str, f32)]) -> Result<Vec<(String, f32)>, String> {
    Ok(pairs.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect())
}

fn root() -> Pickle {
    Pickle::new().raw(b"}")
}

#[test]
fn usual_keys() {
    for key in ["state_dict", "model", "model_state_dict", "net", "ema", "model_ema", "state_dict_ema"] {
        let pickle = tensor(root(), "best_accuracy", 7);
        assert_eq!(read(dict(pickle, key, &[("w", 1), ("b", 2)])), pairs(&[("w", 1.0), ("b", 2.0)]), "{key}");
    }
    // Plain weights go before averaged ones, whichever comes first in the file.
    let both = dict(dict(root(), "model_ema", &[("w", 1)]), "model", &[("w", 2)]);
    assert_eq!(read(both), pairs(&[("w", 2.0)]));
}

#[test]
fn unusual_keys() {
    // One dict with tensors can't be mistaken; an optimizer's state is nobody's weights.
    let one = dict(dict(root(), "optimizer", &[("m", 5)]), "backbone", &[("w", 1)]);
    assert_eq!(read(one), pairs(&[("w", 1.0)]));
    let two = dict(dict(root(), "generator", &[("w", 1)]), "critic", &[("w", 2)]);
    let error = read(two).expect_err("which of the two?");
    assert!(error.contains("`generator`, `critic`"), "{error}");
    let error = read(dict(root(), "optimizer", &[("m", 5)])).expect_err("no weights");
    assert!(error.contains("no one dict of named tensors"), "{error}");
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
        ("torch", "bfloat16"),
        ("pathlib", "PosixPath"),
        ("pytorch_lightning.utilities.parsing", "AttributeDict"),
    ] {
        // Called, made with attributes, filled, and simply mentioned.
        for made in [&b")Rs"[..], b")\x81}bs", b")R(K\x01K\x02us", b"s"] {
            let pickle = inert(tensor(root(), "w", 3), module, name).raw(made);
            assert_eq!(read(pickle), pairs(&[("w", 3.0)]), "{module}.{name} {made:?}");
        }
        // It is no tensor, whatever it was called with.
        let pickle = inert(root(), module, name).tensor(("FloatStorage", 8), 1, &[1], &[1]).raw(b"\x85Rs");
        assert!(read(pickle).expect_err("no weights").contains("no one dict of named tensors"));
    }
    // An object needs a class of plain data.
    let error = read(inert(root(), "collections", "OrderedDict").raw(b")\x81s")).expect_err("no plain data");
    assert!(error.contains("an object of a class"), "{error}");
}

#[test]
fn prefixes_that_all_names_share() {
    for prefix in ["module.", "model.", "_orig_mod.", "module._orig_mod.", "module.module.", "net."] {
        let (weight, bias) = (format!("{prefix}conv.weight"), format!("{prefix}conv.bias"));
        let pickle = tensor(tensor(root(), &weight, 1), &bias, 2);
        assert_eq!(read(pickle), pairs(&[("conv.weight", 1.0), ("conv.bias", 2.0)]), "{prefix}");
    }
    let some = tensor(tensor(root(), "module.w", 1), "w", 2);
    assert_eq!(read(some), pairs(&[("module.w", 1.0), ("w", 2.0)]), "not all share it");
    let averaged = tensor(tensor(root(), "n_averaged", 3), "module.w", 1);
    assert_eq!(read(averaged), pairs(&[("w", 1.0)]), "the count of an averaged model isn't in the way");
    assert_eq!(
        read(tensor(root(), "module.", 1)),
        pairs(&[("module.", 1.0)]),
        "a name is never taken away whole"
    );
}

#[test]
fn python_2() {
    // Short strings without an encoding, and an ordered dict made from a list of pairs.
    let pickle = Pickle::new().global("collections", "OrderedDict").raw(b"](](U\x01w");
    let pickle = pickle.tensor(("FloatStorage", 8), 6, &[1], &[1]).raw(b"ee\x85R");
    assert_eq!(read(pickle), pairs(&[("w", 6.0)]));
    // Entries of another kind whose text is no UTF-8
    let pickle = tensor(root(), "w", 4).raw(b"U\x02\xff\xfe").raw(b"U\x01xs");
    assert_eq!(read(pickle), pairs(&[("w", 4.0)]));
}
