//! Labelled pictures: where they are, what their classes are called, and which are for training.

mod csv;
mod duplicates;
pub(crate) mod folder;
mod idx;
mod layout;
mod part;
mod split;
mod tree;
mod units;

use crate::{DataError, Limits, Sample};
pub use duplicates::Duplicate;
use eyespot_system::printable;
pub(crate) use idx::IdxImages;
use part::Part;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// How pictures are labelled and divided.
#[derive(Debug, Clone)]
pub struct SplitOptions {
    /// Decides which images are set aside where the data doesn't say.
    pub seed: u64,
    /// Share of the images set aside for validation where the data has no validation part: 0 (none) to below 1.
    /// Default 0.2. Met on average, with at least one of each class that has two; see [`Dataset::open`].
    pub validation: f64,
    /// Share of the images set aside for testing where the data has no test part, before others are for validation: 0 (none,
    /// the default) to below 1.
    pub test: f64,
    /// A regular expression that finds in an image's path (below the data's folder, with `/`) the group it belongs to: what
    /// stands in its first parentheses, or all of the match. Images of a group stay on one side of a split.
    pub group_by: Option<String>,
    /// Whether images are to be divided, now or by [`Dataset::folds`]; then those that belong together are looked for, by
    /// group and by look. Default true. Where it is false nothing is set aside.
    pub divide: bool,
    /// The classes of a model, in its order. Labels are matched by name; without it the names found are sorted.
    pub classes: Option<Vec<String>>,
    /// Further names of the model's classes: folder name and index into `classes`.
    pub aliases: Vec<(String, usize)>,
}

impl Default for SplitOptions {
    fn default() -> Self {
        SplitOptions {
            seed: 0,
            validation: 0.2,
            test: 0.0,
            group_by: None,
            divide: true,
            classes: None,
            aliases: Vec::new(),
        }
    }
}

/// How the data was laid out on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `root/{train,val,test}/CLASS/…`
    SplitFolders,
    /// `root/CLASS/…`
    ClassFolders,
    /// A CSV with `path,label[,split][,group]`.
    Csv,
    /// MNIST's IDX files.
    Idx,
}

/// Labelled pictures, divided for training, validation and testing.
///
/// The same folder and options give the same data set in the same order on every machine.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The path it was opened from.
    pub path: PathBuf,
    /// How the data was laid out.
    pub layout: Layout,
    /// Names of the classes; a [`Sample::label`] is an index into them.
    pub classes: Vec<String>,
    /// Pictures to learn from.
    pub train: Vec<Sample>,
    /// Pictures to watch the training by.
    pub val: Vec<Sample>,
    /// Pictures kept apart from training altogether; often none.
    pub test: Vec<Sample>,
    /// What a person should know about the data, a sentence each: files passed over, classes missing from a part.
    pub notices: Vec<String>,
    /// Images that aren't used because others have the same content.
    pub duplicates: Vec<Duplicate>,
    /// The part of each image whose class isn't among [`SplitOptions::classes`].
    unknown: Vec<Part>,
    divided: bool,
    /// Whether the data itself has a validation part, and a test part.
    own_parts: [bool; 2],
}

/// A picture as found, before classes have numbers.
struct Found {
    path: PathBuf,
    class: String,
    part: Option<Part>,
    /// For pictures in memory.
    memory: Option<(std::sync::Arc<IdxImages>, usize)>,
    group: Option<std::sync::Arc<str>>,
}

/// All that a layout yields.
struct Listing {
    layout: Layout,
    /// Includes classes without pictures.
    classes: Vec<String>,
    found: Vec<Found>,
    notices: Vec<String>,
}

impl Listing {
    fn new(layout: Layout) -> Listing {
        Listing { layout, classes: Vec::new(), found: Vec::new(), notices: Vec::new() }
    }
}

impl Dataset {
    /// Cross-validation: the fold of each training image, 0 to `folds` − 1. Each class is divided evenly, by the images'
    /// content; those that belong together are in one fold ([`SplitOptions::divide`] finds them).
    ///
    /// # Panics
    /// If `folds` is 0.
    pub fn folds(&self, folds: usize) -> Vec<usize> {
        assert!(folds > 0, "no folds");
        split::folds(&self.train, folds)
    }

    /// The training images parted into those of fold `index` of `folds`, which become the images to watch the training by, and
    /// the others; the validation and test images of the data set itself are left out.
    ///
    /// # Panics
    /// Unless `index` is less than `folds`.
    pub fn fold(&self, index: usize, folds: usize) -> Dataset {
        assert!(index < folds, "fold {index} of {folds}");
        let of = self.folds(folds);
        let pick = |inside: bool| {
            let chosen = self.train.iter().zip(&of).filter(|(_, fold)| (**fold == index) == inside);
            chosen.map(|(sample, _)| sample.clone()).collect()
        };
        Dataset { train: pick(false), val: pick(true), test: Vec::new(), notices: Vec::new(), ..self.clone() }
    }

