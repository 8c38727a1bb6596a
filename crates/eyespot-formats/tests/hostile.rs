//! Files that lie. Each gives an error that says what is wrong; none panics, allocates what it declares, or is read
//! as wrong numbers.

mod support;

use eyespot_formats::{WeightsFile, weights_from_bytes};
use eyespot_graph::{Builder, Graph, Init, Op, Shape, ops::Linear};
use support::{Entry, Pickle, checkpoint, entry, safetensors, zip};

fn refused(bytes: &[u8], because: &str) {
    let error = weights_from_bytes(bytes).expect_err(because).to_string();
    assert!(error.contains(because), "expected `{because}` in: {error}");
}

fn values(bytes: &[u8]) -> Vec<f32> {
    let params = weights_from_bytes(bytes).unwrap_or_else(|error| panic!("{error}"));
    params.get("w").expect("named w").iter().copied().collect()
}

fn floats(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// A network whose one tensor is `fc.weight` [1, 1].
fn line() -> Graph {
    let mut b = Builder::new("line", Shape::Vector(1));
    let x = b.input();
    let linear = Linear { in_features: 1, out_features: 1, bias: false, init: Init::Default };
    b.add_op("fc", Op::Linear(linear), &[x]);
    b.finish().expect("a network")
}

fn unfit(file: &[u8]) -> String {
    let weights = WeightsFile::from_bytes(file).expect("listed");
    weights.fit(&line(), false).expect_err("can't be taken").to_string()
}

const HUGE: i64 = i64::MAX / 2;

// The crafted files are right before they are made wrong.
#[test]
fn honest_files_are_read() {
    let data = floats(&[1.0, 2.0, 3.0, 4.0]);
    assert_eq!(values(&checkpoint(&Pickle::one_tensor(4, 0, &[4], &[1]), &data)), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(values(&checkpoint(&Pickle::one_tensor(4, 1, &[2], &[2]), &data)), [2.0, 4.0]);
    let header = r#"{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#;
    assert_eq!(values(&safetensors(header, &data)), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(
        values(&legacy(&Pickle::one_tensor(4, 0, &[4], &[1]), &["0"], 4, &data)),
        [1.0, 2.0, 3.0, 4.0]
    );
}

#[test]
fn other_files() {
    for bytes in [&b"{}"[..], b"GIF89a", b"hello, these are no weights at all"] {
        refused(bytes, "neither a safetensors file nor a PyTorch checkpoint");
    }
    let mut tar = vec![b'x'; 600];
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, because) in [
        (&b""[..], "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"\xef\xbb\xbf\n <!DOCTYPE HTML>", "web page"),
        (b"<html lang=\"en\">", "web page"),
        (b"<?xml version=\"1.0\"?><Error>", "web page"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x1f\x8b\x08\0", "unpack"),
        (&tar, "unpack"),
    ] {
        refused(bytes, because);
    }
    refused(&zip(&[entry("conv1.weight.npy", b"")]), ".npz");
    refused(b"\x80\x04K\x05.", "not a PyTorch checkpoint");
    refused(b"PK\x03\x04 and nothing more", "zip archive");
    refused(&zip(&[entry("readme.txt", b"hi")]), "data.pkl");
    refused(&zip(&[entry("a/data.pkl", b"}."), entry("a/constants.pkl", b"")]), "TorchScript");
}

// Views

#[test]
fn views_beyond_their_storage() {
    let data = floats(&[0.0; 4]);
    for (offset, shape, stride) in
        [(4, 1, 1), (0, 5, 1), (3, 2, 1), (0, 2, 4), (HUGE, 1, 1), (0, 2, HUGE), (1, HUGE, 0)]
    {
        let error =
            weights_from_bytes(&checkpoint(&Pickle::one_tensor(4, offset, &[shape], &[stride]), &data));
        let error = error.expect_err("outside").to_string();
        assert!(error.contains("beyond its storage") || error.contains("shape"), "{error}");
    }
    refused(&checkpoint(&Pickle::one_tensor(4, -1, &[1], &[1]), &data), "negative");
    refused(&checkpoint(&Pickle::one_tensor(4, 0, &[-1], &[1]), &data), "negative");
    refused(&checkpoint(&Pickle::one_tensor(4, 0, &[2, 2], &[1]), &data), "axes");
    refused(&checkpoint(&Pickle::one_tensor(4, 0, &[1; 9], &[1; 9]), &data), "axes");
}

#[test]
fn storages_of_another_size() {
    let data = floats(&[0.0; 4]);
    for numbers in [3, 5, 1 << 40, HUGE] {
        refused(&checkpoint(&Pickle::one_tensor(numbers, 0, &[1], &[1]), &data), "another size");
    }
    let empty = Pickle::new().raw(b"}").text("w").tensor(("FloatStorage", 1), 0, &[1], &[1]).raw(b"s.").0;
    refused(&zip(&[entry("a/data.pkl", &empty)]), "missing");
}

#[test]
fn small_files_that_expand() {
    // One number seen 2³⁰ times.
    let data = floats(&[1.0]);
    refused(&checkpoint(&Pickle::one_tensor(1, 0, &[1 << 30], &[0]), &data), "many times larger");
    // The same storage under many names.
    let mut pickle = Pickle::new().raw(b"}");
    for index in 0..100 {
        pickle =
            pickle.text(&format!("w{index}")).tensor(("FloatStorage", 50_000), 0, &[50_000], &[1]).raw(b"s");
    }
    refused(&checkpoint(&pickle.raw(b".").0, &floats(&[0.0; 50_000])), "many times larger");
}

// Pickles

#[test]
fn names_that_could_run_code() {
    for (module, name) in [
        ("os", "system"),
        ("builtins", "eval"),
        ("torch", "load"),
        ("argparse", "FileType"),
        ("numpy", "load"),
    ] {
        let pickle = Pickle::new().global(module, name).text("touch /tmp/x").raw(b"\x85R.").0;
        refused(&checkpoint(&pickle, b""), &format!("`{module}.{name}`"));
        let stacked = Pickle::new().text(module).text(name).raw(b"\x93.").0;
        refused(&checkpoint(&stacked, b""), &format!("`{module}.{name}`"));
    }
    // Also where it stands beside good weights.
    let pickle = Pickle::new().raw(b"}").text("w").tensor(("FloatStorage", 1), 0, &[1], &[1]).raw(b"s");
    let pickle = pickle.text("args").global("posix", "system").raw(b"s.").0;
    refused(&checkpoint(&pickle, &floats(&[1.0])), "`posix.system`");
    refused(&checkpoint(&Pickle::new().raw(b"cposix").0, b""), "a name has no end");
    // Objects, extensions, classes by instance
    for instruction in [b"i", b"o", &b"\x82"[..], b"\x92", b"P"] {
        refused(&checkpoint(&Pickle::new().raw(b"}}").raw(instruction).0, b""), "pickle instruction");
    }
}

#[test]
fn unknown_numbers() {
    for (storage, name) in
        [("ComplexDoubleStorage", "complex128"), ("QInt8Storage", "qint8"), ("UntypedStorage", "untyped")]
    {
        let size = if name == "complex128" { 16 } else { 1 };
        let pickle = Pickle::new().raw(b"}").text("fc.weight");
        let pickle = pickle.tensor((storage, 1), 0, &[1, 1], &[1, 1]).raw(b"s.").0;
        let error = unfit(&checkpoint(&pickle, &vec![0; size]));
        assert!(error.contains(name), "{error}");
    }
    let pickle = Pickle::new().raw(b"}").text("w").tensor(("NoSuchStorage", 1), 0, &[1], &[1]).raw(b"s.").0;
    refused(&checkpoint(&pickle, &[0; 4]), "NoSuchStorage");
    let header = r#"{"fc.weight":{"dtype":"F8_E8M0","shape":[1,1],"data_offsets":[0,1]}}"#;
    let error = unfit(&safetensors(header, &[0]));
    assert!(error.contains("F8_E8M0"), "{error}");
    let header = r#"{"w":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}"#;
    refused(&safetensors(header, &[0; 4]), "F31");
}

#[test]
fn deep_nesting() {
    refused(&checkpoint(&Pickle::new().raw(&[b'('; 100_000]).0, b""), "nested");
    // Built from inside out it costs nothing and is passed over.
    let deep = Pickle::new().raw(b"}").text("w").tensor(("FloatStorage", 1), 0, &[1], &[1]).raw(b"s");
    let deep = deep.text("deep").raw(b")").raw(&[0x85; 200_000]).raw(b"s.").0;
    assert_eq!(values(&checkpoint(&deep, &floats(&[7.0]))), [7.0]);
    // A dict in itself
    let cycle = Pickle::new().raw(b"}q\x00").text("model").raw(b"h\x00s.").0;
    refused(&checkpoint(&cycle, b""), "no named tensors");
    let header = format!("{{\"w\":{}", "[".repeat(100_000));
    refused(&safetensors(&header, &[]), "header");
}

#[test]
fn hundred_thousand_entries() {
    let mut pickle = Pickle::new().raw(b"}(");
    for index in 0..100_000 {
        pickle = pickle.text(&format!("w{index}")).raw(b"N");
    }
    refused(&checkpoint(&pickle.raw(b"u.").0, b""), "more than");
    let mut header = "{".to_owned();
    for index in 0..100_000 {
        header += &format!("\"w{index}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}},");
    }
    header.pop();
    header += "}";
    refused(&safetensors(&header, &[]), "more than 50000 tensors");
    let many: Vec<Entry> = (0..60_000).map(|index| entry(&format!("{index}"), b"")).collect();
    refused(&zip(&many), "more than");
}

#[test]
fn pickles_that_grow() {
    // The same list of pairs made into dicts over and over: 2 × 40,000 items for 14 bytes each.
    let mut pickle = Pickle::new().raw(b"](");
    for _ in 0..40_000 {
        pickle = pickle.raw(b"NN\x86");
    }
    pickle = pickle.raw(b"eq\x00").global("collections", "OrderedDict").raw(b"q\x01");
    for _ in 0..10_000 {
        pickle = pickle.raw(b"h\x01h\x00\x85R0");
    }
    refused(&checkpoint(&pickle.raw(b".").0, b""), "items together");
    refused(&checkpoint(&Pickle::new().raw(&[b']'; 300_000]).0, b""), "more than");
    refused(&checkpoint(&Pickle::new().raw(&b"]0".repeat(1_100_000)).0, b""), "containers");
    refused(&checkpoint(&Pickle::new().raw(&b"N0".repeat(2_100_000)).0, b""), "steps");
    // Declared lengths are looked for before anything is made.
    for text in [&b"X\xff\xff\xff\xff"[..], b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff", b"B\xff\xff\xff\x7f"] {
        refused(&checkpoint(&Pickle::new().raw(text).0, b""), "ends too early");
    }
}

#[test]
fn senseless_pickles() {
    for pickle in [
        &b"."[..],
        b"0.",
        b"t.",
        b"(.",
        b"}s.",
        b"(0.",
        b"h\x07.",
        b"NR.",
        b")R.",
        b"N)R.",
        b"NQ.",
        b"NNb.",
        b"}Na.",
        b"K\x01K\x02a.",
        b"](K\x01u0}(K\x01u.",
        b"\x85.",
        b"q\x01.",
    ] {
        let error = weights_from_bytes(&checkpoint(&Pickle::new().raw(pickle).0, b""));
        assert!(error.is_err(), "{pickle:?}");
    }
    refused(&checkpoint(b"\x80\x09.", b""), "version 9");
    refused(&checkpoint(b"\x80\x02K\x01.", b""), "no dict of named tensors");
    refused(&checkpoint(&Pickle::new().raw(b"}").text("epoch").raw(b"K\x01s.").0, b""), "`epoch`");
}

// Names

#[test]
fn names_that_appear_twice() {
    let data = floats(&[1.0]);
    let mut pickle = Pickle::new().raw(b"}");
    for _ in 0..2 {
        pickle = pickle.text("w").tensor(("FloatStorage", 1), 0, &[1], &[1]).raw(b"s");
    }
    refused(&checkpoint(&pickle.raw(b".").0, &data), "`w` appears twice");
    let one = r#""w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    refused(&safetensors(&format!("{{{one},{one}}}"), &data), "`w` appears twice");
    let pickle = Pickle::one_tensor(1, 0, &[1], &[1]);
    let twice = [entry("a/data.pkl", &pickle), entry("a/data/0", &data), entry("a/data/0", &floats(&[2.0]))];
    refused(&zip(&twice), "appears twice");
    refused(&zip(&[entry("a/data.pkl", &pickle), entry("b/data.pkl", &pickle)]), "one `data.pkl`");
}

#[test]
fn long_and_odd_names_stay_readable_in_messages() {
    let name = format!("\u{1b}[31m{}", "x".repeat(10_000));
    let header =
        format!(r#"{{"{}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#, name.escape_default());
    let header = header.replace("\\u{1b}", "\\u001b");
    let error = weights_from_bytes(&safetensors(&header, &[0xff; 4])).expect_err("not finite").to_string();
    assert!(error.len() < 400 && !error.contains('\u{1b}'), "{error}");
}

// Zip archives

#[test]
fn archives_that_lie() {
    let pickle = Pickle::one_tensor(1, 0, &[1], &[1]);
    let description = entry("a/data.pkl", &pickle);
    let storage = entry("a/data/0", &floats(&[1.0]));
    let with = |storage: Entry| zip(&[description.clone(), storage]);
    assert_eq!(values(&with(storage.clone())), [1.0]);
    refused(&with(Entry { method: 8, ..storage.clone() }), "unpacked");
    refused(&with(Entry { method: 12, ..storage.clone() }), "compressed");
    refused(&with(Entry { declared_size: u32::MAX - 1, ..storage.clone() }), "ends too early");
    refused(&with(Entry { declared_offset: Some(0), ..storage.clone() }), "overlap");
    refused(&with(Entry { declared_offset: Some(u32::MAX - 1), ..storage.clone() }), "zip archive");
    // One byte of a number changed: the checksum tells.
    let mut changed = with(storage);
    let place = changed.windows(4).rposition(|bytes| bytes == floats(&[1.0])).expect("stands there");
    changed[place] ^= 1;
    refused(&changed, "checksum");
}

/// Few bytes that unpack to many: the size is known before anything is unpacked, and only what is needed is kept.
#[test]
fn archives_that_unpack_to_much() {
    let deflated = |name: &str, length: usize| {
        let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, &vec![0; length]).expect("packs");
        let mut entry = entry(name, &packed.finish().expect("packs"));
        (entry.method, entry.unpacked_size) = (8, Some(length as u32));
        entry
    };
    let numbers = 40 << 20;
    let pickle = Pickle::new().raw(b"}").text("fc.weight");
    let pickle = pickle.tensor(("FloatStorage", numbers), 5, &[1, 1], &[1, 1]).raw(b"s.").0;
    let storage = deflated("a/data/0", 4 * numbers as usize);
    let bomb = zip(&[entry("a/data.pkl", &pickle), storage.clone()]);
    let error = unfit(&bomb);
    assert!(error.contains("many times larger"), "{error}");
    let lying = Entry { unpacked_size: Some(4), ..storage };
    let small = Pickle::new().raw(b"}").text("fc.weight");
    let small = small.tensor(("FloatStorage", 1), 0, &[1, 1], &[1, 1]).raw(b"s.").0;
    let error = unfit(&zip(&[entry("a/data.pkl", &small), lying]));
    assert!(error.contains("another size"), "{error}");
    refused(&zip(&[deflated("a/data.pkl", 65 << 20)]), "more than eyespot reads");
}

// Several files

#[test]
fn indexes_that_lie() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("writes");
    let open = |index: &str| {
        write("w.safetensors.index.json", index.as_bytes());
        WeightsFile::open(&folder.path().join("w.safetensors.index.json"))
    };
    let one =
        safetensors(r#"{"fc.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}"#, &floats(&[3.0]));
    write("1.safetensors", &one);
    let good = open(r#"{"weight_map": {"fc.weight": "1.safetensors"}}"#).expect("readable");
    assert_eq!(good.fit(&line(), false).expect("fits").params.get("fc.weight").map(|w| w[[0, 0]]), Some(3.0));
    for (index, because) in [
        (r#"{"weight_map": {"fc.weight": "../1.safetensors"}}"#, "isn't beside it"),
        (r#"{"weight_map": {"fc.weight": "/dev/zero"}}"#, "isn't beside it"),
        (r#"{"weight_map": {"fc.weight": ".."}}"#, "isn't beside it"),
        (r#"{"weight_map": {"fc.weight": "2.safetensors"}}"#, "`2.safetensors`"),
        (r#"{"weight_map": {"fc.bias": "1.safetensors"}}"#, "`fc.bias`"),
        (r#"{"weight_map": {}}"#, "no tensors"),
        (r#"{"weights": {}}"#, "not the index"),
        (r#"{"weight_map": [["#, "not the index"),
    ] {
        let error = open(index).expect_err(because).to_string();
        assert!(error.contains(because), "expected `{because}` in: {error}");
    }
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_refused_and_never_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("w.pth");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("runs").success());
    let error = WeightsFile::open(&pipe).expect_err("a pipe").to_string();
    assert!(error.contains("w.pth") && error.contains("is a pipe"), "{error}");
    let error = WeightsFile::open("/dev/zero".as_ref()).expect_err("a device").to_string();
    assert!(error.contains("is a device"), "{error}");
}

// safetensors

#[test]
fn safetensors_that_lie() {
    let header = |offsets: &str, shape: &str| {
        format!(r#"{{"w":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let data = [0; 16];
    for (offsets, shape) in [
        ("[0,20]", "[5]"),
        ("[4,20]", "[4]"),
        ("[0,16]", "[5]"),
        ("[16,0]", "[4]"),
        ("[0,8]", "[2]"),
        ("[0,16]", "[18446744073709551615,18446744073709551615]"),
        ("[0,18446744073709551615]", "[4]"),
        ("[0,16]", "[-4]"),
        ("[0,16]", "[4.0]"),
        ("[0,0]", "[0,18446744073709551615]"),
    ] {
        let bytes = safetensors(&header(offsets, shape), &data);
        assert!(weights_from_bytes(&bytes).is_err(), "{offsets} {shape}");
    }
    refused(&safetensors(&header("[0,20]", "[5]"), &data), "need 20 bytes, and 16 follow");
    let overlapping = r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"w":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#;
    refused(&safetensors(overlapping, &data), "offset");
    let mut long = safetensors("{}", b"");
    long[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    refused(&long, "its header should have");
    refused(&safetensors("{}", b""), "no tensors");
    refused(&safetensors("{\"w\":", b""), "header");
    refused(&safetensors("{\"\u{0}\":1}", b""), "header");
}

// Legacy files

fn legacy(object: &[u8], keys: &[&str], numbers: i64, data: &[u8]) -> Vec<u8> {
    let mut file =
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.".to_vec();
    file.extend(object);
    let list = keys.iter().fold(Pickle::new().raw(b"]("), |pickle, key| pickle.text(key)).raw(b"e.");
    file.extend(list.0);
    file.extend(numbers.to_le_bytes());
    file.extend(data);
    file
}

#[test]
fn legacy_files_that_lie() {
    let data = floats(&[1.0, 2.0]);
    let object = Pickle::one_tensor(2, 0, &[2], &[1]);
    refused(&legacy(&object, &["0"], 3, &data), "not the declared 2");
    refused(&legacy(&object, &["0"], -2, &data), "not the declared 2");
    refused(&legacy(&object, &["0"], 2, &data[1..]), "ends too early");
    refused(&legacy(&object, &["0"], 2, &[&data[..], &[0]].concat()), "1 bytes follow");
    refused(&legacy(&object, &["1"], 2, &data), "belongs to no tensor");
    refused(&legacy(&object, &[], 2, &data), "bytes follow");
    refused(
        &legacy(&object, &["0", "0"], 2, &[&data[..], &2i64.to_le_bytes(), &data].concat()),
        "appears twice",
    );
    refused(&legacy(&Pickle::one_tensor(1 << 60, 0, &[1], &[1]), &["0"], 1 << 60, &data), "ends too early");
    refused(&legacy(&Pickle::one_tensor(i64::MAX, 0, &[1], &[1]), &["0"], i64::MAX, &data), "ends too early");
    let twice = Pickle::new().raw(b"}").text("a").tensor(("FloatStorage", 2), 0, &[1], &[1]).raw(b"s");
    let twice = twice.text("b").tensor(("DoubleStorage", 1), 0, &[1], &[1]).raw(b"s.").0;
    refused(&legacy(&twice, &["0"], 2, &data), "two ways");
    let big_endian = legacy(&object, &["0"], 2, &data);
    let machine = Pickle::new().raw(b"}").text("little_endian").raw(b"\x89s.").0;
    let place = big_endian.windows(4).position(|bytes| bytes == b"\x80\x02}.").expect("the machine");
    let big_endian = [&big_endian[..place], &machine, &big_endian[place + 4..]].concat();
    refused(&big_endian, "big-endian");
}
