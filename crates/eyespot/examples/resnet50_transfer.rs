//! Transfer: a ResNet-50 that has learned elsewhere tells two classes apart with a new last layer.
//!
//! `cargo run --release --example resnet50_transfer [-- [--weights FILE] [FOLDER]]` (`--quick` takes few pictures)
//!
//! FILE holds ResNet-50's weights, such as torchvision's `resnet50.pth`; without it the network first learns to tell
//! drawn flowers from drawn mushrooms. FOLDER holds your own pictures, a folder for each of two classes; without it
//! fish and butterflies are drawn. See `docs/course/08-resnet50-transfer.md`.

#[path = "course/pictures.rs"]
mod pictures;

use anyhow::Context;
use eyespot_cpu::Cpu;
use eyespot_data::{Fit, Transform};
use eyespot_figure::{Chart, Mark, save_png};
use eyespot_formats::WeightsFile;
use eyespot_graph::{Device, Graph, Inference, Optimizer, Params, Shape, initialise, zoo};
use eyespot_train::{
    BatchDone, BatchSize, EpochRecord, InMemory, Job, Loss, Observer, Schedule, Settings, train,
};
use pictures::{Data, FOLDER, Pictures, print_predictions};
use std::path::{Path, PathBuf};

/// Pictures per step.
const BATCH: usize = 8;

fn main() -> anyhow::Result<()> {
    let (mut quick, mut weights, mut folder) = (false, None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => quick = true,
            "--weights" => weights = Some(PathBuf::from(arguments.next().context("--weights needs a file")?)),
            _ => folder = Some(PathBuf::from(argument)),
        }
    }
    // Short side to 256 pixels, the middle 224 × 224, normalised: what the network saw when its own training was judged.
    let transform = Transform::imagenet();
    let count = if quick { (8, 4) } else { (96, 48) };
    let data = Data::two_classes(folder.as_deref(), count, 256, &transform)?;
    println!("label 0: {}, label 1: {}", data.classes[0], data.classes[1]);

    // Adaptive mean pooling and linear(2048, 1) are ResNet-50's own end. Everything up to the linear layer is frozen.
    let device = Cpu::new(0);
    let graph = zoo::build("resnet50", 1, None)?;
    let (backbone, head) = graph.split(graph.features)?;
    let params = match weights {
        Some(file) => WeightsFile::open(&file)?.fit(&graph, true)?.over(initialise(&graph, 0)),
        None => learned_elsewhere(&device, quick)?,
    };
    let mut frozen = device.inference(&backbone, &params, 16)?;
    let seen = features(frozen.as_mut(), &data.seen)?;
    let new = features(frozen.as_mut(), &data.new)?;

    let settings = Settings {
        epochs: if quick { 2 } else { 20 },
        batch_size: BatchSize::Images(BATCH),
        optimizer: Optimizer::Sgd { momentum: 0.0, nesterov: false },
        learning_rate: 0.001,
        schedule: Schedule::Constant,
        loss: Loss::Mse,
        ..Settings::default()
    };
    let mut steps = Steps::default();
    let start = initialise(&head, 0);
    let outcome = learn(&device, &head, &start, &settings, &seen, &mut steps)?;
    for (what, pictures, features) in
        [("pictures it learned from", &data.seen, &seen), ("new pictures", &data.new, &new)]
    {
        let mut program = device.inference(&head, &outcome, pictures.len())?;
        print_predictions(what, pictures, program.run(&features.inputs, pictures.len())?);
    }
    let file = Path::new(FOLDER).join("resnet50_transfer.png");
    save_png(&steps.figure()?, &file)?;
    println!("figure: {}", file.display());
    Ok(())
}

