#![forbid(unsafe_code)]
//! The command `eyespot`: flags in, words out. What it does stands in the library `eyespot`.

mod args;
mod bench;
mod config;
mod demo;
mod device;
mod embed;
mod evaluate;
mod inspect;
mod model;
mod output;
mod predict;
mod progress;
mod robustness;
mod train;

use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use std::process::ExitCode;

/// Something failed along the way; the rest was done.
const FAILED: u8 = 1;
/// The command was called wrongly.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    // A picture whose decoder panics is named like any other that can't be read.
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() != Some(eyespot::PICTURE_THREAD) {
            tell(panic);
        }
    }));
    match run(parse()) {
        Ok(code) => code,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // The library's messages tell their causes themselves.
            output::error(&error.to_string());
            let usage = error.downcast_ref::<eyespot::Error>().is_some_and(eyespot::Error::is_usage);
            ExitCode::from(if usage { USAGE } else { FAILED })
        }
    }
}

/// The command line. What is wrong with it is told with the words that were typed, which may be names of files that the
/// shell put there, so they are made harmless first.
fn parse() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| {
        let harmless = std::env::args_os().map(|word| eyespot_system::printable(&word.to_string_lossy()));
        match Cli::try_parse_from(harmless) {
            Err(error) => error.exit(),
            // Only the harmful word was wrong; clap escapes nothing, so it isn't repeated.
            Ok(_) => clap::Error::new(error.kind()).with_cmd(&Cli::command()).exit(),
        }
    })
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Some(bytes) = cli.memory {
        eyespot_system::Budget::process().set_limit(bytes);
    }
    match cli.command {
        Command::Train(args) => train::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Evaluate(args) if args.robustness => robustness::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Embed(args) => embed::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Devices { json } => device::run(json),
        Command::Completions { shell } => {
            // Written in one piece, so that a closed pipe gives an error and not a panic.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "eyespot", &mut script);
            output::write(&script)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
