//! Planes of samples to RGB: chroma upsampling and colour conversion, bit for bit as libjpeg's.

use super::Plane;
use super::header::{Component, Frame, Header};
use eyespot_kernels::vectorised::Kernel;

/// What the channels mean.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Colors {
    Grey,
    Rgb,
    YCbCr,
    Cmyk,
    Ycck,
}

impl Colors {
    /// As libjpeg guesses: from JFIF's and Adobe's segments, else from the channels' names.
    pub fn of(header: &Header, frame: &Frame) -> Colors {
        let ids: Vec<u8> = frame.components.iter().map(|c| c.id).collect();
        match (ids.len(), header.adobe) {
            (1, _) => Colors::Grey,
            (3, _) if header.jfif => Colors::YCbCr,
            (3, Some(0)) => Colors::Rgb,
            (3, None) if ids == *b"RGB" => Colors::Rgb,
            (3, _) => Colors::YCbCr,
            (_, None | Some(0)) => Colors::Cmyk,
            _ => Colors::Ycck,
        }
    }
}

/// How a channel's rows reach the picture's width and height.
#[derive(Clone, Copy)]
enum Upsampling {
    /// Every sample counts for this many across and down.
    Repeat(usize, usize),
    /// Twice as wide, and twice as high if `true`: every new sample is 3 parts of the nearest and 1 of the next one,
    /// across and down.
    Triangle(bool),
    /// Twice as high only.
    TriangleDown,
}

impl Upsampling {
    fn of(component: &Component, frame: &Frame) -> Upsampling {
        match (frame.h_max / component.h, frame.v_max / component.v) {
            (2, down @ (1 | 2)) if component.width > 2 => Upsampling::Triangle(down == 2),
            (1, 2) => Upsampling::TriangleDown,
            (across, down) => Upsampling::Repeat(across, down),
        }
    }
}

/// Rows of samples on their way to pixels.
pub(super) struct Rows {
    /// One sample more on each side, so that the first and the last have neighbours.
    sums: Vec<u16>,
    /// One for each channel.
    samples: Vec<Vec<u8>>,
}

impl Rows {
    pub fn new(frame: &Frame) -> Rows {
        let samples = vec![vec![0; frame.width + 8]; frame.components.len()];
        Rows { sums: vec![0; frame.width + 4], samples }
    }
}

/// Some rows of the picture.
pub(super) struct Pixels<'a> {
    pub frame: &'a Frame,
    pub planes: &'a [Plane],
    pub colors: Colors,
    /// Number of the first row.
    pub first: usize,
    pub rows: &'a mut Rows,
    /// Rows × width × 3.
    pub out: &'a mut [u8],
}

impl Kernel for Pixels<'_> {
    #[inline(always)]
    fn run(self) {
        let Frame { width, height, components, .. } = self.frame;
        let Rows { sums, samples } = self.rows;
        for (y, out) in (self.first..*height).zip(self.out.chunks_exact_mut(3 * width)) {
            for ((row, component), plane) in samples.iter_mut().zip(components).zip(self.planes) {
                upsample(Upsampling::of(component, self.frame), component, plane, y, sums, row);
            }
            let rows: Vec<&[u8]> = samples.iter().map(|row| &row[..*width]).collect();
            match (self.colors, &rows[..]) {
                (Colors::Grey, [grey]) => to_rgb(out, [grey; 3], |x| x),
                (Colors::Rgb, [r, g, b]) => to_rgb(out, [r, g, b], |x| x),
                (Colors::YCbCr, [y, cb, cr]) => to_rgb(out, [y, cb, cr], from_ycbcr),
                (Colors::Cmyk, [c, m, y, k]) => inked(out, [c, m, y], k, |x| x),
                // Adobe's fourth transform stores the complement of RGB as YCbCr.
                (Colors::Ycck, [y, cb, cr, k]) => inked(out, [y, cb, cr], k, complement),
                _ => {}
            }
        }
    }
}

