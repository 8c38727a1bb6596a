//! Products of results.

use crate::Shape;

/// Whether the second factor has one number per channel of the first, or as many numbers as the first.
pub(super) fn product_shape(map: Shape, factors: Shape) -> Result<Shape, String> {
    let (channels, height, width) = map.chw();
    let per_channel = matches!(map, Shape::Map { .. }) && factors == Shape::map(channels, 1, 1);
    if factors == map || per_channel {
        Ok(map)
    } else {
        Err(format!(
            "can't multiply {channels}×{height}×{width} by {factors}; it takes {map} or {channels}×1×1"
        ))
    }
}
