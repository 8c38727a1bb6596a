//! Settings from flags and TOML files. Each flag of `train` is a key; flags win.

use crate::args::TrainArgs;
use eyespot::{Error, TrainingOptions, closest};
use std::path::{Path, PathBuf};

/// The settings of a training run: the flags, over the file of `--config` or, to go on, the run's own.
pub fn resolve(args: &TrainArgs) -> anyhow::Result<TrainingOptions> {
    let mut table = toml::Table::new();
    if let (true, Some(output)) = (args.resume, &args.output) {
        let settings = output.join("config.toml");
        if !settings.is_file() {
            let text = format!("{} is no run folder to go on with: it has no config.toml", output.display());
            return Err(Error::Usage(text).into());
        }
        table.extend(read(&settings)?);
    }
    if let Some(path) = &args.config {
        table.extend(read(path)?);
    }
    table.extend(toml::Table::try_from(args)?);
    let mut options: TrainingOptions = table.try_into().map_err(usage)?;
    if args.resume {
        options.output = args.output.clone();
    }
    Ok(options)
}

/// A file's keys, each checked by itself, so that an error says which file and line.
fn read(path: &Path) -> anyhow::Result<toml::Table> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::Usage(format!("can't read the settings file {shown}: {e}")))?;
    let table: toml::Table = text.parse().map_err(|e| usage_in(path, e))?;
    if let Some(key) = table.keys().find(|key| !TrainingOptions::KEYS.contains(&key.as_str())) {
        let line =
            text.lines().position(|line| line.trim_start().starts_with(key.as_str())).map_or(1, |n| n + 1);
        let hint = match closest(key, TrainingOptions::KEYS) {
            Some(known) => format!("did you mean `{known}`?"),
            None => "`eyespot train --help` lists the settings; each flag is a key without the --".to_owned(),
        };
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
                *text = beside.display().to_string();
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
    Error::Usage(error.to_string().trim_end().to_owned())
}

fn usage_in(path: &Path, error: toml::de::Error) -> Error {
    Error::Usage(format!("{}: {}", path.display(), error.to_string().trim_end()))
}
