//! Matrix products: the register tile all of them share, and how weights are packed for it.

mod pack;
mod tile;

pub(crate) use pack::{Block, blocks};
pub(crate) use tile::{PIXELS, Pixel, Tap, Tiles, View};
