//! The images a run was validated by.

use crate::{Error, TrainingOptions};
use eyespot_data::{Dataset, Sample};
use eyespot_system::printable_path;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The validation images of a run.
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

    /// Where the run's images lie.
    ///
    /// # Errors
    /// If they are no longer there.
    pub fn data(&self) -> Result<&Path, Error> {
        if self.data.exists() {
            return Ok(&self.data);
        }
        Err(Error::Usage(format!(
            "the run was validated by images of {}, which isn't there (seen from this folder); put the labelled images \
             behind the run",
            printable_path(&self.data)
        )))
    }

    /// The validation images of the data the run was made from, however it was divided.
    ///
    /// # Errors
    /// If none of them is left.
    pub fn samples(&self, dataset: &Dataset, notices: &mut Vec<String>) -> Result<Vec<Sample>, Error> {
        let all = dataset.train.iter().chain(&dataset.val).chain(&dataset.test).cloned();
        let samples = self.of(&self.data, all.collect());
        let (left, all) = (samples.len(), self.names.len());
        match left {
            0 => Err(Error::file(
                &self.data,
                format!("none of the {all} images that the run was validated by is there any more"),
            )),
            _ => {
                let gone =
                    if left < all { format!("; {} others are gone", all - left) } else { String::new() };
                notices.push(format!(
                    "measured on {left} images that the run was validated by, of {}{gone}",
                    printable_path(&self.data)
                ));
                Ok(samples)
            }
        }
    }

    /// Of these samples only those that were set aside, where the run divided the same data itself.
    pub fn only(&self, data: &Path, samples: Vec<Sample>) -> Vec<Sample> {
        let elsewhere = match (self.data.canonicalize(), data.canonicalize()) {
            (Ok(learned), Ok(now)) => learned != now,
            // The run was made from another folder, or on another machine: names must do.
            _ => false,
        };
        let set_aside = self.of(data, samples.clone());
        if elsewhere || set_aside.len() < self.names.len() { samples } else { set_aside }
    }

    fn of(&self, data: &Path, samples: Vec<Sample>) -> Vec<Sample> {
        samples.into_iter().filter(|sample| self.names.contains(&below(data, &sample.path))).collect()
    }
}

/// A file's name below the data's folder, in the text of a table, which has no bytes that aren't Unicode.
fn below(data: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(data).unwrap_or(path).to_string_lossy().into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_without_fingerprints_is_measured_on_what_its_run_set_aside() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (data, other) = (folder.path().join("photos"), folder.path().join("other"));
        for folder in [&data, &other] {
            std::fs::create_dir(folder).expect("makes the folder");
        }
        let names = ["a/1.jpg", "b/2.jpg"].map(PathBuf::from);
        let set_aside = SetAside { data: data.clone(), names: names.into() };
        let samples = |root: &Path, names: &[&str]| -> Vec<Sample> {
            names.iter().map(|name| Sample::file(root.join(name), 0)).collect()
        };
        let all = ["a/1.jpg", "a/3.jpg", "b/2.jpg"];
        assert_eq!(set_aside.only(&data, samples(&data, &all)).len(), 2);
        // Another folder, and one that lacks some of them, are measured whole.
        assert_eq!(set_aside.only(&other, samples(&other, &all)).len(), 3);
        assert_eq!(set_aside.only(&data, samples(&data, &all[..2])).len(), 2);
    }
}
