//! The loop around a device that knows one layer: resumption, divergence, early stopping, balance.

mod common;

use common::{INPUTS, Plain, clouds, graph};
use eyespot_graph::{Graph, Optimizer, Params, initialise};
use eyespot_system::OwnedFolder;
use eyespot_train::*;
use std::time::Duration;

fn settings() -> Settings {
    Settings {
        epochs: 7,
        batch_size: BatchSize::Images(8),
        learning_rate: 0.3,
        clip_norm: Some(0.5),
        ema_decay: Some(0.8),
        schedule: Schedule::OneCycle,
        warmup_epochs: 1.0,
        ..Settings::default()
    }
}

/// Stops the run like a kill: with an error in the middle of an epoch.
struct Killed {
    inner: InMemory,
    at_epoch: u64,
    at_batch: usize,
}

impl Source for Killed {
    fn labels(&self) -> &[u32] {
        self.inner.labels()
    }

    fn input_len(&self) -> usize {
        self.inner.input_len()
    }

    fn batches(
        &mut self,
        epoch: u64,
        order: &[usize],
        batch: usize,
        visit: &mut Visit,
    ) -> Result<(), TrainError> {
        let (mut index, at_epoch, at_batch) = (0, self.at_epoch, self.at_batch);
        self.inner.batches(epoch, order, batch, &mut |batch| {
            if epoch == at_epoch && index == at_batch {
                return Err(TrainError::Data("killed".to_owned()));
            }
            index += 1;
            visit(batch)
        })
    }
}

#[derive(Default)]
struct Told {
    notices: Vec<String>,
    batches: Vec<BatchDone>,
    epochs: Vec<EpochRecord>,
}

impl Observer for Told {
    fn notice(&mut self, text: &str) {
        self.notices.push(text.to_owned());
    }

    fn batch(&mut self, done: &BatchDone) {
        self.batches.push(*done);
    }

    fn epoch(&mut self, record: &EpochRecord) {
        self.epochs.push(record.clone());
    }
}

fn run(
    graph: &Graph,
    params: &Params,
    settings: &Settings,
    train: &mut dyn Source,
    validation: Option<&mut dyn Source>,
    run: Option<&RunFolder<'_>>,
    told: &mut Told,
) -> Result<Outcome, TrainError> {
    let classes = graph.output_shape().elements().max(2);
    let classes: Vec<String> = (0..classes).map(|class| format!("kind-{class}")).collect();
    let validation = validation.map(|source| source as &mut dyn Source);
    let job = Job {
        device: &Plain,
        graph,
        params,
        classes: &classes,
        settings,
        train,
        validation,
        run,
        start: None,
    };
    eyespot_train::train(job, told)
}

#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    let graph = graph(INPUTS, 3, false);
    let params = initialise(&graph, 1);
    for balance in [Balance::None, Balance::Weights, Balance::Sampler] {
        let settings = Settings { balance, ..settings() };
        let whole = {
            let mut told = Told::default();
            let (mut train, mut val) = (clouds(43, 0), clouds(20, 9));
            run(&graph, &params, &settings, &mut train, Some(&mut val), None, &mut told).unwrap()
        };
        for (at_epoch, at_batch) in [(0, 0), (0, 3), (1, 0), (4, 2), (6, 5)] {
            let folder = tempfile::tempdir().unwrap();
            let owned = OwnedFolder::claim(folder.path(), RunFolder::PURPOSE).unwrap();
            let fresh = RunFolder::new(&owned).interval(Duration::ZERO);
            let mut killed = Killed { inner: clouds(43, 0), at_epoch, at_batch };
            let mut told = Told::default();
            let mut val = clouds(20, 9);
            let stopped =
                run(&graph, &params, &settings, &mut killed, Some(&mut val), Some(&fresh), &mut told);
            assert!(stopped.is_err());
            let again = RunFolder::resume(&owned).interval(Duration::ZERO);
            let mut train = clouds(43, 0);
            let resumed =
                run(&graph, &params, &settings, &mut train, Some(&mut val), Some(&again), &mut told).unwrap();
            assert_eq!(resumed.params, whole.params, "{balance:?} {at_epoch} {at_batch}");
            assert_eq!(resumed.best_epoch, whole.best_epoch);
            let lines = std::fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
            let epochs: Vec<u64> =
                lines.lines().map(|l| serde_json::from_str::<EpochRecord>(l).unwrap().epoch).collect();
            assert_eq!(epochs, (1..=7).collect::<Vec<_>>());
            // Byte for byte but for the seconds.
            let without_seconds = |line: &str| line.split(",\"seconds\"").next().map(str::to_owned);
            let expected = whole.history.iter().map(|record| serde_json::to_string(record).unwrap());
            assert!(
                lines.lines().map(without_seconds).eq(expected.map(|line| without_seconds(&line))),
                "{lines}"
            );
            // A finished run has nothing left to do and says the same again.
            let twice =
                run(&graph, &params, &settings, &mut train, Some(&mut val), Some(&again), &mut told).unwrap();
            assert_eq!(twice.params, whole.params);
            assert!(
                told.notices.iter().any(|n| n.contains("finished already, after epoch 7")),
                "{:?}",
                told.notices
            );
        }
    }
}