    /// Finds the labelled images at a path. Files are listed, not decoded; those of equal size are read once, to find
    /// images that are there more than once.
    ///
    /// - `root/{train,val,test}/CLASS/…`: the splits as given. Their names count in any case and spelling: `training`,
    ///   `train_set`, `trn`; `valid`, `validation`, `dev`; `testing`, `test_set`.
    /// - `root/CLASS/…`: the share `validation` is set aside, chosen by the images' content and `seed`.
    /// - a CSV file with the columns `path,label` and optionally `split` (train, val or test) and `group`; a folder that holds
    ///   nothing but CSVs is not looked into: name the file. Paths are relative to the CSV.
    /// - a folder with MNIST's four IDX files, plain or `.gz`: `train-*` for training, `t10k-*` or `test-*` for testing.
    ///
    /// Where there is a training part but none for validation, validation images are set aside from the training part, each
    /// by a number drawn from its content and the seed: whatever else there is, an image stays on its side, so images that are
    /// added move none of the old ones. Images that belong together go together: those of a group, and those that look alike
    /// (shots of one scene, crops of one photo; up to 50,000 images are compared). `notices` says how many there are.
    ///
    /// A class folder is searched with its sub-folders, in the order of names. Pictures are files that end in one of
    /// the endings of images (.jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp as in torchvision, and .jfif .jpe .jp2 .j2k .jxl .qoi .tga .heic
    /// .heif .avif, any case); other files are passed over,
    /// and counted in `notices`. Hidden files and folders (a leading dot) are skipped. Links are followed.
    ///
    /// Of images with the same content and label one is used, in the test part before the validation part before the
    /// training part; of those with different labels none. All that is left out so stands in `duplicates`.
    ///
    /// # Errors
    /// If there is no data set at the path: the text says what was found and what is expected.
    pub fn open(path: impl AsRef<Path>, options: &SplitOptions) -> Result<Dataset, DataError> {
        let path = path.as_ref();
        for (name, share) in [("validation", options.validation), ("test", options.test)] {
            if !(0.0..1.0).contains(&share) {
                return Err(DataError::Setting(format!("{name} is {share}; it must be 0 to below 1")));
            }
        }
        let metadata = std::fs::metadata(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => DataError::NotFound(path.into()),
            _ => DataError::Io { path: path.into(), source },
        })?;
        let listing = if metadata.is_dir() {
            match idx::list(path)? {
                Some(listing) => listing,
                None => {
                    let known = |name: &str| {
                        options.classes.iter().flatten().any(|class| class == name)
                            || options.aliases.iter().any(|(alias, _)| alias == name)
                    };
                    folder::list(path, &known)?
                }
            }
        } else if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv")) {
            csv::list(path)?
        } else {
            return Err(DataError::IsAFile(path.into()));
        };
        number(path, listing, options)
    }

    /// Whether the data itself says which images are for validation.
    pub fn has_validation_part(&self) -> bool {
        self.own_parts[0]
    }

    /// Whether the data itself says which images are for testing.
    pub fn has_test_part(&self) -> bool {
        self.own_parts[1]
    }

    /// The pictures to judge a model by: the test part, else the validation part, of data that is divided on disk;
    /// all pictures of data that isn't.
    pub fn evaluation(&self) -> Vec<Sample> {
        match self.measured() {
            Some(Part::Test) => self.test.clone(),
            Some(Part::Val) => self.val.clone(),
            Some(Part::Train) => self.train.clone(),
            None => {
                let mut all: Vec<Sample> = self.train.iter().chain(&self.val).cloned().collect();
                all.sort_by(|a, b| a.path.cmp(&b.path));
                all
            }
        }
    }

    /// How many images [`Dataset::evaluation`] lacks because their class isn't among [`SplitOptions::classes`].
    pub fn evaluation_unknown(&self) -> usize {
        let measured = self.measured();
        self.unknown.iter().filter(|part| measured.is_none_or(|measured| measured == **part)).count()
    }

    /// The duplicates that [`Dataset::evaluation`] lacks.
    pub fn evaluation_duplicates(&self) -> impl Iterator<Item = &Duplicate> {
        let measured = self.measured();
        self.duplicates.iter().filter(move |duplicate| measured.is_none_or(|part| part == duplicate.part))
    }

    /// The part to judge a model by; `None` for all of it.
    fn measured(&self) -> Option<Part> {
        let parts = [(Part::Test, &self.test), (Part::Val, &self.val)];
        let filled = parts.into_iter().find(|(_, samples)| !samples.is_empty());
        self.divided.then(|| filled.map_or(Part::Train, |(part, _)| part))
    }

    /// Training pictures of each class.
    pub fn class_counts(&self) -> Vec<usize> {
        count(&self.train, self.classes.len())
    }
}

fn count(samples: &[Sample], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for sample in samples {
        counts[sample.label] += 1;
    }
    counts
}

