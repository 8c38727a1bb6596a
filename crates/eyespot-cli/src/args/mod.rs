//! What can be typed: commands and flags.

mod embed;
mod inspect;
mod train;

pub use embed::EmbedArgs;
pub use inspect::InspectArgs;
pub use train::TrainArgs;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

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

/// Flags that change how a picture becomes a tensor.
#[derive(Debug, Args, serde::Serialize)]
pub struct TransformArgs {
    /// How a picture is fitted to the network's square: crop its centre, letterbox with borders, or squash
    #[arg(long, value_parser = ["crop", "letterbox", "squash"], help_heading = "Pictures")]
    pub fit: Option<String>,
    /// Length of the short side, in pixels, before the centre is cut out
    #[arg(long, value_name = "PIXELS", help_heading = "Pictures")]
    pub resize: Option<u32>,
    /// Side of the square the network sees, in pixels
    #[arg(long, value_name = "PIXELS", help_heading = "Pictures")]
    pub crop: Option<u32>,
    /// Mean of each channel (0..1), subtracted: three numbers with commas
    #[arg(long, value_delimiter = ',', num_args = 1, value_name = "R,G,B", help_heading = "Pictures")]
    pub mean: Option<Vec<f32>>,
    /// Standard deviation of each channel, divided by: three numbers with commas
    #[arg(long, value_delimiter = ',', num_args = 1, value_name = "R,G,B", help_heading = "Pictures")]
    pub std: Option<Vec<f32>>,
}

impl TransformArgs {
    /// Whether anything is to be changed.
    pub fn any(&self) -> bool {
        let Self { fit, resize, crop, mean, std } = self;
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
    /// Say `uncertain` where the probability is below this (0..1)
    #[arg(long, value_name = "P", value_parser = probability)]
    pub threshold: Option<f32>,
    /// Pictures computed at once
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub batch: u64,
    /// Threads; 0 takes all cores
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub threads: usize,
    #[command(flatten)]
    pub transform: TransformArgs,
}

/// `eyespot evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// A run folder or model file, then the labelled pictures (with --model: only the pictures); with --robustness
    /// any number of runs and model files before the pictures
    #[arg(required = true, value_name = "RUN_OR_MODEL | DATA")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub published: PublishedArgs,
    /// Also vary the pictures in light, viewpoint, scale, occlusion and background, in five strengths each, and find
    /// the groups inside each class that are told worst: a table and a figure of one or several models
    #[arg(long)]
    pub robustness: bool,
    /// The figure of --robustness [default: robustness.png]
    #[arg(long, value_name = "FIGURE.png", requires = "robustness")]
    pub output: Option<PathBuf>,
    /// One JSON object in place of tables
    #[arg(long)]
    pub json: bool,
    /// Pictures computed at once
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub batch: u64,
    /// Threads; 0 takes all cores
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub threads: usize,
    #[command(flatten)]
    pub transform: TransformArgs,
}

/// `eyespot demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where pictures, contact sheet and model go
    #[arg(long, default_value = "eyespot-demo", value_name = "DIR")]
    pub output: PathBuf,
    /// How much pictures vary, each 0..1: illumination, viewpoint, scale, occlusion, background, individual
    #[arg(long, value_name = "FACTOR=STRENGTH,…", value_delimiter = ',')]
    pub vary: Vec<String>,
    /// Pictures per kind
    #[arg(long, default_value_t = 150, value_name = "N", value_parser = clap::value_parser!(u64).range(10..=10_000))]
    pub images: u64,
    /// Passes over the pictures
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub epochs: u64,
    /// Decides the pictures and the training
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Threads; 0 takes all cores
    #[arg(long, default_value_t = 0, value_name = "N")]
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
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub threads: usize,
    /// The time, algorithm and speed of each layer, too
    #[arg(long)]
    pub layers: bool,
    /// One JSON object in place of text
    #[arg(long)]
    pub json: bool,
}

fn probability(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
        _ => Err("it is a number from 0 to 1, such as 0.8".to_owned()),
    }
}
