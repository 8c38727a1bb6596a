//! `eyespot inspect`.

use crate::args::InspectArgs;
use crate::output;
use std::process::ExitCode;

pub fn run(args: &InspectArgs) -> anyhow::Result<ExitCode> {
    let classes = args.classes.map(|n| n as usize);
    let graph = eyespot::network(&args.model, classes, args.crop)?;
    let summary = graph.summary(args.batch as usize);
    if args.json {
        output::line(serde_json::to_string(&summary)?)?;
    } else {
        output::line(summary.to_string().trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}
