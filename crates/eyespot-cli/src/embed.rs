//! `eyespot embed`.

use crate::args::EmbedArgs;
use crate::{FAILED, model, output, progress};
use eyespot::{Embedder, EmbeddingFile, Error};
use eyespot_system::printable_path;
use std::path::PathBuf;
use std::process::ExitCode;

pub fn run(args: &EmbedArgs) -> anyhow::Result<ExitCode> {
    let (embedder, paths) = embedder(args)?;
    let mut embedder = embedder.threads(args.threads).strict(args.strict).batch(args.batch as usize);
    if let Some(device) = args.device.open()? {
        embedder = embedder.device(device);
    }
    let mut file = match args.overwrite {
        true => EmbeddingFile::create(&args.output, embedder.len())?,
        false => EmbeddingFile::create_new(&args.output, embedder.len())?,
    };
    let bar = progress::pictures(true);
    let (mut done, mut failed) = (0u64, 0u64);
    for picture in embedder.embed_paths(paths)? {
        for note in &picture.notes {
            bar.suspend(|| output::warning(&format!("{} {note}", printable_path(&picture.path))));
        }
        match &picture.result {
            Ok(vector) => {
                file.row(&picture.path, vector)?;
                done += 1;
                bar.set_position(done);
            }
            Err(cause) => {
                failed += 1;
                bar.suspend(|| output::error(&format!("{} {cause}", printable_path(&picture.path))));
            }
        }
    }
    bar.finish_and_clear();
    if done == 0 {
        // Nothing is written: an empty table would only look like a result.
        let why = if failed > 0 { "none of the pictures can be read" } else { "there are no pictures there" };
        output::error(why);
        return Ok(ExitCode::from(FAILED));
    }
    let files = file.finish()?;
    let mut text = format!("{done} pictures, {} numbers each: {}", embedder.len(), printable_path(&files[0]));
    for beside in &files[1..] {
        text += &format!("\ntheir paths, a line a row: {}", printable_path(beside));
    }
    output::line(text)?;
    if failed > 0 {
        output::say(&format!("{failed} could not be read and have no row"));
        return Ok(ExitCode::from(FAILED));
    }
    Ok(ExitCode::SUCCESS)
}

/// What describes the pictures, and the paths that are left.
fn embedder(args: &EmbedArgs) -> anyhow::Result<(Embedder, Vec<PathBuf>)> {
    let changed = |embedder: Embedder| {
        let transform = model::changed(embedder.transform(), &args.transform)?;
        embedder.with_transform(transform)
    };
    if let Some(names) = &args.features {
        return Ok((changed(Embedder::of_features(names)?)?, args.paths.clone()));
    }
    if let Some(weights) = &args.weights {
        let embedder = match &args.model {
            Some(name) => {
                let transform = model::changed(&eyespot::preset(name)?, &args.transform)?;
                Embedder::from_weights(name, weights, Some(transform))?
            }
            None => changed(Embedder::load(weights)?)?,
        };
        embedder.notices().iter().for_each(|notice| output::warning(notice));
        return Ok((embedder, args.paths.clone()));
    }
    let (run, rest) = (&args.paths[0], &args.paths[1..]);
    if rest.is_empty() {
        let hint = if model::is_model(run) {
            format!("there are no pictures named; put them behind {}", printable_path(run))
        } else {
            format!(
                "say what describes the pictures: a trained model before them (eyespot embed RUN {0}), a network by \
                 --model and --weights, or --features hog",
                printable_path(run)
            )
        };
        return Err(Error::Usage(hint).into());
    }
    let embedder = Embedder::load(run).map_err(|error| model::in_order(error.into(), run, rest))?;
    Ok((changed(embedder)?, rest.to_vec()))
}