#[test]
fn a_checkpoint_of_other_settings_or_a_damaged_one_is_refused() {
    let graph = graph(INPUTS, 3, false);
    let params = initialise(&graph, 1);
    let folder = tempfile::tempdir().unwrap();
    let owned = OwnedFolder::claim(folder.path(), RunFolder::PURPOSE).unwrap();
    let mut told = Told::default();
    let fresh = RunFolder::new(&owned);
    run(&graph, &params, &settings(), &mut clouds(43, 0), None, Some(&fresh), &mut told).unwrap();
    let other = Settings { seed: 1, ..settings() };
    let again = RunFolder::resume(&owned);
    let error = run(&graph, &params, &other, &mut clouds(43, 0), None, Some(&again), &mut told).unwrap_err();
    assert!(error.to_string().contains("changed: the settings)"), "{error}");
    let others = initialise(&graph, 2);
    let error =
        run(&graph, &others, &settings(), &mut clouds(43, 0), None, Some(&again), &mut told).unwrap_err();
    assert!(error.to_string().contains("changed: the starting weights)"), "{error}");
    let more = RunFolder::resume(&owned).about("the photos", "another.jpg");
    let error =
        run(&graph, &params, &settings(), &mut clouds(42, 0), None, Some(&more), &mut told).unwrap_err();
    assert!(error.to_string().contains("changed: the labels and the photos)"), "{error}");
    let path = folder.path().join("last.checkpoint");
    let bytes = std::fs::read(&path).unwrap();
    for length in [0, 7, 100, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error =
            run(&graph, &params, &settings(), &mut clouds(43, 0), None, Some(&again), &mut told).unwrap_err();
        assert!(error.to_string().contains("can't be resumed"), "{error}");
    }
}

/// The checksum covers weights, optimizer and state: a flipped bit anywhere is found and never resumed from.
#[test]
fn a_checkpoint_with_a_flipped_bit_is_refused() {
    let graph = graph(INPUTS, 3, false);
    let params = initialise(&graph, 1);
    let folder = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    let owned = OwnedFolder::claim(folder.path(), RunFolder::PURPOSE).unwrap();
    let fresh = RunFolder::new(&owned);
    run(&graph, &params, &settings(), &mut clouds(43, 0), None, Some(&fresh), &mut told).unwrap();
    let path = folder.path().join("last.checkpoint");
    let mut bytes = std::fs::read(&path).unwrap();
    let again = RunFolder::resume(&owned);
    let resume =
        |told: &mut Told| run(&graph, &params, &settings(), &mut clouds(43, 0), None, Some(&again), told);
    resume(&mut told).unwrap();
    let undamaged = bytes.clone();
    for place in (0..bytes.len()).step_by(7) {
        let bit = 1 << (place / 7 % 8);
        bytes[place] ^= bit;
        std::fs::write(&path, &bytes).unwrap();
        let error = resume(&mut told).unwrap_err().to_string();
        assert!(error.contains("can't be resumed"), "byte {place}: {error}");
        bytes[place] ^= bit;
    }
    std::fs::write(&path, undamaged).unwrap();
    resume(&mut told).unwrap();
}

#[test]
fn the_last_batch_takes_what_is_left_and_epochs_learn() {
    let graph = graph(INPUTS, 3, false);
    let mut told = Told::default();
    let (mut train, mut val) = (clouds(43, 0), clouds(60, 9));
    run(&graph, &initialise(&graph, 1), &settings(), &mut train, Some(&mut val), None, &mut told).unwrap();
    let images: Vec<usize> = told.batches.iter().take(6).map(|b| b.images).collect();
    assert_eq!(images, [8, 8, 8, 8, 8, 3]);
    assert_eq!(told.epochs.len(), 7);
    let accuracy = told.epochs[6].val_accuracy.unwrap();
    assert!(accuracy > 0.6 && told.epochs[6].loss < told.epochs[0].loss, "{accuracy}");
}

