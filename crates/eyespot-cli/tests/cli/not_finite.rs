//! Numbers that aren't finite never become a model or an answer.

use crate::support::{QUICK, eyespot, photos};
use serde_json::json;

#[test]
fn a_diverged_run_becomes_no_model() {
    let folder = photos(8);
    // Without weight decay the loss stays finite while batch norm's statistics overflow.
    for (run, flags) in [("a", ""), ("b", "--optimizer adam --weight-decay 0"), ("c", "--optimizer sgd")] {
        let args = format!("train photos --output {run} --lr 1e9 --epochs 3 {QUICK} {flags}");
        let err = eyespot(folder.path(), &args).fails(1);
        assert!(err.contains("try --lr 0.01, or --clip 1"), "{flags}: {err}");
        assert!(!folder.path().join(run).join("model.safetensors").exists(), "{flags}");
        assert!(!folder.path().join(run).join("predictions.csv").exists(), "{flags}");
    }
}

/// Sound weights, but so large that every score overflows.
#[test]
fn an_image_whose_scores_are_not_finite_is_an_error() {
    let folder = photos(2);
    let root = folder.path();
    let graph = eyespot::network("cifar_resnet20", None, None).expect("is in the zoo");
    let (mut header, mut end) = (serde_json::Map::new(), 0);
    for (name, spec) in graph.param_specs() {
        let start = end;
        end += 4 * spec.dims.iter().product::<usize>();
        let tensor = json!({ "dtype": "F32", "shape": spec.dims, "data_offsets": [start, end] });
        header.insert(name, tensor);
    }
    let header = serde_json::to_vec(&header).expect("is JSON");
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend(1e38f32.to_le_bytes().repeat(end / 4));
    std::fs::write(root.join("huge.safetensors"), bytes).expect("writes");
    std::fs::write(root.join("classes.txt"), "red\ngreen\nblue\nd\ne\nf\ng\nh\ni\nj\n").expect("writes");

    let published = "--model cifar_resnet20 --weights huge.safetensors";
    let answer = eyespot(root, &format!("predict photos {published} --classes classes.txt"));
    assert_eq!((answer.out.as_str(), answer.err.lines().count()), ("", 7), "{}", answer.err);
    let err = answer.fails(1);
    assert!(err.contains("photos/blue/0.png gets scores that are not finite"), "{err}");
    let args = format!("predict photos {published} --classes classes.txt --format csv --output p.csv");
    eyespot(root, &args).fails(1);
    assert!(!root.join("p.csv").exists());
    let json = eyespot(root, &format!("predict photos {published} --classes classes.txt --format json")).out;
    assert!(json.lines().count() == 6 && json.lines().all(|line| line.contains("\"error\"")), "{json}");
    let err = eyespot(root, &format!("evaluate photos {published} --classes classes.txt")).fails(1);
    assert!(err.contains("not finite"), "{err}");
    let err = eyespot(root, &format!("embed photos {published} --output e.npy")).fails(1);
    assert!(err.contains("not finite") && !root.join("e.npy").exists(), "{err}");
}
