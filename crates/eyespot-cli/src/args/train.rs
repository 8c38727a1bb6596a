//! The flags of `eyespot train`. Each is also a key of the TOML file, under the same name.

use super::{TransformArgs, number, whole};
use clap::Args;
use eyespot::{AugmentKind, Bounds, DeviceChoice, Precision};
use serde::Serialize;
use std::path::PathBuf;

/// `eyespot train`. A flag that isn't given is `None` here and gets its value from the TOML file or the default.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainArgs {
    /// The photos: DATA/CLASS/*, DATA/{train,val,test}/CLASS/*, a CSV (path,label[,split][,group]) or MNIST's IDX files
    #[arg(value_name = "DATA", required_unless_present_any = ["config", "resume"])]
    pub data: Option<PathBuf>,
    /// Read these settings from a TOML file, also another run's config.toml: a key per flag, flags win
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Share of the photos set aside for validation, chosen by their content [default: 0.2; none where a head is solved, which
    /// is cross-validated]
    #[arg(long, value_name = "SHARE", value_parser = number::<f64>("val"), help_heading = "Judging")]
    pub val: Option<f64>,
    /// Share of the photos set aside for testing: nothing is chosen by them, and the finished model is measured on them once
    /// [default: none]
    #[arg(long, value_name = "SHARE", value_parser = number::<f64>("test"), help_heading = "Judging")]
    pub test: Option<f64>,
    /// Cross-validate: a model for each of so many folds is trained on the others and names the photos of its own; the model
    /// itself learns from all photos [default: 5 where a head is solved]
    #[arg(long, value_name = "K", value_parser = whole::<u64>("folds"), help_heading = "Judging")]
    pub folds: Option<u64>,
    /// Photos of one group stay on one side of every split: what this regular expression finds in their paths, or what stands
    /// in its first parentheses, such as '(plant[0-9]+)_'. A CSV says it in a column `group`
    #[arg(long, value_name = "REGEX", help_heading = "Judging")]
    pub group_by: Option<String>,

    /// A network of the zoo [default: the one the weights are named after, else small_cnn]
    #[arg(long, value_name = "NAME", help_heading = "Network")]
    pub model: Option<String>,
    /// Learn on features of the photos in place of the photos: hog (shape), color, pixels, or several joined by +;
    /// with --model linear (default) or mlp
    #[arg(long, value_name = "hog|color|pixels", help_heading = "Network")]
    pub features: Option<String>,
    /// Pretrained weights: safetensors, PyTorch (.pth, .pt, .th, .bin), an index of several files, or a run or model of
    /// eyespot, which needs no --model. FILE#NAME takes one of several sets of weights in it, such as FILE#teacher
    #[arg(long, value_name = "FILE | RUN", help_heading = "Network")]
    pub weights: Option<PathBuf>,
    /// What keeps its weights: backbone, none, or until:LAYER [default: backbone with --weights, else none]
    #[arg(long, value_name = "WHAT", help_heading = "Network")]
    pub freeze: Option<String>,
    /// Pretrained weights learn on: first a head on the frozen backbone, then all layers (or those behind --freeze
    /// until:LAYER) slowly from there; never worse on the validation photos than the frozen backbone
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          help_heading = "Network")]
    pub fine_tune: Option<bool>,
    /// The layers that tell the classes apart [default: linear on a backbone, else the network's own]
    #[arg(long, value_parser = ["linear", "mlp"], help_heading = "Network")]
    pub head: Option<String>,

    /// Passes over the photos [default: 30 for a head on frozen features, else by the number of photos]
    #[arg(long, value_name = "N", value_parser = whole::<u64>("epochs"), help_heading = "Learning")]
    pub epochs: Option<u64>,
    /// Photos per step: a number, or `full` for all [default: 32]
    #[arg(long, value_name = "N|full", value_parser = batch_size, help_heading = "Learning")]
    pub batch_size: Option<BatchSizeArg>,
    /// The full learning rate, or `auto`: the rate rises on a copy of the weights until the loss does, and a tenth of that
    /// is taken [default: by optimizer and what is frozen]
    #[arg(long, value_name = "X|auto", allow_negative_numbers = true, value_parser = rate, help_heading = "Learning")]
    pub lr: Option<RateArg>,
    /// The rule by which weights follow their gradients; lbfgs solves a linear head on frozen features, penalty chosen by
    /// cross-validation [default: lbfgs where it can, else adamw, or sgd for pretrained weights]
    #[arg(long, value_parser = ["lbfgs", "sgd", "adam", "adamw"], help_heading = "Learning")]
    pub optimizer: Option<String>,
    /// Momentum of SGD [default: 0.9]
    #[arg(long, value_name = "X", value_parser = number::<f32>("momentum"), help_heading = "Learning")]
    pub momentum: Option<f32>,
    /// Weight decay [default: by optimizer]
    #[arg(long, value_name = "X", value_parser = number::<f64>("weight-decay"), help_heading = "Learning")]
    pub weight_decay: Option<f64>,
    /// Each block of layers learns at this share of the rate of the block behind it [default: 1]
    #[arg(long, value_name = "SHARE", value_parser = number::<f64>("layer-decay"), help_heading = "Learning")]
    pub layer_decay: Option<f64>,
    /// Nesterov's variant of SGD
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          help_heading = "Learning")]
    pub nesterov: Option<bool>,
    /// The learning rate's way through training [default: cosine]
    #[arg(long, value_parser = ["constant", "step", "cosine", "onecycle"], help_heading = "Learning")]
    pub schedule: Option<String>,
    /// Epochs over which the learning rate rises to its full value
    #[arg(long, value_name = "EPOCHS", value_parser = number::<f64>("warmup"), help_heading = "Learning")]
    pub warmup: Option<f64>,
    /// Cross-entropy, or for two classes one output: sigmoid + binary cross-entropy, or mean squared error
    #[arg(long, value_parser = ["auto", "ce", "bce", "mse"], help_heading = "Learning")]
    pub loss: Option<String>,
    /// Share of the target spread over all classes (0..1)
    #[arg(long, value_name = "X", value_parser = number::<f32>("label-smoothing"), help_heading = "Learning")]
    pub label_smoothing: Option<f32>,
    /// Largest norm of the gradient
    #[arg(long, value_name = "NORM", value_parser = number::<f64>("clip"), help_heading = "Learning")]
    pub clip: Option<f64>,
    /// Keep a moving average of the weights with this decay per step, such as 0.999
    #[arg(long, value_name = "DECAY", value_parser = number::<f32>("ema"), help_heading = "Learning")]
    pub ema: Option<f32>,
    /// Stop where this many epochs have passed without a better validation result
    #[arg(long, value_name = "EPOCHS", value_parser = whole::<u64>("patience"), help_heading = "Learning")]
    pub patience: Option<u64>,
    /// Against classes of different size: weigh the loss, draw rare classes more often, or (where a head is solved) weigh
    /// where that lowers the balanced log loss of the cross-validation
    #[arg(long, value_parser = ["none", "weights", "sampler", "auto"], help_heading = "Learning")]
    pub balance: Option<String>,

    /// Change photos at random while learning: none, light, strong, digits, or operations with their strengths, such as
    /// flip,shift=4,crop=0.5..1,color=0.2,erase=0.25,mixup=0.2 [default: light; none on frozen features]
    #[arg(long, value_name = "PRESET|OPERATIONS", value_parser = augment, help_heading = "Pictures")]
    pub augment: Option<String>,
    /// Augmented versions of each photo whose frozen features are computed [default: 4 with --augment, else 1]
    #[arg(long, value_name = "N", value_parser = whole::<u64>("views"), help_heading = "Pictures")]
    pub views: Option<u64>,
    /// Stop where a photo can't be read, in place of leaving it out, or is damaged, in place of reading what is left
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          help_heading = "Pictures")]
    pub strict: Option<bool>,
    #[command(flatten)]
    #[serde(flatten)]
    pub transform: TransformArgs,

    /// Look for settings that aren't given, for so many minutes: weights (where --weights is a folder), freezing, rates and
    /// augmentation are tried by cross-validation, the better half goes on, and the best one is trained
    #[arg(long, value_name = "MINUTES", value_parser = number::<f64>("tune"), help_heading = "Run")]
    pub tune: Option<f64>,
    /// Try so many settings, however long it takes: the same seed then gives the same model. Goes with --tune
    #[arg(long, value_name = "N", value_parser = whole::<u64>("trials"), help_heading = "Run")]
    pub trials: Option<u64>,
    /// Decides weights, order, split and augmentation: the same seed gives the same model [default: 0]
    #[arg(long, value_name = "N", value_parser = whole::<u64>("seed"), help_heading = "Run")]
    pub seed: Option<u64>,
    /// Threads; 0 takes all cores. The result doesn't depend on it [default: 0]
    #[arg(long, value_name = "N", value_parser = whole::<usize>("threads"), help_heading = "Run")]
    pub threads: Option<usize>,
    /// What computes: cpu, cuda (the first NVIDIA GPU), cuda:N, or auto: the first GPU whose memory suffices, else the CPU
    /// [default: auto]
    #[arg(long, value_name = "auto|cpu|cuda|cuda:N", value_parser = device, help_heading = "Run")]
    pub device: Option<String>,
    /// The numbers that a GPU multiplies: f32, tf32, or bf16, the fastest; weights learn in f32 in any case [default: tf32]
    #[arg(long, value_name = "f32|tf32|bf16", value_parser = precision, help_heading = "Run")]
    pub precision: Option<String>,
    /// Take a GPU's fastest algorithms, also those whose last bits differ from run to run
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          help_heading = "Run")]
    pub fast: Option<bool>,
    /// The run folder [default: a new one in runs/]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub output: Option<PathBuf>,
    /// Go on with the run in --output where it was stopped
    #[arg(long, requires = "output", help_heading = "Run")]
    #[serde(skip)]
    pub resume: bool,
    /// Where features of frozen layers are kept between runs, or `none` [default: the user's cache folder]
    #[arg(long, value_name = "DIR|none", help_heading = "Run")]
    pub cache: Option<PathBuf>,
    /// Validate, record and print every so many epochs [default: 1]
    #[arg(long, value_name = "N", value_parser = whole::<u64>("every"), help_heading = "Run")]
    pub every: Option<u64>,
}

