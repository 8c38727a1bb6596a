//! Everything a training run can be told, as it stands in `config.toml`.

use crate::{DeviceChoice, Error, Precision, Range, bounds};
use eyespot_data::Augment;
use eyespot_system::{printable, printable_lines};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::path::PathBuf;

/// What keeps its weights while training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freeze {
    /// Nothing: the whole network learns.
    None,
    /// The backbone; only the head learns, on features that are computed once per picture.
    Backbone,
    /// Everything up to the last layer called so (or `so.…`).
    Until(String),
}

/// Layers put on a backbone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// One linear layer.
    Linear,
    /// Linear to half as many numbers, ReLU, linear.
    Mlp,
}

/// Pictures per optimizer step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// All of them.
    Full,
    /// This many.
    Images(usize),
}

/// The full learning rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LearningRate {
    /// Found by a range test ([`eyespot_train::range_test`]) before training begins.
    Auto,
    /// This one.
    Rate(f64),
}

/// The rule by which weights follow their gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Adam.
    Adam,
    /// AdamW.
    AdamW,
    /// No steps over batches: a linear head on frozen features is solved by L-BFGS, as scikit-learn does it. The default
    /// there.
    Lbfgs,
}

/// The learning rate's way through training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleKind {
    /// Always the same.
    Constant,
    /// A tenth after each third of the epochs.
    Step,
    /// Half a cosine down to 0.
    Cosine,
    /// Up over the first 30 %, then down.
    OneCycle,
}

/// What training makes small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LossKind {
    /// Cross-entropy.
    Auto,
    /// Cross-entropy, one output per class.
    Ce,
    /// Binary cross-entropy on one output behind a sigmoid; two classes only.
    Bce,
    /// Mean squared error: with two classes on one plain output, classes part at 0.5.
    Mse,
}

/// What is done about classes of different size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Balance {
    /// Nothing.
    None,
    /// Rare classes weigh more in the loss.
    Weights,
    /// Rare classes are drawn more often.
    Sampler,
    /// Weights where they lower the balanced log loss of a cross-validation; for heads that are solved.
    Auto,
}

/// How much pictures are changed at random while learning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AugmentKind {
    /// Not at all.
    None,
    /// Crops and flips; networks that see 64 pixels or fewer move pictures in place of cutting; digits of IDX files are
    /// moved, scaled and turned a little instead.
    Light,
    /// Also perspective, grey, blur, erased parts, and pictures mixed.
    Strong,
    /// A list of presets and operations with their strengths, such as `flip,shift=4,mixup=0.2`; see [`Augment::parse`].
    Operations(String),
}

/// How a picture is fitted to the network's square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FitKind {
    /// The centre is cut out.
    Crop,
    /// All of it, with borders.
    Letterbox,
    /// All of it, distorted.
    Squash,
}

/// Where features of frozen layers are kept between runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cache {
    /// Nowhere.
    None,
    /// In this folder.
    Folder(PathBuf),
}

