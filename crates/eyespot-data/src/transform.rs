//! A picture to the tensor a network expects.

use crate::features::{self, Features};
use crate::resize::{Part, Scratch};
use crate::strips::Strips;
use crate::{DataError, DecodeError};
use image::RgbImage;
use serde::{Deserialize, Serialize};

/// How a picture of any proportions becomes one of the network's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Scale the short side to `resize` and cut out the centre: what lies at the long side's ends is lost.
    #[default]
    Crop,
    /// Scale the whole picture into the frame and fill what remains with the mean colour (0 after normalisation).
    Letterbox,
    /// Scale width and height separately to the frame: proportions are lost.
    Squash,
}

/// Resizing, cropping and normalising, as torchvision's evaluation preset.
///
/// `out[y, x, c] = (pixel[y, x, c] / 255 − mean[c]) / std[c]`, height × width × channels.
///
/// The transform is stored in the model file: everything that uses the model prepares its pictures alike.
///
/// ```
/// use eyespot_data::Transform;
/// let transform = Transform::imagenet();
/// let picture = image::RgbImage::new(500, 375);
/// let mut tensor = vec![0.0; transform.len()];
/// transform.apply(&picture, &mut tensor)?;
/// assert_eq!(tensor.len(), 224 * 224 * 3);
/// # Ok::<(), eyespot_data::DecodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transform {
    /// Pixels the short side is scaled to before cropping; `None` keeps the picture's scale. Only for [`Fit::Crop`].
    pub resize: Option<u32>,
    /// Height and width of the result. A picture smaller than this is centred on black, as by `CenterCrop`.
    pub crop: (u32, u32),
    /// What to do with other proportions.
    pub fit: Fit,
    /// Subtracted from samples in 0..1; one number per channel. Three channels are RGB, one is grey.
    pub mean: Vec<f32>,
    /// Divided by afterwards; one number per channel.
    pub std: Vec<f32>,
    /// Traditional features in place of the picture itself: the result is their vector, and mean and std above are
    /// not used. `crop` is [`features::SIDE`] both ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Features>,
}

/// Grey, or RGB: Pillow's `convert("L")`, ITU-R 601-2 luma in 16-bit fixed point.
pub(crate) fn luma(r: u8, g: u8, b: u8) -> u8 {
    ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000) >> 16) as u8
}

/// Where the scaled picture lies in the frame, and how large it is.
struct Placement {
    part: Part,
    /// Where the part's top left pixel goes.
    at: (u32, u32),
}

impl Default for Transform {
    fn default() -> Self {
        Transform::imagenet()
    }
}

/// Below this, dividing by a standard deviation makes numbers that no network computes with (colours are 0..1, and a step
/// of 16 bits is 1.5e-5).
const MIN_STD: f32 = 1e-6;

