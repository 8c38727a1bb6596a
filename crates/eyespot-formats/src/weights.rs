//! Any file of weights: what is in it, and which of it a network takes.

use crate::error::{damaged, quoted, unsupported};
use crate::fit::Fitted;
use crate::limits::Budget;
use crate::load::{self, File};
use crate::select::{self, Listed, Selection};
use crate::source::Source;
use crate::tensors::Tensors;
use crate::{Fingerprint, FormatError, ReadError, foreign, pytorch, safetensors_file, shards};
use eyespot_graph::{Graph, Params, Tensor};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Files that a folder with weights has them in, the likeliest first.
const IN_FOLDERS: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// A file of weights, or several with their index, whose tensors are listed but not read yet.
///
/// Formats: safetensors, PyTorch checkpoints (`.pth`, `.pt`, `.th`, `.bin`; zip and legacy), pickled dicts of NumPy
/// arrays, `*.index.json` with its shards, an eyespot model file. The content decides, not the ending. Nothing in a file
/// is ever executed.
#[derive(Debug)]
pub struct WeightsFile<'a> {
    path: PathBuf,
    /// The set of weights that is asked for.
    set: Option<String>,
    files: Vec<File<'a>>,
    tensors: Tensors,
}

impl WeightsFile<'static> {
    /// Opens a file, the index of several, or a folder that has one of these under a usual name (such as a run's).
    ///
    /// `FILE#SET` takes the set of weights called so where a file holds several (`checkpoint.pth#teacher`). A file whose
    /// name really ends so goes first.
    ///
    /// # Errors
    /// The file can't be read, is damaged, or holds something else than weights.
    pub fn open(path: &Path) -> Result<Self, FormatError> {
        let (path, set) = locate(path);
        let failed = |path: &Path, source| FormatError::File { path: path.to_owned(), source };
        let source = Source::open(&path).map_err(|error| failed(&path, error))?;
        let mut weights = Self { path, set, files: Vec::new(), tensors: Tensors::default() };
        let is_index = is_json(&source).map_err(|error| failed(&weights.path, error))?;
        if !is_index {
            weights.add(source).map_err(|error| failed(&weights.path, error))?;
            return Ok(weights);
        }
        let shards = shards::list(&source, &weights.path).map_err(|error| failed(&weights.path, error))?;
        for (path, expected) in shards {
            let first = weights.tensors.entries.len();
            let added = Source::open(&path).and_then(|source| weights.add(source));
            added.map_err(|error| failed(&path, error))?;
            let found = &weights.tensors.entries[first..];
            let lacks = expected.iter().find(|name| !found.iter().any(|entry| entry.name == **name));
            if let Some(name) = lacks {
                let error =
                    damaged(format!("it lacks tensor {}, which the index says is in it", quoted(name)));
                return Err(failed(&path, error));
            }
        }
        Ok(weights)
    }
}

