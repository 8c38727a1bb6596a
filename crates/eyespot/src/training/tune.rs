//! Looking for settings by successive halving (Jamieson & Talwalkar, 2016): many are tried on one fold of a
//! cross-validation, the better half on the next, until one is left.

use super::{Listener, Training, defaults, run_folder};
use crate::Error;
use crate::options::{AugmentKind, Freeze, LearningRate, TrainingOptions};
use eyespot_data::shuffled;
use eyespot_graph::zoo;
use eyespot_system::printable_path;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Folds of the cross-validation, and so the most rounds.
const FOLDS: usize = 5;
/// The first round takes this share of the time at most; the rounds after it have half as much to do, each.
const FIRST_ROUND: f64 = 0.4;

/// Settings that were tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// What was tried, in the words of the settings, such as `fine-tune = true, lr = 0.0005`.
    pub what: String,
    /// On how many folds.
    pub folds: usize,
    /// The share of the folds' images that were right after the last epoch.
    pub accuracy: f64,
    /// The mean log loss over them; what decides.
    pub loss: f64,
    /// Seconds in all.
    pub seconds: f64,
}

/// Settings on their way through the rounds.
struct Candidate {
    options: TrainingOptions,
    trial: Trial,
    /// Its place in the list, which decides between equals.
    place: usize,
}

/// The best settings found, and all that were tried, the best first.
pub(super) fn tune(
    training: &Training,
    listener: &mut dyn Listener,
) -> Result<(TrainingOptions, Vec<Trial>), Error> {
    let began = Instant::now();
    let mut given = training.options.clone();
    let (minutes, wanted) = (given.tune.take(), given.trials.take());
    let Some(minutes) = minutes else {
        return Err(Error::Usage(
            "--trials says how many settings --tune tries; give --tune MINUTES, too".to_owned(),
        ));
    };
    if training.earlier == run_folder::Earlier::Resume {
        return Err(Error::Usage(
            "a run that is resumed has its settings already; leave --tune and --trials out".to_owned(),
        ));
    }
    // Before time is spent.
    given.check()?;
    if let Some(output) = &given.output {
        run_folder::refuse_used(output, training.earlier)?;
    }
    let budget = 60.0 * minutes;
    let mut list = candidates(&given)?;
    list.truncate(wanted.map_or(usize::MAX, |n| n as usize));
    let all = list.len();
    let mut alive: Vec<Candidate> = Vec::new();
    let mut longest = 0.0f64;
    let limited = wanted.is_none();
    for (place, options) in list.into_iter().enumerate() {
        // At least two, or there is nothing to choose from.
        let enough = began.elapsed().as_secs_f64() + longest > FIRST_ROUND * budget;
        if limited && place >= 2 && enough {
            break;
        }
        let what = difference(&given, &options);
        let trial = Trial { what, folds: 0, accuracy: 0.0, loss: 0.0, seconds: 0.0 };
        let mut candidate = Candidate { options, trial, place };
        longest = longest.max(candidate.go_on(training, listener)?);
        alive.push(candidate);
    }
    if limited && alive.len() < all {
        listener.told(&format!("{} of {all} settings are tried: the time is up for more", alive.len()));
    }
    let mut out = Vec::new();
    rank(&mut alive);
    for _ in 1..FOLDS {
        let kept = alive.len().div_ceil(2);
        out.splice(0..0, alive.drain(kept..));
        if alive.len() < 2 {
            break;
        }
        // The time for all of this round and for the run itself, which learns from all images.
        let round: f64 = alive.iter().map(|c| c.trial.seconds / c.trial.folds as f64).sum();
        if limited && began.elapsed().as_secs_f64() + round + longest * 1.25 > budget {
            break;
        }
        for candidate in &mut alive {
            candidate.go_on(training, listener)?;
        }
        rank(&mut alive);
    }
    alive.extend(out);
    let Some(best) = alive.first() else {
        return Err(Error::Usage("there are no settings to try".to_owned()));
    };
    let options = best.options.clone();
    Ok((options, alive.into_iter().map(|candidate| candidate.trial).collect()))
}

impl Candidate {
    /// One more fold; gives the seconds it took.
    fn go_on(&mut self, training: &Training, listener: &mut dyn Listener) -> Result<f64, Error> {
        let began = Instant::now();
        let folder = tempfile::tempdir().map_err(|e| Error::file(&std::env::temp_dir(), e))?;
        let mut once = training.clone();
        once.options = TrainingOptions { output: Some(folder.path().join("run")), ..self.options.clone() };
        once.earlier = run_folder::Earlier::Keep;
        // Judged after the last epoch and not after the best one, whose result is an optimist's.
        once.fold = Some((self.trial.folds, FOLDS));
        let trained = once.run_once(&mut ())?;
        let seconds = began.elapsed().as_secs_f64();
        let Some((accuracy, loss)) = trained.validation.map(|metrics| (metrics.accuracy, metrics.loss))
        else {
            return Err(Error::Usage("there are too few images for a cross-validation".to_owned()));
        };
        let trial = &mut self.trial;
        let before = trial.folds as f64;
        let mean = |so_far: f64, now: f64| (so_far * before + now) / (before + 1.0);
        (trial.accuracy, trial.loss) = (mean(trial.accuracy, accuracy), mean(trial.loss, loss));
        trial.seconds += seconds;
        trial.folds += 1;
        let Trial { what, folds, accuracy, loss, .. } = trial;
        listener
            .told(&format!("trial    {what}: {:.1} %, log loss {loss:.3}, folds {folds}", 100.0 * *accuracy));
        Ok(seconds)
    }
}