/// Full batches of one layer with sigmoid, BCE: by hand, in f64.
#[test]
fn full_batches_descend_the_gradient() {
    let inputs = vec![0.5f32, -1.0, 1.5, 2.0, -0.5, 0.25];
    let labels = [0u32, 1, 1];
    let graph = graph(2, 1, true);
    let params = initialise(&graph, 5);
    let (mut w, mut b) = ([0.0f64; 2], f64::from(params.get("fc.bias").unwrap()[[0]]));
    (0..2).for_each(|i| w[i] = f64::from(params.get("fc.weight").unwrap()[[0, i]]));
    let settings = Settings {
        epochs: 50,
        record_every: 20,
        batch_size: BatchSize::Full,
        loss: Loss::Bce,
        schedule: Schedule::Constant,
        learning_rate: 0.5,
        optimizer: Optimizer::Sgd { momentum: 0.0, nesterov: false },
        ..Settings::default()
    };
    let mut told = Told::default();
    let mut source = InMemory::new(inputs.clone(), labels.to_vec(), 2, 1).unwrap();
    let outcome = run(&graph, &params, &settings, &mut source, None, None, &mut told).unwrap();
    let mut losses = Vec::new();
    for _ in 0..50 {
        let (mut dw, mut db, mut loss) = ([0.0; 2], 0.0, 0.0);
        for (x, &label) in inputs.chunks(2).zip(&labels) {
            let (x0, x1, t) = (f64::from(x[0]), f64::from(x[1]), f64::from(label));
            let p = 1.0 / (1.0 + (-(w[0] * x0 + w[1] * x1 + b)).exp());
            loss -= (t * p.ln() + (1.0 - t) * (1.0 - p).ln()) / 3.0;
            dw = [dw[0] + (p - t) * x0 / 3.0, dw[1] + (p - t) * x1 / 3.0];
            db += (p - t) / 3.0;
        }
        w = [w[0] - 0.5 * dw[0], w[1] - 0.5 * dw[1]];
        b -= 0.5 * db;
        losses.push(loss);
    }
    let recorded: Vec<u64> = told.epochs.iter().map(|e| e.epoch).collect();
    assert_eq!(recorded, [20, 40, 50]);
    for record in &told.epochs {
        let expected = losses[record.epoch as usize - 1];
        assert!((record.loss - expected).abs() < 1e-5 * expected, "{} {expected}", record.loss);
    }
    assert!((f64::from(outcome.params.get("fc.weight").unwrap()[[0, 1]]) - w[1]).abs() < 1e-4);
}

#[test]
fn divergence_is_explained_and_the_last_good_checkpoint_stays() {
    let graph = graph(INPUTS, 3, false);
    let params = initialise(&graph, 1);
    let folder = tempfile::tempdir().unwrap();
    let owned = OwnedFolder::claim(folder.path(), RunFolder::PURPOSE).unwrap();
    let fresh = RunFolder::new(&owned).interval(Duration::ZERO);
    // Two good epochs, then a rate beyond all bounds.
    let wild = Settings {
        learning_rate: 0.1,
        schedule: Schedule::Step { epochs: 2, gamma: 1e30 },
        clip_norm: None,
        loss: Loss::Mse,
        ema_decay: None,
        warmup_epochs: 0.0,
        ..settings()
    };
    let mut told = Told::default();
    let error = run(&graph, &params, &wild, &mut clouds(43, 0), None, Some(&fresh), &mut told).unwrap_err();
    assert!(matches!(error, TrainError::NotFinite { epoch: 3, batches: 6, .. }), "{error}");
    assert!(error.to_string().contains("learning rate"), "{error}");
    // Resumed, it goes on behind the second epoch, into the same wall.
    let again = RunFolder::resume(&owned);
    let mut told = Told::default();
    let error = run(&graph, &params, &wild, &mut clouds(43, 0), None, Some(&again), &mut told).unwrap_err();
    assert!(matches!(error, TrainError::NotFinite { epoch: 3, .. }), "{error}");
    assert_eq!(told.batches.first().map(|batch| (batch.epoch, batch.batch)), Some((3, 1)));

    let mut inputs = vec![0.5; 10 * INPUTS];
    inputs[4 * INPUTS + 2] = f32::NAN;
    let mut source = InMemory::new(inputs, vec![0, 1, 2, 0, 1, 2, 0, 1, 2, 0], INPUTS, 1).unwrap();
    let error = run(&graph, &params, &settings(), &mut source, None, None, &mut told).unwrap_err();
    assert!(error.to_string().contains("sample 4"), "{error}");
}

