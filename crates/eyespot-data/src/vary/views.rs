//! A picture in all its forms at once.

use super::{STRENGTHS, Variation};
use crate::opened::Wanted;
use crate::resize::Scratch;
use crate::{DataError, DecodeError, DecodeOptions, Fit, Note, Sample, Transform};
use eyespot_system::Budget;
use image::RgbImage;
use std::sync::{Mutex, PoisonError};

/// The longest short side a picture is varied at, in pixels: more detail than networks of 224 pixels see, at a bounded
/// cost.
const SIDE: u32 = 512;

/// Makes tensors of a picture in every form: unchanged, then each [`Variation`] in each of the [`STRENGTHS`].
///
/// A picture is read once, each form is made once, and each transform is applied to each form. Which way a form
/// goes (brighter or darker, to the left or to the right) is decided by the content of the picture's file, so it depends
/// neither on the file's name nor on its company. Pictures whose short side is longer than 512 pixels are scaled
/// down to that before they are varied; the unchanged form is made from the picture as it is, as everywhere else.
///
/// ```no_run
/// use eyespot_data::{DecodeOptions, Sample, Transform, vary::Views};
/// let views = Views::new(vec![Transform::imagenet()], 2)?;
/// let (tensors, notes) = views.read(&Sample::file("bee.jpg", 0), &DecodeOptions::default())?;
/// assert_eq!(tensors[0].len(), Views::COUNT * 224 * 224 * 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Views {
    transforms: Vec<Transform>,
    tables: Vec<Vec<[f32; 256]>>,
    threads: usize,
}

impl Views {
    /// Forms of a picture: unchanged, and five variations in five strengths.
    pub const COUNT: usize = 1 + Variation::ALL.len() * STRENGTHS.len();

    /// The place of a variation's weakest form; the stronger ones follow. The unchanged form has place 0.
    pub fn first(variation: Variation) -> usize {
        1 + variation as usize * STRENGTHS.len()
    }

    /// For these transforms, on `threads` threads (at least 1). The result doesn't depend on their number.
    ///
    /// # Errors
    /// A transform with a setting out of its range, or transforms that read deep images with different ranges.
    pub fn new(transforms: Vec<Transform>, threads: usize) -> Result<Self, DataError> {
        for transform in &transforms {
            transform.validate()?;
        }
        // A picture is decoded once for all of them.
        if let Some(other) = transforms.iter().find(|other| other.range != transforms[0].range) {
            return Err(DataError::Setting(format!(
                "models whose images of more than 8 bits are read with different ranges ({:?} and {:?}) can't be compared \
                 at once; give one for all with --range",
                transforms[0].range, other.range
            )));
        }
        let tables = transforms.iter().map(Transform::table).collect();
        Ok(Self { transforms, tables, threads: threads.max(1) })
    }

    /// For each transform the tensors of all forms, `[COUNT, height, width, channels]`, and what there is to say about
    /// the file. The range of deep images is the transforms', whatever the options say.
    ///
    /// # Errors
    /// A picture that can't be read or transformed.
    pub fn read(
        &self,
        sample: &Sample,
        options: &DecodeOptions,
    ) -> Result<(Vec<Vec<f32>>, Vec<Note>), DecodeError> {
        let range = self.transforms.first().and_then(|transform| transform.range);
        let options = DecodeOptions { range, ..options.clone() };
        let opened = sample.open(&options, Budget::process(), Wanted::Picture)?;
        options.check(opened.notes())?;
        let picture = opened.view()?;
        let hash = sample.content_hash(&options.limits)?;
        let seed = hash.iter().take(8).fold(0, |seed, &byte| seed << 8 | u64::from(byte));
        let small = shrunk(picture)?;
        let small = small.as_ref().unwrap_or(picture);
        let mut tensors: Vec<Vec<f32>> =
            self.transforms.iter().map(|t| vec![0.0; Self::COUNT * t.len()]).collect();
        let mut rooms: Vec<Vec<&mut [f32]>> = (0..Self::COUNT).map(|_| Vec::new()).collect();
        for (tensors, transform) in tensors.iter_mut().zip(&self.transforms) {
            for (room, tensor) in rooms.iter_mut().zip(tensors.chunks_exact_mut(transform.len())) {
                room.push(tensor);
            }
        }
        let waiting = Mutex::new(rooms.into_iter().enumerate());
        let work = || {
            let mut scratch = Scratch::default();
            // A poisoned lock means that another thread panicked, which `join` reports.
            while let Some((view, room)) = { waiting.lock().unwrap_or_else(PoisonError::into_inner).next() } {
                let varied;
                let form = match view {
                    0 => picture,
                    _ => {
                        let (variation, strength) =
                            ((view - 1) / STRENGTHS.len(), (view - 1) % STRENGTHS.len());
                        varied = Variation::ALL[variation].apply(small, STRENGTHS[strength], seed);
                        &varied
                    }
                };
                for ((transform, table), tensor) in self.transforms.iter().zip(&self.tables).zip(room) {
                    transform.apply_with(&mut scratch, table, &mut &*form, tensor)?;
                }
            }
            Ok(())
        };
        let stopped = || DecodeError::Transform("an error in the program stopped it".into());
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.threads.min(Self::COUNT)).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err(stopped())))
        })?;
        Ok((tensors, opened.notes().to_vec()))
    }
}

