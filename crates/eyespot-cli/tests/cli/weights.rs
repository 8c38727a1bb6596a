//! `--weights` with runs, models and sets.

use crate::support::{QUICK, eyespot, trained};

/// A run says itself what network it is of and what its classes are.
#[test]
fn a_run_is_weights_for_every_command() {
    let folder = trained(6);
    let root = folder.path();
    let named = eyespot(root, "predict run photos/red").ok();
    assert_eq!(eyespot(root, "predict --weights run photos/red").ok(), named);
    assert_eq!(eyespot(root, "predict --weights run/model.safetensors photos/red").ok(), named);
    let measured = eyespot(root, "evaluate run photos --json").ok();
    assert_eq!(eyespot(root, "evaluate --weights run photos --json").ok(), measured);
    assert_eq!(eyespot(root, "inspect --weights run").ok(), eyespot(root, "inspect run").ok());
    eyespot(root, "embed run photos --output a.npy").ok();
    eyespot(root, "embed --weights run photos --output b.npy").ok();
    let read = |name: &str| std::fs::read(root.join(name)).expect("written");
    assert_eq!(read("a.npy"), read("b.npy"));

    eyespot(root, &format!("train photos --weights run --output second --epochs 1 {QUICK}")).ok();
    let settings = std::fs::read_to_string(root.join("second/config.toml")).expect("written");
    assert!(settings.contains("model = \"small_cnn\""), "{settings}");
}

#[test]
fn plain_weights_need_the_name_of_their_network() {
    let folder = trained(6);
    let root = folder.path();
    let bytes = std::fs::read(root.join("run/model.safetensors")).expect("written");
    // A flipped bit is found, whichever flag names the file.
    let mut damaged = bytes.clone();
    *damaged.last_mut().expect("has bytes") ^= 1;
    std::fs::write(root.join("damaged.safetensors"), damaged).expect("writes");
    for arguments in ["predict damaged.safetensors photos", "predict --weights damaged.safetensors photos"] {
        let error = eyespot(root, arguments).fails(1);
        assert!(error.contains("damaged.safetensors") && error.contains("checksum"), "{error}");
    }
    let header = br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let plain = [&(header.len() as u64).to_le_bytes(), &header[..], &1f32.to_le_bytes()].concat();
    std::fs::write(root.join("plain.safetensors"), plain).expect("writes");
    for args in [
        "predict --weights plain.safetensors photos",
        "predict plain.safetensors photos",
        "evaluate plain.safetensors photos",
        "embed --weights plain.safetensors photos --output x.npy",
        "inspect --weights plain.safetensors",
        "train photos --weights plain.safetensors",
    ] {
        // The file is sound, the call isn't.
        let error = eyespot(root, args).fails(2);
        assert!(error.contains("--model"), "{args}: {error}");
    }
}