/// Gives classes their numbers, and every picture its part.
fn number(path: &Path, listing: Listing, options: &SplitOptions) -> Result<Dataset, DataError> {
    let Listing { layout, classes: found_classes, found, mut notices } = listing;
    let classes = options.classes.clone().unwrap_or_else(|| found_classes.clone());
    let mut index: HashMap<&str, usize> = HashMap::new();
    let aliases = options.aliases.iter().map(|(name, number)| (name.as_str(), *number));
    for (name, number) in aliases.filter(|(_, number)| *number < classes.len()) {
        index.insert(name, number);
    }
    for (number, name) in classes.iter().enumerate() {
        index.insert(name, number);
    }
    let unknown: Vec<&str> =
        found_classes.iter().map(String::as_str).filter(|name| !index.contains_key(name)).collect();
    if unknown.len() == found_classes.len() && !unknown.is_empty() {
        return Err(DataError::UnknownClasses {
            path: path.into(),
            found: some_of(&found_classes),
            known: some_of(&classes),
        });
    }
    let mut dataset = Dataset {
        path: path.into(),
        layout,
        divided: found.iter().any(|found| found.part.is_some()),
        own_parts: [Part::Val, Part::Test].map(|part| found.iter().any(|found| found.part == Some(part))),
        train: Vec::new(),
        val: Vec::new(),
        test: Vec::new(),
        notices: Vec::new(),
        duplicates: Vec::new(),
        unknown: Vec::new(),
        classes: Vec::new(),
    };
    for found in found {
        let Some(&label) = index.get(found.class.as_str()) else {
            dataset.unknown.push(found.part.unwrap_or(Part::Train));
            continue;
        };
        let sample = match found.memory {
            Some((images, number)) => Sample::in_memory(images, number, label),
            None => Sample { group: found.group, ..Sample::file(found.path, label) },
        };
        match found.part {
            None | Some(Part::Train) => dataset.train.push(sample),
            Some(Part::Val) => dataset.val.push(sample),
            Some(Part::Test) => dataset.test.push(sample),
        }
    }
    if !dataset.unknown.is_empty() {
        let left_out = dataset.unknown.len();
        notices.push(format!(
            "{left_out} pictures are left out: the model knows no class called {}",
            some_of(&unknown)
        ));
    }
    dataset.notices = notices;
    duplicates::remove(&mut dataset, &Limits::default());
    if options.divide {
        units::find(&mut dataset, options.group_by.as_deref())?;
        set_aside(&mut dataset, classes.len(), options);
    }
    dataset.classes = classes;
    let notices = class_notices(&dataset, options.classes.is_some());
    dataset.notices.extend(notices);
    Ok(dataset)
}

/// Takes from the training images what the data has no part for.
fn set_aside(dataset: &mut Dataset, classes: usize, options: &SplitOptions) {
    let Dataset { train, val, test, .. } = dataset;
    for (part, share, purpose) in
        [(test, options.test, split::Purpose::Test), (val, options.validation, split::Purpose::Validation)]
    {
        if part.is_empty() && share > 0.0 {
            (*train, *part) = split::by_content(std::mem::take(train), classes, share, options.seed, purpose);
        }
    }
}

/// Names classes that some part lacks.
fn class_notices(dataset: &Dataset, classes_given: bool) -> Vec<String> {
    let mut notices = Vec::new();
    let parts = [(Part::Train, &dataset.train), (Part::Val, &dataset.val), (Part::Test, &dataset.test)];
    let parts = parts.into_iter().filter(|(_, samples)| !samples.is_empty());
    let counts: Vec<_> = parts.map(|(part, samples)| (part, count(samples, dataset.classes.len()))).collect();
    let in_any = |class: usize| counts.iter().any(|(_, counts)| counts[class] > 0);
    let nowhere: Vec<&str> =
        (0..dataset.classes.len()).filter(|&c| !in_any(c)).map(|c| dataset.classes[c].as_str()).collect();
    // A model of 1,000 classes is often judged on ten of them.
    if !nowhere.is_empty() && !classes_given {
        notices.push(format!("there are no pictures of {}", some_of(&nowhere)));
    }
    for (part, counts) in &counts {
        let lacking: Vec<&str> = (0..dataset.classes.len())
            .filter(|&class| counts[class] == 0 && in_any(class))
            .map(|class| dataset.classes[class].as_str())
            .collect();
        if !lacking.is_empty() {
            notices.push(format!("the {} part has no pictures of {}", part.name(), some_of(&lacking)));
        }
    }
    if dataset.classes.len() == 1 {
        notices.push(format!(
            "there is only one class, {}; a classifier needs at least two",
            printable(&dataset.classes[0])
        ));
    }
    notices
}

/// A file as named below the data set's folder.
fn relative<'a>(root: &Path, path: &'a Path) -> &'a Path {
    path.strip_prefix(folder_of(root)).unwrap_or(path)
}

/// The folder of a data set, or of a table.
fn folder_of(root: &Path) -> &Path {
    match root.is_file() {
        true => root.parent().unwrap_or(root),
        false => root,
    }
}

/// The first few of many names.
fn some_of<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 10;
    let mut text =
        names.iter().take(SHOWN).map(|name| printable(name.as_ref())).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}
