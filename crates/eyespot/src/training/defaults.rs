//! The value of every setting that wasn't given.

use crate::network::find;
use crate::options::*;
use crate::{Error, TrainingOptions};
use eyespot_data::features::{Features, UnknownFeature};
use eyespot_data::{Dataset, Layout, Transform};
use eyespot_graph::{Optimizer, TensorScales, zoo};
use eyespot_system::{printable, printable_path};
use eyespot_train::{Loss, Schedule, Settings};
use std::path::PathBuf;

/// The network that was asked for: by its name, or by the name of the weights' file.
pub(super) fn network(options: &TrainingOptions) -> Result<Option<&'static zoo::Network>, Error> {
    if let Some(name) = &options.model {
        return find(name).map(Some);
    }
    let Some(weights) = &options.weights else { return Ok(None) };
    // A model says itself what it is.
    if let Some(graph) = crate::weights::open(weights)?.graph()? {
        return match zoo::find(&graph.name) {
            Ok(network) => Ok(Some(network)),
            Err(_) => Err(Error::Usage(format!(
                "{}: the network of this model ({}) isn't one that can be trained again",
                printable_path(weights),
                printable(&graph.name)
            ))),
        };
    }
    let file = weights.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    // The longest name wins: vgg16_bn before vgg16.
    let named = zoo::networks().iter().filter(|network| file.starts_with(network.name));
    match named.max_by_key(|network| network.name.len()) {
        Some(network) => Ok(Some(network)),
        None => Err(Error::Usage(format!(
            "{}: which network are these weights for? say it with --model, such as --model resnet50",
            printable_path(weights)
        ))),
    }
}

/// How pictures are made ready for the weights, where they are an eyespot model's.
pub(super) fn transform_of_weights(options: &TrainingOptions) -> Result<Option<Transform>, Error> {
    let Some(path) = &options.weights else { return Ok(None) };
    let Some(transform) = crate::weights::open(path)?.transform() else { return Ok(None) };
    let transform: Transform = serde_json::from_value(transform)
        .map_err(|e| Error::file(path, format!("its transform is damaged: {e}")))?;
    transform.validate().map_err(|e| Error::file(path, format!("its transform can't be used: {e}")))?;
    Ok(Some(transform).filter(|transform| transform.features.is_none()))
}

/// The network to train from scratch.
pub(super) fn network_for(
    options: &TrainingOptions,
    dataset: &Dataset,
) -> Result<&'static zoo::Network, Error> {
    find(match dataset.layout {
        _ if options.features.is_some() => "linear",
        Layout::Idx => "lenet5",
        _ => "small_cnn",
    })
}

/// The traditional features that were asked for, and that nothing else was asked for that doesn't go with them.
pub(super) fn features(o: &TrainingOptions) -> Result<Option<Features>, Error> {
    let Some(names) = &o.features else { return Ok(None) };
    let features: Features = names.parse().map_err(|e: UnknownFeature| Error::Usage(e.to_string()))?;
    let model = o.model.as_deref().unwrap_or("linear");
    let frozen = o.freeze.as_ref().is_some_and(|freeze| *freeze != Freeze::None);
    let augmented = o.augment.as_ref().is_some_and(|augment| *augment != AugmentKind::None);
    let framed = o.resize.is_some() || o.crop.is_some() || o.mean.is_some() || o.std.is_some();
    let why = if !matches!(model, "linear" | "mlp") {
        format!(
            "the network {model} finds features in pictures itself; features from --features ({names}) go to \
             --model linear or --model mlp"
        )
    } else if o.weights.is_some() {
        format!("--weights are for networks that see pictures; with --features {names} leave them out")
    } else if frozen || o.head.is_some() {
        format!(
            "--features {names} take the place of a backbone, so --freeze and --head have nothing to act on"
        )
    } else if augmented || o.views.is_some_and(|views| views > 1) {
        format!("features ({names}) are computed once per photo; leave out --augment and --views")
    } else if framed {
        format!(
            "features ({names}) are computed from {0} × {0} pixels and standardised by the training photos; leave \
             out --resize, --crop, --mean and --std",
            eyespot_data::features::SIDE
        )
    } else {
        return Ok(Some(features));
    };
    Err(Error::Usage(why))
}

/// The learning rate by optimizer and what learns.
fn rate(sgd: bool, only_head: bool, pretrained: bool, fine_tune: bool) -> f64 {
    match (sgd, only_head, pretrained) {
        (false, _, true) if fine_tune => 0.0001,
        (true, true, _) => 0.001,
        (true, _, true) => 0.002,
        (true, _, false) => 0.05,
        (false, true, _) => 0.001,
        (false, _, true) => 0.0002,
        (false, _, false) => 0.002,
    }
}