/// Everything a run can be told; what is `None` gets its default. Keys in TOML are the names with `-`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TrainingOptions {
    /// The photos.
    pub data: Option<PathBuf>,
    /// Share of the photos set aside for validation where the data has no part for it; default 0.2, and none where a head is
    /// solved or with `folds`.
    pub val: Option<f64>,
    /// Share of the photos set aside for testing, on which the finished model is measured once; default none.
    pub test: Option<f64>,
    /// Cross-validation: each photo is predicted by a model that learned from the other folds, and the model itself learns from
    /// all photos. Default 5 where a head is solved, else none.
    pub folds: Option<u64>,
    /// A regular expression that finds in a photo's path the group it belongs to; see
    /// [`eyespot_data::SplitOptions::group_by`].
    pub group_by: Option<String>,
    /// A network of the zoo.
    pub model: Option<String>,
    /// Traditional features that are learned on in place of pictures: `hog`, `color`, `pixels`, several joined by `+`.
    pub features: Option<String>,
    /// Pretrained weights.
    pub weights: Option<PathBuf>,
    /// What keeps its weights; default the backbone where weights are given, else nothing.
    pub freeze: Option<Freeze>,
    /// Fine-tuning in two phases: a head on the frozen backbone first, then all layers that aren't frozen; default where
    /// weights are given and the backbone isn't frozen.
    pub fine_tune: Option<bool>,
    /// Layers put on the backbone; default linear where a backbone is frozen, else the network's own.
    pub head: Option<Head>,
    /// Passes over the photos.
    pub epochs: Option<u64>,
    /// Pictures per step; default 32.
    pub batch_size: Option<BatchSize>,
    /// The full learning rate.
    pub lr: Option<LearningRate>,
    /// The optimizer.
    pub optimizer: Option<OptimizerKind>,
    /// SGD's momentum; default 0.9.
    pub momentum: Option<f32>,
    /// Weight decay.
    pub weight_decay: Option<f64>,
    /// Each block of layers learns at this share of the rate of the block behind it; default 1.
    pub layer_decay: Option<f64>,
    /// Nesterov's variant of SGD; default false.
    pub nesterov: Option<bool>,
    /// The schedule; default cosine.
    pub schedule: Option<ScheduleKind>,
    /// Epochs of warm-up; default 0.
    pub warmup: Option<f64>,
    /// The loss; default auto.
    pub loss: Option<LossKind>,
    /// Label smoothing, 0..1.
    pub label_smoothing: Option<f32>,
    /// The largest norm of the gradient.
    pub clip: Option<f64>,
    /// Decay of a moving average of the weights.
    pub ema: Option<f32>,
    /// Epochs without a better validation before stopping.
    pub patience: Option<u64>,
    /// What is done about classes of different size; default nothing.
    pub balance: Option<Balance>,
    /// Random changes; default light, none on frozen features.
    pub augment: Option<AugmentKind>,
    /// Augmented versions of each photo whose frozen features are computed; default 4 with augmentation, else 1.
    pub views: Option<u64>,
    /// Whether an unreadable photo stops the run; default false.
    pub strict: Option<bool>,
    /// How pictures are fitted; default crop.
    pub fit: Option<FitKind>,
    /// Length of the short side in pixels; default the network's.
    pub resize: Option<u32>,
    /// Side of the square the network sees, in pixels; default the network's.
    pub crop: Option<u32>,
    /// Mean of each channel, 0..1; default ImageNet's.
    pub mean: Option<Vec<f32>>,
    /// Standard deviation of each channel; default ImageNet's.
    pub std: Option<Vec<f32>>,
    /// Which samples of images of more than 8 bits become black and white; default full.
    pub range: Option<Range>,
    /// Minutes in which settings that aren't given are looked for.
    pub tune: Option<f64>,
    /// How many settings are tried, in place of as many as there is time for.
    pub trials: Option<u64>,
    /// Decides weights, order, split and augmentation; default 0.
    pub seed: Option<u64>,
    /// Threads, 0 for all cores; default 0. The result doesn't depend on it.
    pub threads: Option<usize>,
    /// What computes; default the CPU. [`crate::Training::device`] goes before it.
    pub device: Option<DeviceChoice>,
    /// The numbers that a GPU multiplies; default TF32.
    pub precision: Option<Precision>,
    /// Whether a GPU may take algorithms whose last bits differ from run to run; default false.
    pub fast: Option<bool>,
    /// The run folder.
    pub output: Option<PathBuf>,
    /// Where features are kept; default the user's cache folder.
    pub cache: Option<Cache>,
    /// Epochs between validations; default 1.
    pub every: Option<u64>,
}