#[test]
fn patience_stops_and_the_best_weights_are_kept() {
    let graph = graph(INPUTS, 3, false);
    let params = initialise(&graph, 1);
    let settings = Settings {
        epochs: 200,
        patience: Some(3),
        schedule: Schedule::Constant,
        ema_decay: None,
        warmup_epochs: 0.0,
        ..settings()
    };
    let mut told = Told::default();
    let (mut train, mut val) = (clouds(43, 0), clouds(20, 9));
    let outcome = run(&graph, &params, &settings, &mut train, Some(&mut val), None, &mut told).unwrap();
    assert!(outcome.stopped_early);
    assert_eq!(outcome.epochs, outcome.best_epoch + 3);
    let best = &outcome.history[outcome.best_epoch as usize - 1];
    let again = evaluate(&Plain, &graph, &outcome.params, &settings.loss, &mut val, 7).unwrap();
    assert_eq!((Some(again.accuracy), best.best), (best.val_accuracy, true));
    assert!(outcome.history.iter().all(|e| e.val_accuracy <= best.val_accuracy));
}

/// Starting weights that count are epoch 0, and stay where every epoch makes them worse; also after a kill.
#[test]
fn starting_weights_are_never_made_worse() {
    let graph = graph(INPUTS, 3, false);
    let fresh = initialise(&graph, 1);
    let good = Settings { epochs: 30, ..settings() };
    let (mut train, mut val) = (clouds(43, 0), clouds(20, 9));
    let told = &mut Told::default();
    let start = run(&graph, &fresh, &good, &mut train, Some(&mut val), None, told).unwrap().params;
    let before = evaluate(&Plain, &graph, &start, &good.loss, &mut val, 7).unwrap();

    // Labels that are all wrong teach nothing of use.
    let misled = || {
        let right = clouds(43, 0);
        let labels = right.labels().iter().map(|label| (label + 1) % 3).collect();
        InMemory::new(right.inputs().to_vec(), labels, INPUTS, 1).unwrap()
    };
    let settings =
        Settings { ema_decay: None, schedule: Schedule::Constant, warmup_epochs: 0.0, ..settings() };
    let classes: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
    let folder = tempfile::tempdir().unwrap();
    let mut go = |name: &str, resume: bool, train: &mut dyn Source| {
        let owned = OwnedFolder::claim(&folder.path().join(name), RunFolder::PURPOSE).unwrap();
        let run = if resume { RunFolder::resume(&owned) } else { RunFolder::new(&owned) };
        let job = Job {
            device: &Plain,
            graph: &graph,
            params: &start,
            classes: &classes,
            settings: &settings,
            train,
            validation: Some(&mut val),
            run: Some(&run.interval(Duration::ZERO)),
            start: Some(Start { loss: 0.25, accuracy: 0.875 }),
        };
        let outcome = eyespot_train::train(job, &mut ());
        (outcome, std::fs::read_to_string(folder.path().join(name).join("metrics.jsonl")).unwrap())
    };
    let (whole, lines) = go("whole", false, &mut misled());
    let whole = whole.unwrap();
    let mut killed = Killed { inner: misled(), at_epoch: 2, at_batch: 1 };
    go("killed", false, &mut killed).0.unwrap_err();
    let (resumed, resumed_lines) = go("killed", true, &mut misled());
    let resumed = resumed.unwrap();
    for outcome in [&whole, &resumed] {
        assert_eq!((outcome.best_epoch, outcome.epochs, outcome.history.len()), (0, 7, 8));
        assert_eq!(outcome.params, start);
        let first = &outcome.history[0];
        assert_eq!((first.epoch, first.loss, first.accuracy, first.best), (0, 0.25, 0.875, true));
        assert_eq!((first.val_accuracy, first.val_loss), (Some(before.accuracy), Some(before.loss)));
        assert!(outcome.history[1..].iter().all(|record| !record.best));
    }
    assert_eq!((lines.lines().count(), resumed_lines.lines().count()), (8, 8));
}

