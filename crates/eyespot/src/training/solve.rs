//! A linear head on frozen features, solved rather than trained step by step.

use super::{Context, Part};
use crate::Error;
use crate::options::{Balance, Freeze, Head, LossKind, OptimizerKind, TrainingOptions};
use eyespot_graph::{Op, Params, Tensor};
use eyespot_train::{HeadBalance, HeadRows, HeadSettings, SolvedHead, solve_head};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Folds of the cross-validation where nothing else is asked for.
pub(super) const FOLDS: u64 = 5;

/// How a head was solved.
#[derive(Debug, Clone, PartialEq)]
pub struct Solved {
    /// The inverse strength of the penalty, scikit-learn's `C`.
    pub c: f64,
    /// Folds of the cross-validation that chose it.
    pub folds: usize,
    /// The power of the classes' weights: 0 none, 1 in inverse proportion to their images.
    pub balance: f64,
    /// The share of the training images that the head names rightly.
    pub training_accuracy: f64,
}

impl std::fmt::Display for Solved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { c, folds, balance, training_accuracy, .. } = self;
        write!(f, "head     solved, C {c:.3}")?;
        if *folds > 0 {
            write!(f, " by {folds}-fold cross-validation")?;
        }
        if *balance > 0.0 {
            write!(f, ", classes weighed by their size to the power of -{balance}")?;
        }
        write!(f, "; {:.1} % of the training photos", 100.0 * training_accuracy)
    }
}

/// Whether these settings solve the head, and that nothing speaks against it where that was asked for. Settings of
/// step-by-step training ask for that.
pub(super) fn solves(o: &TrainingOptions) -> Result<bool, Error> {
    let asked = o.optimizer == Some(OptimizerKind::Lbfgs);
    let frozen = match &o.freeze {
        Some(freeze) => *freeze == Freeze::Backbone,
        None => o.weights.is_some() && o.fine_tune != Some(true),
    };
    let traditional = o.features.is_some();
    let linear = match traditional {
        true => o.model.as_deref().is_none_or(|model| model == "linear"),
        false => matches!(o.head, None | Some(Head::Linear)),
    };
    let cross_entropy = matches!(o.loss, None | Some(LossKind::Auto | LossKind::Ce));
    let possible = (frozen || traditional) && linear && cross_entropy;
    let stepwise = stepwise(o);
    match (asked, possible, stepwise) {
        (true, false, _) => Err(Error::Usage(
            "--optimizer lbfgs solves a linear head with the loss ce on frozen features: give --weights, and leave out \
             --fine-tune, --head mlp and other losses"
                .to_owned(),
        )),
        (true, true, Some(key)) => Err(Error::Usage(format!(
            "--{key} is for training step by step; with --optimizer lbfgs leave it out"
        ))),
        (_, possible, stepwise) => {
            let solves = possible && stepwise.is_none();
            if o.balance == Some(Balance::Auto) && !solves {
                return Err(Error::Usage(
                    "--balance auto is for heads that are solved (a linear head on frozen features); choose weights or \
                     sampler"
                        .to_owned(),
                ));
            }
            Ok(solves)
        }
    }
}

/// The first setting given that only step-by-step training has.
fn stepwise(o: &TrainingOptions) -> Option<&'static str> {
    let given = [
        ("optimizer", o.optimizer.is_some_and(|optimizer| optimizer != OptimizerKind::Lbfgs)),
        ("epochs", o.epochs.is_some()),
        ("batch-size", o.batch_size.is_some()),
        ("lr", o.lr.is_some()),
        ("momentum", o.momentum.is_some()),
        ("weight-decay", o.weight_decay.is_some()),
        ("layer-decay", o.layer_decay.is_some()),
        ("nesterov", o.nesterov.is_some()),
        ("schedule", o.schedule.is_some()),
        ("warmup", o.warmup.is_some()),
        ("label-smoothing", o.label_smoothing.is_some()),
        ("clip", o.clip.is_some()),
        ("ema", o.ema.is_some()),
        ("patience", o.patience.is_some()),
        ("every", o.every.is_some()),
        ("balance sampler", o.balance == Some(Balance::Sampler)),
    ];
    given.into_iter().find(|(_, given)| *given).map(|(key, _)| key)
}

