//! Augmentation as a person writes it: `light`, or `flip,shift=4,crop=0.5..1,color=0.2,erase=0.25,mixup=0.2`.

use super::{Augment, Blur, ColorJitter, Erasing, Perspective, ResizedCrop};
use crate::DataError;

/// An operation's name and what its number means.
const OPERATIONS: [(&str, &str); 12] = [
    ("flip", "probability of exchanging left and right, default 0.5"),
    ("vflip", "probability of exchanging top and bottom, default 0.5"),
    ("shift", "moved by up to so many pixels each way, default an eighth of the side"),
    ("crop", "smallest..largest share of the area that is cut out, default 0.35..1"),
    ("rotate", "turned by up to so many degrees, default 15"),
    ("perspective", "how far corners move, 0 to 1, default 0.3"),
    ("color", "strength of brightness, contrast and saturation, with a quarter of it for hue; default 0.4"),
    ("grey", "probability of losing all colour, default 0.1"),
    ("blur", "probability of being out of focus, default 0.1"),
    ("erase", "probability of a part blotted out, default 0.25"),
    ("mixup", "alpha of mixup, default 0.2"),
    ("cutmix", "alpha of cutmix, default 1"),
];

impl Augment {
    /// What a list of presets and operations says, from left to right, for pictures whose frame has sides of `side` pixels:
    /// `NAME` or `NAME=STRENGTH`, separated by commas. A preset replaces everything before it.
    ///
    /// | operation | strength |
    /// |---|---|
    /// | `flip`, `vflip`, `grey`, `blur`, `erase` | probability; 0.5, 0.5, 0.1, 0.1, 0.25 where none is given |
    /// | `shift` | pixels; an eighth of the side |
    /// | `crop` | `SMALLEST..LARGEST` share of the area; `0.35..1` |
    /// | `rotate` | degrees either way; 15 |
    /// | `perspective` | how far corners move, in half of the pictures; 0.3 |
    /// | `color` | of brightness, contrast and saturation, a quarter of it for hue; 0.4 |
    /// | `mixup`, `cutmix` | α; 0.2 and 1 |
    ///
    /// # Errors
    /// Names the part that isn't understood or out of range, and what is known.
    ///
    /// ```
    /// use eyespot_data::Augment;
    /// let augment = Augment::parse("light,shift=2,mixup=0.2", 32)?;
    /// assert_eq!((augment.horizontal_flip, augment.shift, augment.mixup), (0.5, 2, 0.2));
    /// # Ok::<(), eyespot_data::DataError>(())
    /// ```
    pub fn parse(text: &str, side: u32) -> Result<Augment, DataError> {
        let mut augment = Augment::default();
        for part in text.split(',').map(str::trim) {
            let (name, strength) = match part.split_once('=') {
                Some((name, strength)) => (name.trim(), Some(strength.trim())),
                None => (part, None),
            };
            if strength.is_none() && Augment::PRESETS.contains(&name) {
                augment = Augment::preset(name, side)?;
                continue;
            }
            augment.add(name, strength, side)?;
        }
        augment.validate()?;
        Ok(augment)
    }

    fn add(&mut self, name: &str, strength: Option<&str>, side: u32) -> Result<(), DataError> {
        let Some((_, meaning)) = OPERATIONS.iter().find(|(known, _)| *known == name) else {
            let operations = OPERATIONS.map(|(name, _)| name).join(", ");
            let presets = Augment::PRESETS.join(", ");
            return Err(DataError::Setting(format!(
                "there is no augmentation called `{}`; presets: {presets}; operations: {operations}, each as NAME or \
                 NAME=STRENGTH, several separated by commas",
                eyespot_system::printable(name)
            )));
        };
        let wrong = |text: &str| {
            let text = eyespot_system::printable(text);
            DataError::Setting(format!("the strength of {name}, `{text}`, isn't understood; it is {meaning}"))
        };
        let number = |default: f64| match strength {
            Some(text) => text.parse::<f64>().ok().filter(|x| x.is_finite()).ok_or_else(|| wrong(text)),
            None => Ok(default),
        };
        match name {
            "flip" => self.horizontal_flip = number(0.5)?,
            "vflip" => self.vertical_flip = number(0.5)?,
            "shift" => {
                self.shift = match strength {
                    Some(text) => text.parse().map_err(|_| wrong(text))?,
                    None => side / 8,
                }
            }
            "crop" => {
                let text = strength.unwrap_or("0.35..1");
                let (low, high) = text.split_once("..").ok_or_else(|| wrong(text))?;
                let share = |end: &str| end.trim().parse::<f64>().map_err(|_| wrong(text));
                let scale = (share(low)?, share(high)?);
                self.resized_crop = Some(ResizedCrop { scale, ..ResizedCrop::default() });
            }
            "rotate" => self.rotation = number(15.0)?,
            "perspective" => {
                self.perspective = Some(Perspective { distortion: number(0.3)?, ..Perspective::default() });
            }
            "color" => {
                let strength = number(0.4)?;
                let (brightness, contrast, saturation) = (strength, strength, strength);
                self.jitter =
                    Some(ColorJitter { brightness, contrast, saturation, hue: (strength / 4.0).min(0.5) });
            }
            "grey" => self.grey = number(0.1)?,
            "blur" => self.blur = Some(Blur { p: number(0.1)?, ..super::soft_blur(side) }),
            "erase" => self.erasing = Some(Erasing { p: number(0.25)?, ..Erasing::default() }),
            "mixup" => self.mixup = number(0.2)?,
            _ => self.cutmix = number(1.0)?,
        }
        Ok(())
    }
}
