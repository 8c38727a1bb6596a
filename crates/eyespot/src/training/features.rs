//! Features of a frozen front in place of photos: computed once, kept in the cache.

use super::network::Frozen;
use super::pictures::PictureSource;
use super::{Context, Listener, Part};
use crate::Error;
use crate::options::Cache;
use eyespot_data::{Limits, Sample};
use eyespot_train::FeatureCache;

/// Photos computed at a time. Features don't depend on it.
const BATCH: usize = 16;

/// The features of the training photos and of the validation photos.
pub(super) fn sources(
    context: &Context<'_>,
    frozen: &Frozen,
    listener: &mut dyn Listener,
) -> Result<(Part, Option<Part>), Error> {
    // Without a cache the features still pass through a folder, which goes away with the run.
    let temporary = tempfile::tempdir().map_err(|e| Error::file(&std::env::temp_dir(), e))?;
    let cache = match &context.options.cache {
        Some(Cache::Folder(folder)) => FeatureCache::new(folder),
        Some(Cache::None) | None => FeatureCache::new(temporary.path()),
    };
    let transform = serde_json::to_string(&context.plan.transform).unwrap_or_default();
    let limits = Limits::default();
    let mut part = |samples: &[Sample], what: &str| -> Result<Part, Error> {
        let mut pictures = PictureSource::new(context, samples);
        let digest = |sample: usize| samples[sample].content_hash(&limits).map_err(std::io::Error::other);
        let front = eyespot_train::Frozen {
            device: context.device,
            graph: &frozen.graph,
            params: &frozen.params,
            transform: &transform,
            views: 1,
        };
        let mut progress = |done: usize, all: usize| listener.features(what, done, all);
        let features = cache.features(front, &mut pictures, &digest, BATCH, &mut progress)?;
        let paths = features.samples.iter().map(|&sample| samples[sample].path.clone()).collect();
        Ok(Part { source: Box::new(features.source), paths })
    };
    let train = part(&context.dataset.train, "training photos")?;
    let validation = match &context.dataset.val[..] {
        [] => None,
        samples => Some(part(samples, "validation photos")?),
    };
    Ok((train, validation))
}
