//! What a CPU is tested for is exactly what its functions are compiled with. An attribute takes no constant, so that the
//! two lists stand in the source side by side and are compared there, those of other processors too.

use super::super::{Isa, has_all};

/// A function with `target_feature`, and the features.
fn enabled(source: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for part in source.split("#[target_feature(enable = \"").skip(1) {
        let (features, rest) = part.split_once("\")]").unwrap();
        let name = rest.split_once("fn ").unwrap().1.split('<').next().unwrap();
        found.push((name.to_owned(), features.split(',').map(str::to_owned).collect()));
    }
    found
}

/// Names of the features in a constant, each of which must be asked for by its own name.
fn tested(source: &str, constant: &str) -> Vec<String> {
    let (_, rest) = source.split_once(&format!("const {constant}: [Feature;")).expect(constant);
    let quoted: Vec<&str> = rest.split_once("];\n").unwrap().0.split('"').skip(1).step_by(2).collect();
    let pairs = quoted.chunks_exact(2);
    assert!(pairs.remainder().is_empty(), "{constant}: {quoted:?}");
    pairs
        .map(|pair| {
            assert_eq!(pair[0], pair[1], "{constant}");
            pair[0].to_owned()
        })
        .collect()
}

#[test]
fn exactly_the_enabled_features_are_tested() {
    let sources = [include_str!("../x86.rs"), include_str!("../neon.rs")];
    let mut found = Vec::new();
    for source in sources {
        for (function, features) in enabled(source) {
            let constant =
                function.strip_prefix("run_").expect("run_ and the instruction set").to_uppercase();
            assert_eq!(tested(source, &constant), features, "{function}");
            found.push((constant, features));
        }
    }
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["AVX512", "AVX2", "NEON"]);

    // What this program looks at before it takes an instruction set is the constant of that name.
    for (isa, features) in Isa::ALL {
        let looked_at: Vec<&str> = features.iter().map(|(name, _)| *name).collect();
        let name = format!("{isa:?}").to_uppercase();
        let expected = found.iter().find(|(constant, _)| *constant == name).map(|(_, f)| f.clone());
        assert_eq!(looked_at, expected.unwrap_or_default(), "{isa:?}");
    }
}

/// No other function may enable features, as nothing would test for them.
#[test]
fn features_are_enabled_only_where_instruction_sets_are_entered() {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read_to_string(&path).unwrap().contains("#[target_feature(enable = \"") {
                files.push(path.file_name().unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files.sort();
    assert_eq!(files, ["neon.rs", "x86.rs"]);
}

#[test]
fn one_missing_feature_is_too_few() {
    assert!(has_all(&[]));
    assert!(has_all(&[("avx512f", || true), ("fma", || true)]));
    assert!(!has_all(&[("avx512f", || true), ("fma", || false)]));
}
