//! Matrix products: the register tiles all of them share, and how weights are packed for them.

mod outer;
mod pack;
mod tile;

pub(crate) use outer::Outer;
pub(crate) use pack::{Block, blocks};
pub(crate) use tile::{Ahead, PIXELS, Pixel, Tap, Tiles, View};
