//! The run folder: what it takes to go on after a kill, and a line of metrics per epoch.

use crate::{EpochRecord, Job, TrainError, cache};
use eyespot_graph::{Params, Tensor};
use eyespot_system::OwnedFolder;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A folder that training writes `last.checkpoint` and `metrics.jsonl` into.
#[derive(Debug, Clone)]
pub struct RunFolder<'a> {
    folder: &'a OwnedFolder,
    about: Vec<(String, blake3::Hash)>,
    pub(crate) resume: bool,
    pub(crate) interval: Duration,
}

impl<'a> RunFolder<'a> {
    /// What a run's folder is claimed for.
    pub const PURPOSE: &'static str = "run";

    /// A fresh run; a checkpoint that lies there is replaced.
    pub fn new(folder: &'a OwnedFolder) -> Self {
        Self { folder, about: Vec::new(), resume: false, interval: Duration::from_secs(1) }
    }

    /// Goes on from the checkpoint that lies there, to the same weights as if nothing had happened. Where the run
    /// was killed before its first checkpoint, it begins anew.
    pub fn resume(folder: &'a OwnedFolder) -> Self {
        Self { resume: true, ..Self::new(folder) }
    }

    /// The least time between two checkpoints; default one second, so that epochs of milliseconds don't wait for
    /// the disk. It doesn't matter for the result: lost epochs are done again.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Something else that decides what comes out, such as a list of the photos. A checkpoint is resumed only where
    /// `text` is the same; where it isn't, the error says that `what` differs. Training itself sees to its settings,
    /// the network, its starting weights and the labels.
    pub fn about(mut self, what: &str, text: &str) -> Self {
        self.about.push((what.to_owned(), blake3::hash(text.as_bytes())));
        self
    }

    fn checkpoint(&self) -> PathBuf {
        self.folder.path().join("last.checkpoint")
    }

    fn metrics(&self) -> PathBuf {
        self.folder.path().join("metrics.jsonl")
    }

    /// Finds the checkpoint to go on from, and begins `metrics.jsonl` with its records.
    pub(crate) fn open(&self, fingerprint: &Fingerprint) -> Result<Option<Checkpoint>, TrainError> {
        let found = match self.resume && self.checkpoint().exists() {
            true => Some(Checkpoint::read(&self.checkpoint(), fingerprint)?),
            false => None,
        };
        let records = found.as_ref().map_or(&[][..], |checkpoint| &checkpoint.state.history);
        let lines: String = records.iter().map(line).collect();
        write_whole(&self.metrics(), lines.as_bytes())?;
        Ok(found)
    }

    pub(crate) fn append(&self, record: &EpochRecord) -> Result<(), TrainError> {
        let path = self.metrics();
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&path);
        file.as_mut()
            .map_err(|error| TrainError::file(&path, error))?
            .write_all(line(record).as_bytes())
            .map_err(|error| TrainError::file(&path, error))
    }

    pub(crate) fn write(&self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        checkpoint.write(&self.checkpoint())
    }
}

fn line(record: &EpochRecord) -> String {
    // A record is numbers and names: it always has a JSON form.
    serde_json::to_string(record).map(|json| json + "\n").unwrap_or_default()
}

/// Everything a run needs to go on. The order of samples, dropout and augmentation follow from the seed and the
/// number of finished epochs.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoint {
    pub state: State,
    pub params: Params,
    pub optimizer: Params,
    /// The best weights, unless no validation has come yet.
    pub best: Params,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub version: u32,
    pub fingerprint: Fingerprint,
    pub epochs_done: u64,
    pub best_epoch: u64,
    /// Accuracy and loss of the best as bits: JSON's decimals would not come back exactly.
    pub best_score: Option<(u64, u64)>,
    pub stopped_early: bool,
    pub history: Vec<EpochRecord>,
}

/// What must be alike for a checkpoint to be of this run: what it is called, and its hash.
pub(crate) type Fingerprint = BTreeMap<String, String>;

const VERSION: u32 = 2;

/// Where the state stands in the file's metadata.
const STATE_KEY: &str = "eyespot_checkpoint";

