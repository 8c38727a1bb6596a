//! Training as a person sees it: a bar where stderr is a terminal, a line per epoch everywhere.

use crate::output;
use eyespot::{BatchDone, Beginning, EpochRecord, Listener, Phase};
use eyespot_system::{printable, printable_path};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Instant;

/// Tells on stderr how a run goes.
pub struct Progress {
    bar: ProgressBar,
    animated: bool,
    epochs: u64,
    /// Photos done since `since`.
    done: usize,
    since: Instant,
    began: Instant,
    first_epoch: Option<u64>,
    /// The best validation accuracy so far.
    accuracy: Option<f64>,
    what: String,
    /// Whether better ways than from scratch are told.
    advice: bool,
    /// Whether the CPU only reads images, so that it can be told which of the two limits.
    gpu: bool,
}

impl Progress {
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            // Nothing is drawn before there is something to tell.
            bar: ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()),
            animated: output::animated(),
            epochs: 0,
            done: 0,
            since: now,
            began: now,
            first_epoch: None,
            accuracy: None,
            what: String::new(),
            advice: true,
            gpu: false,
        }
    }

    /// Says nothing about pretrained weights.
    pub fn without_advice(mut self) -> Self {
        self.advice = false;
        self
    }

    /// Tells whether reading images on the CPU limits or computing on a GPU.
    pub fn with_gpu(mut self, gpu: bool) -> Self {
        self.gpu = gpu;
        self
    }

    /// A line that stays, above the bar.
    fn say(&self, text: &str) {
        self.bar.suspend(|| output::say(text));
    }

    fn style(&self, template: &str) {
        // The templates are ours and sound; a wrong one would only look plain.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar.set_style(style.progress_chars("=> "));
        if self.animated && self.bar.is_hidden() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

/// With so many photos a network learns well from scratch.
const MANY_PHOTOS: usize = 10_000;

impl Listener for Progress {
    fn begin(&mut self, b: &Beginning) {
        self.epochs = b.epochs;
        let [train, validation, test] = b.images;
        let shown: Vec<String> = b.classes.iter().take(8).map(|class| printable(class)).collect();
        let more = if b.classes.len() > 8 { ", …" } else { "" };
        let test = if test > 0 { format!(", {test} kept for testing") } else { String::new() };
        let judged = match b.cross_validates {
            true => "judged by cross-validation".to_owned(),
            false => format!("{validation} to validate by"),
        };
        self.say(&format!("photos   {train} to learn from, {judged}{test}"));
        self.say(&format!("classes  {} ({}{more})", b.classes.len(), shown.join(", ")));
        if let Some((names, numbers)) = &b.features {
            self.say(&format!("features {names}, {numbers} numbers a photo"));
        }
        let (all, learning) = (millions(b.parameters), millions(b.learning));
        let how = match (b.pretrained, b.learning == b.parameters) {
            (true, true) => ", pretrained, all of them learning".to_owned(),
            (true, false) => format!(", pretrained; {learning} of them learning"),
            (false, true) => ", from scratch".to_owned(),
            (false, false) => format!("; {learning} of them learning"),
        };
        self.say(&format!("network  {}, {all} parameters{how}", b.model));
        self.say(&format!("run      {} ({} threads)", printable_path(&b.folder), b.threads));
        if !b.pretrained && b.features.is_none() && train < MANY_PHOTOS && self.advice {
            self.notice(
                "training from scratch; with a few hundred photos, pretrained weights do much better: \
                 --model squeezenet1_1 --weights FILE (torchvision's published weights fit as they are)",
            );
        }
        self.began = Instant::now();
    }

    fn notice(&mut self, text: &str) {
        self.bar.suspend(|| output::warning(text));
    }

    fn told(&mut self, text: &str) {
        self.say(text);
    }

    fn phase(&mut self, p: &Phase<'_>) {
        let cost = p.seconds.map(|s| format!(", about {}", duration(s))).unwrap_or_default();
        self.say(&format!("phase {}/{}  {}{cost}", p.number, p.of, p.what));
        self.began = Instant::now();
    }

    fn features(&mut self, what: &str, done: usize, all: usize) {
        if self.what != what {
            self.what = what.to_owned();
            self.bar.reset();
            self.bar.set_length(all as u64);
            self.style("features of {msg} [{bar:30}] {pos}/{len}  {per_sec}, {eta} left");
            self.bar.set_message(self.what.clone());
            if !self.animated {
                output::say(&format!("computing features of {all} {what}"));
            }
        }
        self.bar.set_position(done as u64);
        if done == all {
            self.bar.reset();
        }
    }

    fn batch(&mut self, d: &BatchDone) {
        if d.batch == 1 {
            self.done = 0;
            self.since = Instant::now();
            self.bar.set_length(d.batches);
            self.style("epoch {msg}");
        }
        self.done += d.images;
        if !self.animated {
            return;
        }
        let first = *self.first_epoch.get_or_insert(d.epoch);
        let before = (d.epoch - first) as f64;
        let way = before + d.batch as f64 / d.batches as f64;
        let left = (self.epochs - first + 1) as f64 - way;
        let left = self.began.elapsed().as_secs_f64() / way.max(1e-9) * left;
        let rate = self.done as f64 / self.since.elapsed().as_secs_f64().max(1e-9);
        let limit = match self.gpu {
            true => limit(d.waiting, self.since.elapsed().as_secs_f64()),
            false => "",
        };
        let best = self.accuracy.map(|a| format!(", validation {:.1} %", 100.0 * a)).unwrap_or_default();
        self.bar.set_message(format!(
            "{}/{}  batch {}/{}  {rate:.0} images/s{limit}  {} left  loss {:.4}{best}",
            d.epoch,
            d.epochs,
            d.batch,
            d.batches,
            duration(left),
            d.loss
        ));
        self.bar.set_position(d.batch);
    }

    fn epoch(&mut self, r: &EpochRecord) {
        if let Some(accuracy) = r.val_accuracy {
            self.accuracy = Some(self.accuracy.map_or(accuracy, |best: f64| best.max(accuracy)));
        }
        let validation = match (r.val_loss, r.val_accuracy) {
            (Some(loss), Some(accuracy)) => {
                format!("  validation loss {loss:.4}, accuracy {:.1} %", 100.0 * accuracy)
            }
            _ => String::new(),
        };
        let best = if r.best { "  best" } else { "" };
        self.say(&format!(
            "epoch {:>w$}/{}  loss {:.4}, accuracy {:.1} %{validation}{best}",
            r.epoch,
            self.epochs,
            r.loss,
            100.0 * r.accuracy,
            w = self.epochs.to_string().len()
        ));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// What a GPU's user can do something about, by the seconds in which it waited for images.
fn limit(waiting: f64, all: f64) -> &'static str {
    if waiting > 0.1 * all { " (reading images limits)" } else { " (the GPU limits)" }
}

/// `0.33 million`, or the number where it is small.
fn millions(n: u64) -> String {
    if n < 100_000 { n.to_string() } else { format!("{:.2} million", n as f64 / 1e6) }
}

/// `0.3 s`, `30 s`, `4 min 5 s`, `2 h 3 min`.
pub fn duration(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match s {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s / 60 % 60),
    }
}

/// How many pictures are done, for commands that don't know how many there are; nothing is shown where `visible` is false
/// or stderr is no terminal.
pub fn pictures(visible: bool) -> ProgressBar {
    if !visible || !output::animated() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {pos} pictures, {per_sec}");
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_time_is_worth_telling() {
        assert_eq!(limit(0.5, 10.0), " (the GPU limits)");
        assert_eq!(limit(6.0, 10.0), " (reading images limits)");
    }
}
