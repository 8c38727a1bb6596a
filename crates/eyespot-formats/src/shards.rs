//! Weights in several files, with an index that says which tensor stands where
//! (`model.safetensors.index.json`, `pytorch_model.bin.index.json`).

use crate::ReadError;
use crate::error::{damaged, quoted, too_much, unsupported};
use crate::limits::{MAX_ENTRIES, MAX_HEADER};
use crate::source::Source;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// Shards of one index. The largest published models have about two hundred.
const MAX_SHARDS: usize = 1000;

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The shards of an index, in order, and the tensors that each should have.
pub(crate) fn list(source: &Source<'_>, index: &Path) -> Result<Vec<(PathBuf, BTreeSet<String>)>, ReadError> {
    if source.len() > MAX_HEADER as u64 {
        return Err(too_much(format!("it is a text of {} bytes", source.len())));
    }
    let mut buffer = Vec::new();
    let text = source.window(0, source.len(), &mut buffer)?;
    let Index { weight_map } = serde_json::from_slice(text).map_err(|error| {
        unsupported(format!("it is JSON, but not the index of weights in several files ({error})"))
    })?;
    if weight_map.len() > MAX_ENTRIES {
        return Err(too_much(format!("it lists more than {MAX_ENTRIES} tensors")));
    }
    let mut shards: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (tensor, shard) in weight_map {
        shards.entry(shard).or_default().insert(tensor);
    }
    if shards.len() > MAX_SHARDS {
        return Err(too_much(format!("it lists more than {MAX_SHARDS} files")));
    }
    if shards.is_empty() {
        return Err(damaged("its index lists no tensors"));
    }
    let folder = index.parent().unwrap_or(Path::new(""));
    let mut files = Vec::new();
    for (name, tensors) in shards {
        // Shards lie beside their index; any other path would be a way to other files.
        let mut parts = Path::new(&name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            return Err(damaged(format!("its index names a file that isn't beside it: {}", quoted(&name))));
        }
        files.push((folder.join(&name), tensors));
    }
    let missing: Vec<&PathBuf> = files.iter().map(|(path, _)| path).filter(|path| !path.exists()).collect();
    if let Some(first) = missing.first() {
        let (gone, all) = (missing.len(), files.len());
        let name = quoted(&first.file_name().unwrap_or_default().to_string_lossy());
        return Err(unsupported(format!(
            "{gone} of its {all} files aren't beside it, the first is {name}; download them all into one folder"
        )));
    }
    Ok(files)
}
