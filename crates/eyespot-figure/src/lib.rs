#![forbid(unsafe_code)]
//! Figures: what a person looks at.
//!
//! [`Grid`] puts labelled pictures side by side (contact sheets, feature maps), [`Chart`] draws curves, dots and
//! surfaces over axes, [`save_png`] writes a figure whole or not at all. Figures are [`image::RgbImage`]s.

mod backend;
mod chart;
mod grid;
mod legend;
mod save;
mod text;

pub use chart::{Chart, Heat, Mark, PALETTE};
pub use grid::{Cell, Grid, below, beside, grey, signed};
pub use save::{FigureError, check_png, is_figure, overwrite_png, save_png, save_png_unsynced};
pub use text::{Size, draw_text, text_width};