/// What the solver leaves.
pub(super) struct Learned {
    pub params: Params,
    pub head: SolvedHead,
    /// The scores of training images by heads that hadn't seen them, where that was asked for and there are enough: images
    /// × classes.
    pub unseen: Option<Vec<f32>>,
    /// The fold that each image was held back in.
    pub folds: Vec<usize>,
}

/// Solves the head on the features of `part`, which holds the training images.
pub(super) fn head(context: &Context<'_>, part: &mut Part, unseen: bool) -> Result<Learned, Error> {
    let graph = &context.plan.graph;
    let classes = context.dataset.classes.len();
    let images = part.source.labels().len();
    let length = part.source.input_len();
    let views = context.options.views.unwrap_or(1).max(1);
    let order: Vec<usize> = (0..images).collect();
    let mut inputs = Vec::with_capacity(images * length * views as usize);
    let mut labels = Vec::with_capacity(images * views as usize);
    for view in 0..views {
        part.source.batches(view, &order, 1024, &mut |batch| {
            inputs.extend_from_slice(batch.inputs);
            labels.extend_from_slice(batch.labels);
            Ok(())
        })?;
    }
    let folds = folds(context, &part.paths);
    let rows = HeadRows::new(inputs, length, labels, classes)?;
    let views = views as usize;
    // All views of an image together count as one image.
    let share = vec![1.0 / views as f32; rows.len()];
    let settings = HeadSettings {
        learn: (views > 1).then(|| share.clone()),
        judge: (views > 1).then_some(share),
        folds: folds.repeat(views),
        balance: match context.options.balance {
            Some(Balance::Auto) => HeadBalance::Auto,
            Some(Balance::Weights) => HeadBalance::Power(1.0),
            _ => HeadBalance::None,
        },
        c: None,
        unseen,
        threads: context.compute.threads(),
    };
    let head = solve_head(&rows, &settings)?;
    let unseen = head.unseen.as_ref().map(|unseen| mean_scores(&unseen.scores, images * classes, classes));
    // The only layer with weights; flattening before it changes no number.
    let plain = |op: &Op| matches!(op, Op::Input | Op::Flatten | Op::Linear(_));
    let linear = graph.nodes.iter().find(|node| matches!(node.op, Op::Linear(_)));
    let Some(linear) = linear.filter(|_| graph.nodes.len() <= 3 && graph.nodes.iter().all(|n| plain(&n.op)))
    else {
        return Err(Error::Usage(format!(
            "the head of {} is no linear layer that can be solved",
            graph.name
        )));
    };
    let tensor = |dims: &[usize], numbers: &[f32]| {
        Tensor::from_shape_vec(dims.to_vec(), numbers.to_vec()).expect("as many numbers as the shape says")
    };
    let mut params = Params::new();
    params.insert(format!("{}.weight", linear.name), tensor(&[classes, length], &head.weight));
    params.insert(format!("{}.bias", linear.name), tensor(&[classes], &head.bias));
    Ok(Learned { params, head, unseen, folds })
}

/// The scores of an image from those of its views: the logarithm of the mean probability.
fn mean_scores(scores: &[f32], per_view: usize, classes: usize) -> Vec<f32> {
    let views = scores.len() / per_view.max(1);
    if views <= 1 {
        return scores.to_vec();
    }
    let mut mean = vec![0.0; per_view];
    for view in scores.chunks_exact(per_view) {
        for (mean, row) in mean.chunks_exact_mut(classes).zip(view.chunks_exact(classes)) {
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = row.iter().map(|score| (score - largest).exp()).sum();
            for (mean, score) in mean.iter_mut().zip(row) {
                *mean += (score - largest).exp() / sum / views as f32;
            }
        }
    }
    mean.into_iter().map(f32::ln).collect()
}

/// The fold that each image is held back in.
fn folds(context: &Context<'_>, paths: &[PathBuf]) -> Vec<usize> {
    let folds = context.options.folds.unwrap_or(FOLDS) as usize;
    let samples = context.dataset.train.iter().map(|sample| sample.path.as_path());
    let of: HashMap<&Path, usize> = samples.zip(context.dataset.folds(folds)).collect();
    paths.iter().map(|path| of.get(path.as_path()).copied().unwrap_or(0)).collect()
}
