//! Figures to files.

use eyespot_system::{printable_path, write_atomically, write_new_atomically, write_new_unsynced};
use image::{ImageFormat, RgbImage};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a figure can't be drawn or written.
#[derive(Debug, Error)]
pub enum FigureError {
    /// The file can't be written.
    #[error("can't write the figure {}: {cause}", printable_path(path))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// There is a file already, and it isn't a figure of eyespot's.
    #[error(
        "{} exists and isn't a figure that eyespot drew; choose another name, or replace it with --overwrite",
        printable_path(.0)
    )]
    Exists(PathBuf),
    /// The figure itself is impossible, such as one of no pixels.
    #[error("can't draw the figure: {0}")]
    Draw(String),
}

/// Where a PNG's first chunk, `IHDR`, ends.
const HEAD: usize = 33;

/// The chunk that says who drew a figure, behind `IHDR` (<https://www.w3.org/TR/png-3/#11tEXt>): length, type, keyword,
/// text, and the CRC-32 of the last three.
const DRAWN_BY: &[u8; 28] = b"\0\0\0\x10tEXtSoftware\0eyespot\x89\x09\xdb\x07";

/// Writes a PNG; the file appears whole or not at all. Only a figure that eyespot drew is replaced.
///
/// # Errors
/// Another file at `path`, or what the system says.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("figure.png");
/// let figure = image::RgbImage::new(8, 8);
/// eyespot_figure::save_png(&figure, &path)?;
/// eyespot_figure::save_png(&figure, &path)?;
/// std::fs::write(&path, "something else")?;
/// assert!(eyespot_figure::save_png(&figure, &path).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save_png(figure: &RgbImage, path: &Path) -> Result<(), FigureError> {
    if is_figure(path) {
        return overwrite_png(figure, path);
    }
    let bytes = png(figure)?;
    write_new_atomically(path, |file| file.write_all(&bytes)).map_err(|cause| not_new(path, cause))
}

/// Why a figure can't be written where none was.
fn not_new(path: &Path, cause: io::Error) -> FigureError {
    match cause.kind() {
        io::ErrorKind::AlreadyExists => FigureError::Exists(path.to_owned()),
        _ => FigureError::Write { path: path.to_owned(), cause },
    }
}

/// [`save_png`] for many pictures that are easily drawn again: they aren't synced to the disk one by one, so a power cut
/// soon afterwards may leave empty files.
///
/// # Errors
/// Any file at `path`, or what the system says.
pub fn save_png_unsynced(figure: &RgbImage, path: &Path) -> Result<(), FigureError> {
    let bytes = png(figure)?;
    write_new_unsynced(path, |file| file.write_all(&bytes)).map_err(|cause| not_new(path, cause))
}

/// [`save_png`] over whatever file stands at `path`.
///
/// # Errors
/// What the system says.
pub fn overwrite_png(figure: &RgbImage, path: &Path) -> Result<(), FigureError> {
    let bytes = png(figure)?;
    write_atomically(path, |file| file.write_all(&bytes))
        .map_err(|cause| FigureError::Write { path: path.to_owned(), cause })
}

/// Whether [`save_png`] may write here, for those who draw for a long time before they save.
///
/// # Errors
/// A file that isn't a figure of eyespot's.
pub fn check_png(path: &Path) -> Result<(), FigureError> {
    match std::fs::symlink_metadata(path).is_err() || is_figure(path) {
        true => Ok(()),
        false => Err(FigureError::Exists(path.to_owned())),
    }
}

/// Whether the file is a figure that eyespot drew.
pub fn is_figure(path: &Path) -> bool {
    let Ok(file) = eyespot_system::open(path) else { return false };
    let mut start = Vec::new();
    let read = file.take((HEAD + DRAWN_BY.len()) as u64).read_to_end(&mut start);
    read.is_ok() && start.starts_with(b"\x89PNG\r\n\x1a\n") && start.ends_with(DRAWN_BY)
}

fn png(figure: &RgbImage) -> Result<Vec<u8>, FigureError> {
    let mut bytes = io::Cursor::new(Vec::new());
    figure.write_to(&mut bytes, ImageFormat::Png).map_err(|cause| FigureError::Draw(cause.to_string()))?;
    let mut bytes = bytes.into_inner();
    bytes.splice(HEAD..HEAD, *DRAWN_BY);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The CRC of the PNG specification, bit by bit.
    fn crc(bytes: &[u8]) -> u32 {
        let mut crc = u32::MAX;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            }
        }
        !crc
    }

    #[test]
    fn the_chunk_is_sound_and_the_figure_comes_back() {
        let length = u32::from_be_bytes([DRAWN_BY[0], DRAWN_BY[1], DRAWN_BY[2], DRAWN_BY[3]]);
        assert_eq!(length as usize, DRAWN_BY.len() - 12);
        assert_eq!(DRAWN_BY[24..], crc(&DRAWN_BY[4..24]).to_be_bytes());
        let figure = RgbImage::from_fn(5, 3, |x, y| image::Rgb([x as u8, y as u8, 9]));
        let back = image::load_from_memory(&png(&figure).expect("has pixels")).expect("is a PNG");
        assert_eq!(back.to_rgb8(), figure);
    }

    #[test]
    fn only_figures_of_eyespot_are_replaced_unasked() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let path = folder.path().join("figure.png");
        let [small, large] = [2, 3].map(|side| RgbImage::new(side, side));
        let side = || image::open(&path).expect("is a PNG").width();
        small.save(&path).expect("writes a picture of somebody else");
        assert!(matches!(save_png(&large, &path), Err(FigureError::Exists(_))));
        assert!(matches!(check_png(&path), Err(FigureError::Exists(_))));
        assert_eq!(side(), 2);
        overwrite_png(&small, &path).expect("was told to");
        check_png(&path).expect("is a figure");
        save_png(&large, &path).expect("is a figure");
        assert_eq!(side(), 3);
    }
}
