//! Fine-tuning: first a head on the frozen backbone, then all layers, from there.

use super::{Context, Listener, Part, Phase, Sources, defaults, features, network, settings_of, solve};
use crate::Error;
use crate::options::{Freeze, OptimizerKind, TrainingOptions};
use eyespot_graph::{Graph, Op, Params, TensorScale, TensorScales, zoo};
use eyespot_train::{Job, Observer, Settings, Source, Start, train};
use std::time::Instant;

/// What the first phase leaves.
pub(super) struct Head {
    /// The head's weights.
    pub params: Params,
    /// What it makes of the training images.
    pub start: Start,
}

/// The first phase: what `--freeze backbone` would learn with its own defaults.
pub(super) fn head(
    context: &Context<'_>,
    network: &'static zoo::Network,
    listener: &mut dyn Listener,
) -> Result<Head, Error> {
    let o = context.options;
    // What decides the network and the images stays; how a head learns is the defaults' business.
    let options = TrainingOptions {
        freeze: Some(Freeze::Backbone),
        fine_tune: None,
        epochs: None,
        batch_size: None,
        lr: None,
        optimizer: None,
        momentum: None,
        weight_decay: None,
        layer_decay: None,
        nesterov: None,
        schedule: None,
        warmup: None,
        label_smoothing: None,
        clip: None,
        ema: None,
        patience: None,
        augment: None,
        views: None,
        every: None,
        ..o.clone()
    };
    let options = defaults::resolve(options, network, context.dataset)?;
    // What there is to say about the weights is said of the whole network.
    let plan = network::plan(&options, network, None, context.dataset.classes.len(), &mut ())?;
    let settings = settings_of(&options, &plan)?;
    let context = Context { options: &options, plan: &plan, ..context.clone() };
    listener.phase(&Phase {
        number: 1,
        of: 2,
        what: "the head, on frozen features",
        epochs: 0,
        seconds: None,
    });
    let Some(frozen) = &plan.frozen else {
        return Err(Error::Usage("fine-tuning needs a network with a backbone".to_owned()));
    };
    let Sources { train: mut learn, mut validation, .. } = features::sources(&context, frozen, listener)?;
    if options.optimizer == Some(OptimizerKind::Lbfgs) {
        let solved = solve::head(&context, &mut learn, false)?;
        let start = Start { loss: solved.head.loss, accuracy: solved.head.accuracy };
        return Ok(Head { params: solved.params, start });
    }
    let job = Job {
        device: context.compute.device(),
        graph: &plan.graph,
        params: &plan.params,
        classes: &context.dataset.classes,
        settings: &settings,
        train: learn.source.as_mut(),
        validation: validation.as_mut().map(|v| v.source.as_mut() as &mut dyn Source),
        run: None,
        start: None,
    };
    let outcome = train(job, &mut Notices(listener))?;
    let record = outcome.history.iter().find(|record| record.epoch == outcome.best_epoch);
    let start = record.map_or(Start { loss: 0.0, accuracy: 0.0 }, |record| Start {
        loss: record.loss,
        accuracy: record.accuracy,
    });
    Ok(Head { params: outcome.params, start })
}

/// Hands on what the user should know, and no epochs: those of the second phase are the run's.
struct Notices<'a>(&'a mut dyn Listener);

impl Observer for Notices<'_> {
    fn notice(&mut self, text: &str) {
        self.0.notice(text);
    }
}

