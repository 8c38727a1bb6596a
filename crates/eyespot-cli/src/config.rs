//! Settings from flags and TOML files. Each flag of `train` is a key; flags win.

use crate::args::TrainArgs;
use eyespot::{Error, TrainingOptions, closest};
use eyespot_system::{printable, printable_lines, printable_path};
use std::path::{Path, PathBuf};

/// The settings of a training run: the flags, over the file of `--config` or, to go on, the run's own.
pub fn resolve(args: &TrainArgs) -> anyhow::Result<TrainingOptions> {
    let mut table = toml::Table::new();
    if let (true, Some(output)) = (args.resume, &args.output) {
        let settings = output.join("config.toml");
        if !settings.is_file() {
            let shown = printable_path(output);
            let text = format!("{shown} is no run folder to go on with: it has no config.toml");
            return Err(Error::Usage(text).into());
        }
        table.extend(read(&settings)?);
    }
    if let Some(path) = &args.config {
        let mut settings = read(path)?;
        if is_of_a_run(path) {
            // The new run isn't that run, and its folder is taken.
            settings.remove("output");
        }
        table.extend(settings);
    }
    let flags = toml::Table::try_from(args)
        .map_err(|e| Error::Usage(format!("these flags can't be written down as settings: {e}")))?;
    table.extend(flags);
    let mut options: TrainingOptions = table.try_into().map_err(usage)?;
    if args.resume {
        options.output = args.output.clone();
    }
    Ok(options)
}

/// Whether a settings file is what a run wrote down.
fn is_of_a_run(path: &Path) -> bool {
    let beside = |name: &str| path.with_file_name(name).exists();
    path.file_name().is_some_and(|name| name == "config.toml")
        && [eyespot_system::MARKER, "last.checkpoint", "model.safetensors"].into_iter().any(beside)
}

/// A file's keys, each checked by itself, so that an error says which file and line.
fn read(path: &Path) -> anyhow::Result<toml::Table> {
    let shown = printable_path(path);
    let text = eyespot_system::read_text(path)
        .map_err(|e| Error::Usage(format!("the settings file {shown} {e}")))?;
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        Error::Usage(format!("{shown}: {}", printable_lines(e.to_string().trim_end())))
    })?;
    if let Some(key) = table.keys().find(|key| !TrainingOptions::KEYS.contains(&key.as_str())) {
        let line = TrainingOptions::line_of(&text, key);
        let hint = match closest(key, TrainingOptions::KEYS) {
            Some(known) => format!("did you mean `{known}`?"),
            None => "`eyespot train --help` lists the settings; each flag is a key without the --".to_owned(),
        };
        let key = printable(key);
        return Err(Error::Usage(format!("{shown}, line {line}: there is no setting `{key}`; {hint}")).into());
    }
    TrainingOptions::from_toml(&text).map_err(|e| Error::Usage(format!("{shown}: {e}")))?;
    Ok(relative_to(table, path))
}

/// Paths in a settings file are meant from where the file lies, unless they are absolute or exist as they are.
fn relative_to(mut table: toml::Table, file: &Path) -> toml::Table {
    let folder = file.parent().unwrap_or(Path::new(""));
    for key in ["data", "weights"] {
        if let Some(toml::Value::String(text)) = table.get_mut(key) {
            let (path, beside) = (PathBuf::from(&*text), folder.join(&*text));
            if !there(&path) && there(&beside) {
                *text = beside.to_string_lossy().into_owned();
            }
        }
    }
    table
}

/// Whether a path exists, without the name of a set of weights behind it (`FILE#teacher`).
fn there(path: &Path) -> bool {
    let text = path.to_string_lossy();
    path.exists() || text.rsplit_once('#').is_some_and(|(file, _)| Path::new(file).exists())
}

fn usage(error: toml::de::Error) -> Error {
    Error::Usage(printable_lines(error.to_string().trim_end()))
}