/// The lowest log loss first.
fn rank(candidates: &mut [Candidate]) {
    candidates.sort_by(|a, b| a.trial.loss.total_cmp(&b.trial.loss).then(a.place.cmp(&b.place)));
}

/// What is tried, the defaults first, then in an order that the seed decides. What is given stays as it is.
fn candidates(given: &TrainingOptions) -> Result<Vec<TrainingOptions>, Error> {
    let weights: Vec<Option<PathBuf>> = match &given.weights {
        Some(path) if path.is_dir() && !path.join("model.safetensors").exists() => {
            weights_in(path)?.into_iter().map(Some).collect()
        }
        path => vec![path.clone()],
    };
    let augment = |text: &str| AugmentKind::Operations(text.to_owned());
    let (mut first, mut others) = (Vec::new(), Vec::new());
    for weights in weights {
        let base = TrainingOptions { weights, ..given.clone() };
        let free = base.freeze.is_none() && base.fine_tune.is_none() && base.features.is_none();
        let ways: Vec<TrainingOptions> = match (&base.weights, free) {
            (Some(_), true) => [Freeze::Backbone, Freeze::None]
                .map(|freeze| TrainingOptions { freeze: Some(freeze), ..base.clone() })
                .to_vec(),
            _ => vec![base],
        };
        for way in ways {
            let frozen = way.features.is_some()
                || !matches!(way.freeze, Some(Freeze::None | Freeze::Until(_)))
                    && way.weights.is_some()
                    && way.fine_tune != Some(true);
            let augments = match (frozen, way.weights.is_some()) {
                (true, _) if way.features.is_some() => vec![],
                (true, _) => vec![AugmentKind::Light],
                (_, true) => vec![augment("flip,crop=0.35..1,color=0.2"), AugmentKind::None],
                (_, false) => vec![augment("light,color=0.3,erase"), augment("light,mixup=0.2")],
            };
            // A head that is solved has no rate.
            let steps = !super::solve::solves(&way)?;
            let rates = (steps && way.lr.is_none()).then_some([0.3, 3.0]).into_iter().flatten();
            let usual = defaults::usual_rate(&way, frozen);
            let rates: Vec<TrainingOptions> = rates
                .map(|factor| {
                    let rate: f64 = format!("{:.1e}", usual * factor).parse().unwrap_or(usual);
                    TrainingOptions { lr: Some(LearningRate::Rate(rate)), ..way.clone() }
                })
                .collect();
            for augment in augments.into_iter().filter(|_| way.augment.is_none()) {
                for base in std::iter::once(&way).chain(&rates) {
                    others.push(TrainingOptions { augment: Some(augment.clone()), ..base.clone() });
                }
            }
            others.extend(rates);
            first.push(way);
        }
    }
    let order = shuffled(others.len(), given.seed.unwrap_or(0), 0);
    first.extend(order.into_iter().map(|index| others[index].clone()));
    Ok(first)
}

/// The files of a folder that are named after a network, by name.
fn weights_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let listing = std::fs::read_dir(folder).map_err(|e| Error::file(folder, e))?;
    let mut files: Vec<PathBuf> = listing.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| {
        let name = file.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let kind = [".safetensors", ".pth", ".pt", ".th", ".bin"];
        let named = zoo::networks().iter().any(|network| name.starts_with(network.name));
        named && kind.iter().any(|end| name.ends_with(end))
    });
    files.sort();
    match files.is_empty() {
        true => Err(Error::Usage(format!(
            "{} holds no weights that are named after a network, such as resnet50.pth",
            printable_path(folder)
        ))),
        false => Ok(files),
    }
}

/// The settings that were changed, as in TOML.
fn difference(given: &TrainingOptions, tried: &TrainingOptions) -> String {
    let table = |options: &TrainingOptions| toml::Table::try_from(options).unwrap_or_default();
    let (given, mut tried) = (table(given), table(tried));
    tried.retain(|key, value| given.get(key) != Some(value));
    if let Some(toml::Value::String(path)) = tried.get_mut("weights") {
        *path =
            Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    }
    match tried.is_empty() {
        true => "the defaults".to_owned(),
        false => tried.iter().map(|(key, value)| format!("{key} = {value}")).collect::<Vec<_>>().join(", "),
    }
}
