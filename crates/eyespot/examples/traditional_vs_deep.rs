//! Traditional against deep: features thought up and features learned, under what makes vision hard.
//!
//! `cargo run --release --example traditional_vs_deep [-- [--weights FILE] [FOLDER]]` (`--quick` takes few pictures)
//!
//! FILE holds a published network's weights under its name, such as `squeezenet1_1.safetensors`: it joins with a new
//! last layer. FOLDER holds your own pictures, a folder per class; without it pictures are drawn. See
//! `docs/course/09-traditional-vs-deep.md`.

use anyhow::Context;
use eyespot::{Classifier, OptimizerKind, Robustness, Training, Variation, save_png};
use eyespot_data::drawn::{Factors, KINDS, draw};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where the drawn pictures and the four runs go.
const FOLDER: &str = "eyespot-course/traditional_vs_deep";

fn main() -> anyhow::Result<()> {
    let (mut quick, mut weights, mut pictures) = (false, None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => quick = true,
            "--weights" => weights = Some(PathBuf::from(arguments.next().context("--weights needs a file")?)),
            _ => pictures = Some(PathBuf::from(argument)),
        }
    }
    // The weights that the tests use, where they are at hand.
    let at_hand = std::env::var_os("EYESPOT_TEST_DATA").map(PathBuf::from);
    let at_hand = at_hand.map(|data| data.join("weights/squeezenet1_1.safetensors"));
    let weights = weights.or(at_hand.filter(|file| file.exists()));
    let folder = Path::new(FOLDER);
    let pictures = match pictures {
        Some(pictures) => pictures,
        None if quick => drawn(&folder.join("few-pictures"), (6, 1))?,
        None => drawn(&folder.join("pictures"), (100, 25))?,
    };

    let new = || Training::new(&pictures);
    // By gradient descent, as the course has it; by default such heads are solved.
    let steps = |features| new().features(features).model("linear").optimizer(OptimizerKind::AdamW, 0.001);
    let mut trainings = vec![
        ("grey pixels + linear", steps("pixels")),
        ("HOG + linear", steps("hog")),
        ("small CNN", new().model("small_cnn")),
    ];
    match weights {
        Some(weights) => trainings
            .push(("transferred network", new().weights(weights).optimizer(OptimizerKind::Sgd, 0.001))),
        None => println!("no weights are given, so there is no transferred network (--weights FILE)"),
    }
    let mut classifiers = Vec::new();
    for (name, training) in trainings {
        println!("{name}: learns");
        let (run, began) = (folder.join(name), Instant::now());
        // Nothing is kept between two runs of the example, so that each shows the time it takes.
        let training = training.output(&run).replace(true).set(|o| o.cache = Some(eyespot::Cache::None));
        let trained = if quick { training.epochs(1) } else { training }.run(&mut ())?;
        println!(
            "{name}: {} epochs in {:.0} s, {:.1} % of {} new pictures right",
            trained.epochs,
            began.elapsed().as_secs_f64(),
            100.0 * trained.accuracy.unwrap_or(0.0),
            trained.validation_images
        );
        classifiers.push((name, Classifier::load(&run)?.batch(26)));
    }

    println!("\nnow each of the new pictures in five variations of five strengths");
    let began = Instant::now();
    let all: Vec<&Classifier> = classifiers.iter().map(|(_, classifier)| classifier).collect();
    let measured = eyespot::robustness(&all, &pictures, &mut |_, _| ())?;
    println!("{:.0} s\n", began.elapsed().as_secs_f64());
    let models: Vec<(&str, &Robustness)> =
        classifiers.iter().zip(&measured).map(|((name, _), measured)| (*name, measured)).collect();
    print_table(&models);
    let file = folder.with_extension("png");
    Robustness::draw(&models, &file)?;
    println!("\nfigure: {}", file.display());
    Ok(())
}

/// Draws so many pictures of each kind, to learn from and new ones.
fn drawn(folder: &Path, (seen, new): (usize, usize)) -> anyhow::Result<PathBuf> {
    for number in 0..seen + new {
        let part = if number < seen { "train" } else { "val" };
        for (kind, name) in KINDS.iter().enumerate() {
            let picture = draw(kind, 128, &Factors::default(), (number * KINDS.len() + kind) as u64);
            save_png(&picture, &folder.join(part).join(name).join(format!("{number:04}.png")))?;
        }
    }
    Ok(folder.to_owned())
}

/// A row per model: right of the unchanged pictures, of those under each variation (the mean of five strengths), of
/// all of these, and of the worst group inside a class.
fn print_table(models: &[(&str, &Robustness)]) {
    let names = Variation::ALL.map(Variation::name);
    print!("{:22}{:>14}", "right (%)", "unchanged");
    for column in names.iter().chain(&["mean", "worst group"]) {
        print!("{column:>14}");
    }
    println!();
    for (name, measured) in models {
        let varied = measured.variations.iter().map(|variation| variation.mean());
        let worst = measured.worst_group().map_or(0.0, |group| group.accuracy);
        print!("{name:22}{:14.1}", 100.0 * measured.accuracy);
        varied.chain([measured.mean(), worst]).for_each(|share| print!("{:14.1}", 100.0 * share));
        println!();
    }
}
