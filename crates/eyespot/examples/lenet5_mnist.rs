//! LeNet-5 on MNIST, with Gaussian outputs as in the paper (LeCun et al. 1998) and with softmax.
//!
//! `cargo run --release --example lenet5_mnist [-- FOLDER] [SEED]` (`--quick` trains for one epoch in place of 12)
//!
//! FOLDER holds MNIST's four IDX files, plain or `.gz`; by default it is `mnist` in the folder `EYESPOT_TEST_DATA`, or
//! `../shared/data/mnist`. See `docs/course/06-lenet5.md`.

use eyespot::{
    AugmentKind, BatchSize, Cache, Classifier, EpochRecord, Listener, OptimizerKind, ScheduleKind, Training,
};
use eyespot_figure::{Chart, Mark, save_png};
use std::path::{Path, PathBuf};
use std::time::Instant;

const FOLDER: &str = "eyespot-course";

fn main() -> anyhow::Result<()> {
    let shared = std::env::var_os("EYESPOT_TEST_DATA").map_or_else(|| "../shared/data".into(), PathBuf::from);
    let (mut mnist, mut seed, mut epochs) = (shared.join("mnist"), 0, 12);
    for argument in std::env::args().skip(1) {
        match argument.parse() {
            Ok(number) => seed = number,
            Err(_) if argument == "--quick" => epochs = 1,
            Err(_) => mnist = PathBuf::from(argument),
        }
    }
    let mut curves = Vec::new();
    for (color, network) in ["lenet5_gaussian", "lenet5"].into_iter().enumerate() {
        println!("{}", eyespot::network(network, None, None)?.summary(64));
        let curve = learn(network, &mnist, seed, epochs)?;
        curves.push(Mark::Line { label: network.to_owned(), points: curve, color });
    }
    curves.push(Mark::Line {
        label: "1 %".to_owned(),
        points: vec![(1.0, 1.0), (f64::from(epochs as u32), 1.0)],
        color: 6,
    });
    let chart = Chart {
        title: "Digits of the validation part that are taken for others".into(),
        x_label: "epoch".into(),
        y_label: "error (%)".into(),
        x_range: None,
        y_range: Some((0.0, 4.0)),
        marks: curves,
    };
    let file = Path::new(FOLDER).join("lenet5_mnist.png");
    save_png(&chart.draw(720, 420)?, &file)?;
    println!("figure: {}", file.display());
    Ok(())
}

/// Trains on MNIST's 60,000 digits (a fifth of them for validation), tells the error on its 10,000 test digits, and
/// gives the validation error (%) of each epoch.
fn learn(network: &str, mnist: &Path, seed: u64, epochs: u64) -> anyhow::Result<Vec<(f64, f64)>> {
    let run = Path::new(FOLDER).join(network);
    let start = Instant::now();
    let trained = Training::new(mnist)
        .model(network)
        .seed(seed)
        .epochs(epochs)
        .batch_size(BatchSize::Images(64))
        .optimizer(OptimizerKind::AdamW, 0.005)
        .augment(AugmentKind::Light)
        .set(|o| (o.schedule, o.ema) = (Some(ScheduleKind::OneCycle), Some(0.998)))
        .cache(Cache::None)
        .output(&run)
        .replace(true)
        .run(&mut Printed)?;
    let seconds = start.elapsed().as_secs_f64();
    let test = Classifier::load(&run)?.batch(64).evaluate(mnist)?;
    let (images, error) = (test.metrics.images, 100.0 * (1.0 - test.metrics.accuracy));
    println!(
        "{network}: {error:.2} % of {images} test digits are wrong (the paper: 0.95 %), {seconds:.0} s\n"
    );
    let point = |r: &EpochRecord| r.val_accuracy.map(|accuracy| (r.epoch as f64, 100.0 * (1.0 - accuracy)));
    Ok(trained.history.iter().filter_map(point).collect())
}

struct Printed;

impl Listener for Printed {
    fn notice(&mut self, text: &str) {
        println!("{text}");
    }

    fn epoch(&mut self, record: &EpochRecord) {
        let error = record.val_accuracy.map_or(0.0, |accuracy| 100.0 * (1.0 - accuracy));
        println!("epoch {:2}: loss {:.4}, validation error {error:.2} %", record.epoch, record.loss);
    }
}
