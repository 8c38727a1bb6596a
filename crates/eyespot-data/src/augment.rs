//! Varying pictures in training, so that a network learns what doesn't matter.

mod color;
mod geometry;
mod mix;
mod operations;
#[cfg(test)]
mod tests;

use crate::random::{Random, purpose};
use crate::resize::Scratch;
use crate::strips::Strips;
use crate::{DataError, DecodeError, Transform};
use image::RgbImage;
use serde::{Deserialize, Serialize};

/// Cutting out a random part and scaling it to the frame (`RandomResizedCrop`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResizedCrop {
    /// Smallest and largest share of the picture's area. Default 0.08 to 1.
    pub scale: (f64, f64),
    /// Smallest and largest width / height of the part. Default 3/4 to 4/3.
    pub ratio: (f64, f64),
}

impl Default for ResizedCrop {
    fn default() -> Self {
        ResizedCrop { scale: (0.08, 1.0), ratio: (3.0 / 4.0, 4.0 / 3.0) }
    }
}

/// Seen from another side (`RandomPerspective`); what comes in at the edges is black.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Perspective {
    /// How far corners move, as a share of half the side: 0 to 1. Default 0.5.
    pub distortion: f64,
    /// Probability. Default 0.5.
    pub p: f64,
}

impl Default for Perspective {
    fn default() -> Self {
        Perspective { distortion: 0.5, p: 0.5 }
    }
}

/// Other light and colours (`ColorJitter`), the four changes in random order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ColorJitter {
    /// Samples are multiplied by a factor of 1 ± this, not below 0.
    pub brightness: f64,
    /// Distance from the mean grey is multiplied by a factor of 1 ± this, not below 0.
    pub contrast: f64,
    /// Distance from each pixel's grey is multiplied by a factor of 1 ± this, not below 0.
    pub saturation: f64,
    /// Hue is turned by up to this share of the colour circle, 0 to 0.5.
    pub hue: f64,
}

/// Out of focus (`GaussianBlur`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blur {
    /// Pixels across the kernel, an odd number.
    pub kernel: usize,
    /// Smallest and largest standard deviation in pixels. torchvision's default: 0.1 to 2.
    pub sigma: (f64, f64),
    /// Probability.
    pub p: f64,
}

/// A rectangle set to 0 after normalisation, the mean colour (`RandomErasing`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Erasing {
    /// Probability. Default 0.5.
    pub p: f64,
    /// Smallest and largest share of the frame's area. Default 0.02 to 0.33.
    pub scale: (f64, f64),
    /// Smallest and largest height / width. Default 0.3 to 3.3.
    pub ratio: (f64, f64),
}

impl Default for Erasing {
    fn default() -> Self {
        Erasing { p: 0.5, scale: (0.02, 0.33), ratio: (0.3, 3.3) }
    }
}

/// Out of focus in a tenth of the pictures; a kernel of 9 pixels on a frame of 224.
fn soft_blur(side: u32) -> Blur {
    let kernel = (side as usize / 25).clamp(1, 9) | 1;
    Blur { kernel, sigma: (0.1, 2.0), p: 0.1 }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What may be done to training pictures. The parameters mean what they mean in torchvision; everything is off by default.
///
/// In this order: resized crop (else the transform's own resizing), shift, flips, rotation, perspective, colour jitter, grey,
/// blur, normalisation, erasing; then mixup or cutmix on the batch.
///
/// What happens to a picture depends on the seed, the epoch and the picture's index alone. The random numbers are not
/// torchvision's. Rotation samples bilinearly (torchvision's default takes the nearest pixel).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// A random part of the picture in place of the centre.
    pub resized_crop: Option<ResizedCrop>,
    /// Moved by up to so many pixels in each direction, as `RandomCrop` with this padding does; what comes in at the edges
    /// is black. Half the frame's side at most.
    #[serde(skip_serializing_if = "is_zero")]
    pub shift: u32,
    /// Probability of exchanging left and right. Not for digits and letters.
    pub horizontal_flip: f64,
    /// Probability of exchanging top and bottom.
    pub vertical_flip: f64,
    /// Turned by up to so many degrees either way, 0 to 180.
    pub rotation: f64,
    /// Seen from another side.
    pub perspective: Option<Perspective>,
    /// Other light and colours.
    pub jitter: Option<ColorJitter>,
    /// Probability of losing all colour.
    pub grey: f64,
    /// Out of focus.
    pub blur: Option<Blur>,
    /// A part blotted out.
    pub erasing: Option<Erasing>,
    /// α of mixup (Zhang et al., 2017): each picture is blended with its neighbour in the batch, labels alike, by a
    /// share from Beta(α, α). 0 for none, at most 4.
    pub mixup: f64,
    /// α of cutmix (Yun et al., 2019): a rectangle of each picture comes from its neighbour in the batch, labels in
    /// proportion to area. 0 for none, at most 4. With mixup also on, each batch gets one of the two.
    pub cutmix: f64,
}

