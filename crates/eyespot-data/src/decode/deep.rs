//! Samples of more than 8 bits to levels.

use super::{DecodeOptions, Note};

/// Turns the deep samples of one image into levels 0 to 255, and watches what they are like.
pub(super) struct Deep {
    /// What becomes 0 and 255, where it isn't all that the samples could be.
    range: Option<[f64; 2]>,
    /// The lowest and the highest number that samples could be.
    full: [f64; 2],
    lowest: f64,
    highest: f64,
    seen: usize,
    keep_every: usize,
    kept: Vec<f32>,
}

impl Deep {
    /// `full` is the lowest and highest number that samples can have, `samples` how many there will be.
    pub fn new(options: &DecodeOptions, full: [f64; 2], samples: usize) -> Deep {
        let keep_every = match options.keep_samples {
            0 => usize::MAX,
            wanted => samples.div_ceil(wanted).max(1),
        };
        let range = options.range.map(|range| range.map(f64::from));
        let (lowest, highest) = (f64::INFINITY, f64::NEG_INFINITY);
        Deep { range, full, lowest, highest, seen: 0, keep_every, kept: Vec::new() }
    }

    /// The level of a sample of colour.
    pub fn level(&mut self, sample: f64) -> u8 {
        if sample.is_nan() {
            return 0;
        }
        self.lowest = self.lowest.min(sample);
        self.highest = self.highest.max(sample);
        if self.keep_every != usize::MAX {
            if self.seen.is_multiple_of(self.keep_every) {
                self.kept.push(sample as f32);
            }
            self.seen += 1;
        }
        match self.range {
            // `as` keeps within 0..255.
            Some([low, high]) => ((sample - low) / (high - low) * 255.0).round() as u8,
            None => self.full_level(sample),
        }
    }

    /// The level of a sample where its full range counts: of whole numbers the upper 8 bits, as Pillow takes them, and
    /// of floating-point numbers 0 to 1.
    pub fn full_level(&self, sample: f64) -> u8 {
        let [low, high] = self.full;
        if high <= 1.0 {
            return (sample * 255.0).round() as u8;
        }
        ((sample - low) * 256.0 / (high - low + 1.0)) as u8
    }

    /// What is to be said about the samples, and those that were to be kept.
    pub fn finish(self) -> (Vec<Note>, Vec<f32>) {
        let Deep { full: [low, high], lowest, highest, .. } = self;
        let narrow = (highest - lowest) * 16.0 < high - low && lowest < highest;
        let outside = lowest < low || highest > high;
        let noted = self.range.is_none() && (narrow || outside) && lowest <= highest;
        let note = noted.then_some(Note::Range {
            lowest: lowest as f32,
            highest: highest as f32,
            full: [low as f32, high as f32],
        });
        (note.into_iter().collect(), self.kept)
    }
}
