//! What the first two networks of the course share: the pictures, the loop, the evaluation, the figure.

#[path = "pictures.rs"]
mod pictures;

use anyhow::Context;
use eyespot_cpu::Cpu;
use eyespot_data::{Fit, Transform};
use eyespot_figure::{Cell, Chart, Grid, Mark, beside, save_png, signed};
use eyespot_graph::{Device, Graph, Optimizer, Params, initialise};
use eyespot_train::{BatchSize, EpochRecord, Job, Loss, Observer, Schedule, Settings, train};
use pictures::{Data, FOLDER, print_predictions};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Pixels of a side, and of a picture.
const SIDE: u32 = 16;
pub const PIXELS: usize = (SIDE * SIDE) as usize;

/// Trains `graph` (pixels → one probability) and shows what came of it. The command line may name a number of
/// epochs (50,000 by default; `--quick` takes 500) and a folder with pictures of two classes.
///
/// `shown` is the layer whose weights are drawn.
pub fn run(graph: &Graph, shown: &str) -> anyhow::Result<()> {
    let (mut epochs, mut folder) = (50_000, None);
    for argument in std::env::args().skip(1) {
        match argument.parse() {
            Ok(number) => epochs = number,
            Err(_) if argument == "--quick" => epochs = 500,
            Err(_) => folder = Some(PathBuf::from(argument)),
        }
    }
    // Grey levels from 0 to 1.
    let (mean, std) = (vec![0.0], vec![1.0]);
    let transform = Transform { mean, std, fit: Fit::Squash, ..Transform::unscaled(SIDE, SIDE, 1) };
    let data = Data::two_classes(folder.as_deref(), (64, 32), SIDE, &transform)?;
    println!("label 0: {}, label 1: {}", data.classes[0], data.classes[1]);

    let settings = Settings {
        epochs,
        batch_size: BatchSize::Full,
        optimizer: Optimizer::Sgd { momentum: 0.0, nesterov: false },
        learning_rate: 0.01,
        schedule: Schedule::Constant,
        loss: Loss::Bce,
        record_every: (epochs / 50).max(1),
        ..Settings::default()
    };
    let device = Cpu::new(1);
    let params = initialise(graph, 0);
    let mut samples = data.seen.source()?;
    let job = Job {
        device: &device,
        graph,
        params: &params,
        classes: &data.classes,
        settings: &settings,
        train: &mut samples,
        validation: None,
        run: None,
        start: None,
    };
    let start = Instant::now();
    let outcome = train(job, &mut Printed { epochs })?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{seconds:.3} s, {:.2} us an epoch\n", 1e6 * seconds / epochs as f64);

    for (what, pictures) in [("pictures it learned from", &data.seen), ("new pictures", &data.new)] {
        let count = pictures.len();
        if count > 0 {
            let mut program = device.inference(graph, &outcome.params, count)?;
            print_predictions(what, pictures, program.run(&pictures.inputs, count)?);
        }
    }
    let file = Path::new(FOLDER).join(format!("{}.png", graph.name));
    save_png(&figure(&outcome.history, &outcome.params, shown)?, &file)?;
    println!("figure: {}", file.display());
    Ok(())
}

struct Printed {
    epochs: u64,
}

impl Observer for Printed {
    fn notice(&mut self, text: &str) {
        println!("{text}");
    }

    fn epoch(&mut self, record: &EpochRecord) {
        println!("Epoch[{}/{}], loss: {:.6}", record.epoch, self.epochs, record.loss);
    }
}

/// The loss from epoch to epoch, and the weights of (up to 16) units of a layer as pictures.
fn figure(history: &[EpochRecord], params: &Params, layer: &str) -> anyhow::Result<image::RgbImage> {
    let points = history.iter().map(|record| (record.epoch as f64, record.loss)).collect();
    let chart = Chart {
        title: "The loss falls".into(),
        x_label: "epoch".into(),
        y_label: "binary cross-entropy".into(),
        x_range: None,
        y_range: None,
        marks: vec![Mark::Line { label: String::new(), points, color: 0 }],
    };
    let weights = params.get(&format!("{layer}.weight")).context("the layer to show has no weights")?;
    let units: Vec<Vec<f32>> = weights.outer_iter().map(|unit| unit.iter().copied().collect()).collect();
    let few = units.len().min(16);
    let picture = |unit: &[f32]| signed(unit, SIDE as usize, SIDE as usize);
    let (title, columns, cell) = match few {
        1 => ("The weights: red speaks for 1, blue for 0".to_owned(), 1, 320),
        _ => (format!("{few} units: red adds, blue takes away"), 4, 76),
    };
    let named = |(index, unit): (usize, &Vec<f32>)| Cell::new(picture(unit), format!("unit {index}"));
    let cells: Vec<Cell> = units[..few].iter().enumerate().map(named).collect();
    let grid = Grid { title, columns, cell, sharp: true };
    Ok(beside(&[chart.draw(560, 420)?, grid.draw(&cells)]))
}
