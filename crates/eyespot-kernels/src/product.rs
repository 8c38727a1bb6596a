//! Products of maps with one factor per channel, as squeeze-and-excitation takes them (Hu et al. 2018).

use crate::vectorised::{self, Kernel};
use crate::{BLOCK, Threads, check};

/// The shapes of a product `y[n, p, c] = x[n, p, c] · s[n, c]`. A product number by number is one of pictures with one
/// pixel, all of whose numbers are channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Product {
    /// Pixels of one picture.
    pub pixels: usize,
    /// Numbers of one pixel.
    pub channels: usize,
}

impl Product {
    /// Panics unless maps of so many floats go together.
    fn check(&self, map: usize, other: usize, factors: usize) {
        let picture = check::product([self.pixels, self.channels]);
        let pictures = check::pieces("the product's map", map, picture);
        check::exactly("the product", other, map);
        check::exactly("the product's factors", factors, check::product([pictures, self.channels]));
    }

    /// `y[n, p, c] = x[n, p, c] · s[n, c]`.
    pub fn forward(&self, threads: &Threads, x: &[f32], s: &[f32], y: &mut [f32]) {
        self.check(x.len(), y.len(), s.len());
        let n = self.channels;
        if y.is_empty() {
            return;
        }
        let block = (BLOCK / n).max(1);
        threads.chunks(y, check::product([block, n]), |index, y| {
            let first = index * block;
            for (pixel, y) in y.chunks_exact_mut(n).enumerate() {
                let pixel = first + pixel;
                let s = &s[pixel / self.pixels * n..][..n];
                vectorised::run(Times { x: &x[pixel * n..][..n], s, y });
            }
        });
    }

    /// The gradient at the map: `dx[n, p, c] = dy[n, p, c] · s[n, c]`.
    pub fn backward_map(&self, threads: &Threads, dy: &[f32], s: &[f32], dx: &mut [f32]) {
        self.forward(threads, dy, s, dx);
    }

    /// The gradient at the factors: `ds[n, c] = Σₚ x[n, p, c] · dy[n, p, c]`.
    pub fn backward_factors(&self, threads: &Threads, x: &[f32], dy: &[f32], ds: &mut [f32]) {
        self.check(x.len(), dy.len(), ds.len());
        if ds.is_empty() {
            return;
        }
        let picture = self.pixels * self.channels;
        threads.chunks(ds, self.channels, |image, ds| {
            let part = image * picture..(image + 1) * picture;
            ds.fill(0.0);
            vectorised::run(Dots { x: &x[part.clone()], dy: &dy[part], ds });
        });
    }
}

struct Times<'a> {
    x: &'a [f32],
    s: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Times<'_> {
    #[inline(always)]
    fn run(self) {
        for ((y, x), s) in self.y.iter_mut().zip(self.x).zip(self.s) {
            *y = x * s;
        }
    }
}

/// Adds each pixel's products to `ds`.
struct Dots<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    ds: &'a mut [f32],
}

impl Kernel for Dots<'_> {
    #[inline(always)]
    fn run(self) {
        let n = self.ds.len();
        for (x, dy) in self.x.chunks_exact(n).zip(self.dy.chunks_exact(n)) {
            for c in 0..n {
                self.ds[c] += x[c] * dy[c];
            }
        }
    }
}
