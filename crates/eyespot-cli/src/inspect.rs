//! `eyespot inspect`.

use crate::args::InspectArgs;
use crate::output;
use eyespot::{Classifier, Error};
use std::path::Path;
use std::process::ExitCode;

pub fn run(args: &InspectArgs) -> anyhow::Result<ExitCode> {
    let graph = if is_path(&args.model) {
        if args.classes.is_some() || args.crop.is_some() {
            let text = "--classes and --crop are for networks of the zoo; a trained model has its own";
            return Err(Error::Usage(text.to_owned()).into());
        }
        Classifier::load(&args.model)?.graph().clone()
    } else {
        eyespot::network(&args.model, args.classes.map(|n| n as usize), args.crop)?
    };
    let summary = graph.summary(args.batch as usize);
    if args.json {
        output::line(serde_json::to_string(&summary)?)?;
    } else {
        output::line(summary.to_string().trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A network of the zoo goes first; a folder that is called so is meant by `./resnet18`.
fn is_path(name: &str) -> bool {
    let path = Path::new(name);
    let like_one = path.components().count() > 1 || path.extension().is_some() || path.exists();
    like_one && !eyespot::network_names().contains(&name)
}
