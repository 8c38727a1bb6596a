//! What decoding is asked for, and what it gives.

use super::{Header, Limits};
use crate::DecodeError;
use crate::opened::{Opened, Wanted};
use eyespot_system::Budget;
use image::RgbImage;
use std::fmt;
use std::path::Path;

/// How image files are decoded.
///
/// ```no_run
/// use eyespot_data::DecodeOptions;
/// let decoded = DecodeOptions::default().decode("photo.jpg")?;
/// for note in &decoded.notes {
///     eprintln!("photo.jpg {note}");
/// }
/// # Ok::<(), eyespot_data::DecodeError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DecodeOptions {
    /// How large an image may be.
    pub limits: Limits,
    /// Refuse damaged files whose pixels could be read all the same ([`Note::Damaged`]). Default false.
    pub strict: bool,
}

/// An image, and what is to be said about its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The pixels, upright.
    pub image: RgbImage,
    /// Empty for most files.
    pub notes: Vec<Note>,
}

/// Something one should know about a file that was read. The text names no file: whoever reports it knows the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The file is damaged, yet its pixels could be read.
    Damaged {
        /// The format.
        format: &'static str,
        /// What is wrong, and what was made of it.
        cause: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Damaged { format, cause } => write!(f, "is a damaged {format} file: {cause}"),
        }
    }
}

impl Note {
    /// What reading a JPEG's damaged data made of them.
    pub(crate) fn of_jpeg(damage: Option<&'static str>) -> Vec<Note> {
        damage.map(|cause| Note::Damaged { format: "JPEG", cause: cause.to_owned() }).into_iter().collect()
    }
}

impl Decoded {
    /// An image about which there is nothing to say.
    pub fn sound(image: RgbImage) -> Decoded {
        Decoded { image, notes: Vec::new() }
    }

    /// Makes an error of what `strict` refuses.
    pub(crate) fn checked(self, options: &DecodeOptions) -> Result<Decoded, DecodeError> {
        options.check(&self.notes)?;
        Ok(self)
    }
}

impl DecodeOptions {
    /// These limits, and otherwise the defaults.
    pub fn with_limits(limits: &Limits) -> DecodeOptions {
        DecodeOptions { limits: limits.clone(), ..DecodeOptions::default() }
    }

    /// Makes an error of what `strict` refuses.
    pub(crate) fn check(&self, notes: &[Note]) -> Result<(), DecodeError> {
        match notes.iter().find(|note| matches!(note, Note::Damaged { .. })) {
            Some(Note::Damaged { format, cause }) if self.strict => {
                Err(DecodeError::Damaged { format, cause: cause.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Reads the image in a file.
    ///
    /// # Errors
    /// A file that can't be read as an image, with the cause.
    pub fn decode(&self, path: impl AsRef<Path>) -> Result<Decoded, DecodeError> {
        Opened::file(path.as_ref(), &self.limits, Budget::process(), Wanted::Picture)?
            .decoded()?
            .checked(self)
    }

    /// Reads the image in the bytes of a file. See [`crate::decode_bytes`].
    ///
    /// # Errors
    /// Whatever is wrong with the bytes, never a panic.
    pub fn decode_bytes(&self, bytes: &[u8]) -> Result<Decoded, DecodeError> {
        let header = Header::read(bytes, &self.limits)?;
        let _reserved = Budget::process().wait_for(header.bytes(Wanted::Picture))?;
        header.decode(bytes, &self.limits)?.checked(self)
    }
}
