//! Settings from files and flags.

use crate::support::{QUICK, eyespot, photos};

#[test]
fn flags_win_over_the_file_and_all_is_written_down() {
    let folder = photos(5);
    let toml = "data = \"photos\"\nepochs = 5\nbatch-size = \"full\"\nlr = 0.001\ncrop = 32\nresize = 32\n";
    std::fs::write(folder.path().join("settings.toml"), toml).expect("writes");
    eyespot(folder.path(), "train --config settings.toml --output run --epochs 1 --augment none").ok();
    let config = std::fs::read_to_string(folder.path().join("run/config.toml")).expect("reads");
    let config: toml::Table = config.parse().expect("is TOML");
    assert_eq!(config["epochs"].as_integer(), Some(1));
    assert_eq!(config["batch-size"].as_str(), Some("full"));
    assert_eq!(config["lr"].as_float(), Some(0.001));
    assert_eq!(config["model"].as_str(), Some("small_cnn"));
    assert_eq!(config["seed"].as_integer(), Some(0));
}

#[test]
fn a_run_can_be_repeated_from_its_own_settings() {
    let folder = photos(5);
    eyespot(folder.path(), &format!("train photos --output a --epochs 1 --seed 9 {QUICK}")).ok();
    eyespot(folder.path(), "train --config a/config.toml --output b").ok();
    let model = |run: &str| std::fs::read(folder.path().join(run).join("model.safetensors")).expect("reads");
    assert!(model("a") == model("b"), "the same settings give another model");
    // Its folder isn't among the settings that are taken over.
    eyespot(folder.path(), "train --config a/config.toml").ok();
    let (own, anew) = (model("a"), model("runs/photos-small_cnn-1"));
    assert!(own == anew, "the same settings give another model");
    let settings = "output = \"c\"\ndata = \"photos\"\nepochs = 1\ncrop = 32\n";
    std::fs::write(folder.path().join("settings.toml"), settings).expect("writes");
    eyespot(folder.path(), "train --config settings.toml").ok();
    assert!(folder.path().join("c/model.safetensors").exists());
}

#[test]
fn a_wrong_key_or_value_is_named_with_its_line() {
    let folder = photos(3);
    for (toml, said) in [
        ("epochs = 2\nlearnig-rate = 1\n", "line 2"),
        ("epoch = 2\n", "did you mean `epochs`?"),
        ("epochs = \"two\"\n", "epochs"),
        ("freeze = \"some\"\n", "until:LAYER"),
        ("epochs = \n", "settings.toml"),
    ] {
        std::fs::write(folder.path().join("settings.toml"), toml).expect("writes");
        let err = eyespot(folder.path(), "train photos --config settings.toml").fails(2);
        assert!(err.contains(said), "{toml} says:\n{err}");
    }
    let err = eyespot(folder.path(), "train photos --config gone.toml").fails(2);
    assert!(err.contains("gone.toml"), "{err}");
}

/// Every flag of `train` is a key and every key a flag.
#[test]
fn flags_and_keys_are_the_same() {
    let folder = photos(1);
    let help = eyespot(folder.path(), "train --help").ok();
    let flags: Vec<&str> = help
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("--"))
        .map(|word| word.split(['[', '=', ',', ']', '.', ';']).next().unwrap_or(word))
        .filter(|flag| !["help", "version", "config", "resume", "memory", ""].contains(flag))
        .collect();
    for flag in &flags {
        let toml = format!("{flag} = {{}}\n");
        std::fs::write(folder.path().join("settings.toml"), toml).expect("writes");
        let err = eyespot(folder.path(), "train photos --config settings.toml").fails(2);
        assert!(!err.contains("there is no setting"), "--{flag} is no key: {err}");
    }
    assert!(flags.len() > 30, "{flags:?}");
}