/// The factors of each tensor: the head learns at the full rate, each block before it at `layer_decay` times the rate of the
/// one behind, and biases and norms don't decay.
///
/// A block is what the names say: `features.3` of `features.3.squeeze.weight`, `layer1.0` of `layer1.0.conv1.weight`.
pub(super) fn scales(graph: &Graph, layer_decay: f64) -> TensorScales {
    let learned = |index: &usize| graph.nodes[*index].op.parameter_count() > 0;
    let head = graph.classifier_layer().map_or(graph.nodes.len(), |id| id.0);
    let mut scales = TensorScales::new();
    let (mut rate, mut block) = (1.0, None);
    for index in (0..graph.nodes.len()).rev().filter(learned) {
        let node = &graph.nodes[index];
        if index < head {
            // A norm goes with the convolution before it, whatever they are called.
            let named = match (&node.op, &node.inputs[..]) {
                (Op::BatchNorm2d(_), [before]) => graph.node(*before),
                _ => node,
            };
            let name = block_of(&named.name);
            if block != Some(name) {
                rate *= layer_decay;
            }
            block = Some(name);
        }
        for spec in node.op.params().into_iter().rev().filter(|spec| spec.learned) {
            let decays = !spec.is_bias && !matches!(node.op, Op::BatchNorm2d(_));
            let scale = TensorScale { learning_rate: rate as f32, weight_decay: f32::from(u8::from(decays)) };
            scales.insert(format!("{}.{}", node.name, spec.suffix), scale);
        }
    }
    scales.reverse();
    scales
}

fn block_of(name: &str) -> &str {
    match name.match_indices('.').nth(1) {
        Some((end, _)) => &name[..end],
        None => name,
    }
}

/// About how many seconds the second phase will take: a batch is read and a step computed, twice, and the second one
/// counts.
pub(super) fn estimate(context: &Context<'_>, settings: &Settings, part: &mut Part) -> Result<f64, Error> {
    let samples = part.source.labels().len();
    let batch = settings.batch(samples);
    let plan = context.plan;
    let mut program = context.compute.device().training(&plan.graph, &plan.params, batch, settings.seed)?;
    let order: Vec<usize> = (0..batch).collect();
    let gradient = vec![0.0; batch * plan.graph.output_shape().elements()];
    let (mut seconds, outputs) = (0.0, plan.graph.output_shape().elements());
    for _ in 0..2 {
        let began = Instant::now();
        part.source.batches(0, &order, batch, &mut |batch| {
            let images = batch.labels.len();
            program.forward(batch.inputs, images, 0)?;
            program.backward(batch.inputs, &gradient[..images * outputs])?;
            Ok(())
        })?;
        seconds = began.elapsed().as_secs_f64();
    }
    Ok(seconds * settings.epochs as f64 * samples as f64 / batch.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rates fall from block to block towards the input, and only weights of layers decay.
    #[test]
    fn rates_fall_towards_the_input() {
        let graph = zoo::build("squeezenet1_1", 10, None).expect("builds");
        let graph = zoo::with_head(&graph, zoo::Head::Linear, 2).expect("builds");
        let scales = scales(&graph, 0.5);
        let learned: Vec<String> =
            graph.param_specs().into_iter().filter(|(_, spec)| spec.learned).map(|(name, _)| name).collect();
        assert!(scales.keys().eq(&learned), "each learned tensor in the network's order");
        let of = |name: &str| scales[name];
        assert_eq!(of("head.weight"), TensorScale { learning_rate: 1.0, weight_decay: 1.0 });
        assert_eq!(of("head.bias"), TensorScale { learning_rate: 1.0, weight_decay: 0.0 });
        for part in ["squeeze", "expand1x1", "expand3x3"] {
            let scale = of(&format!("features.12.{part}.weight"));
            assert_eq!(scale, TensorScale { learning_rate: 0.5, weight_decay: 1.0 });
        }
        // Eight fire modules lie between the head and the first convolution.
        assert_eq!(of("features.3.squeeze.bias").learning_rate, 0.5f32.powi(8));
        assert_eq!(of("features.0.weight").learning_rate, 0.5f32.powi(9));

        let graph = zoo::build("resnet18", 2, None).expect("builds");
        let scales = super::scales(&graph, 0.5);
        let rate = |name: &str| scales[name].learning_rate;
        assert_eq!(rate("fc.weight"), 1.0);
        assert_eq!(rate("layer4.1.bn2.weight"), 0.5);
        assert_eq!((rate("layer4.0.conv1.weight"), rate("layer4.0.downsample.1.bias")), (0.25, 0.25));
        assert_eq!(scales["layer4.1.bn2.weight"].weight_decay, 0.0);
        assert!(rate("conv1.weight") <= rate("layer1.0.conv1.weight") / 2.0);
    }
}