impl<'a> WeightsFile<'a> {
    /// [`WeightsFile::open`] for a file that is already in memory.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, ReadError> {
        let (path, set) = Default::default();
        let mut weights = Self { path, set, files: Vec::new(), tensors: Tensors::default() };
        weights.add(Source::Bytes(bytes))?;
        Ok(weights)
    }

    /// The set called so, where a file holds several.
    pub fn set(mut self, name: impl Into<String>) -> Self {
        self.set = Some(name.into());
        self
    }

    fn add(&mut self, source: Source<'a>) -> Result<(), ReadError> {
        let mut buffer = Vec::new();
        let start = source.start(512, &mut buffer)?;
        let (number, tensors) = (self.files.len(), &mut self.tensors);
        let mut metadata = BTreeMap::new();
        if start.get(8) == Some(&b'{') {
            metadata = safetensors_file::list(&source, number, tensors)?;
        } else if start.starts_with(b"PK\x03\x04") {
            pytorch::list_zip(&source, number, tensors)?;
        } else if start.first() == Some(&0x80) {
            pytorch::list_legacy(&source, number, tensors)?;
        } else {
            return Err(foreign::refusal(start));
        }
        if tensors.entries.is_empty() {
            return Err(unsupported("it holds no tensors, so there are no weights to take from it"));
        }
        self.files.push(File { source, metadata });
        Ok(())
    }

    /// The file that is read: that of the path, without the name of a set, or the one in the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The metadata of the file, if it is one safetensors file.
    pub(crate) fn metadata(&self) -> Option<&BTreeMap<String, String>> {
        if let [file] = self.files.as_slice() { Some(&file.metadata) } else { None }
    }

    /// The network, if the file is an eyespot model.
    ///
    /// # Errors
    /// A damaged model.
    pub fn graph(&self) -> Result<Option<Graph>, FormatError> {
        match self.metadata() {
            Some(metadata) => crate::model_file::graph(metadata).map_err(|source| self.failed(source)),
            None => Ok(None),
        }
    }

    /// How pictures are made ready, if the file is an eyespot model.
    pub fn transform(&self) -> Option<serde_json::Value> {
        self.metadata().and_then(crate::model_file::transform)
    }

    /// The images that an eyespot model learned from; none for other files.
    ///
    /// # Errors
    /// A damaged model.
    pub fn learned_from(&self) -> Result<BTreeSet<Fingerprint>, FormatError> {
        match self.metadata() {
            Some(metadata) => crate::model_file::learned_from(metadata).map_err(|source| self.failed(source)),
            None => Ok(BTreeSet::new()),
        }
    }

    /// The weights that `graph` takes from the file.
    ///
    /// Names are compared from their ends, so any prefix is found and taken off; names that wrappers put inside others
    /// are passed over; weight normalisation is multiplied out. Of several sets of weights the one is taken that was
    /// asked for, else the teacher's or average's, else the plain or query's; a notice says which. Tensors that belong to
    /// no layer of the network's backbone are left out, as another notice says.
    ///
    /// With `replace_head`, see [`fit_weights`](crate::fit_weights).
    ///
    /// # Errors
    /// No set fits, several do, or a tensor that is needed can't be read, isn't finite, or is a negative variance.
    pub fn fit(&self, graph: &Graph, replace_head: bool) -> Result<Fitted, FormatError> {
        let Selection { take, missing, notices } =
            select::select(graph, &self.listed(), self.set.as_deref(), replace_head)
                .map_err(|error| self.or_a_shard(error))?;
        let sizes = graph.param_specs().into_iter().map(|(_, spec)| spec.dims.iter().product::<usize>());
        let mut budget = Budget::for_network(sizes.fold(0, usize::saturating_add));
        let wanted: Vec<usize> = take.iter().flat_map(|take| take.sources()).collect();
        for &index in &wanted {
            self.check_scale(index).map_err(|error| self.failed(error))?;
        }
        let loaded = load::load(&self.files, &self.tensors, &wanted, &mut budget);
        let mut loaded = loaded.map_err(|error| self.failed(error))?.into_iter();
        let mut params = Params::new();
        for take in take {
            let (name, tensor) = take.build(&mut loaded).map_err(|error| self.failed(error))?;
            params.insert(name, tensor);
        }
        Ok(Fitted { params, missing, notices })
    }

    /// How many classes the file's classifier tells apart, where it is called as that of `graph`.
    ///
    /// # Errors
    /// As [`WeightsFile::fit`] for the backbone.
    pub fn classes(&self, graph: &Graph) -> Result<Option<usize>, FormatError> {
        let Some(layer) = graph.classifier_layer() else { return Ok(None) };
        let name = format!("{}.weight", graph.node(layer).name);
        let listed = self.listed();
        let shape = select::shape(graph, &listed, self.set.as_deref(), &name)?;
        Ok(shape.and_then(|shape| shape.first().copied()))
    }

    /// Every tensor of floating-point numbers, under its name with the keys that lead to it
    /// (`state_dict.module.conv1.weight`).
    pub fn all(&self) -> Result<Params, FormatError> {
        self.read_all().map_err(|error| self.failed(error))
    }

    pub(crate) fn read_all(&self) -> Result<Params, ReadError> {
        let bytes = self.files.iter().map(|file| file.source.len()).sum();
        let entries = &self.tensors.entries;
        let is_float =
            |&index: &usize| !matches!(entries[index].element, crate::element::Element::Foreign { .. });
        let wanted: Vec<usize> = (0..entries.len()).filter(is_float).collect();
        let loaded = load::load(&self.files, &self.tensors, &wanted, &mut Budget::for_file(bytes))?;
        Ok(wanted.iter().map(|&index| entries[index].name.clone()).zip(loaded).collect())
    }

    /// Whether what is missing probably stands in the other files.
    fn or_a_shard(&self, error: FormatError) -> FormatError {
        let name = self.path.file_stem().unwrap_or_default().to_string_lossy();
        // `model-00001-of-00003`
        let parts: Vec<&str> = name.rsplitn(4, '-').collect();
        let [all, "of", one, _] = *parts else { return error };
        let is_shard = [all, one].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        match error {
            FormatError::DoesNotFit(mut misfit) if is_shard && !misfit.missing.is_empty() => {
                misfit.cause = Some(
                    "this is one of several files; give their index, such as model.safetensors.index.json"
                        .to_owned(),
                );
                FormatError::DoesNotFit(misfit)
            }
            other => other,
        }
    }

    /// Names, shapes, and what tells whether two tensors are the same.
    pub(crate) fn listed(&self) -> Vec<Listed<'_>> {
        let listed = |entry: &'_ crate::tensors::Entry| (entry.storage, entry.offset);
        self.tensors
            .entries
            .iter()
            .map(|entry| Listed { name: &entry.name, shape: &entry.shape, place: listed(entry) })
            .collect()
    }

    /// Numbers of eight bits often have a scale beside them, without which they are other weights.
    fn check_scale(&self, index: usize) -> Result<(), ReadError> {
        let entry = &self.tensors.entries[index];
        if !entry.element.may_be_scaled() {
            return Ok(());
        }
        let layer = entry.name.strip_suffix("weight").unwrap_or(&entry.name);
        let is_scale = |name: &str| {
            name.strip_prefix(&entry.name).is_some_and(|rest| rest.starts_with("_scale"))
                || name
                    .strip_prefix(layer)
                    .is_some_and(|rest| matches!(rest, "scale_weight" | "SCB" | "scale"))
        };
        match self.tensors.entries.iter().find(|other| is_scale(&other.name)) {
            None => Ok(()),
            Some(scale) => Err(unsupported(format!(
                "tensor {} is quantised and scaled by {}, which eyespot doesn't do; give the weights from before \
                 quantisation, saved as float32",
                quoted(&entry.name),
                quoted(&scale.name)
            ))),
        }
    }

    fn failed(&self, source: ReadError) -> FormatError {
        FormatError::File { path: self.path.clone(), source }
    }
}

