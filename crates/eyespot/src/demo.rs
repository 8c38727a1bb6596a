//! The demo: pictures are drawn, a small network learns to tell them apart. No downloads.

use crate::options::Cache;
use crate::{Classifier, Error, Listener, PathPrediction, Trained, Training};
use eyespot_data::drawn::{KINDS, draw};
use eyespot_figure::{Cell, Grid, check_png, is_figure, save_png, save_png_unsynced};
use eyespot_system::OwnedFolder;
use image::Rgb;
use std::fs::DirEntry;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub use eyespot_data::drawn::Factors;

/// What the demo draws and how it learns.
#[derive(Debug, Clone)]
pub struct Demo {
    /// Pictures per kind; a fifth of them is kept for validation. Default 150.
    pub images: usize,
    /// How much they vary.
    pub factors: Factors,
    /// Passes over the pictures; default 20.
    pub epochs: u64,
    /// Decides pictures and training; default 0.
    pub seed: u64,
    /// Threads, 0 for all cores.
    pub threads: usize,
}

impl Default for Demo {
    fn default() -> Self {
        Self { images: 150, factors: Factors::default(), epochs: 20, seed: 0, threads: 0 }
    }
}

/// What the demo leaves.
#[derive(Debug, Clone)]
pub struct DemoResult {
    /// The drawn pictures, a folder per kind in `train` and `val`.
    pub pictures: PathBuf,
    /// Pictures with their predictions, a PNG.
    pub contact_sheet: PathBuf,
    /// The training run.
    pub trained: Trained,
    /// Predictions of some validation pictures.
    pub predictions: Vec<PathPrediction>,
}

/// Side of a drawn picture in pixels.
const SIDE: u32 = 96;

/// Pictures of each kind on the contact sheet.
const SHOWN: usize = 6;

impl Demo {
    /// Draws the pictures, trains on them and names some, all into `folder`. What an earlier demo left there is
    /// replaced.
    ///
    /// # Errors
    /// A folder that holds anything else, or that can't be written; factors that are all 0.
    pub fn run(&self, folder: &Path, listener: &mut dyn Listener) -> Result<DemoResult, Error> {
        if self.factors == Factors::all(0.0) {
            return Err(Error::Usage(
                "nothing varies, so that all pictures of a kind are the same one and there is nothing to learn; give \
                 one factor a strength above 0, such as --vary viewpoint=0.5"
                    .to_owned(),
            ));
        }
        let owned = OwnedFolder::claim(folder, "demo")?;
        let (pictures, run) = (owned.path().join("pictures"), owned.path().join("run"));
        let contact_sheet = owned.path().join("contact-sheet.png");
        check_png(&contact_sheet)?;
        remove_drawn(&pictures)?;
        self.draw(&pictures)?;
        let side = SIDE;
        let trained = Training::new(&pictures)
            .model("small_cnn")
            .epochs(self.epochs)
            .seed(self.seed)
            .threads(self.threads)
            .output(&run)
            .replace(true)
            .cache(Cache::None)
            .set(|o| (o.crop, o.resize) = (Some(side), Some(side)))
            .run(listener)?;
        let classifier = Classifier::load(&run)?.threads(self.threads).batch(16);
        let some = KINDS.iter().flat_map(|kind| {
            let kind = pictures.join("val").join(kind);
            (0..SHOWN).map(move |n| kind.join(format!("{n:04}.png")))
        });
        let predictions: Vec<PathPrediction> =
            classifier.predict_paths(some.filter(|path| path.exists()))?.collect();
        let title = format!("Validation accuracy {:.1} %", 100.0 * trained.accuracy.unwrap_or(0.0));
        sheet(title, &predictions, &contact_sheet)?;
        Ok(DemoResult { pictures, contact_sheet, trained, predictions })
    }

    /// Every fifth picture is for validation.
    fn draw(&self, folder: &Path) -> Result<(), Error> {
        for (kind, name) in KINDS.iter().enumerate() {
            let validation = (self.images / 5).max(1);
            for n in 0..self.images {
                let (part, number) = match n < validation {
                    true => ("val", n),
                    false => ("train", n - validation),
                };
                // A seed of its own for each picture, so that more pictures don't change the ones before.
                let seed = self.seed.wrapping_mul(1 << 32).wrapping_add((n * KINDS.len() + kind) as u64);
                let path = folder.join(part).join(name).join(format!("{number:04}.png"));
                save_png_unsynced(&draw(kind, SIDE, &self.factors, seed), &path)?;
            }
        }
        Ok(())
    }
}

/// Removes the pictures of an earlier demo, if there is nothing else among them: what somebody put there would be learned
/// from.
fn remove_drawn(pictures: &Path) -> Result<(), Error> {
    let mut drawn = Vec::new();
    let mut folders = vec![pictures.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            Err(e) => return Err(Error::file(&folder, e)),
        };
        for entry in entries {
            let entry = entry.map_err(|e| Error::file(&folder, e))?;
            let path = entry.path();
            match entry.file_type().map_err(|e| Error::file(&path, e))? {
                kind if kind.is_dir() => folders.push(path),
                kind if kind.is_file() && (is_figure(&path) || is_empty(&entry)) => drawn.push(path),
                _ => {
                    return Err(Error::file(
                        &path,
                        "isn't of the demo, so the demo's pictures aren't drawn anew; move it elsewhere, or choose \
                         another folder",
                    ));
                }
            }
        }
    }
    drawn.iter().try_for_each(|path| std::fs::remove_file(path).map_err(|e| Error::file(path, e)))
}

/// Whether there is nothing in a file: what a demo leaves that is stopped while it draws, and nobody else misses.
fn is_empty(entry: &DirEntry) -> bool {
    entry.metadata().is_ok_and(|metadata| metadata.len() == 0)
}

/// The pictures under what they were named, mistakes framed in red.
fn sheet(title: String, predictions: &[PathPrediction], path: &Path) -> Result<(), Error> {
    let mut cells = Vec::new();
    for named in predictions {
        let (Ok(p), Ok(picture)) =
            (&named.result, eyespot_data::decode(&named.path, &eyespot_data::Limits::default()))
        else {
            continue;
        };
        let mut cell = Cell::new(picture, format!("{} {:.2}", p.prediction, p.probability));
        if named.label.as_ref() != Some(&p.prediction) {
            cell.caption.push(format!("is {}", named.label.as_deref().unwrap_or("unknown")));
            cell.frame = Some(Rgb([210, 40, 40]));
        }
        cells.push(cell);
    }
    let grid = Grid { title, columns: SHOWN, cell: 128, sharp: false };
    Ok(save_png(&grid.draw(&cells), path)?)
}
