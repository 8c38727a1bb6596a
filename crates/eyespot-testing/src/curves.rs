//! Whole training runs against PyTorch's (scripts/reference/training.py): losses step by step and the last weights,
//! from the same start.

use crate::seeded::{self, sequence};
use eyespot_graph::{
    Builder, Device, Graph, Op, Optimizer, Params, Shape, TensorScale, ops::Conv2d, ops::MaxPool2d,
};
use eyespot_train::{BatchSize, InMemory, Job, Loss, Schedule, Settings, train};
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Curve {
    network: String,
    optimizer: String,
    schedule: String,
    clip: Option<f64>,
    /// Factors on rate and weight decay, by tensor.
    scales: HashMap<String, [f32; 2]>,
    losses: Vec<f64>,
    weights: HashMap<String, Vec<f32>>,
}

fn network(name: &str) -> Graph {
    let shape = if name == "cnn" { Shape::map(3, 8, 8) } else { Shape::Vector(16) };
    let mut b = Builder::new(name, shape);
    let mut x = b.input();
    match name {
        "cnn" => {
            x = b.conv2d("conv1", x, Conv2d::new(3, 8, 3).padding(1).no_bias());
            x = b.batch_norm("bn1", x);
            x = b.relu("relu1", x);
            x = b.max_pool2d("pool", x, MaxPool2d::new(2, 2));
            x = b.conv2d("conv2", x, Conv2d::new(8, 12, 3).stride(2).padding(1).no_bias());
            x = b.batch_norm("bn2", x);
            x = b.relu("relu2", x);
            x = b.global_avg_pool("mean", x);
            x = b.flatten("flatten", x);
            b.linear("fc", x, 3);
        }
        "mlp" => {
            x = b.linear("fc1", x, 8);
            x = b.relu("relu", x);
            b.linear("fc2", x, 3);
        }
        _ => {
            x = b.linear("fc", x, 1);
            b.add_op("sigmoid", Op::Sigmoid, &[x]);
        }
    }
    b.finish().unwrap()
}

/// Twelve samples; PyTorch's images are channel × row × column, eyespot's row × column × channel.
fn samples(network: &str) -> InMemory {
    let classes = if network == "simple" { 2 } else { 3 };
    let labels = (0..12).map(|i| i % classes).collect();
    if network != "cnn" {
        let inputs = sequence("vectors", 12 * 16).into_iter().map(|u| u as f32).collect();
        return InMemory::new(inputs, labels, 16, 1).unwrap();
    }
    let images = sequence("pictures", 12 * 192);
    let at = |i: usize| {
        let (image, pixel, channel) = (i / 192, i % 192 / 3, i % 3);
        images[image * 192 + channel * 64 + pixel] as f32
    };
    InMemory::new((0..12 * 192).map(at).collect(), labels, 192, 1).unwrap()
}

fn settings(curve: &Curve) -> Settings {
    let (beta1, beta2, eps) = (0.9, 0.999, 1e-8);
    let sgd = |momentum, nesterov| Optimizer::Sgd { momentum, nesterov };
    let (optimizer, learning_rate, weight_decay) = match curve.optimizer.as_str() {
        "sgd" => (sgd(0.0, false), 0.1, 0.0),
        "momentum" => (sgd(0.9, false), 0.05, 1e-2),
        "nesterov" => (sgd(0.9, true), 0.05, 1e-2),
        "adam" => (Optimizer::Adam { beta1, beta2, eps }, 0.01, 1e-2),
        _ => (Optimizer::AdamW { beta1, beta2, eps }, 0.01, 1e-2),
    };
    let schedule = match curve.schedule.as_str() {
        "constant" => Schedule::Constant,
        "step" => Schedule::Step { epochs: 2, gamma: 0.1 },
        "cosine" => Schedule::Cosine,
        _ => Schedule::OneCycle,
    };
    Settings {
        epochs: if curve.network == "simple" { 2000 } else { curve.losses.len() as u64 },
        batch_size: BatchSize::Full,
        optimizer,
        learning_rate,
        weight_decay,
        tensor_scales: curve
            .scales
            .iter()
            .map(|(name, &[learning_rate, weight_decay])| {
                (name.clone(), TensorScale { learning_rate, weight_decay })
            })
            .collect(),
        schedule,
        loss: if curve.network == "simple" { Loss::Bce } else { Loss::CROSS_ENTROPY },
        clip_norm: curve.clip,
        ..Settings::default()
    }
}

/// Losses within 1e-5 and weights within 1e-4 of PyTorch's.
pub fn training_follows_pytorch(device: &dyn Device) {
    let curves: Vec<Curve> = serde_json::from_str(include_str!("../data/curves.json")).unwrap();
    assert_eq!(curves.len(), 28);
    for curve in &curves {
        let name = format!("{} {} {} {:?}", curve.network, curve.optimizer, curve.schedule, curve.clip);
        let (graph, settings) = (network(&curve.network), settings(curve));
        let params = seeded::params(&graph);
        let classes = graph.output_shape().elements().max(2);
        let mut samples = samples(&curve.network);
        let job = Job {
            device,
            graph: &graph,
            params: &params,
            classes: &names(classes),
            settings: &settings,
            train: &mut samples,
            validation: None,
            run: None,
            start: None,
        };
        let outcome = train(job, &mut ()).unwrap();
        let every = settings.epochs as usize / curve.losses.len();
        for (record, theirs) in outcome.history.iter().step_by(every).zip(&curve.losses) {
            let (epoch, own) = (record.epoch, record.loss);
            assert!((own - theirs).abs() < 1e-5 * theirs.max(0.1), "{name}, step {epoch}: {own}, {theirs}");
        }
        for (tensor, theirs) in &curve.weights {
            let own = outcome.params.get(tensor).unwrap();
            for (own, theirs) in own.iter().zip(theirs) {
                assert!(
                    (own - theirs).abs() < 1e-4 * theirs.abs().max(0.1),
                    "{name}, {tensor}: {own}, {theirs}"
                );
            }
        }
    }
}

/// The weights of a short run with batches of different sizes, for a device to compare with its other settings.
pub fn trained_weights(device: &dyn Device) -> Params {
    let graph = network("cnn");
    let params = eyespot_graph::initialise(&graph, 3);
    let settings = Settings { epochs: 4, batch_size: BatchSize::Images(5), ..Settings::default() };
    let mut samples = samples("cnn");
    let job = Job {
        device,
        graph: &graph,
        params: &params,
        classes: &names(3),
        settings: &settings,
        train: &mut samples,
        validation: None,
        run: None,
        start: None,
    };
    let trained = train(job, &mut ()).unwrap().params;
    assert_ne!(trained, params);
    trained
}

fn names(classes: usize) -> Vec<String> {
    (0..classes).map(|class| format!("class {class}")).collect()
}
