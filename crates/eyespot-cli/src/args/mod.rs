//! What can be typed: commands and flags.

mod embed;
mod inspect;
mod train;

pub use embed::EmbedArgs;
pub use inspect::InspectArgs;
pub use train::TrainArgs;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use eyespot::{Bounds, DeviceChoice, Precision, Range};
use std::path::PathBuf;
use std::str::FromStr;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "eyespot",
    version,
    about = "Train, check and run image classifiers",
    after_help = "Start with your own photos, one folder per class:\n  eyespot train photos/\nor without any:\n  \
                  eyespot demo",
    propagate_version = true,
    max_term_width = 110
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Memory that images and networks may take together, such as 2G; an image that doesn't fit waits for the others,
    /// one that never fits is left out [default: a quarter of the machine's, at least 1G]
    #[arg(long, global = true, value_name = "SIZE", value_parser = eyespot_system::parse_size)]
    pub memory: Option<u64>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a classifier on a folder of photos
    Train(Box<TrainArgs>),
    /// Name pictures
    Predict(PredictArgs),
    /// Measure a classifier on labelled pictures
    Evaluate(EvaluateArgs),
    /// Write pictures as vectors of features, for search, clustering and other tools
    Embed(EmbedArgs),
    /// Show a network's layers, size and memory, or its filters and feature maps as a figure
    Inspect(InspectArgs),
    /// Draw pictures, train on them and show the predictions: no downloads, under a minute
    Demo(DemoArgs),
    /// Measure how fast networks run on this machine
    Bench(BenchArgs),
    /// List what can compute here: the CPU and NVIDIA GPUs, and why a GPU can't be used
    Devices {
        /// One JSON object a line in place of text
        #[arg(long)]
        json: bool,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Flags for published weights in place of a trained model.
#[derive(Debug, Args)]
pub struct PublishedArgs {
    /// A network of the zoo, in place of a trained model (needs --weights and --classes)
    #[arg(long, value_name = "NAME", requires_all = ["weights", "classes"])]
    pub model: Option<String>,
    /// Weights: safetensors, PyTorch (.pth, .pt, .th, .bin), an index of several files, or a run or model of eyespot, which
    /// needs no --model. FILE#NAME takes one of several sets of weights in it, such as FILE#teacher
    #[arg(long, value_name = "FILE | RUN")]
    pub weights: Option<PathBuf>,
    /// Its classes in the order of its outputs, one a line: `name` or `wnid name`
    #[arg(long, value_name = "FILE", requires = "model")]
    pub classes: Option<PathBuf>,
}

/// Flags that choose what computes.
#[derive(Debug, Clone, Args)]
pub struct DeviceArgs {
    /// What computes: cpu, cuda (the first NVIDIA GPU), cuda:N, or auto: the first GPU whose memory suffices, else the CPU
    #[arg(long, default_value = "auto", value_name = "auto|cpu|cuda|cuda:N")]
    pub device: DeviceChoice,
    /// The numbers that a GPU multiplies: f32, tf32, or bf16, the fastest [default: tf32]
    #[arg(long, value_name = "f32|tf32|bf16")]
    pub precision: Option<Precision>,
    /// Take a GPU's fastest algorithms, also those whose last bits differ from run to run
    #[arg(long)]
    pub fast: bool,
}

/// Flags that change how a picture becomes a tensor.
#[derive(Debug, Args, serde::Serialize)]
pub struct TransformArgs {
    /// How a picture is fitted to the network's square: crop its centre, letterbox with borders, or squash
    #[arg(long, value_parser = ["crop", "letterbox", "squash"], help_heading = "Pictures")]
    pub fit: Option<String>,
    /// Length of the short side, in pixels, before the centre is cut out
    #[arg(long, value_name = "PIXELS", value_parser = whole::<u32>("resize"), help_heading = "Pictures")]
    pub resize: Option<u32>,
    /// Side of the square the network sees, in pixels
    #[arg(long, value_name = "PIXELS", value_parser = whole::<u32>("crop"), help_heading = "Pictures")]
    pub crop: Option<u32>,
    /// Mean of each channel (0..1), subtracted: three numbers with commas
    #[arg(long, value_delimiter = ',', num_args = 1, value_name = "R,G,B", value_parser = number::<f32>("mean"),
          help_heading = "Pictures")]
    pub mean: Option<Vec<f32>>,
    /// Standard deviation of each channel, divided by: three numbers with commas
    #[arg(long, value_delimiter = ',', num_args = 1, value_name = "R,G,B", value_parser = number::<f32>("std"),
          help_heading = "Pictures")]
    pub std: Option<Vec<f32>>,
    /// Of images of more than 8 bits a sample, the samples that become black and white: full, LOW..HIGH in the file's
    /// numbers (such as 0..4095 for 12 bits in 16), or in training auto (0.1 to 99.9 percentile of the training photos)
    #[arg(long, value_name = "full|LOW..HIGH|auto", allow_hyphen_values = true, help_heading = "Pictures")]
    pub range: Option<Range>,
}

impl TransformArgs {
    /// Whether anything is to be changed about the frame and its normalisation.
    pub fn any(&self) -> bool {
        let Self { fit, resize, crop, mean, std, range: _ } = self;
        fit.is_some() || resize.is_some() || crop.is_some() || mean.is_some() || std.is_some()
    }
}

/// How predictions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A sentence a picture
    Text,
    /// A table with a header line
    Csv,
    /// The same table as Excel reads it: UTF-8 with a byte-order mark, lines that end as on Windows
    ExcelCsv,
    /// A JSON object a line
    Json,
}

