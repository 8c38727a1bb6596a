//! AlexNet and VGG16: their layers, and both trained from scratch on small drawn pictures.
//!
//! `cargo run --release --example alexnet_vgg16 [-- FOLDER]` (`--quick` trains for one epoch on few pictures)
//!
//! FOLDER holds your own pictures, a folder per class. See `docs/course/07-alexnet-vgg16.md`.

#[path = "course/pictures.rs"]
mod pictures;

use eyespot_cpu::Cpu;
use eyespot_data::drawn::KINDS;
use eyespot_data::{Fit, Transform};
use eyespot_figure::{Chart, Mark, save_png};
use eyespot_graph::{Optimizer, Shape, initialise, zoo};
use eyespot_train::{BatchSize, EpochRecord, Job, Observer, Schedule, Settings, train};
use pictures::{Data, FOLDER};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Pixels of a side. The papers' 224 take twelve times the work.
const SIDE: u32 = 64;

fn main() -> anyhow::Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let folder = std::env::args().skip(1).find(|argument| argument != "--quick").map(PathBuf::from);
    let transform = Transform { fit: Fit::Squash, ..Transform::unscaled(SIDE, SIDE, 3) };
    let count = if quick { (16, 8) } else { (256, 64) };
    let data = match &folder {
        None => Data::drawn(&KINDS, count, SIDE, &transform)?,
        Some(folder) => Data::of_folder(folder, &transform)?,
    };
    let mut curves = Vec::new();
    for (color, (network, epochs)) in [("alexnet", 12), ("vgg16", 9)].into_iter().enumerate() {
        println!("{}", zoo::build(network, 1000, None)?.summary(16));
        let curve = learn(network, &data, if quick { 1 } else { epochs })?;
        curves.push(Mark::Line { label: network.to_owned(), points: curve, color });
    }
    let chart = Chart {
        title: "New pictures that are taken for others".into(),
        x_label: "epoch".into(),
        y_label: "error (%)".into(),
        x_range: None,
        y_range: Some((0.0, 100.0)),
        marks: curves,
    };
    let file = Path::new(FOLDER).join("alexnet_vgg16.png");
    save_png(&chart.draw(720, 420)?, &file)?;
    println!("figure: {}", file.display());
    Ok(())
}

/// Trains the network from random weights; gives its error (%) on the new pictures from epoch to epoch.
fn learn(network: &str, data: &Data, epochs: u64) -> anyhow::Result<Vec<(f64, f64)>> {
    let classes = data.classes.len();
    let graph = zoo::build(network, classes, Some(Shape::map(3, SIDE as usize, SIDE as usize)))?;
    let settings = Settings {
        epochs,
        batch_size: BatchSize::Images(16),
        optimizer: Optimizer::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8 },
        learning_rate: 2e-4,
        schedule: Schedule::OneCycle,
        ..Settings::default()
    };
    let job = Job {
        device: &Cpu::new(0),
        graph: &graph,
        params: &initialise(&graph, 0),
        classes: &data.classes,
        settings: &settings,
        train: &mut data.seen.source()?,
        validation: Some(&mut data.new.source()?),
        run: None,
        start: None,
    };
    println!("{network} on {} pictures of {SIDE} × {SIDE} pixels, {} classes", data.seen.len(), classes);
    let start = Instant::now();
    let outcome = train(job, &mut Printed)?;
    println!("{:.0} s\n", start.elapsed().as_secs_f64());
    let point = |r: &EpochRecord| r.val_accuracy.map(|accuracy| (r.epoch as f64, 100.0 * (1.0 - accuracy)));
    Ok(outcome.history.iter().filter_map(point).collect())
}

struct Printed;

impl Observer for Printed {
    fn epoch(&mut self, record: &EpochRecord) {
        let percent = |share: f64| 100.0 * share;
        println!(
            "epoch {:2}: loss {:.4}, accuracy {:5.1} %, of new pictures {:5.1} %, {:.1} s",
            record.epoch,
            record.loss,
            percent(record.accuracy),
            record.val_accuracy.map_or(0.0, percent),
            record.seconds
        );
    }
}
