//! The network of a run: what learns, what is frozen before it, and the loss behind it.

use super::Listener;
use crate::options::{FitKind, Freeze, Head, LossKind};
use crate::{Error, Range, TrainingOptions, weights};
use eyespot_data::features::Features;
use eyespot_data::{Fit, Transform};
use eyespot_graph::{Builder, Graph, NodeId, Op, Params, Shape, initialise, zoo};
use eyespot_train::Loss;

/// The network of a run.
pub(super) struct Plan {
    /// The part that learns.
    pub graph: Graph,
    /// Its weights at the start.
    pub params: Params,
    /// The part before it that stays as it is.
    pub frozen: Option<Frozen>,
    /// What is made small.
    pub loss: Loss,
    /// How pictures are made ready for the whole network.
    pub transform: Transform,
}

/// The front of a network, which keeps its weights.
pub(super) struct Frozen {
    pub graph: Graph,
    pub params: Params,
}

impl Plan {
    /// Puts weights that were learned elsewhere in the place of those it begins with.
    pub fn begin_with(&mut self, learned: &Params) {
        for (name, tensor) in learned.iter() {
            if let Some(begin) = self.params.get_mut(name) {
                begin.clone_from(tensor);
            }
        }
    }

    /// The whole network with what was learned.
    pub fn whole(&self, learned: &Params) -> Result<(Graph, Params), Error> {
        let Some(frozen) = &self.frozen else { return Ok((self.graph.clone(), learned.clone())) };
        let graph = frozen.graph.join(&self.graph)?;
        let mut params = frozen.params.clone();
        params.extend(learned.iter().map(|(name, tensor)| (name.to_owned(), tensor.clone())));
        let params = select(&graph, &params);
        Ok((graph, params))
    }
}

/// Builds the network, loads its weights, and cuts it where freezing ends.
pub(super) fn plan(
    options: &TrainingOptions,
    network: &zoo::Network,
    features: Option<Features>,
    classes: usize,
    listener: &mut dyn Listener,
) -> Result<Plan, Error> {
    let traditional = features.is_some();
    let transform = transform(options, features);
    transform.validate()?;
    let channels = network.input.channels();
    if transform.channels() != channels {
        return Err(Error::Usage(format!(
            "{} takes pictures of {channels} channels, so mean and std need {channels} numbers each",
            network.name
        )));
    }
    let one_output = classes == 2 && matches!(options.loss, Some(LossKind::Bce | LossKind::Mse));
    let outputs = if one_output { 1 } else { classes };
    let (height, width) = transform.crop;
    let shape = match traditional {
        true => Shape::Vector(transform.len()),
        false => Shape::map(channels, height as usize, width as usize),
    };
    let mut graph = zoo::build(network.name, outputs, Some(shape))?;
    match options.head {
        Some(Head::Mlp) => graph = zoo::with_head(&graph, zoo::Head::Mlp, outputs)?,
        // A head that learns with its backbone has more to hold it back than one on features that stay as they are.
        Some(Head::Linear) if options.fine_tune == Some(true) => {
            graph = zoo::with_head(&graph, zoo::Head::DropoutLinear, outputs)?;
        }
        Some(Head::Linear) => graph = zoo::with_head(&graph, zoo::Head::Linear, outputs)?,
        // A published classifier may end in a way that suits many classes only.
        None if one_output => graph = zoo::with_head(&graph, zoo::Head::Linear, outputs)?,
        None => {}
    }
    let mut params = initialise(&graph, options.seed.unwrap_or(0));
    if let Some(path) = &options.weights {
        let fitted = weights::fit(&weights::open(path)?, &graph, true)?;
        fitted.notices.iter().for_each(|notice| listener.notice(notice));
        params = fitted.over(params);
    }
    let label_smoothing = options.label_smoothing.unwrap_or(0.0);
    let loss = match options.loss {
        Some(LossKind::Bce) => Loss::Bce,
        Some(LossKind::Mse) => Loss::Mse,
        _ => Loss::CrossEntropy { label_smoothing },
    };
    if loss == Loss::Bce {
        graph = graph.join(&sigmoid(graph.output_shape())?)?;
    }
    let (frozen, graph) = match &options.freeze {
        Some(Freeze::Backbone) => cut(graph.split(end_of_backbone(&graph))?),
        Some(Freeze::Until(layer)) => {
            cut(graph.split_after_prefix(layer).map_err(|e| Error::Usage(e.to_string()))?)
        }
        // Features that no network computes: nothing stands before what learns but the cache.
        Some(Freeze::None) | None if traditional => (Some(Builder::new("features", shape).finish()?), graph),
        Some(Freeze::None) | None => (None, graph),
    };
    if options.weights.is_none() && frozen.as_ref().is_some_and(|front| front.parameter_count() > 0) {
        listener.notice(
            "the frozen layers have random weights, which tell little about a picture; give published ones with --weights",
        );
    }
    let frozen = frozen.map(|graph| Frozen { params: select(&graph, &params), graph });
    Ok(Plan { params: select(&graph, &params), graph, frozen, loss, transform })
}

fn cut((front, rest): (Graph, Graph)) -> (Option<Graph>, Graph) {
    (Some(front), rest)
}

/// The last node that gives the same features every time: pooling and flattening after the backbone make them
/// smaller to keep.
fn end_of_backbone(graph: &Graph) -> NodeId {
    let mut end = graph.features;
    while end.0 + 2 < graph.nodes.len() {
        let next = &graph.nodes[end.0 + 1];
        let always_same = next.op.params().is_empty() && !matches!(next.op, Op::Dropout { .. });
        if !always_same || next.inputs != [end] {
            break;
        }
        end = NodeId(end.0 + 1);
    }
    end
}

fn sigmoid(shape: Shape) -> Result<Graph, Error> {
    let mut builder = Builder::new("sigmoid", shape);
    let input = builder.input();
    builder.add_op("sigmoid", Op::Sigmoid, &[input]);
    Ok(builder.finish()?)
}

/// The tensors of this network, in its order.
fn select(graph: &Graph, params: &Params) -> Params {
    let take = |(name, _): (String, _)| params.get(&name).map(|tensor| (name.clone(), tensor.clone()));
    graph.param_specs().into_iter().filter_map(take).collect()
}

/// How pictures are made ready, from resolved settings.
fn transform(o: &TrainingOptions, features: Option<Features>) -> Transform {
    let fit = match o.fit {
        Some(FitKind::Letterbox) => Fit::Letterbox,
        Some(FitKind::Squash) => Fit::Squash,
        Some(FitKind::Crop) | None => Fit::Crop,
    };
    let range = o.range.and_then(Range::numbers);
    if let Some(features) = features {
        return Transform { fit, range, ..Transform::of_features(features) };
    }
    let preset = Transform::imagenet();
    let side = o.crop.unwrap_or(preset.crop.0);
    Transform {
        features: None,
        range,
        resize: o.resize,
        crop: (side, side),
        fit,
        mean: o.mean.clone().unwrap_or(preset.mean),
        std: o.std.clone().unwrap_or(preset.std),
    }
}