#[inline(always)]
fn upsample(
    how: Upsampling,
    component: &Component,
    plane: &Plane,
    y: usize,
    sums: &mut [u16],
    out: &mut [u8],
) {
    let line = |y: usize| &plane.samples[y % plane.rows * plane.stride..][..component.width];
    // The row that lies next to row `y`, of twice as many, besides the one that it lies in.
    let next_line = |y: usize| {
        let next = if y.is_multiple_of(2) {
            (y / 2).saturating_sub(1)
        } else {
            (y / 2 + 1).min(component.height - 1)
        };
        line(next)
    };
    match how {
        Upsampling::Repeat(1, down) => out[..component.width].copy_from_slice(line(y / down)),
        Upsampling::Repeat(across, down) => {
            for (out, sample) in out.chunks_mut(across).zip(line(y / down)) {
                out.fill(*sample);
            }
        }
        Upsampling::TriangleDown => {
            let round = if y.is_multiple_of(2) { 1 } else { 2 };
            for ((out, near), far) in out.iter_mut().zip(line(y / 2)).zip(next_line(y)) {
                *out = ((3 * u16::from(*near) + u16::from(*far) + round) >> 2) as u8;
            }
        }
        Upsampling::Triangle(down) => {
            let sums = &mut sums[..component.width + 2];
            let inner = &mut sums[1..=component.width];
            if down {
                for ((sum, near), far) in inner.iter_mut().zip(line(y / 2)).zip(next_line(y)) {
                    *sum = 3 * u16::from(*near) + u16::from(*far);
                }
            } else {
                inner.iter_mut().zip(line(y)).for_each(|(sum, sample)| *sum = u16::from(*sample));
            }
            sums[0] = sums[1];
            sums[component.width + 1] = sums[component.width];
            // Halves are rounded up and down in turn, so that the whole gets no brighter.
            let (shift, even, odd) = if down { (4, 8, 7) } else { (2, 1, 2) };
            for (out, sums) in out.chunks_exact_mut(2).zip(sums.windows(3)) {
                out[0] = ((3 * sums[1] + sums[0] + even) >> shift) as u8;
                out[1] = ((3 * sums[1] + sums[2] + odd) >> shift) as u8;
            }
        }
    }
}

#[inline(always)]
fn to_rgb(out: &mut [u8], [a, b, c]: [&[u8]; 3], convert: impl Fn([u8; 3]) -> [u8; 3]) {
    for (((out, a), b), c) in out.chunks_exact_mut(3).zip(a).zip(b).zip(c) {
        out.copy_from_slice(&convert([*a, *b, *c]));
    }
}

#[inline(always)]
fn complement(ycbcr: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = from_ycbcr(ycbcr);
    [255 - r, 255 - g, 255 - b]
}

/// Inks over black to RGB. The stored numbers are light, not ink, as Adobe's programs and Pillow take it.
#[inline(always)]
fn inked(out: &mut [u8], [a, b, c]: [&[u8]; 3], k: &[u8], convert: impl Fn([u8; 3]) -> [u8; 3]) {
    for ((((out, a), b), c), k) in out.chunks_exact_mut(3).zip(a).zip(b).zip(c).zip(k) {
        let k = i32::from(*k);
        let inks = convert([*a, *b, *c]);
        for (out, light) in out.iter_mut().zip(inks) {
            let product = (255 - i32::from(light)) * k + 128;
            *out = (k - ((product + (product >> 8)) >> 8)).clamp(0, 255) as u8;
        }
    }
}

/// ITU-R BT.601 over the full range, with 16 bits behind the point:
/// R = Y + 1.402 Cr, G = Y − 0.34414 Cb − 0.71414 Cr, B = Y + 1.772 Cb, where Cb and Cr count from 128.
#[inline(always)]
fn from_ycbcr([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    const HALF: i32 = 1 << 15;
    let r = y + ((91_881 * cr + HALF) >> 16);
    let g = y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16);
    let b = y + ((116_130 * cb + HALF) >> 16);
    [r.clamp(0, 255) as u8, g.clamp(0, 255) as u8, b.clamp(0, 255) as u8]
}
