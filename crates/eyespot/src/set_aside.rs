//! The photos a run was validated by, so that a classifier isn't measured on what it learned from.

use crate::TrainingOptions;
use eyespot_data::Sample;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The validation photos of a run, where they were set aside from one folder.
#[derive(Debug, Clone)]
pub(crate) struct SetAside {
    data: PathBuf,
    /// Below the data's folder, as the data set lists them.
    names: HashSet<PathBuf>,
}

impl SetAside {
    /// From the files beside a run's model; `None` for a model that lies alone.
    pub fn read(model: &Path) -> Option<Self> {
        let text = eyespot_system::read_text(&model.with_file_name("config.toml")).ok()?;
        let data = TrainingOptions::from_toml(&text).ok()?.data?;
        let mut rows =
            csv::Reader::from_reader(eyespot_system::open(&model.with_file_name("predictions.csv")).ok()?);
        let name = |row: csv::StringRecord| Some(below(&data, Path::new(row.get(0)?)));
        let names: HashSet<PathBuf> = rows.records().filter_map(|row| name(row.ok()?)).collect();
        (!names.is_empty()).then_some(Self { data, names })
    }

    /// Of these samples only those that were set aside, where the run divided the same data itself; and a sentence
    /// about it.
    pub fn only(&self, data: &Path, samples: Vec<Sample>) -> (Vec<Sample>, Option<String>) {
        let elsewhere = match (self.data.canonicalize(), data.canonicalize()) {
            (Ok(learned), Ok(now)) => learned != now,
            // The run was made from another folder, or on another machine: names must do.
            _ => false,
        };
        let set_aside = |sample: &Sample| self.names.contains(&below(data, &sample.path));
        let count = samples.iter().filter(|sample| set_aside(sample)).count();
        if elsewhere || count < self.names.len() || count == samples.len() {
            return (samples, None);
        }
        let others = samples.len() - count;
        let notice = format!(
            "measured on the {count} photos that the run set aside for validation; the other {others} are left out: \
             the run learned from them, or they came later"
        );
        (samples.into_iter().filter(set_aside).collect(), Some(notice))
    }
}

fn below(data: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(data).unwrap_or(path).to_owned()
}