/// Nothing gets better after the first validation, at epoch 5: the first one that is 8 epochs or more behind it is that
/// of epoch 15.
#[test]
fn patience_counts_epochs_where_validations_are_rare() {
    let graph = graph(INPUTS, 3, false);
    let params = initialise(&graph, 1);
    let settings = Settings {
        epochs: 200,
        record_every: 5,
        patience: Some(8),
        learning_rate: 1e-30,
        schedule: Schedule::Constant,
        ema_decay: None,
        warmup_epochs: 0.0,
        ..settings()
    };
    let mut told = Told::default();
    let (mut train, mut val) = (clouds(43, 0), clouds(20, 9));
    let outcome = run(&graph, &params, &settings, &mut train, Some(&mut val), None, &mut told).unwrap();
    assert_eq!((outcome.best_epoch, outcome.epochs, outcome.stopped_early), (5, 15, true));
}

#[test]
fn uneven_classes_are_told() {
    let graph = graph(INPUTS, 3, false);
    let labels: Vec<u32> = (0..30).map(|i| if i < 26 { 0 } else { 1 }).collect();
    let mut source = InMemory::new(vec![0.1; 30 * INPUTS], labels, INPUTS, 1).unwrap();
    let mut told = Told::default();
    run(&graph, &initialise(&graph, 1), &settings(), &mut source, None, None, &mut told).unwrap();
    let uneven = "the largest class, kind-0, has 26 images, the smallest, kind-1, 4";
    let told_so = told.notices.iter().any(|n| n.contains(uneven) && n.contains("--balance weights"));
    assert!(told_so, "{:?}", told.notices);
    assert!(told.notices.iter().any(|n| n.contains("the class kind-2 has no image")), "{:?}", told.notices);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (three, one) = (graph(INPUTS, 3, false), graph(INPUTS, 1, false));
    let fails = |graph: &Graph, settings: Settings, expected: &str| {
        let told = &mut Told::default();
        let mut source = clouds(12, 0);
        let error = run(graph, &initialise(graph, 0), &settings, &mut source, None, None, told).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    fails(&three, Settings { epochs: 0, ..settings() }, "epochs");
    fails(&three, Settings { batch_size: BatchSize::Images(0), ..settings() }, "batch size");
    fails(&three, Settings { learning_rate: f64::NAN, ..settings() }, "learning rate");
    fails(&three, Settings { patience: Some(2), ..settings() }, "validation");
    fails(&three, Settings { loss: Loss::Bce, ..settings() }, "sigmoid");
    fails(&one, settings(), "cross-entropy");
    fails(&graph(5, 3, false), settings(), "6");
    // Labels up to 2, but two classes.
    fails(&one, Settings { loss: Loss::Mse, ..settings() }, "label 2");
}

/// The rate is found where the loss begins to rise: for least squares by gradient descent, from theory.
#[test]
fn a_range_test_finds_a_rate_that_training_stands() {
    let graph = graph(INPUTS, 3, false);
    let params = initialise(&graph, 1);
    let mut rates = Vec::new();
    for scale in [1.0, 10.0] {
        // Inputs ten times as large: the gradient's curvature, and with it what a rate may be, changes a hundredfold.
        let source = clouds(43, 0);
        let inputs = source.inputs().iter().map(|x| x * scale).collect();
        let mut train = InMemory::new(inputs, source.labels().to_vec(), INPUTS, 1).unwrap();
        let settings = Settings { clip_norm: None, loss: Loss::Mse, ..settings() };
        let classes: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        let mut job = Job {
            device: &Plain,
            graph: &graph,
            params: &params,
            classes: &classes,
            settings: &settings,
            train: &mut train,
            validation: None,
            run: None,
            start: None,
        };
        let rate = range_test(&mut job).unwrap();
        assert_eq!(range_test(&mut job).unwrap(), rate, "the same job, the same rate");
        rates.push(rate);
        // Training stands it: the loss falls.
        let settings = Settings {
            learning_rate: rate,
            schedule: Schedule::Constant,
            warmup_epochs: 0.0,
            ..settings.clone()
        };
        let outcome = eyespot_train::train(Job { settings: &settings, ..job }, &mut ()).unwrap();
        let losses: Vec<f64> = outcome.history.iter().map(|record| record.loss).collect();
        assert!(losses[6] < losses[0], "{losses:?} at {rate}");
    }
    let ratio = rates[0] / rates[1];
    assert!((30.0..300.0).contains(&ratio), "{rates:?}");
}
