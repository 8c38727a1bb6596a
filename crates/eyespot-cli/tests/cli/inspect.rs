//! Tables and figures of what is inside a network.

use crate::support::{eyespot, trained};
use std::collections::HashSet;

#[test]
fn filters_and_maps_of_a_trained_model_are_drawn() {
    let folder = trained(5);
    let root = folder.path();
    let flags =
        "--filters stage1.conv1,stage2.conv1 --maps stage1,fc --image photos/red/0.png --output f.png";
    let out = eyespot(root, &format!("inspect run {flags}")).ok();
    // Titles of 40 pixels; rows of 104 pixels, a line (maps: two) of 16 and a margin of 10: four rows of 32 filters, eight
    // of 8 × 8 parts, five of the picture and 32 maps; at last a curve. The page ends where it would become taller than
    // twice its width.
    let (filters, maps) = ((40 + 4 * 130) + (40 + 8 * 130), 40 + 5 * 146);
    let pages =
        ["f.png", "f-2.png"].map(|name| image::open(root.join(name)).expect("is a picture").to_rgb8());
    let width = 10 + 8 * 114;
    assert_eq!(pages[0].dimensions(), (width, filters));
    assert_eq!(pages[1].dimensions(), (width, maps + 300));
    let told: Vec<String> = [("f.png", &pages[0]), ("f-2.png", &pages[1])]
        .map(|(name, page)| format!("figure: {name} ({width} × {} pixels)", page.height()))
        .to_vec();
    assert_eq!(out.lines().collect::<Vec<_>>(), told);
    let colors: HashSet<[u8; 3]> = pages.iter().flat_map(|page| page.pixels().map(|p| p.0)).collect();
    assert!(colors.len() > 1000, "{} colours", colors.len());
    // The first cell of the maps shows the picture, which is mostly red.
    let seen = pages[1].get_pixel(10 + 52, 40 + 52).0;
    assert!(seen[0] > 140 && seen[1] < 120 && seen[2] < 120, "{seen:?}");

    // Pages of a longer figure are told of, so that nobody takes them for this one's.
    let shorter = eyespot(root, "inspect run --filters stage1.conv1 --output f.png");
    assert!(
        shorter.err.contains("an earlier figure and not of this one: 1, from f-2.png"),
        "{}",
        shorter.err
    );
    shorter.ok();
    let longer = eyespot(root, &format!("inspect run {flags}"));
    assert!(!longer.err.contains("earlier"), "{}", longer.err);

    // Nothing is written where a later page would replace somebody else's file.
    std::fs::remove_file(root.join("f.png")).expect("removes");
    std::fs::write(root.join("f-2.png"), "notes").expect("writes");
    let err = eyespot(root, &format!("inspect run {flags}")).fails(2);
    assert!(err.contains("f-2.png"), "{err}");
    assert!(!root.join("f.png").exists());
    assert_eq!(std::fs::read(root.join("f-2.png")).expect("is there"), b"notes");
}

#[test]
fn layers_that_do_not_exist_are_suggested() {
    let folder = trained(5);
    for (flags, said) in [
        ("--filters stage1.conv3", "did you mean `stage1.conv1`?"),
        ("--filters stage1", "stage1.conv1, stage1.conv2"),
        ("--filters stage1.relu1", "has no filters"),
        ("--filters nonsense", "stage1.conv1"),
        ("--maps stage9 --image photos/red/0.png", "did you mean `stage1`?"),
        ("--maps stage1", "--image"),
        ("--output f.png", "--filters"),
        ("--weights w.pth", "zoo"),
    ] {
        let err = eyespot(folder.path(), &format!("inspect run {flags}")).fails(2);
        assert!(err.contains(said), "`{flags}` says:\n{err}");
    }
    let err = eyespot(folder.path(), "inspect --model resnet18 --filters conv1").fails(2);
    assert!(err.contains("--weights"), "{err}");
    assert!(!folder.path().join("inspect.png").exists());
    let err = eyespot(folder.path(), "inspect run --maps stage1 --image gone.jpg").fails(1);
    assert!(err.contains("gone.jpg"), "{err}");
}