impl Augment {
    /// The presets' names.
    pub const PRESETS: [&'static str; 4] = ["none", "light", "strong", "digits"];

    /// Frames with sides up to so many pixels are moved in training and not cut: what fills them is little enough.
    pub const SMALL: u32 = 64;

    /// `none`; `light`, for a few hundred photos and for pretrained networks; `strong`, all of it, for training from
    /// scratch with many epochs; `digits`, moved, scaled and turned a little but never mirrored, for characters in the
    /// middle of their picture.
    ///
    /// `light` mirrors and cuts out parts of at least a third of the area. Small frames (`side` up to [`Augment::SMALL`]
    /// pixels) are mirrored and moved by up to an eighth of the side, as He et al. (2015) and many after them do with
    /// CIFAR's 32 pixels; `strong` leaves out blur and grows no details there, either.
    ///
    /// # Errors
    /// If no preset has that name.
    pub fn preset(name: &str, side: u32) -> Result<Augment, DataError> {
        let small = side <= Self::SMALL;
        let seen = |scale| match small {
            true => Augment { shift: side / 8, ..Augment::default() },
            false => Augment {
                resized_crop: Some(ResizedCrop { scale, ..ResizedCrop::default() }),
                ..Augment::default()
            },
        };
        match name {
            "none" => Ok(Augment::default()),
            "light" => Ok(Augment { horizontal_flip: 0.5, ..seen((0.35, 1.0)) }),
            "strong" => Ok(Augment {
                horizontal_flip: 0.5,
                rotation: 15.0,
                perspective: Some(Perspective { distortion: 0.3, p: 0.25 }),
                jitter: Some(ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 }),
                grey: 0.1,
                blur: (!small).then(|| soft_blur(side)),
                erasing: Some(Erasing { p: 0.25, ..Erasing::default() }),
                mixup: 0.2,
                cutmix: 1.0,
                ..seen((0.08, 1.0))
            }),
            "digits" => Ok(Augment {
                resized_crop: Some(ResizedCrop { scale: (0.75, 1.0), ratio: (0.85, 1.0 / 0.85) }),
                rotation: 10.0,
                ..Augment::default()
            }),
            other => {
                let known = Augment::PRESETS.join(", ");
                Err(DataError::Setting(format!("there is no augmentation called `{other}`; known: {known}")))
            }
        }
    }

    /// Whether nothing is ever changed.
    pub fn is_none(&self) -> bool {
        *self == Augment::default()
    }

    /// Whether labels become shares of several classes.
    pub fn mixes(&self) -> bool {
        self.mixup > 0.0 || self.cutmix > 0.0
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// Names the setting and its range.
    pub fn validate(&self) -> Result<(), DataError> {
        let within = |name: &str, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(DataError::Setting(format!("{name} is {value}; it must be {low} to {high}")))
        };
        let range = |name: &str, (low, high): (f64, f64), least: f64, most: f64| {
            within(name, low, least, most)?;
            within(name, high, low, most)
        };
        within("shift", f64::from(self.shift), 0.0, 8192.0)?;
        within("horizontal_flip", self.horizontal_flip, 0.0, 1.0)?;
        within("vertical_flip", self.vertical_flip, 0.0, 1.0)?;
        within("rotation", self.rotation, 0.0, 180.0)?;
        within("grey", self.grey, 0.0, 1.0)?;
        within("mixup", self.mixup, 0.0, 4.0)?;
        within("cutmix", self.cutmix, 0.0, 4.0)?;
        if let Some(crop) = &self.resized_crop {
            range("resized_crop.scale", crop.scale, 1e-6, 1.0)?;
            range("resized_crop.ratio", crop.ratio, 0.01, 100.0)?;
        }
        if let Some(perspective) = &self.perspective {
            within("perspective.distortion", perspective.distortion, 0.0, 1.0)?;
            within("perspective.p", perspective.p, 0.0, 1.0)?;
        }
        if let Some(jitter) = &self.jitter {
            within("jitter.brightness", jitter.brightness, 0.0, 100.0)?;
            within("jitter.contrast", jitter.contrast, 0.0, 100.0)?;
            within("jitter.saturation", jitter.saturation, 0.0, 100.0)?;
            within("jitter.hue", jitter.hue, 0.0, 0.5)?;
        }
        if let Some(blur) = &self.blur {
            range("blur.sigma", blur.sigma, 0.01, 100.0)?;
            within("blur.p", blur.p, 0.0, 1.0)?;
            if blur.kernel % 2 == 0 || blur.kernel > 255 {
                let kernel = blur.kernel;
                return Err(DataError::Setting(format!(
                    "blur.kernel is {kernel}; it must be an odd number to 255"
                )));
            }
        }
        if let Some(erasing) = &self.erasing {
            within("erasing.p", erasing.p, 0.0, 1.0)?;
            range("erasing.scale", erasing.scale, 1e-6, 1.0)?;
            range("erasing.ratio", erasing.ratio, 0.01, 100.0)?;
        }
        Ok(())
    }