/// The learning rate that these settings get by default.
pub(super) fn usual_rate(o: &TrainingOptions, frozen: bool) -> f64 {
    let pretrained = o.weights.is_some();
    let fine_tune = pretrained && !frozen && o.fine_tune != Some(false);
    let usual = if pretrained && !fine_tune { OptimizerKind::Sgd } else { OptimizerKind::AdamW };
    rate(o.optimizer.unwrap_or(usual) == OptimizerKind::Sgd, frozen, pretrained, fine_tune)
}

/// Whether a run fine-tunes, and that nothing speaks against it.
fn fine_tunes(o: &TrainingOptions) -> Result<bool, Error> {
    let wrong = |text: &str| Err(Error::Usage(text.to_owned()));
    match (o.fine_tune, &o.weights, &o.freeze) {
        (Some(true), None, _) => wrong(
            "--fine-tune goes on from what a network has learned before; give its weights with --weights",
        ),
        (Some(true), _, Some(Freeze::Backbone)) => wrong(
            "--fine-tune lets the backbone learn and --freeze backbone doesn't; leave one of them out, or freeze a part \
             with --freeze until:LAYER",
        ),
        (None | Some(true), Some(_), Some(Freeze::None | Freeze::Until(_))) => Ok(true),
        _ => Ok(false),
    }
}

/// Fills in everything that wasn't given.
pub(super) fn resolve(
    mut o: TrainingOptions,
    network: &zoo::Network,
    dataset: &Dataset,
) -> Result<TrainingOptions, Error> {
    let pretrained = o.weights.is_some();
    if o.fine_tune == Some(true) {
        o.freeze.get_or_insert(Freeze::None);
    }
    let fine_tune = fine_tunes(&o)?;
    if fine_tune {
        o.fine_tune = Some(true);
    }
    o.model = Some(network.name.to_owned());
    let freeze = o.freeze.get_or_insert(if pretrained { Freeze::Backbone } else { Freeze::None });
    let on_features = *freeze != Freeze::None;
    let traditional = o.features.is_some();
    let only_head = *freeze == Freeze::Backbone || traditional;
    if pretrained || on_features {
        o.head.get_or_insert(Head::Linear);
    }
    let loss = *o.loss.get_or_insert(LossKind::Auto);
    if loss == LossKind::Bce && dataset.classes.len() != 2 {
        return Err(Error::Usage(format!(
            "the loss bce is for two classes, these photos have {}; choose --loss ce",
            dataset.classes.len()
        )));
    }

    o.strict.get_or_insert(false);
    o.seed.get_or_insert(0);
    o.threads.get_or_insert(0);
    o.balance.get_or_insert(Balance::None);
    o.cache.get_or_insert_with(|| cache_folder().map_or(Cache::None, Cache::Folder));
    if super::solve::solves(&o)? {
        o.optimizer = Some(OptimizerKind::Lbfgs);
        let augment = o.augment.get_or_insert(AugmentKind::None);
        o.views.get_or_insert(if *augment == AugmentKind::None { 1 } else { 4 });
        return prepared(o, network, traditional);
    }
    if fine_tune {
        fine_tuning(&mut o, network, loss, dataset);
    }
    let optimizer =
        *o.optimizer.get_or_insert(if pretrained { OptimizerKind::Sgd } else { OptimizerKind::AdamW });
    let sgd = optimizer == OptimizerKind::Sgd;
    if !sgd && (o.momentum.is_some() || o.nesterov == Some(true)) {
        return Err(Error::Usage("momentum and nesterov are for --optimizer sgd; leave them out".to_owned()));
    }
    if sgd {
        o.momentum.get_or_insert(0.9);
        o.nesterov.get_or_insert(false);
    }
    o.lr.get_or_insert(LearningRate::Rate(rate(sgd, only_head, pretrained, fine_tune)));
    o.weight_decay.get_or_insert(match optimizer {
        OptimizerKind::AdamW => 0.05,
        OptimizerKind::Sgd if !only_head => 1e-4,
        _ => 0.0,
    });
    // From scratch few photos need to be seen often; many photos bring their own variety.
    let from_scratch = (30_000 / dataset.train.len().max(1) as u64).clamp(8, 60);
    let epochs = if only_head && !traditional {
        30
    } else if pretrained {
        15
    } else {
        from_scratch
    };
    o.epochs.get_or_insert(epochs);
    o.batch_size.get_or_insert(BatchSize::Images(32));
    o.schedule.get_or_insert(ScheduleKind::Cosine);
    o.warmup.get_or_insert(0.0);
    let plain = on_features || traditional;
    let augment = o.augment.get_or_insert(if plain { AugmentKind::None } else { AugmentKind::Light });
    o.views.get_or_insert(if *augment == AugmentKind::None { 1 } else { 4 });
    o.every.get_or_insert(1);
    prepared(o, network, traditional)
}

