//! The flags of `eyespot embed`.

use super::{DeviceArgs, TransformArgs, whole};
use clap::Args;
use std::path::PathBuf;

/// `eyespot embed`.
#[derive(Debug, Args)]
pub struct EmbedArgs {
    /// A run folder or model file, then files, folders or globs of pictures (with --model or --features: only pictures)
    #[arg(required = true, value_name = "RUN_OR_MODEL | PATH")]
    pub paths: Vec<PathBuf>,
    /// A network of the zoo, in place of a trained model (needs --weights)
    #[arg(long, value_name = "NAME", requires = "weights")]
    pub model: Option<String>,
    /// Weights: safetensors, PyTorch (.pth, .pt, .th, .bin), an index of several files, or a run or model of eyespot, which
    /// needs no --model. FILE#NAME takes one of several sets of weights in it, such as FILE#teacher
    #[arg(long, value_name = "FILE | RUN")]
    pub weights: Option<PathBuf>,
    /// Traditional features, in place of a network's: hog (shape), color, pixels, or several joined by +
    #[arg(long, value_name = "hog|color|pixels", conflicts_with_all = ["model", "weights"])]
    pub features: Option<String>,
    /// The table: .npy (for NumPy, with the paths beside it in .paths.txt) or .csv (a column of paths, then the numbers)
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace the table where it exists
    #[arg(long)]
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