    /// Writes the varied tensor of a picture into `out`: [`Transform::len`] numbers, height × width × channels. Equal
    /// seed, epoch and index give equal numbers. Mixing is left to the [`crate::Loader`].
    ///
    /// # Errors
    /// As [`Transform::apply`]; settings out of range.
    pub fn apply(
        &self,
        picture: &RgbImage,
        transform: &Transform,
        (seed, epoch, index): (u64, u64, u64),
        out: &mut [f32],
    ) -> Result<(), DecodeError> {
        let settings = self.validate().and_then(|()| transform.validate());
        settings.map_err(|error| DecodeError::Transform(error.to_string()))?;
        let mut random = Random::new([seed, epoch, index, purpose::PICTURE]);
        self.apply_with(
            &mut Scratch::default(),
            &transform.table(),
            transform,
            &mut random,
            &mut &*picture,
            out,
        )
    }

    pub(crate) fn apply_with(
        &self,
        scratch: &mut Scratch,
        table: &[[f32; 256]],
        transform: &Transform,
        random: &mut Random,
        picture: &mut (impl Strips + ?Sized),
        out: &mut [f32],
    ) -> Result<(), DecodeError> {
        let mut pixels = std::mem::take(&mut scratch.pixels);
        let mut vary = || {
            let (height, width) = transform.crop;
            match &self.resized_crop {
                None => transform.frame(scratch, picture, &mut pixels)?,
                Some(crop) => {
                    let part = geometry::random_part(crop, picture.size().0, picture.size().1, random);
                    pixels.resize(height as usize * width as usize * 3, 0);
                    scratch.resize_box(picture, part, (width, height), &mut pixels)?;
                }
            }
            self.vary_pixels(height as usize, width as usize, &mut pixels, random);
            transform.normalise(table, &pixels, out)
        };
        let result = vary();
        scratch.pixels = pixels;
        if let (Ok(()), Some(erasing)) = (&result, &self.erasing) {
            mix::erase(erasing, transform.crop, transform.channels(), random, out);
        }
        result
    }

    /// Every step draws its numbers whether or not it comes to pass.
    fn vary_pixels(&self, height: usize, width: usize, pixels: &mut [u8], random: &mut Random) {
        if self.shift > 0 {
            let most = |side: usize| (self.shift as usize).min(side / 2);
            let mut way = |most: usize| random.below(2 * most + 1) as isize - most as isize;
            let (down, right) = (way(most(height)), way(most(width)));
            geometry::shift(width, pixels, down, right);
        }
        if random.chance(self.horizontal_flip) {
            geometry::flip_horizontally(width, pixels);
        }
        if random.chance(self.vertical_flip) {
            geometry::flip_vertically(width, pixels);
        }
        if self.rotation > 0.0 {
            let degrees = random.between((-self.rotation, self.rotation));
            geometry::rotate(height, width, pixels, degrees);
        }
        if let Some(perspective) = &self.perspective {
            let corners = geometry::random_corners(perspective.distortion, height, width, random);
            if random.chance(perspective.p) {
                geometry::change_perspective(height, width, pixels, corners);
            }
        }
        if let Some(jitter) = &self.jitter {
            color::jitter(jitter, pixels, random);
        }
        if random.chance(self.grey) {
            color::saturate(pixels, 0.0);
        }
        if let Some(blur) = &self.blur {
            let sigma = random.between(blur.sigma);
            if random.chance(blur.p) {
                color::blur(height, width, pixels, blur.kernel, sigma);
            }
        }
    }

    /// Mixes the pictures of a batch; gives the share of every class for every picture, `[images, classes]`.
    pub(crate) fn mix(
        &self,
        batch: &mut [f32],
        labels: &[usize],
        classes: usize,
        transform: &Transform,
        random: &mut Random,
    ) -> Vec<f32> {
        mix::mix(self, batch, labels, classes, transform, random)
    }
}