impl Transform {
    /// torchvision's evaluation preset: short side to 256, centre 224 × 224, ImageNet's mean and deviation.
    pub fn imagenet() -> Transform {
        Transform {
            resize: Some(256),
            crop: (224, 224),
            fit: Fit::Crop,
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229, 0.224, 0.225],
            features: None,
        }
    }

    /// For pictures that already have the network's size: nothing is scaled, samples are normalised by mean and
    /// deviation 0.5 to −1..1.
    ///
    /// Channels are 3 (RGB) or 1 (grey).
    pub fn unscaled(height: u32, width: u32, channels: usize) -> Transform {
        Transform {
            resize: None,
            crop: (height, width),
            fit: Fit::Crop,
            mean: vec![0.5; channels],
            std: vec![0.5; channels],
            features: None,
        }
    }

    /// Traditional features of the whole picture, squashed to [`features::SIDE`] pixels a side.
    pub fn of_features(features: Features) -> Transform {
        let side = features::SIDE;
        let (resize, fit) = (Some(side), Fit::Squash);
        Transform { features: Some(features), resize, fit, ..Transform::unscaled(side, side, 3) }
    }

    /// Channels of the result, 1 or 3.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// Numbers in the result: height × width × channels, or the length of the features' vector.
    #[allow(clippy::len_without_is_empty)] // a valid transform's result is never empty
    pub fn len(&self) -> usize {
        if let Some(features) = &self.features {
            return features.len();
        }
        self.crop.0 as usize * self.crop.1 as usize * self.channels()
    }

    /// Checks the settings, so that [`Transform::apply`] can't fail for any picture.
    ///
    /// # Errors
    /// Names the setting and its range.
    pub fn validate(&self) -> Result<(), DataError> {
        let setting = |text: String| Err(DataError::Setting(text));
        const SIDE: std::ops::RangeInclusive<u32> = 1..=16_384;
        let (height, width) = self.crop;
        if !SIDE.contains(&height) || !SIDE.contains(&width) {
            return setting(format!("crop is {height} × {width}; each side must be 1 to 16,384 pixels"));
        }
        match self.resize {
            Some(side) if !SIDE.contains(&side) => {
                return setting(format!("resize is {side}; it must be 1 to 16,384 pixels"));
            }
            _ => {}
        }
        if let Some(features) = &self.features {
            features.validate().map_err(|reason| DataError::Setting(format!("features: {reason}")))?;
            if self.crop != (features::SIDE, features::SIDE) {
                return setting(format!("features are computed from {0} × {0} pixels", features::SIDE));
            }
        }
        if !matches!(self.mean.len(), 1 | 3) || self.mean.len() != self.std.len() {
            return setting(format!(
                "mean has {} numbers and std {}; give 3 each for colour pictures or 1 each for grey ones",
                self.mean.len(),
                self.std.len()
            ));
        }
        if !self.mean.iter().all(|m| m.is_finite()) {
            return setting(format!("mean is {:?}; every number must be finite", self.mean));
        }
        if !self.std.iter().all(|s| s.is_finite() && *s >= MIN_STD) {
            return setting(format!(
                "std is {:?}; every number must be finite and at least {MIN_STD}",
                self.std
            ));
        }
        Ok(())
    }

    /// Writes the tensor of a picture into `out`, [`Transform::len`] numbers, height × width × channels.
    ///
    /// # Errors
    /// If `out` has another length, the settings are out of range (see [`Transform::validate`]), or the picture is
    /// empty or thinner than one pixel once scaled.
    pub fn apply(&self, picture: &RgbImage, out: &mut [f32]) -> Result<(), DecodeError> {
        self.validate().map_err(|error| DecodeError::Transform(error.to_string()))?;
        self.apply_with(&mut Scratch::default(), &self.table(), &mut &*picture, out)
    }

    pub(crate) fn apply_with(
        &self,
        scratch: &mut Scratch,
        table: &[[f32; 256]],
        picture: &mut (impl Strips + ?Sized),
        out: &mut [f32],
    ) -> Result<(), DecodeError> {
        let mut pixels = std::mem::take(&mut scratch.pixels);
        let result = self.frame(scratch, picture, &mut pixels);
        let result = result.and_then(|()| self.normalise(table, &pixels, out));
        scratch.pixels = pixels;
        result
    }

    /// Bytes that scaling a picture of this size takes: its rows scaled across, and the result.
    pub(crate) fn scratch_bytes(&self, width: u32, height: u32) -> u64 {
        let (rows, columns) = (u64::from(self.crop.0), u64::from(self.crop.1));
        // Of a turned picture, a few columns are added up in four bytes; of any, eight rows are sorted into columns.
        let sums = 3 * 4 * 4 * u64::from(height) + 3 * 2 * 8 * u64::from(width);
        3 * (columns + 32) * u64::from(height) + 3 * rows * columns + sums
    }

    /// Scales and crops to `pixels`, height × width × 3.
    pub(crate) fn frame(
        &self,
        scratch: &mut Scratch,
        picture: &mut (impl Strips + ?Sized),
        pixels: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        let (height, width) = self.crop;
        let (picture_width, picture_height) = picture.size();
        let Placement { part, at } = self.place(picture_width, picture_height)?;
        pixels.resize(height as usize * width as usize * 3, 0);
        if (part.part_width, part.part_height) == (width, height) {
            return scratch.resize_part(picture, &part, pixels);
        }
        let mut inner = vec![0; part.part_width as usize * part.part_height as usize * 3];
        scratch.resize_part(picture, &part, &mut inner)?;
        let fill = self.fill();
        for pixel in pixels.chunks_exact_mut(3) {
            pixel.copy_from_slice(&fill);
        }
        let row_len = part.part_width as usize * 3;
        for (y, row) in inner.chunks_exact(row_len).enumerate() {
            let start = ((at.1 as usize + y) * width as usize + at.0 as usize) * 3;
            pixels[start..start + row_len].copy_from_slice(row);
        }
        Ok(())
    }

    /// The colour around a picture that doesn't fill the frame.
    pub(crate) fn fill(&self) -> [u8; 3] {
        match self.fit {
            Fit::Letterbox => {
                [0, 1, 2].map(|c| (self.mean[c % self.channels()].clamp(0.0, 1.0) * 255.0).round() as u8)
            }
            _ => [0; 3],
        }
    }

    fn place(&self, width: u32, height: u32) -> Result<Placement, DecodeError> {
        if width == 0 || height == 0 {
            return Err(DecodeError::Transform(format!("it is empty, {width} × {height} pixels")));
        }
        let (crop_height, crop_width) = self.crop;
        let (scaled_width, scaled_height) = match (self.fit, self.resize) {
            (Fit::Crop, None) => (width, height),
            (Fit::Crop, Some(short)) if width <= height => (short, scale(height, short, width)?),
            (Fit::Crop, Some(short)) => (scale(width, short, height)?, short),
            (Fit::Squash, _) => (crop_width, crop_height),
            (Fit::Letterbox, _) => {
                let ratio = (f64::from(crop_width) / f64::from(width))
                    .min(f64::from(crop_height) / f64::from(height));
                let side =
                    |length: u32, most: u32| ((f64::from(length) * ratio).round() as u32).clamp(1, most);
                (side(width, crop_width), side(height, crop_height))
            }
        };
        let (left, at_x, part_width) = centre(scaled_width, crop_width);
        let (top, at_y, part_height) = centre(scaled_height, crop_height);
        let part = Part { width: scaled_width, height: scaled_height, left, top, part_width, part_height };
        Ok(Placement { part, at: (at_x, at_y) })
    }

    /// Normalised value of each grey level, per channel.
    pub(crate) fn table(&self) -> Vec<[f32; 256]> {
        let channel =
            |(&mean, &std): (&f32, &f32)| std::array::from_fn(|level| (level as f32 / 255.0 - mean) / std);
        self.mean.iter().zip(&self.std).map(channel).collect()
    }

    /// Pixels (3 bytes each) to normalised samples.
    pub(crate) fn normalise(
        &self,
        table: &[[f32; 256]],
        pixels: &[u8],
        out: &mut [f32],
    ) -> Result<(), DecodeError> {
        if out.len() != self.len() {
            return Err(DecodeError::Transform(format!(
                "the result has {} numbers, room was given for {}",
                self.len(),
                out.len()
            )));
        }
        if let Some(features) = &self.features {
            let picture = RgbImage::from_raw(self.crop.1, self.crop.0, pixels.to_vec());
            let picture = picture.ok_or_else(|| DecodeError::Transform("the frame is not filled".into()))?;
            out.copy_from_slice(&features.compute(&picture));
            return Ok(());
        }
        match table {
            [r, g, b] => {
                for (out, pixel) in out.chunks_exact_mut(3).zip(pixels.chunks_exact(3)) {
                    out[0] = r[pixel[0] as usize];
                    out[1] = g[pixel[1] as usize];
                    out[2] = b[pixel[2] as usize];
                }
            }
            [grey, ..] => {
                for (out, pixel) in out.iter_mut().zip(pixels.chunks_exact(3)) {
                    *out = grey[luma(pixel[0], pixel[1], pixel[2]) as usize];
                }
            }
            [] => return Err(DecodeError::Transform("the transform has no channels".into())),
        }
        Ok(())
    }
}

/// The long side once the short one is `target`: rounded down, as torchvision does.
fn scale(long: u32, target: u32, short: u32) -> Result<u32, DecodeError> {
    let scaled = u64::from(long) * u64::from(target) / u64::from(short);
    // A sliver of 1 × 60,000 pixels would become a picture of a gigabyte.
    u32::try_from(scaled).ok().filter(|side| *side <= 1 << 24).ok_or_else(|| {
        DecodeError::Transform(format!("it is {short} × {long} pixels, too thin to be scaled to {target}"))
    })
}

/// Offset in the picture, offset in the frame, and length of what of `length` pixels shows in a frame of `frame`.
fn centre(length: u32, frame: u32) -> (u32, u32, u32) {
    if length <= frame {
        return (0, (frame - length) / 2, length);
    }
    // torchvision rounds half offsets as Python does: to the even number.
    let twice = length - frame;
    let half = twice / 2;
    let offset = if twice % 2 == 1 && half % 2 == 1 { half + 1 } else { half };
    (offset, 0, frame)
}
