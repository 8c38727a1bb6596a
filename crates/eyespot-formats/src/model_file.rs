//! The eyespot model file: a trained classifier in one `model.safetensors`.

use crate::error::{damaged, unsupported};
use crate::learned::{self, Fingerprint, MAX_FINGERPRINTS};
use crate::{FormatError, ReadError, WeightsFile, write_safetensors};
use eyespot_graph::{Graph, Params};
use eyespot_system::printable;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

/// The version of the model file that this version of eyespot writes, and the only one it reads.
pub const FORMAT_VERSION: u32 = 1;

const VERSION_KEY: &str = "eyespot.format_version";
const WRITER_KEY: &str = "eyespot.writer";
const GRAPH_KEY: &str = "eyespot.graph";
const CLASSES_KEY: &str = "eyespot.classes";
const TRANSFORM_KEY: &str = "eyespot.transform";
const TRAINING_KEY: &str = "eyespot.training";
const LEARNED_FROM_KEY: &str = "eyespot.learned_from";

/// A trained classifier: all that is needed to use it.
///
/// The file is an ordinary safetensors file with the weights as `f32` under torchvision's names; everything else is
/// JSON text in its metadata under `eyespot.format_version`, `eyespot.writer`, `eyespot.graph`, `eyespot.classes`,
/// `eyespot.transform` and `eyespot.training`; `eyespot.learned_from` holds 32 hexadecimal digits per image and may be
/// absent. A checksum over all of it stands in `eyespot.blake3` (files of earlier versions have none and are read as
/// well). The same model gives the same bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFile {
    /// The network.
    pub graph: Graph,
    /// Its weights: exactly the tensors the network has.
    pub params: Params,
    /// The classes in the order of the network's outputs. A network with one output tells two classes apart.
    pub classes: Vec<String>,
    /// How a picture is made ready for the network.
    pub transform: serde_json::Value,
    /// How it was trained and how well it did.
    pub training: serde_json::Value,
    /// The images it learned from, so that it isn't measured on them; empty where they aren't known. At most
    /// [`crate::MAX_FINGERPRINTS`].
    pub learned_from: BTreeSet<Fingerprint>,
}

impl ModelFile {
    /// Writes the model, whole or not at all.
    ///
    /// # Errors
    /// The model contradicts itself (graph, weights and classes don't belong together), or the disk says no.
    pub fn write(&self, path: &Path) -> Result<(), FormatError> {
        let metadata = self.metadata().map_err(|error| FormatError::CannotSave(error.to_string()))?;
        self.check().map_err(FormatError::CannotSave)?;
        write_safetensors(path, self.params.iter(), &metadata)
    }

    /// Reads a model and checks everything in it.
    ///
    /// # Errors
    /// The file can't be read, is damaged, is no eyespot model, or was written by a version with another format.
    pub fn read(path: &Path) -> Result<Self, FormatError> {
        let weights = WeightsFile::open(path)?;
        Self::of(&weights).map_err(|source| FormatError::File { path: weights.path().to_owned(), source })
    }

