//! Normalisation across neighbouring channels, as `torch.nn.LocalResponseNorm` (Krizhevsky et al. 2012, 3.3):
//! `y[c] = x[c] / t[c]^beta`, `t[c] = k + alpha/size · Σ x[c']²` over `c − size/2 ≤ c' ≤ c + (size − 1)/2`.

use crate::{BLOCK, Threads, check};
use std::ops::Range;

/// The settings and the number of channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalResponseNorm {
    /// Numbers per pixel.
    pub channels: usize,
    /// Channels in the sum.
    pub size: usize,
    /// Factor of the mean square.
    pub alpha: f32,
    /// Exponent.
    pub beta: f32,
    /// Added to the mean square.
    pub k: f32,
}

impl LocalResponseNorm {
    /// `y` from maps `x` of pixels × channels.
    pub fn forward(&self, threads: &Threads, x: &[f32], y: &mut [f32]) {
        assert_eq!(x.len(), y.len(), "input and output have one length");
        self.check(x.len());
        let block = self.block();
        threads.chunks(y, block, |index, y| {
            let x = x[index * block..].chunks_exact(self.channels);
            for (y, x) in y.chunks_exact_mut(self.channels).zip(x) {
                self.bases(x, y);
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = x * self.power(*y);
                }
            }
        });
    }

    /// The gradient at `x`:
    /// `dx[c] = dy[c] · t[c]^−beta − 2·alpha·beta/size · x[c] · Σ dy[j] · x[j] · t[j]^(−beta−1)` over the `j` whose
    /// sums `c` is part of.
    pub fn backward(&self, threads: &Threads, x: &[f32], dy: &[f32], dx: &mut [f32]) {
        assert!(x.len() == dx.len() && dy.len() == dx.len(), "input and both gradients have one length");
        self.check(x.len());
        let (n, block) = (self.channels, self.block());
        let factor = 2.0 * self.alpha * self.beta / self.size as f32;
        threads.chunks(dx, block, |index, dx| {
            let mut parts = vec![0.0f32; n];
            let pixels = x[index * block..].chunks_exact(n).zip(dy[index * block..].chunks_exact(n));
            for (dx, (x, dy)) in dx.chunks_exact_mut(n).zip(pixels) {
                self.bases(x, &mut parts);
                for c in 0..n {
                    let power = self.power(parts[c]);
                    dx[c] = dy[c] * power;
                    parts[c] = dx[c] * x[c] / parts[c];
                }
                for c in 0..n {
                    // `c` is in the sums from `c − (size − 1)/2` to `c + size/2`.
                    let users = c.saturating_sub((self.size - 1) / 2)..n.min(c + self.size / 2 + 1);
                    dx[c] -= factor * x[c] * parts[users].iter().sum::<f32>();
                }
            }
        });
    }

    /// Panics unless the settings make sense and a map of `len` floats has whole pixels.
    fn check(&self, len: usize) {
        assert!(self.channels > 0 && self.size > 0, "local response norm of nothing: {self:?}");
        check::pieces("pixels of local response norm", len, self.channels);
    }

    /// `t` of one pixel.
    fn bases(&self, x: &[f32], t: &mut [f32]) {
        for (c, t) in t.iter_mut().enumerate() {
            let squares: f32 = x[self.window(c)].iter().map(|x| x * x).sum();
            *t = self.k + self.alpha * squares / self.size as f32;
        }
    }

    fn window(&self, c: usize) -> Range<usize> {
        c.saturating_sub(self.size / 2)..self.channels.min(c + (self.size - 1) / 2 + 1)
    }

    /// `t^−beta`.
    fn power(&self, t: f32) -> f32 {
        if self.beta == 0.75 {
            let root = t.sqrt();
            1.0 / (root * root.sqrt())
        } else {
            t.powf(-self.beta)
        }
    }

    fn block(&self) -> usize {
        (BLOCK / self.channels).max(1) * self.channels
    }
}
