//! Blotting out, and mixing pictures with each other.

use super::{Augment, Erasing};
use crate::Transform;
use crate::random::Random;

/// Sets a random rectangle to 0, as torchvision's `RandomErasing` chooses it: ten tries, then none.
pub(super) fn erase(
    erasing: &Erasing,
    (height, width): (u32, u32),
    channels: usize,
    random: &mut Random,
    tensor: &mut [f32],
) {
    if !random.chance(erasing.p) {
        return;
    }
    let (height, width) = (height as usize, width as usize);
    let (low, high) = erasing.ratio;
    for _ in 0..10 {
        let area = (height * width) as f64 * random.between(erasing.scale);
        let ratio = random.between((low.ln(), high.ln())).exp();
        let box_height = (area * ratio).sqrt().round_ties_even() as usize;
        let box_width = (area / ratio).sqrt().round_ties_even() as usize;
        if box_height < height && box_width < width {
            let top = random.below(height - box_height + 1);
            let left = random.below(width - box_width + 1);
            for y in top..top + box_height {
                let start = (y * width + left) * channels;
                tensor[start..start + box_width * channels].fill(0.0);
            }
            return;
        }
    }
}

/// Mixup or cutmix of each picture with the one before it in the batch, as torchvision's `MixUp` and `CutMix`. Gives
/// the share of every class, `[images, classes]`.
pub(super) fn mix(
    augment: &Augment,
    batch: &mut [f32],
    labels: &[usize],
    classes: usize,
    transform: &Transform,
    random: &mut Random,
) -> Vec<f32> {
    let cut = match (augment.mixup > 0.0, augment.cutmix > 0.0) {
        (true, true) => random.chance(0.5),
        (_, cutmix) => cutmix,
    };
    let own_share = if cut {
        let own_share = random.beta(augment.cutmix);
        cutmix(batch, transform, own_share, random)
    } else {
        let own_share = random.beta(augment.mixup);
        mixup(batch, transform.len(), own_share as f32);
        own_share
    };
    let mut shares = vec![0.0; labels.len() * classes];
    for (image, &label) in labels.iter().enumerate() {
        let before = labels[(image + labels.len() - 1) % labels.len()];
        shares[image * classes + label] += own_share as f32;
        shares[image * classes + before] += (1.0 - own_share) as f32;
    }
    shares
}

/// `own_share · picture + (1 − own_share) · the picture before it`.
fn mixup(batch: &mut [f32], len: usize, own_share: f32) {
    with_previous(batch, len, |own, previous| {
        own.iter_mut().zip(previous).for_each(|(own, other)| {
            *own = own_share * *own + (1.0 - own_share) * other;
        });
    });
}

/// A rectangle from the picture before; gives the share of area that stays a picture's own.
fn cutmix(batch: &mut [f32], transform: &Transform, own_share: f64, random: &mut Random) -> f64 {
    let (height, width) = (transform.crop.0 as usize, transform.crop.1 as usize);
    let (middle_x, middle_y) = (random.below(width), random.below(height));
    let half = 0.5 * (1.0 - own_share).sqrt();
    let (half_width, half_height) = ((half * width as f64) as usize, (half * height as f64) as usize);
    let (left, right) = (middle_x.saturating_sub(half_width), (middle_x + half_width).min(width));
    let (top, bottom) = (middle_y.saturating_sub(half_height), (middle_y + half_height).min(height));
    let channels = transform.channels();
    with_previous(batch, transform.len(), |own, previous| {
        for y in top..bottom {
            let row = (y * width + left) * channels..(y * width + right) * channels;
            own[row.clone()].copy_from_slice(&previous[row]);
        }
    });
    1.0 - ((right - left) * (bottom - top)) as f64 / (width * height) as f64
}

/// Changes every picture with the help of the one before it, before that was changed itself.
fn with_previous(batch: &mut [f32], len: usize, change: impl Fn(&mut [f32], &[f32])) {
    let images = batch.len() / len.max(1);
    if images < 2 {
        return;
    }
    let last = batch[(images - 1) * len..].to_vec();
    for image in (1..images).rev() {
        let (before, own) = batch.split_at_mut(image * len);
        change(&mut own[..len], &before[(image - 1) * len..]);
    }
    change(&mut batch[..len], &last);
}