/// `32` or `full`; a number in TOML, too.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum BatchSizeArg {
    Images(u64),
    Full(String),
}

/// `0.01` or `auto`; a number in TOML, too.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum RateArg {
    Rate(f64),
    Auto(String),
}

fn rate(text: &str) -> Result<RateArg, String> {
    match text {
        "auto" => Ok(RateArg::Auto("auto".to_owned())),
        _ => number::<f64>("lr")(text).map(RateArg::Rate).map_err(|wrong| format!("{wrong}, or `auto`")),
    }
}

fn device(text: &str) -> Result<String, String> {
    text.parse::<DeviceChoice>().map(|_| text.to_owned())
}

fn precision(text: &str) -> Result<String, String> {
    text.parse::<Precision>().map(|_| text.to_owned())
}

fn augment(text: &str) -> Result<String, String> {
    text.parse::<AugmentKind>().map(|_| text.to_owned())
}

fn batch_size(text: &str) -> Result<BatchSizeArg, String> {
    let bounds = Bounds::of("batch-size");
    match text.parse::<u64>() {
        Ok(n) if bounds.is_none_or(|bounds| bounds.contains(n as f64)) => Ok(BatchSizeArg::Images(n)),
        _ if text == "full" => Ok(BatchSizeArg::Full("full".to_owned())),
        _ => Err(bounds.map_or(String::new(), |bounds| format!("it is {bounds}, or `full` for all photos"))),
    }
}