impl Checkpoint {
    /// One safetensors file; names carry the group they belong to.
    fn write(&self, path: &Path) -> Result<(), TrainError> {
        let state = State { version: VERSION, ..self.state.clone() };
        let json = serde_json::to_string(&state).map_err(|error| TrainError::file(path, error))?;
        let groups = [("params/", &self.params), ("optimizer/", &self.optimizer), ("best/", &self.best)];
        let tensors: Vec<(String, &Tensor)> = groups
            .iter()
            .flat_map(|(group, params)| {
                params.iter().map(move |(name, tensor)| (format!("{group}{name}"), tensor))
            })
            .collect();
        let metadata = BTreeMap::from([(STATE_KEY.to_owned(), json)]);
        let tensors = tensors.iter().map(|(name, tensor)| (name.as_str(), *tensor));
        eyespot_formats::write_safetensors(path, tensors, &metadata)
            .map_err(|error| TrainError::file(path, error))
    }

    fn read(path: &Path, fingerprint: &Fingerprint) -> Result<Self, TrainError> {
        let damaged = |reason: String| {
            TrainError::file(
                path,
                format!("this checkpoint can't be resumed ({reason}); begin a new run without --resume"),
            )
        };
        let (tensors, metadata) =
            eyespot_formats::read_safetensors(path).map_err(|error| damaged(error.to_string()))?;
        let json = metadata.get(STATE_KEY);
        let json = json.ok_or_else(|| damaged("it was not written by eyespot's training".to_owned()))?;
        let state: State = serde_json::from_str(json).map_err(|error| damaged(error.to_string()))?;
        if state.version != VERSION {
            return Err(damaged(format!("its format is {}, this eyespot reads {VERSION}", state.version)));
        }
        let differs = |what: &&String| state.fingerprint.get(*what) != fingerprint.get(*what);
        let all =
            fingerprint.keys().chain(state.fingerprint.keys().filter(|k| !fingerprint.contains_key(*k)));
        let differing: Vec<&str> = all.filter(differs).map(String::as_str).collect();
        if !differing.is_empty() {
            let them = differing.join(" and ");
            return Err(damaged(format!("since it was written, these have changed: {them}")));
        }
        let mut groups =
            HashMap::from([("params", Vec::new()), ("optimizer", Vec::new()), ("best", Vec::new())]);
        for (name, tensor) in tensors {
            let Some((group, rest)) = name.split_once('/') else { continue };
            if let Some(group) = groups.get_mut(group) {
                group.push((rest.to_owned(), tensor));
            }
        }
        let mut take =
            |group: &str| -> Params { groups.remove(group).unwrap_or_default().into_iter().collect() };
        Ok(Self { params: take("params"), optimizer: take("optimizer"), best: take("best"), state })
    }
}

/// What must be alike for a checkpoint to be of this run.
pub(crate) fn fingerprint(job: &Job<'_>, run: &RunFolder<'_>) -> Result<Fingerprint, TrainError> {
    let json = |value: Result<String, serde_json::Error>| {
        value.map_err(|error| TrainError::Settings(format!("these settings can't be written down: {error}")))
    };
    let settings = blake3::hash(json(serde_json::to_string(job.settings))?.as_bytes());
    let network = blake3::hash(json(serde_json::to_string(job.graph))?.as_bytes());
    let mut samples = blake3::Hasher::new();
    for source in [Some(&*job.train), job.validation.as_deref()].into_iter().flatten() {
        for number in [source.labels().len(), source.input_len()] {
            samples.update(&(number as u64).to_le_bytes());
        }
        samples.update(&source.labels().iter().flat_map(|label| label.to_le_bytes()).collect::<Vec<u8>>());
    }
    let own = [
        ("the settings", settings),
        ("the network", network),
        ("the starting weights", cache::hash_weights(job.graph, job.params)),
        ("the labels", samples.finalize()),
    ];
    let own = own.map(|(what, hash)| (what.to_owned(), hash));
    Ok(own
        .into_iter()
        .chain(run.about.clone())
        .map(|(what, hash)| (what, hash.to_hex().to_string()))
        .collect())
}

/// Writes a file whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    eyespot_system::write_atomically(path, |file| file.write_all(bytes))
        .map_err(|error| TrainError::file(path, error))
}
