//! Features in place of photos, of a frozen front or traditional ones: computed once, kept in the cache.

use super::network::Frozen;
use super::pictures::{PictureSource, augmentation};
use super::{Context, Listener, Part, Sources};
use crate::Error;
use crate::options::Cache;
use eyespot_data::{Augment, Limits, Sample, content_hashes};
use eyespot_train::{FeatureCache, FrozenSource, InMemory};

/// Photos computed at a time. Features don't depend on it.
const BATCH: usize = 16;

/// Photos that pass the frozen front each time they are seen, so that every epoch changes them anew.
pub(super) fn live(context: &Context<'_>, frozen: &Frozen) -> Result<Sources, Error> {
    let transform = super::json(&context.plan.transform)?.to_string();
    let Frozen { graph, params } = frozen;
    let device = context.compute.device();
    let key = eyespot_train::Frozen { device, graph, params, transform: &transform, views: 1 }.key()?;
    let length = graph.output_shape().elements();
    let part = |samples: &[Sample], augment: Augment| {
        let pictures = PictureSource::new(context, samples, augment);
        let program = device.inference(graph, params, BATCH)?;
        let source = Box::new(FrozenSource::new(Box::new(pictures), program, length));
        let paths = samples.iter().map(|sample| sample.path.clone()).collect();
        Ok::<_, Error>(Part { source, paths, key: key.clone() })
    };
    let train = part(&context.dataset.train, augmentation(context)?)?;
    let validation = match &context.dataset.val[..] {
        [] => None,
        samples => Some(part(samples, Augment::default())?),
    };
    Ok(Sources { train, validation, transform: context.plan.transform.clone() })
}

/// The features of the training photos and of the validation photos. Traditional ones are standardised by the training
/// photos.
pub(super) fn sources(
    context: &Context<'_>,
    frozen: &Frozen,
    listener: &mut dyn Listener,
) -> Result<Sources, Error> {
    // Without a cache the features still pass through a folder, which goes away with the run.
    let temporary = tempfile::tempdir().map_err(|e| Error::file(&std::env::temp_dir(), e))?;
    let cache = match &context.options.cache {
        Some(Cache::Folder(folder)) => FeatureCache::new(folder),
        Some(Cache::None) | None => FeatureCache::new(temporary.path()),
    };
    // Mixing blends photos with their labels in a batch, which has no meaning for features of single photos.
    let augment = Augment { mixup: 0.0, cutmix: 0.0, ..augmentation(context)? };
    let views = if augment.is_none() { 1 } else { context.options.views.unwrap_or(1) };
    let (limits, noted) = (Limits::default(), &context.noted);
    let mut compute =
        |samples: &[Sample], what: &str, hashes: &[Option<[u8; 32]>], augment: Augment, views: u64| {
            // Everything that decides what the frozen layers see. A view depends on a photo's place, too, so its
            // path belongs to the key by the order of samples.
            let varied = (!augment.is_none()).then(|| {
                let places: Vec<_> = samples.iter().map(|sample| &sample.path).collect();
                (&augment, context.options.seed, places)
            });
            let transform = super::json(&(&context.plan.transform, varied))?.to_string();
            let mut pictures = PictureSource::new(context, samples, augment.clone());
            let digest = |sample: usize| {
                // What there is to say about a photo is said in every run, and --strict refuses a damaged one in any: its
                // features aren't kept, so that it is read again.
                if noted.lock().unwrap_or_else(|e| e.into_inner()).contains_key(&samples[sample].path) {
                    return Err(std::io::Error::other("there is something to say about it"));
                }
                match hashes[sample] {
                    Some(hash) => Ok(hash),
                    // Once more, for the cause.
                    None => samples[sample].content_hash(&limits).map_err(std::io::Error::other),
                }
            };
            let front = eyespot_train::Frozen {
                device: context.compute.device(),
                graph: &frozen.graph,
                params: &frozen.params,
                transform: &transform,
                views: views as u32,
            };
            let mut progress = |done: usize, all: usize| listener.features(what, done, all);
            let features = cache.features(front, &mut pictures, &digest, BATCH, &mut progress)?;
            let paths = features.samples.iter().map(|&sample| samples[sample].path.clone()).collect();
            Ok::<_, Error>((features.source, paths, features.key))
        };
    let mut train =
        compute(&context.dataset.train, "training photos", &context.train_hashes, augment, views)?;
    let mut validation = match &context.dataset.val[..] {
        [] => None,
        samples => {
            let all: Vec<&Sample> = samples.iter().collect();
            let hashes = content_hashes(&all, context.compute.threads(), &limits);
            Some(compute(samples, "validation photos", &hashes, Augment::default(), 1)?)
        }
    };
    let mut transform = context.plan.transform.clone();
    if let Some(features) = &mut transform.features {
        features.standardise(train.0.inputs());
        for (source, ..) in std::iter::once(&mut train).chain(&mut validation) {
            source.change(|numbers| features.apply(numbers));
        }
    }
    let part = |(source, paths, key): (InMemory, _, _)| Part { source: Box::new(source), paths, key };
    Ok(Sources { train: part(train), validation: validation.map(part), transform })
}