impl TrainingOptions {
    /// Reads the text of a `config.toml`.
    ///
    /// # Errors
    /// Text that is no TOML, unknown keys, wrong values and numbers out of their [`crate::Bounds`], with their line.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let usage = |e: toml::de::Error| Error::Usage(printable_lines(e.to_string().trim_end()));
        let table: toml::Table = text.parse().map_err(usage)?;
        bounds::check(&table).map_err(|(key, wrong)| {
            Error::Usage(format!("line {}: {key}: {wrong}", Self::line_of(text, key)))
        })?;
        toml::from_str(text).map_err(usage)
    }

    /// The line of a TOML text, counted from 1, on which a key stands.
    pub fn line_of(text: &str, key: &str) -> usize {
        let sets = |line: &str| {
            let behind = line.trim_start().trim_start_matches(['"', '\'']).strip_prefix(key);
            behind.is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ', '\t']).starts_with('='))
        };
        text.lines().position(sets).map_or(1, |line| line + 1)
    }

    /// Whether every number is in its [`crate::Bounds`]; training checks it, too.
    ///
    /// # Errors
    /// The first that isn't.
    pub fn check(&self) -> Result<(), Error> {
        let table = toml::Table::try_from(self)
            .map_err(|e| Error::Usage(format!("these settings can't be written down: {e}")))?;
        bounds::check(&table).map_err(|(key, wrong)| Error::Usage(format!("{key}: {wrong}")))
    }

    /// The text of a `config.toml`.
    pub fn to_toml(&self) -> String {
        // Nothing in here can fail to be written: no maps with odd keys, no numbers beyond TOML's.
        toml::to_string(self).unwrap_or_default()
    }

    /// Without the settings that don't decide what comes out but for rounding: names of files and folders, threads, devices.
    pub(crate) fn decisive(&self) -> Self {
        let (data, weights, output, cache, threads) = Default::default();
        let (device, precision, fast) = Default::default();
        Self { data, weights, output, cache, threads, device, precision, fast, ..self.clone() }
    }

    /// The names of all settings, as in TOML and on the command line.
    pub const KEYS: [&'static str; 46] = [
        "data",
        "val",
        "test",
        "folds",
        "group-by",
        "model",
        "features",
        "weights",
        "freeze",
        "fine-tune",
        "head",
        "epochs",
        "batch-size",
        "lr",
        "optimizer",
        "momentum",
        "weight-decay",
        "layer-decay",
        "nesterov",
        "schedule",
        "warmup",
        "loss",
        "label-smoothing",
        "clip",
        "ema",
        "patience",
        "balance",
        "augment",
        "views",
        "strict",
        "fit",
        "resize",
        "crop",
        "mean",
        "std",
        "range",
        "tune",
        "trials",
        "seed",
        "threads",
        "device",
        "precision",
        "fast",
        "output",
        "cache",
        "every",
    ];
}

/// Freeze, Cache and BatchSize are a word in TOML (or a number).
fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer)
}

impl Serialize for Freeze {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::Backbone => serializer.serialize_str("backbone"),
            Self::Until(layer) => serializer.serialize_str(&format!("until:{layer}")),
        }
    }
}

impl<'de> Deserialize<'de> for Freeze {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        word(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl std::str::FromStr for Freeze {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("until:")) {
            ("none", _) => Ok(Self::None),
            ("backbone", _) => Ok(Self::Backbone),
            (_, Some(layer)) if !layer.is_empty() => Ok(Self::Until(layer.to_owned())),
            _ => Err(format!(
                "`{}` can't be frozen; it is `backbone`, `none` or `until:LAYER`",
                printable(text)
            )),
        }
    }
}

impl Serialize for AugmentKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::None => "none",
            Self::Light => "light",
            Self::Strong => "strong",
            Self::Operations(text) => text,
        })
    }
}

impl<'de> Deserialize<'de> for AugmentKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        word(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl std::str::FromStr for AugmentKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "light" => Ok(Self::Light),
            "strong" => Ok(Self::Strong),
            // The side decides no more than strengths that aren't given.
            _ => match Augment::parse(text, Augment::SMALL) {
                Ok(_) => Ok(Self::Operations(text.to_owned())),
                Err(error) => Err(error.to_string()),
            },
        }
    }
}

impl Serialize for Cache {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::Folder(path) => path.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Cache {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = word(deserializer)?;
        Ok(if text == "none" { Self::None } else { Self::Folder(text.into()) })
    }
}

impl Serialize for LearningRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Rate(rate) => serializer.serialize_f64(*rate),
        }
    }
}

impl<'de> Deserialize<'de> for LearningRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(f64),
            Word(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Number(rate) => Ok(Self::Rate(rate)),
            Raw::Word(text) if text == "auto" => Ok(Self::Auto),
            Raw::Word(_) => Err(de::Error::custom("a learning rate is a number above 0, or \"auto\"")),
        }
    }
}

impl Serialize for BatchSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Full => serializer.serialize_str("full"),
            Self::Images(n) => serializer.serialize_u64(*n as u64),
        }
    }
}

impl<'de> Deserialize<'de> for BatchSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(i64),
            Word(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Number(n) if n > 0 => Ok(Self::Images(n as usize)),
            Raw::Word(text) if text == "full" => Ok(Self::Full),
            _ => Err(de::Error::custom("a batch size is a number above 0, or \"full\"")),
        }
    }
}
