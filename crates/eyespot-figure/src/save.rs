//! Figures to files.

use image::{ImageFormat, RgbImage};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a figure can't be drawn or written.
#[derive(Debug, Error)]
pub enum FigureError {
    /// The file can't be written.
    #[error("can't write the figure {}: {cause}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The figure itself is impossible, such as one of no pixels.
    #[error("can't draw the figure: {0}")]
    Draw(String),
}

/// Writes a PNG; the file appears whole or not at all.
pub fn save_png(figure: &RgbImage, path: &Path) -> Result<(), FigureError> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    figure.write_to(&mut bytes, ImageFormat::Png).map_err(|cause| FigureError::Draw(cause.to_string()))?;
    eyespot_system::write_atomically(path, |file| file.write_all(bytes.get_ref()))
        .map_err(|cause| FigureError::Write { path: path.to_owned(), cause })
}
