//! Files that lie. Each gives an error that says what is wrong; none panics, allocates what it declares, or is read
//! as wrong numbers.

mod support;

use eyespot_formats::weights_from_bytes;
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
    for bytes in [&b""[..], b"{}", b"GIF89a", b"hello, these are no weights at all"] {
        refused(bytes, "neither a safetensors file nor a PyTorch checkpoint");
    }
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
    for name in ["ComplexDoubleStorage", "QInt8Storage", "UntypedStorage"] {
        let pickle = Pickle::new().raw(b"}").text("w").tensor((name, 1), 0, &[1], &[1]).raw(b"s.").0;
        refused(&checkpoint(&pickle, &[0; 4]), name);
    }
    let header = r#"{"w":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}"#;
    refused(&safetensors(header, &[0]), "F8_E4M3");
    let header = r#"{"w":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}"#;
    refused(&safetensors(header, &[0; 4]), "F31");
}

#[test]
fn deep_nesting() {
    refused(&checkpoint(&Pickle::new().raw(&[b'('; 100_000]).0, b""), "nested");
    // Built from inside out it costs nothing and is passed over.
    let deep = Pickle::new().raw(b"}").text("w").tensor(("FloatStorage", 1), 0, &[1], &[1]).raw(b"s");
    let deep = deep.text("deep").raw(b")").raw(&[0x85; 500_000]).raw(b"s.").0;
    assert_eq!(values(&checkpoint(&deep, &floats(&[7.0]))), [7.0]);
    // A dict in itself
    let cycle = Pickle::new().raw(b"}q\x00").text("model").raw(b"h\x00s.").0;
    refused(&checkpoint(&cycle, b""), "no one dict");
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
    // After the shared prefix is off, names still differ.
    let keys = Pickle::new().raw(b"}").int(3).tensor(("FloatStorage", 1), 0, &[1], &[1]).raw(b"s.").0;
    refused(&checkpoint(&keys, &data), "no text");
}

#[test]
fn long_and_odd_names_stay_readable_in_messages() {
    let name = format!("\u{1b}[31m{}", "x".repeat(10_000));
    let header =
        format!(r#"{{"{}":{{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}}}"#, name.escape_default());
    let header = header.replace("\\u{1b}", "\\u001b");
    let error = weights_from_bytes(&safetensors(&header, &[0; 8])).expect_err("complex").to_string();
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
    refused(&with(Entry { method: 8, ..storage.clone() }), "compressed");
    refused(&with(Entry { declared_size: u32::MAX - 1, ..storage.clone() }), "zip archive");
    refused(&with(Entry { declared_offset: Some(0), ..storage.clone() }), "overlap");
    refused(&with(Entry { declared_offset: Some(u32::MAX - 1), ..storage.clone() }), "zip archive");
    // One byte of a number changed: the checksum tells.
    let mut changed = with(storage);
    let place = changed.windows(4).rposition(|bytes| bytes == floats(&[1.0])).expect("stands there");
    changed[place] ^= 1;
    refused(&changed, "checksum");
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