/// The picture with a short side of [`SIDE`], or `None` where it isn't longer anyway.
fn shrunk(picture: &RgbImage) -> Result<Option<RgbImage>, DecodeError> {
    let (width, height) = picture.dimensions();
    let short = width.min(height);
    if short <= SIDE {
        return Ok(None);
    }
    let scaled = |side: u32| (u64::from(side) * u64::from(SIDE) / u64::from(short)) as u32;
    let crop = (scaled(height), scaled(width));
    let whole = Transform { fit: Fit::Squash, ..Transform::unscaled(crop.0, crop.1, 3) };
    let mut pixels = Vec::new();
    whole.frame(&mut Scratch::default(), &mut &*picture, &mut pixels)?;
    Ok(RgbImage::from_raw(crop.1, crop.0, pixels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawn;

    fn saved(size: u32) -> (tempfile::TempDir, Sample) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("fish.png");
        drawn::draw(1, size, &Default::default(), 3).save(&path).expect("writes");
        let sample = Sample::file(&path, 1);
        (folder, sample)
    }

    #[test]
    fn the_first_form_is_the_unchanged_picture_for_each_transform() {
        let (_folder, sample) = saved(60);
        let transforms = vec![Transform::unscaled(32, 32, 3), Transform::unscaled(20, 24, 1)];
        let tensors =
            Views::new(transforms.clone(), 2).expect("sound").read(&sample, &DecodeOptions::default());
        let (tensors, _) = tensors.expect("reads");
        let picture = sample.read(&DecodeOptions::default()).expect("reads").image;
        for (transform, tensors) in transforms.iter().zip(&tensors) {
            let mut plain = vec![0.0; transform.len()];
            transform.apply(&picture, &mut plain).expect("fits");
            assert_eq!(tensors.len(), Views::COUNT * transform.len());
            assert_eq!(tensors[..transform.len()], plain);
        }
    }

    #[test]
    fn each_form_has_its_place_and_changes_more_as_it_gets_stronger() {
        let (_folder, sample) = saved(64);
        let transform = Transform::unscaled(64, 64, 3);
        let len = transform.len();
        let views = Views::new(vec![transform], 3).expect("sound");
        let tensors = views.read(&sample, &DecodeOptions::default()).expect("reads").0.remove(0);
        let form = |view: usize| &tensors[view * len..(view + 1) * len];
        let change = |view: usize| -> f32 {
            form(view).iter().zip(form(0)).map(|(a, b)| (a - b).abs()).sum::<f32>() / len as f32
        };
        for variation in Variation::ALL {
            let changes: Vec<f32> = (0..5).map(|s| change(Views::first(variation) + s)).collect();
            assert!(changes[0] > 0.0 && changes[4] > changes[0], "{}: {changes:?}", variation.name());
        }
        // The occlusion's patches leave the rest as it is, the light doesn't.
        let same = |view| form(view).iter().zip(form(0)).filter(|(a, b)| a == b).count() * 100 / len;
        assert!(same(Views::first(Variation::Occlusion)) > 80);
        assert!(same(Views::first(Variation::Illumination)) < 50);
    }

    #[test]
    fn threads_and_names_make_no_difference() {
        let (folder, sample) = saved(64);
        let other = folder.path().join("other.png");
        std::fs::copy(&sample.path, &other).expect("copies");
        let read = |sample: &Sample, threads| {
            let views = Views::new(vec![Transform::unscaled(40, 40, 3)], threads).expect("sound");
            views.read(sample, &DecodeOptions::default()).expect("reads").0
        };
        assert_eq!(read(&sample, 1), read(&Sample::file(other, 0), 5));
    }

    #[test]
    fn large_pictures_are_varied_at_512_pixels_and_damaged_ones_are_refused() {
        let large = RgbImage::new(1600, 800);
        assert_eq!(shrunk(&large).expect("shrinks").map(|p| p.dimensions()), Some((1024, 512)));
        assert!(shrunk(&RgbImage::new(3000, 512)).expect("nothing to do").is_none());
        let (folder, _) = saved(8);
        let broken = folder.path().join("broken.png");
        std::fs::write(&broken, b"no picture").expect("writes");
        let views = Views::new(vec![Transform::unscaled(8, 8, 3)], 1).expect("sound");
        assert!(views.read(&Sample::file(broken, 0), &DecodeOptions::default()).is_err());
    }
}