/// Every tensor of floating-point numbers in a file: [`WeightsFile::open`], then [`WeightsFile::all`].
///
/// # Errors
/// The file can't be read, is damaged, holds something else than weights or numbers that aren't finite, or asks for more
/// than its size justifies.
pub fn read_weights(path: &Path) -> Result<Params, FormatError> {
    WeightsFile::open(path)?.all()
}

/// Tensors with their names, in order.
pub type NamedTensors = Vec<(String, Tensor)>;

/// The tensors of a safetensors file and its metadata, as [`write_safetensors`](crate::write_safetensors) wrote them.
///
/// # Errors
/// The file can't be read, is damaged, or has numbers that aren't finite.
pub fn read_safetensors(path: &Path) -> Result<(NamedTensors, BTreeMap<String, String>), FormatError> {
    let failed = |source| FormatError::File { path: path.to_owned(), source };
    let (set, tensors) = Default::default();
    let mut weights = WeightsFile { path: path.to_owned(), set, files: Vec::new(), tensors };
    Source::open(path).and_then(|source| weights.add(source)).map_err(failed)?;
    let params = weights.read_all().map_err(failed)?;
    let metadata = weights.files.into_iter().map(|file| file.metadata).next().unwrap_or_default();
    Ok((into_pairs(params), metadata))
}

/// Names and tensors in order, without copying the numbers.
fn into_pairs(mut params: Params) -> Vec<(String, Tensor)> {
    params.iter_mut().map(|(name, tensor)| (name.to_owned(), std::mem::take(tensor))).collect()
}

/// [`read_weights`] for a file that is already in memory.
pub fn weights_from_bytes(bytes: &[u8]) -> Result<Params, ReadError> {
    WeightsFile::from_bytes(bytes)?.read_all()
}

/// The file that a path means, and the set of weights in it that is asked for.
fn locate(path: &Path) -> (PathBuf, Option<String>) {
    let text = path.to_str().filter(|_| !path.exists());
    let split = text.and_then(|text| text.rsplit_once('#')).filter(|(file, _)| Path::new(file).exists());
    let (path, set) = match split {
        Some((file, set)) => (PathBuf::from(file), Some(set.to_owned())),
        None => (path.to_owned(), None),
    };
    let inside = IN_FOLDERS.iter().map(|name| path.join(name)).find(|file| file.is_file());
    (inside.unwrap_or(path), set)
}

/// Whether a text of JSON stands there. A safetensors file begins with a small number in eight bytes, the last of
/// which are 0.
fn is_json(source: &Source<'_>) -> Result<bool, ReadError> {
    let mut buffer = Vec::new();
    let start = source.start(64, &mut buffer)?;
    Ok(start.trim_ascii_start().first() == Some(&b'{') && start.get(4..8) != Some(&[0; 4]))
}
