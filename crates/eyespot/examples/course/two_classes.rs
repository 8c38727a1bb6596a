//! What the first two networks of the course share: drawn pictures of two classes, the loop, the evaluation.

use eyespot_cpu::Cpu;
use eyespot_data::drawn::{Factors, draw};
use eyespot_graph::{Device, Graph, Optimizer, initialise};
use eyespot_train::{BatchSize, EpochRecord, InMemory, Job, Loss, Observer, Schedule, Settings, train};
use std::error::Error;
use std::time::Instant;

/// Pixels of a side, and of a picture.
const SIDE: u32 = 16;
pub const PIXELS: usize = (SIDE * SIDE) as usize;
const PICTURES: usize = 64;

/// Trains `graph` (pixels → one probability) for as many epochs as the command line says and prints how it goes.
pub fn run(graph: &Graph, learning_rate: f64) -> Result<(), Box<dyn Error>> {
    let epochs = match std::env::args().nth(1).as_deref() {
        None => 50_000,
        Some("--quick") => 500,
        Some(text) => {
            text.parse().map_err(|_| format!("`{text}` is no number of epochs; give one, or --quick"))?
        }
    };
    let labels: Vec<u32> = (0..PICTURES as u32).map(|i| i % 2).collect();
    let inputs: Vec<f32> = labels.iter().enumerate().flat_map(|(i, &label)| grey(label, i as u64)).collect();
    let settings = Settings {
        epochs,
        batch_size: BatchSize::Full,
        optimizer: Optimizer::Sgd { momentum: 0.0, nesterov: false },
        learning_rate,
        schedule: Schedule::Constant,
        loss: Loss::Bce,
        record_every: (epochs / 50).max(1),
        ..Settings::default()
    };
    let device = Cpu::new(1);
    let params = initialise(graph, 0);
    let mut samples = InMemory::new(inputs.clone(), labels.clone(), PIXELS, 1)?;
    let job = Job {
        device: &device,
        graph,
        params: &params,
        classes: 2,
        settings: &settings,
        train: &mut samples,
        validation: None,
        run: None,
    };
    let start = Instant::now();
    let outcome = train(job, &mut Printed { epochs })?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{seconds:.3} s, {:.2} us an epoch\n", 1e6 * seconds / epochs as f64);

    let mut program = device.inference(graph, &outcome.params, PICTURES)?;
    let probabilities = program.run(&inputs, PICTURES)?;
    let mut right = 0;
    for (index, (&label, &p)) in labels.iter().zip(probabilities).enumerate() {
        let predicted = u32::from(p > 0.5);
        right += usize::from(predicted == label);
        println!("picture{index:02} with label {label} is predicted as {predicted}");
    }
    println!("{right} of {PICTURES} right");
    Ok(())
}

/// A drawn fish (0) or butterfly (1), as grey levels from 0 to 1.
fn grey(label: u32, seed: u64) -> Vec<f32> {
    let kind = 1 - label as usize;
    let picture = draw(kind, SIDE, &Factors::all(0.3), seed);
    let level = |p: &image::Rgb<u8>| {
        (0.299 * f32::from(p.0[0]) + 0.587 * f32::from(p.0[1]) + 0.114 * f32::from(p.0[2])) / 255.0
    };
    picture.pixels().map(level).collect()
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
