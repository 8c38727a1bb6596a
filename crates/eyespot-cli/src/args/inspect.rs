//! The flags of `eyespot inspect`.

use super::whole;
use clap::Args;
use std::path::PathBuf;

/// `eyespot inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A network of the zoo, a run folder, or a model file
    #[arg(value_name = "NAME | RUN | FILE", required_unless_present_any = ["name", "weights"])]
    pub model: Option<String>,
    /// A network of the zoo, as for predict
    #[arg(long = "model", value_name = "NAME", conflicts_with = "model")]
    pub name: Option<String>,
    /// Weights: safetensors, PyTorch (.pth, .pt, .th, .bin), an index of several files, or a run or model of eyespot, which
    /// needs no --model. FILE#NAME takes one of several sets of weights in it, such as FILE#teacher
    #[arg(long, value_name = "FILE | RUN")]
    pub weights: Option<PathBuf>,
    /// Pictures per batch for which memory is told
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub batch: u64,
    /// Number of classes of a network of the zoo
    #[arg(long, value_name = "N", conflicts_with = "weights", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub classes: Option<u64>,
    /// Side of the square the network sees, in pixels
    #[arg(long, value_name = "PIXELS", value_parser = whole::<u32>("crop"))]
    pub crop: Option<u32>,
    /// One JSON object in place of the table
    #[arg(long, conflicts_with_all = ["filters", "maps"])]
    pub json: bool,
    /// Draw the filters these layers have learned
    #[arg(long, value_name = "LAYER,…", value_delimiter = ',', help_heading = "Figure")]
    pub filters: Vec<String>,
    /// Draw what these layers make of the picture of --image
    #[arg(long, value_name = "LAYER,…", value_delimiter = ',', requires = "image", help_heading = "Figure")]
    pub maps: Vec<String>,
    /// The picture
    #[arg(long, value_name = "FILE", requires = "maps", help_heading = "Figure")]
    pub image: Option<PathBuf>,
    /// The figure, a PNG; what doesn't fit goes on further pages, FILE-2 and so on [default: inspect.png]
    #[arg(long, short, value_name = "FILE", help_heading = "Figure")]
    pub output: Option<PathBuf>,
    /// Replace the figure's file even if eyespot didn't draw it
    #[arg(long, help_heading = "Figure")]
    pub overwrite: bool,
}