/// What the frozen backbone makes of each picture: 2,048 numbers, the same every time.
fn features(frozen: &mut dyn Inference, pictures: &Pictures) -> anyhow::Result<Pictures> {
    let length = pictures.inputs.len() / pictures.len().max(1);
    let mut inputs = Vec::new();
    for batch in pictures.inputs.chunks(length * frozen.batch()) {
        inputs.extend_from_slice(frozen.run(batch, batch.len() / length)?);
    }
    Ok(Pictures { inputs, labels: pictures.labels.clone(), names: pictures.names.clone() })
}

fn learn(
    device: &Cpu,
    graph: &Graph,
    params: &Params,
    settings: &Settings,
    pictures: &Pictures,
    observer: &mut dyn Observer,
) -> anyhow::Result<Params> {
    let train_on: &mut InMemory = &mut pictures.source()?;
    let classes = &["label 0", "label 1"].map(String::from);
    let job = Job {
        device,
        graph,
        params,
        classes,
        settings,
        train: train_on,
        validation: None,
        run: None,
        start: None,
    };
    Ok(train(job, observer)?.params)
}

/// Weights of a ResNet-50 that has learned other drawn pictures, flowers and mushrooms, at 64 × 64 pixels.
fn learned_elsewhere(device: &Cpu, quick: bool) -> anyhow::Result<Params> {
    println!("no weights are given, so the network learns flowers and mushrooms first");
    let side = 64;
    let transform = Transform { crop: (side, side), resize: None, fit: Fit::Squash, ..Transform::imagenet() };
    let count = if quick { 16 } else { 256 };
    let data = Data::drawn(&["flower", "mushroom"], (count, 0), side, &transform)?;
    let graph = zoo::build("resnet50", 2, Some(Shape::map(3, side as usize, side as usize)))?;
    let settings = Settings {
        epochs: 3,
        batch_size: BatchSize::Images(16),
        optimizer: Optimizer::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8 },
        learning_rate: 1e-3,
        schedule: Schedule::OneCycle,
        ..Settings::default()
    };
    // Every residual branch begins as 0 (Goyal et al. 2017, section 5.1): deep networks learn sooner so, and their
    // features stay as small as a well-trained network's.
    let mut start = initialise(&graph, 0);
    for (_, tensor) in start.iter_mut().filter(|(name, _)| name.ends_with("bn3.weight")) {
        tensor.fill(0.0);
    }
    learn(device, &graph, &start, &settings, &data.seen, &mut Elsewhere)
}

struct Elsewhere;

impl Observer for Elsewhere {
    fn epoch(&mut self, record: &EpochRecord) {
        println!(
            "  epoch {}: loss {:.4}, accuracy {:.1} %, {:.1} s",
            record.epoch,
            record.loss,
            100.0 * record.accuracy,
            record.seconds
        );
    }
}

/// The loss of every step, and its mean over every epoch.
#[derive(Default)]
struct Steps {
    steps: Vec<(f64, f64)>,
    epochs: Vec<(f64, f64)>,
}

impl Observer for Steps {
    fn batch(&mut self, done: &BatchDone) {
        self.steps.push((self.steps.len() as f64 + 1.0, done.loss));
        if self.steps.len() <= 20 {
            println!("step {:2}: loss {:.4}", self.steps.len(), done.loss);
        }
    }

    fn epoch(&mut self, record: &EpochRecord) {
        self.epochs.push((self.steps.len() as f64, record.loss));
        let percent = 100.0 * record.accuracy;
        println!("epoch {:2}: loss {:.4}, accuracy {percent:.1} %", record.epoch, record.loss);
    }
}

impl Steps {
    fn figure(&self) -> anyhow::Result<image::RgbImage> {
        let line = |label: &str, points: &[(f64, f64)], color| Mark::Line {
            label: label.into(),
            points: points.to_vec(),
            color,
        };
        let chart = Chart {
            title: "Only the last layer learns".into(),
            x_label: "step".into(),
            y_label: "mean squared error".into(),
            x_range: None,
            y_range: None,
            marks: vec![line("each step", &self.steps, 5), line("mean of each epoch", &self.epochs, 3)],
        };
        Ok(chart.draw(720, 420)?)
    }
}
