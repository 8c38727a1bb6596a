//! Features of a frozen network: computed once per picture, kept on disk.
//!
//! One file per frozen network and transform, `KEY.features`. The key is a hash over everything but the picture
//! that decides a feature; each record in the file carries the hash of its picture's content, so a stale hit is
//! impossible by construction. Files are replaced whole, so programs may share a folder, and the worst that two at
//! a time can do is to compute a feature twice.

use crate::cache_file::{self, Record};
use crate::{InMemory, Source, TrainError};
use eyespot_graph::{Device, Graph, Params};
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The blake3 hash of a picture's content.
pub type Digest = [u8; 32];

/// A folder of features. It may be deleted at any time.
#[derive(Debug, Clone)]
pub struct FeatureCache {
    folder: PathBuf,
}

/// The part of a network that doesn't learn, and what it is shown.
#[derive(Clone, Copy)]
pub struct Frozen<'a> {
    /// Where it is computed.
    pub device: &'a dyn Device,
    /// The frozen network; its output is the features.
    pub graph: &'a Graph,
    /// Its weights; others may be among them.
    pub params: &'a Params,
    /// Everything else that decides what the network is shown: the transform, the augmentation and its seed.
    pub transform: &'a str,
    /// How many views of each picture; epoch `v` of the source is view `v`. 1 without augmentation.
    pub views: u32,
}

impl Frozen<'_> {
    /// What features are of, as a hash: everything here but the device and the number of views.
    ///
    /// # Errors
    /// A network that can't be written down.
    pub fn key(self) -> Result<String, TrainError> {
        key(self)
    }
}

/// Features and where they came from.
#[derive(Debug, Clone)]
pub struct Features {
    /// What these features are of, as a hash: the frozen network, its weights, what it is shown.
    pub key: String,
    /// The samples that could be read, ready to train on: each view an epoch.
    pub source: InMemory,
    /// Which samples these are, by their place in the given source.
    pub samples: Vec<usize>,
    /// Features that were found.
    pub found: usize,
    /// Features that were computed.
    pub computed: usize,
}

/// While features are computed, the file is brought up to date this often.
const SAVE_EVERY: Duration = Duration::from_secs(60);