    /// [`ModelFile::read`] for a file that is already in memory.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReadError> {
        Self::of(&WeightsFile::from_bytes(bytes)?)
    }

    fn of(weights: &WeightsFile<'_>) -> Result<Self, ReadError> {
        let metadata = weights.metadata().filter(|metadata| !metadata.is_empty());
        let metadata = metadata.ok_or(ReadError::NotAModel)?;
        check_version(metadata)?;
        let graph: Graph = json(metadata, GRAPH_KEY)?;
        // Before any number is read.
        let shapes = weights.listed().into_iter().map(|tensor| (tensor.name, tensor.shape)).collect();
        check_shapes(&graph, &shapes).map_err(damaged)?;
        let model = Self {
            graph,
            params: weights.read_all()?,
            classes: json(metadata, CLASSES_KEY)?,
            transform: json(metadata, TRANSFORM_KEY)?,
            training: json(metadata, TRAINING_KEY)?,
            learned_from: learned_from(metadata)?,
        };
        model.check().map_err(damaged)?;
        Ok(model)
    }

    fn metadata(&self) -> serde_json::Result<BTreeMap<String, String>> {
        let entry = |key: &str, text: String| (key.to_owned(), text);
        let mut metadata = BTreeMap::from([
            entry("format", "pt".to_owned()),
            entry(VERSION_KEY, FORMAT_VERSION.to_string()),
            entry(WRITER_KEY, format!("eyespot {}", env!("CARGO_PKG_VERSION"))),
            entry(GRAPH_KEY, serde_json::to_string(&self.graph)?),
            entry(CLASSES_KEY, serde_json::to_string(&self.classes)?),
            entry(TRANSFORM_KEY, serde_json::to_string(&self.transform)?),
            entry(TRAINING_KEY, serde_json::to_string(&self.training)?),
        ]);
        if !self.learned_from.is_empty() {
            metadata.extend([entry(LEARNED_FROM_KEY, learned::to_text(&self.learned_from))]);
        }
        Ok(metadata)
    }

    /// That graph, weights and classes belong together.
    fn check(&self) -> Result<(), String> {
        self.graph.validate().map_err(|error| error.to_string())?;
        check_shapes(
            &self.graph,
            &self.params.iter().map(|(name, tensor)| (name, tensor.shape())).collect(),
        )?;
        if let Some(name) = twice(&self.classes) {
            return Err(format!("two classes are called {}", crate::error::quoted(name)));
        }
        let (outputs, classes) = (self.graph.output_shape().elements(), self.classes.len());
        if outputs != classes && !(outputs == 1 && classes == 2) {
            return Err(format!("the network has {outputs} outputs, but there are {classes} class names"));
        }
        let mut names = HashSet::new();
        if let Some(twice) = self.classes.iter().find(|name| !names.insert(name.as_str())) {
            return Err(format!("there are two classes called {}", printable(twice)));
        }
        if self.learned_from.len() > MAX_FINGERPRINTS {
            let count = self.learned_from.len();
            return Err(format!("it can remember {MAX_FINGERPRINTS} images, not {count}"));
        }
        Ok(())
    }
}

/// That the tensors are exactly the network's.
fn check_shapes(graph: &Graph, shapes: &HashMap<&str, &[usize]>) -> Result<(), String> {
    let specs = graph.param_specs();
    for (name, spec) in &specs {
        match shapes.get(name.as_str()) {
            None => return Err(format!("the weights lack `{name}`")),
            Some(&shape) if shape != spec.dims.as_slice() => {
                let needs = &spec.dims;
                return Err(format!("`{name}` has the shape {shape:?}, but the network needs {needs:?}"));
            }
            Some(_) => {}
        }
    }
    if shapes.len() != specs.len() {
        let (has, needs) = (shapes.len(), specs.len());
        return Err(format!("there are {has} tensors, but the network has {needs}"));
    }
    Ok(())
}

fn twice(names: &[String]) -> Option<&String> {
    let mut seen = HashSet::new();
    names.iter().find(|name| !seen.insert(*name))
}

/// The network of a file, if that is an eyespot model.
pub(crate) fn graph(metadata: &BTreeMap<String, String>) -> Result<Option<Graph>, ReadError> {
    if !metadata.contains_key(VERSION_KEY) {
        return Ok(None);
    }
    check_version(metadata)?;
    json(metadata, GRAPH_KEY).map(Some)
}

/// The transform of a file, if that is an eyespot model.
pub(crate) fn transform(metadata: &BTreeMap<String, String>) -> Option<serde_json::Value> {
    metadata.get(VERSION_KEY)?;
    json(metadata, TRANSFORM_KEY).ok()
}

/// The images that an eyespot model learned from.
pub(crate) fn learned_from(metadata: &BTreeMap<String, String>) -> Result<BTreeSet<Fingerprint>, ReadError> {
    learned::from_text(metadata.get(LEARNED_FROM_KEY).map_or("", String::as_str))
}

fn check_version(metadata: &BTreeMap<String, String>) -> Result<(), ReadError> {
    let Some(version) = metadata.get(VERSION_KEY) else {
        return Err(ReadError::NotAModel);
    };
    if *version != FORMAT_VERSION.to_string() {
        let writer = metadata.get(WRITER_KEY).map_or("an unknown version", String::as_str);
        return Err(unsupported(format!(
            "it was written by {} in format {}; this is eyespot {}, which reads format {FORMAT_VERSION}; \
             use the version that wrote it, or write the model again with this one",
            crate::error::quoted(writer),
            crate::error::quoted(version),
            env!("CARGO_PKG_VERSION"),
        )));
    }
    Ok(())
}

fn json<T: DeserializeOwned>(metadata: &BTreeMap<String, String>, key: &str) -> Result<T, ReadError> {
    let text = metadata.get(key).ok_or_else(|| damaged(format!("its metadata lacks `{key}`")))?;
    serde_json::from_str(text).map_err(|error| damaged(format!("`{key}` can't be understood ({error})")))
}