/// With how images are made ready.
fn prepared(
    mut o: TrainingOptions,
    network: &zoo::Network,
    traditional: bool,
) -> Result<TrainingOptions, Error> {
    o.fit.get_or_insert(if traditional { FitKind::Squash } else { FitKind::Crop });
    if !traditional {
        let preset = match transform_of_weights(&o)? {
            Some(transform) if transform.channels() == network.input.channels() => transform,
            _ => crate::classifier::preset(network),
        };
        let side = *o.crop.get_or_insert(preset.crop.0);
        let ratio = preset.resize.map_or(1.0, |r| f64::from(r) / f64::from(preset.crop.0));
        o.resize.get_or_insert((f64::from(side) * ratio).round() as u32);
        o.mean.get_or_insert(preset.mean);
        o.std.get_or_insert(preset.std);
    }
    Ok(o)
}

/// What fine-tuning's second phase does where nothing else is asked for; `docs/decisions/0010-fine-tuning.md` has the
/// measurements.
fn fine_tuning(o: &mut TrainingOptions, network: &zoo::Network, loss: LossKind, dataset: &Dataset) {
    o.optimizer.get_or_insert(OptimizerKind::AdamW);
    o.layer_decay.get_or_insert(1.0);
    o.epochs.get_or_insert(8);
    o.schedule.get_or_insert(ScheduleKind::OneCycle);
    o.ema.get_or_insert(0.99);
    if matches!(loss, LossKind::Auto | LossKind::Ce) {
        o.label_smoothing.get_or_insert(0.1);
    }
    let side = o.crop.unwrap_or_else(|| crate::classifier::preset(network).crop.0);
    o.augment.get_or_insert_with(|| match dataset.layout {
        Layout::Idx => AugmentKind::Light,
        _ if side <= eyespot_data::Augment::SMALL => AugmentKind::Light,
        _ => AugmentKind::Operations("flip,crop=0.5..1".to_owned()),
    });
}

/// What the training loop is told.
pub(super) fn settings(o: &TrainingOptions, loss: Loss) -> Settings {
    let defaults = Settings::default();
    let (beta1, beta2, eps) = (0.9, 0.999, 1e-8);
    let epochs = o.epochs.unwrap_or(defaults.epochs);
    Settings {
        epochs,
        batch_size: match o.batch_size {
            Some(BatchSize::Full) => eyespot_train::BatchSize::Full,
            Some(BatchSize::Images(n)) => eyespot_train::BatchSize::Images(n),
            None => defaults.batch_size,
        },
        optimizer: match o.optimizer {
            Some(OptimizerKind::Adam) => Optimizer::Adam { beta1, beta2, eps },
            Some(OptimizerKind::AdamW) => Optimizer::AdamW { beta1, beta2, eps },
            _ => {
                Optimizer::Sgd { momentum: o.momentum.unwrap_or(0.9), nesterov: o.nesterov.unwrap_or(false) }
            }
        },
        learning_rate: match o.lr {
            Some(LearningRate::Rate(rate)) => rate,
            Some(LearningRate::Auto) | None => defaults.learning_rate,
        },
        weight_decay: o.weight_decay.unwrap_or(0.0),
        tensor_scales: TensorScales::new(),
        schedule: match o.schedule {
            Some(ScheduleKind::Constant) => Schedule::Constant,
            Some(ScheduleKind::Step) => Schedule::Step { epochs: epochs.div_ceil(3), gamma: 0.1 },
            Some(ScheduleKind::OneCycle) => Schedule::OneCycle,
            Some(ScheduleKind::Cosine) | None => Schedule::Cosine,
        },
        warmup_epochs: o.warmup.unwrap_or(0.0),
        loss,
        clip_norm: o.clip,
        ema_decay: o.ema,
        patience: o.patience,
        balance: match o.balance {
            Some(Balance::Weights) => eyespot_train::Balance::Weights,
            Some(Balance::Sampler) => eyespot_train::Balance::Sampler,
            Some(Balance::None | Balance::Auto) | None => eyespot_train::Balance::None,
        },
        seed: o.seed.unwrap_or(0),
        record_every: o.every.unwrap_or(1),
    }
}

/// Where the operating system wants caches.
fn cache_folder() -> Option<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = from("XDG_CACHE_HOME")
        .or_else(|| from("LOCALAPPDATA"))
        .or_else(|| from("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("eyespot").join("features"))
}

/// A new folder in `runs/`, named after the photos and what learns. It is made, so that a run that begins at the same
/// moment takes another one.
pub(super) fn new_run(o: &TrainingOptions, dataset: &Dataset) -> Result<PathBuf, Error> {
    let runs = PathBuf::from("runs");
    std::fs::create_dir_all(&runs).map_err(|e| Error::file(&runs, e))?;
    let data = dataset.path.canonicalize().unwrap_or_else(|_| dataset.path.clone());
    let name = data.file_stem().map_or("run".into(), |name| name.to_string_lossy().into_owned());
    let what = o.features.iter().chain(&o.model).cloned().collect::<Vec<_>>().join("-");
    let mut number = 1u64;
    loop {
        let folder = runs.join(format!("{name}-{what}-{number}"));
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(e) => return Err(Error::file(&folder, e)),
        }
    }
}
