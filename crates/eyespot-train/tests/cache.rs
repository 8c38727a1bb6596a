//! Features of a frozen network: computed once, kept on the disk, never stale.

mod common;

use common::{INPUTS, Plain, clouds, graph};
use eyespot_graph::initialise;
use eyespot_train::*;
use std::path::Path;

fn cached(folder: &Path, frozen: Frozen, source: &mut dyn Source) -> Features {
    let digest = |sample: usize| Ok(*blake3::hash(&sample.to_le_bytes()).as_bytes());
    FeatureCache::new(folder).features(frozen, source, &digest, 4, &mut |_, _| ()).unwrap()
}

/// All inputs of an epoch, in order.
fn inputs(source: &mut InMemory, epoch: u64) -> Vec<f32> {
    let order: Vec<usize> = (0..source.labels().len()).collect();
    let mut all = Vec::new();
    let mut take = |batch: Batch<'_>| {
        all.extend_from_slice(batch.inputs);
        Ok(())
    };
    source.batches(epoch, &order, 5, &mut take).unwrap();
    all
}

#[test]
fn features_are_computed_once_and_never_stale() {
    let folder = tempfile::tempdir().unwrap();
    let graph = graph(INPUTS, 4, false);
    let mut params = initialise(&graph, 1);
    let plain = Frozen { device: &Plain, graph: &graph, params: &params, transform: "a", views: 2 };
    let mut source = clouds(11, 0);
    let mut first = cached(folder.path(), plain, &mut source);
    assert_eq!((first.found, first.computed), (0, 22));
    let mut second = cached(folder.path(), plain, &mut source);
    assert_eq!((second.found, second.computed), (22, 0));
    assert_eq!(inputs(&mut first.source, 1), inputs(&mut second.source, 1));
    // By hand: the layer itself.
    let mut program = eyespot_graph::Device::inference(&Plain, &graph, &params, 11).unwrap();
    let pictures = source.whole().unwrap().inputs.to_vec();
    assert_eq!(program.run(&pictures, 11).unwrap(), inputs(&mut second.source, 0));

    let other = Frozen { transform: "b", ..plain };
    assert_eq!(cached(folder.path(), other, &mut source).computed, 22);
    params.get_mut("fc.weight").unwrap()[[3, 5]] += 1e-6;
    let moved = Frozen { device: &Plain, graph: &graph, params: &params, transform: "a", views: 2 };
    assert_eq!(cached(folder.path(), moved, &mut source).computed, 22);
    let more = Frozen { views: 3, ..moved };
    assert_eq!(cached(folder.path(), more, &mut source).computed, 11);
}

#[test]
fn a_damaged_cache_is_computed_again_where_it_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let graph = graph(INPUTS, 4, false);
    let params = initialise(&graph, 1);
    let frozen = Frozen { device: &Plain, graph: &graph, params: &params, transform: "", views: 1 };
    let mut source = clouds(11, 0);
    let right = inputs(&mut cached(folder.path(), frozen, &mut source).source, 0);
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let sound = std::fs::read(&file).unwrap();
    let record = 36 + 4 * 4 + 16;
    let mut flipped = sound.clone();
    flipped[24 + 3 * record + 40] ^= 1;
    for (bytes, computed) in [
        (flipped, 1),
        (sound[..sound.len() - 5].to_vec(), 1),
        (sound[..24 + 4 * record].to_vec(), 7),
        (sound[..10].to_vec(), 11),
        (Vec::new(), 11),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let mut features = cached(folder.path(), frozen, &mut source);
        assert_eq!(features.computed, computed);
        assert_eq!(inputs(&mut features.source, 0), right);
        assert_eq!(std::fs::read(&file).unwrap(), sound);
    }
}

#[test]
fn a_picture_that_changes_while_it_is_read_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let graph = graph(INPUTS, 4, false);
    let params = initialise(&graph, 1);
    let frozen = Frozen { device: &Plain, graph: &graph, params: &params, transform: "", views: 1 };
    let asked = std::sync::atomic::AtomicU64::new(0);
    // Another answer each time.
    let digest = |_| {
        let count = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(*blake3::hash(&count.to_le_bytes()).as_bytes())
    };
    let cache = FeatureCache::new(folder.path());
    let mut features = cache.features(frozen, &mut clouds(11, 0), &digest, 4, &mut |_, _| ()).unwrap();
    assert_eq!(inputs(&mut features.source, 0).len(), 44);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_frozen_source_hands_on_features() {
    let graph = graph(INPUTS, 4, false);
    let params = initialise(&graph, 1);
    let source = clouds(11, 0);
    let pictures = source.whole().unwrap().inputs.to_vec();
    let mut program = eyespot_graph::Device::inference(&Plain, &graph, &params, 11).unwrap();
    let all = program.run(&pictures, 11).unwrap().to_vec();
    let small = eyespot_graph::Device::inference(&Plain, &graph, &params, 2).unwrap();
    let mut frozen = FrozenSource::new(Box::new(source), small, 4);
    let mut seen = Vec::new();
    let order: Vec<usize> = (0..11).collect();
    let mut take = |batch: Batch<'_>| {
        seen.extend_from_slice(batch.inputs);
        Ok(())
    };
    frozen.batches(0, &order, 5, &mut take).unwrap();
    assert_eq!(seen, all);
}