impl FeatureCache {
    /// Uses this folder, which needn't exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The features of all samples of `source`, from the disk where they are known.
    ///
    /// `digest` hashes the content of a sample ([`hash_file`] for a file); it is asked again for each sample that was
    /// computed, and a sample that changed in between is used but not kept. `batch` pictures are computed at a
    /// time. `progress` is told how many of the missing features are computed, and how many there are.
    ///
    /// # Errors
    /// As of the device and the source. A cache that can't be read is computed anew, and where it can't be
    /// written that is an error.
    pub fn features(
        &self,
        frozen: Frozen<'_>,
        source: &mut dyn Source,
        digest: &(dyn Fn(usize) -> io::Result<Digest> + Sync),
        batch: usize,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Features, TrainError> {
        let labels = source.labels().to_vec();
        let length = frozen.graph.output_shape().elements();
        let key = key(frozen)?;
        let path = self.folder.join(format!("{key}.features"));
        let samples: Vec<usize> = (0..labels.len()).collect();
        let digests = in_parallel(&samples, |&sample| digest(sample).ok());
        let mut known = cache_file::read(&path, length);
        let views = frozen.views.max(1);
        let missing_of = |known: &HashMap<(Digest, u32), Vec<f32>>, view: u32| -> Vec<usize> {
            let missing = |sample: &&usize| digests[**sample].is_none_or(|d| !known.contains_key(&(d, view)));
            samples.iter().filter(missing).copied().collect()
        };
        let missing: Vec<Vec<usize>> = (0..views).map(|view| missing_of(&known, view)).collect();
        let to_do: usize = missing.iter().map(Vec::len).sum();

        // What can't be kept is used all the same: by sample and view.
        let mut unkept: HashMap<(usize, u32), Vec<f32>> = HashMap::new();
        let mut computed = 0;
        if to_do > 0 {
            let mut program = frozen.device.inference(frozen.graph, frozen.params, batch.clamp(1, to_do))?;
            let (mut saved, mut unsaved) = (Instant::now(), false);
            for (view, order) in (0..views).zip(&missing) {
                source.batches(u64::from(view), order, program.batch(), &mut |batch| {
                    let features = program.run(batch.inputs, batch.labels.len())?;
                    let again = in_parallel(batch.samples, |&sample| digest(sample).ok());
                    let rows = features.chunks_exact(length).zip(batch.samples).zip(again);
                    for ((row, &sample), again) in rows {
                        match digests.get(sample).copied().flatten() {
                            Some(before) if again == Some(before) => {
                                known.insert((before, view), row.to_vec());
                                unsaved = true;
                            }
                            _ => drop(unkept.insert((sample, view), row.to_vec())),
                        }
                    }
                    computed += batch.labels.len();
                    progress(computed, to_do);
                    if saved.elapsed() > SAVE_EVERY {
                        self.save(&path, length, &known)?;
                        (saved, unsaved) = (Instant::now(), false);
                    }
                    Ok(())
                })?;
            }
            if unsaved {
                self.save(&path, length, &known)?;
            }
        }

        let row = |sample: usize, view: u32| {
            let kept = digests[sample].and_then(|digest| known.get(&(digest, view)));
            unkept.get(&(sample, view)).or(kept)
        };
        let readable: Vec<usize> =
            samples.iter().copied().filter(|&s| (0..views).all(|view| row(s, view).is_some())).collect();
        let mut inputs = Vec::with_capacity(readable.len() * views as usize * length);
        for view in 0..views {
            inputs.extend(readable.iter().filter_map(|&sample| row(sample, view)).flatten());
        }
        let labels = readable.iter().map(|&sample| labels[sample]).collect();
        let source = InMemory::new(inputs, labels, length, views as usize)?;
        let found = samples.len() * views as usize - to_do;
        Ok(Features { key, source, samples: readable, found, computed })
    }

    /// Writes what is known and what others have written meanwhile.
    fn save(
        &self,
        path: &std::path::Path,
        length: usize,
        known: &HashMap<(Digest, u32), Vec<f32>>,
    ) -> Result<(), TrainError> {
        std::fs::create_dir_all(&self.folder).map_err(|error| TrainError::file(&self.folder, error))?;
        let others = cache_file::read(path, length);
        let foreign = others.iter().filter(|(key, _)| !known.contains_key(*key));
        let mut records: Vec<Record<'_>> =
            known.iter().chain(foreign).map(|(&(digest, view), f)| (digest, view, f.as_slice())).collect();
        records.sort_unstable_by_key(|record| (record.0, record.1));
        cache_file::write(path, length, &records).map_err(|error| {
            TrainError::Data(format!("features can't be kept: {error}; choose another folder with --cache"))
        })
    }
}

/// The hash of a file's content.
///
/// # Errors
/// A file that can't be read.
pub fn hash_file(path: &std::path::Path) -> io::Result<Digest> {
    let file = eyespot_system::open(path).map_err(io::Error::other)?;
    Ok(*blake3::Hasher::new().update_reader(file)?.finalize().as_bytes())
}

/// Everything but the picture that decides a feature: this program's version, the frozen network, its weights, the
/// transform.
fn key(frozen: Frozen<'_>) -> Result<String, TrainError> {
    let graph = serde_json::to_string(frozen.graph)
        .map_err(|error| TrainError::Settings(format!("the network can't be written down: {error}")))?;
    let mut hash = blake3::Hasher::new();
    for part in [env!("CARGO_PKG_VERSION"), &graph, frozen.transform] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(hash_weights(frozen.graph, frozen.params).as_bytes());
    Ok(hash.finalize().to_hex().to_string())
}

/// The hash of a network's weights, by name, shape and number.
pub(crate) fn hash_weights(graph: &Graph, params: &Params) -> blake3::Hash {
    let specs = graph.param_specs();
    // Tensor by tensor, so that many megabytes are hashed on all cores.
    let tensors = in_parallel(&specs, |(name, _)| {
        let mut hash = blake3::Hasher::new();
        hash.update(name.as_bytes());
        let Some(tensor) = params.get(name) else { return *hash.finalize().as_bytes() };
        for &side in tensor.shape() {
            hash.update(&(side as u64).to_le_bytes());
        }
        let mut bytes = [0u8; 4096];
        let standard = tensor.as_standard_layout();
        for chunk in standard.as_slice().unwrap_or_default().chunks(bytes.len() / 4) {
            for (place, x) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(chunk) {
                *place = x.to_le_bytes();
            }
            hash.update(&bytes[..chunk.len() * 4]);
        }
        *hash.finalize().as_bytes()
    });
    let mut hash = blake3::Hasher::new();
    for tensor in tensors {
        hash.update(&tensor);
    }
    hash.finalize()
}

/// `f` of all items in their order, on all cores.
fn in_parallel<T: Sync, R: Send>(items: &[T], f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if items.len() < 2 || threads < 2 {
        return items.iter().map(f).collect();
    }
    // Every thread takes each n-th item: neighbours (files, layers) are of similar size.
    let threads = threads.min(items.len());
    let (f, stride) = (&f, threads);
    let parts: Vec<Vec<R>> = std::thread::scope(|scope| {
        let work = |first| scope.spawn(move || items.iter().skip(first).step_by(stride).map(f).collect());
        let handles: Vec<_> = (0..threads).map(work).collect();
        handles.into_iter().map(|h| h.join().unwrap_or_else(|p| std::panic::resume_unwind(p))).collect()
    });
    let mut parts: Vec<_> = parts.into_iter().map(Vec::into_iter).collect();
    (0..items.len()).filter_map(|index| parts[index % stride].next()).collect()
}
