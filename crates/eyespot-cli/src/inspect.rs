//! `eyespot inspect`.

use crate::args::InspectArgs;
use crate::output;
use eyespot::{Error, Network};
use eyespot_system::{printable, printable_path};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub fn run(args: &InspectArgs) -> anyhow::Result<ExitCode> {
    if !args.filters.is_empty() || !args.maps.is_empty() {
        return figure(args);
    }
    if args.output.is_some() || args.overwrite {
        return Err(usage(
            "--output is for a figure; say what it shows with --filters LAYER or --maps LAYER --image FILE",
        ));
    }
    let (graph, features) = match network(args)? {
        Some(network) => (network.graph().clone(), network.transform().features.clone()),
        None => (eyespot::network(name(args), args.classes.map(|n| n as usize), args.crop)?, None),
    };
    let summary = graph.summary(args.batch as usize);
    if args.json {
        output::line(serde_json::to_string(&summary)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(summary.to_string().trim_end())?;
    if let Some(features) = features {
        let numbers = features.len();
        output::line(format!("input: features {features}, {numbers} numbers a picture, standardised"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Filters and maps, on pages.
fn figure(args: &InspectArgs) -> anyhow::Result<ExitCode> {
    let Some(network) = network(args)? else {
        let name = name(args);
        return Err(usage(format!(
            "{} by itself has learned nothing; give published weights with --weights FILE",
            printable(name)
        )));
    };
    let path = args.output.clone().unwrap_or_else(|| "inspect.png".into());
    output::check_figure(&path, args.overwrite)?;
    let read = args.image.as_ref().map(|image| network.read_picture(image)).transpose()?;
    let picture = read.map(|(picture, notes)| {
        let image = args.image.as_deref().map(printable_path).unwrap_or_default();
        notes.iter().for_each(|note| output::warning(&format!("{image} {note}")));
        picture
    });
    let pages = network.figure(&args.filters, &args.maps, picture.as_ref())?;
    let files: Vec<PathBuf> = (1..=pages.len()).map(|number| page_file(&path, number)).collect();
    files.iter().try_for_each(|file| output::check_figure(file, args.overwrite))?;
    for (page, file) in pages.iter().zip(&files) {
        output::figure(page, file, args.overwrite)?;
        output::line(format!(
            "figure: {} ({} × {} pixels)",
            printable_path(file),
            page.width(),
            page.height()
        ))?;
    }
    let older: Vec<PathBuf> =
        (files.len() + 1..).map(|number| page_file(&path, number)).take_while(|file| is_page(file)).collect();
    if let [first, ..] = &older[..] {
        let count = older.len();
        output::warning(&format!(
            "further pages are of an earlier figure and not of this one: {count}, from {} on",
            printable_path(first)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a figure of eyespot's stands there.
fn is_page(file: &Path) -> bool {
    file.is_file() && eyespot::check_png(file).is_ok()
}

/// Where a page of the figure goes: `inspect.png`, `inspect-2.png` and so on.
fn page_file(path: &Path, number: usize) -> PathBuf {
    if number == 1 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// The network with its weights, where there are any.
fn network(args: &InspectArgs) -> anyhow::Result<Option<Network>> {
    let name = name(args);
    if args.name.is_none() && is_path(name) {
        if args.classes.is_some() || args.crop.is_some() || args.weights.is_some() {
            return Err(usage(
                "--classes, --crop and --weights are for networks of the zoo; a trained model has its own",
            ));
        }
        return Ok(Some(Network::load(name)?));
    }
    let Some(weights) = &args.weights else { return Ok(None) };
    if name.is_empty() {
        return Ok(Some(Network::load(weights)?));
    }
    let mut transform = eyespot::preset(name)?;
    if let Some(side) = args.crop {
        (transform.crop, transform.resize) =
            ((side, side), transform.resize.map(|r| r * side / transform.crop.0));
    }
    let network = Network::from_weights(name, weights, Some(transform))?;
    network.notices().iter().for_each(|notice| output::warning(notice));
    Ok(Some(network))
}

fn name(args: &InspectArgs) -> &str {
    args.name.as_deref().or(args.model.as_deref()).unwrap_or_default()
}

/// A network of the zoo goes first; a folder that is called so is meant by `./resnet18`.
fn is_path(name: &str) -> bool {
    let path = Path::new(name);
    let like_one = path.components().count() > 1 || path.extension().is_some() || path.exists();
    like_one && !eyespot::network_names().contains(&name)
}

fn usage(text: impl Into<String>) -> anyhow::Error {
    Error::Usage(text.into()).into()
}