/// `eyespot predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// A run folder or model file, then files, folders or globs of pictures (with --model: only pictures)
    #[arg(required = true, value_name = "RUN_OR_MODEL | PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub published: PublishedArgs,
    /// How many classes to name per picture
    #[arg(long, default_value_t = 1, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
    pub top_k: u64,
    /// How predictions are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Say `uncertain` where the probability is below this (0..1); tables get a column for it, and keep the best guess
    #[arg(long, value_name = "P", value_parser = probability)]
    pub threshold: Option<f32>,
    /// Write to this file in place of stdout; it appears when all is done
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file of --output
    #[arg(long, requires = "output")]
    pub overwrite: bool,
    /// Pictures computed at once
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub batch: u64,
    /// Threads; 0 takes all cores
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = whole::<usize>("threads"))]
    pub threads: usize,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Leave out pictures whose files are damaged, in place of reading what is left and saying so
    #[arg(long, help_heading = "Pictures")]
    pub strict: bool,
    #[command(flatten)]
    pub transform: TransformArgs,
}

/// `eyespot evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// A run folder or model file, then the labelled images: a folder or a CSV (with --model: only the images). A run
    /// alone is measured on its own validation images. Several runs and model files before the images are compared on
    /// them, each with the first
    #[arg(required = true, value_name = "RUN_OR_MODEL | DATA")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub published: PublishedArgs,
    /// Reject predictions with a probability below this (0..1): tells the share that is accepted and how often those are
    /// right
    #[arg(long, value_name = "P", value_parser = probability, conflicts_with = "robustness")]
    pub threshold: Option<f32>,
    /// Also measure images that the model learned from, which are otherwise known by their content and left out. How well
    /// it knows those says little about new ones
    #[arg(long)]
    pub include_training: bool,
    /// Also vary the pictures in light, viewpoint, scale, occlusion and background, in five strengths each, and find
    /// the groups inside each class that are told worst: a table and a figure of one or several models
    #[arg(long)]
    pub robustness: bool,
    /// The figure of --robustness [default: robustness.png]
    #[arg(long, value_name = "FIGURE.png", requires = "robustness")]
    pub output: Option<PathBuf>,
    /// Replace the figure's file even if eyespot didn't draw it
    #[arg(long, requires = "robustness")]
    pub overwrite: bool,
    /// One JSON object in place of tables
    #[arg(long)]
    pub json: bool,
    /// Pictures computed at once
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub batch: u64,
    /// Threads; 0 takes all cores
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = whole::<usize>("threads"))]
    pub threads: usize,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Leave out pictures whose files are damaged, in place of reading what is left and saying so
    #[arg(long, help_heading = "Pictures")]
    pub strict: bool,
    #[command(flatten)]
    pub transform: TransformArgs,
}

/// `eyespot demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where pictures, contact sheet and model go: a new or empty folder, or that of an earlier demo, which is replaced
    #[arg(long, default_value = "eyespot-demo", value_name = "DIR")]
    pub output: PathBuf,
    /// How much pictures vary, each 0..1: illumination, viewpoint, scale, occlusion, background, individual
    #[arg(long, value_name = "FACTOR=STRENGTH,…", value_delimiter = ',')]
    pub vary: Vec<String>,
    /// Pictures per kind
    #[arg(long, default_value_t = 150, value_name = "N", value_parser = clap::value_parser!(u64).range(10..=10_000))]
    pub images: u64,
    /// Passes over the pictures
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = whole::<u64>("epochs"))]
    pub epochs: u64,
    /// Decides the pictures and the training
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Threads; 0 takes all cores
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = whole::<usize>("threads"))]
    pub threads: usize,
}

/// What `eyespot bench` measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BenchMode {
    /// Scoring pictures
    Infer,
    /// A training step: forward, backward, optimizer
    Train,
    /// Files to normalised tensors
    Data,
}

/// `eyespot bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// A network of the zoo
    #[arg(long, default_value = "resnet50", value_name = "NAME")]
    pub model: String,
    /// Pictures per batch
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub batch: u64,
    /// What is measured
    #[arg(long, value_enum, default_value_t = BenchMode::Infer)]
    pub mode: BenchMode,
    /// Folder of pictures for --mode data
    #[arg(long, value_name = "DIR", required_if_eq("mode", "data"))]
    pub data: Option<PathBuf>,
    /// Threads; 0 takes all cores
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = whole::<usize>("threads"))]
    pub threads: usize,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// The time, algorithm and speed of each layer, too
    #[arg(long)]
    pub layers: bool,
    /// One JSON object in place of text
    #[arg(long)]
    pub json: bool,
}

/// A whole number within the bounds of a setting, the same as in a settings file.
pub fn whole<T>(key: &str) -> RangedU64ValueParser<T>
where
    T: TryFrom<u64> + Clone + Send + Sync,
{
    match Bounds::of(key) {
        Some(Bounds::Whole(least, most)) => RangedU64ValueParser::new().range(least..=most),
        _ => RangedU64ValueParser::new(),
    }
}

/// A number within the bounds of a setting, the same as in a settings file.
pub fn number<T>(key: &'static str) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: FromStr + Into<f64> + Copy,
{
    move |text| {
        let bounds = Bounds::of(key);
        let number =
            text.parse::<T>().ok().filter(|&x| bounds.is_none_or(|bounds| bounds.contains(x.into())));
        number.ok_or_else(|| bounds.map_or("it is a number".to_owned(), |bounds| format!("it is {bounds}")))
    }
}

fn probability(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
        _ => Err("it is a number from 0 to 1, such as 0.8".to_owned()),
    }
}
