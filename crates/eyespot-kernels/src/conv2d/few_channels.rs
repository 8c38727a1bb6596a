//! Convolution of pictures: few input channels under a wide kernel.
//!
//! A tap of three channels is too short for the register tile. In NHWC, though, a whole row of the kernel lies together,
//! so each task copies the rows it sees with their border of zeros and takes each row of the kernel as one tap.

use super::Conv2dShape;
use super::direct::{Direct, Geometry, MOST_PIXELS, Operands, Order};
use crate::simd::Isa;
use crate::threads::Shared;
use crate::{Threads, check};

/// Input channels of a group up to which taps are too short.
const FEW: usize = 8;

/// Output pixels of a task, about.
const TASK_PIXELS: usize = 128;

/// A convolution planned on padded copies of its pictures.
#[derive(Debug)]
pub(super) struct FewChannels {
    direct: Direct,
    shape: Conv2dShape,
    /// Height and width with the border.
    padded: (usize, usize),
    /// Output rows of a task.
    rows: usize,
}

impl FewChannels {
    pub(super) fn fits(s: &Conv2dShape) -> bool {
        s.groups == 1 && s.in_c <= FEW && s.kernel.1 > 1 && s.dilation.1 == 1 && s.out_w <= MOST_PIXELS
    }

    pub(super) fn new(isa: Isa, s: Conv2dShape) -> Self {
        // As far as the last window reaches; pixels that no window sees are left out.
        let reach = |out: usize, stride, kernel, dilation| (out - 1) * stride + (kernel - 1) * dilation + 1;
        let padded = (
            reach(s.out_h, s.stride.0, s.kernel.0, s.dilation.0),
            reach(s.out_w, s.stride.1, s.kernel.1, s.dilation.1),
        );
        let geometry = Geometry {
            input: padded,
            pixel: s.in_c,
            step: s.stride,
            taps: (0..s.kernel.0).map(|u| ((u * s.dilation.0) as i32, 0, u)).collect(),
            grid: (s.out_h, s.out_w),
            output: (s.out_h, s.out_w),
            out_step: (1, 1),
            out_origin: (0, 0),
            groups: 1,
            len: s.kernel.1 * s.in_c,
            channels: s.out_c,
        };
        let rows = (TASK_PIXELS / s.out_w).clamp(1, s.out_h);
        Self { direct: Direct::new(isa, geometry), shape: s, padded, rows }
    }

    pub(super) fn packed_len(&self) -> usize {
        self.direct.packed_len()
    }

    /// Packs OIHW weights.
    pub(super) fn pack(&self, threads: &Threads, weights: &[f32], bias: Option<&[f32]>, packed: &mut [f32]) {
        // Out × (column, channel) × row.
        let (rows, columns) = self.shape.kernel;
        let channels = self.shape.in_c;
        let mut turned = Vec::with_capacity(weights.len());
        for kernel in weights.chunks_exact(channels * rows * columns) {
            for column in 0..columns {
                for c in 0..channels {
                    turned.extend((0..rows).map(|row| kernel[(c * rows + row) * columns + column]));
                }
            }
        }
        let order = Order { group: 0, output: channels * rows * columns, input: rows };
        self.direct.pack(threads, &turned, order, bias, packed);
    }

    /// Floats of the copied rows of a task.
    fn copy_len(&self) -> usize {
        let s = &self.shape;
        let rows = (self.rows - 1) * s.stride.0 + (s.kernel.0 - 1) * s.dilation.0 + 1;
        check::product([rows, self.padded.1, s.in_c])
    }

    pub(super) fn scratch_len(&self, threads: &Threads) -> usize {
        check::product([threads.count(), self.copy_len()])
    }

    pub(super) fn run(&self, threads: &Threads, operands: Operands, output: &mut [f32], scratch: &mut [f32]) {
        let s = &self.shape;
        if operands.images == 0 {
            return;
        }
        let input_len = check::product([operands.images, s.input_len()]);
        check::at_least("convolution input", operands.input.len(), input_len);
        check::at_least("packed convolution weights", operands.packed.len(), self.packed_len());
        operands.check_output([operands.images, s.out_h, s.out_w], s.out_c, output);
        check::at_least("convolution scratch", scratch.len(), self.scratch_len(threads));

        let (output, scratch) = (Shared(output.as_mut_ptr()), Shared(scratch.as_mut_ptr()));
        let bands = s.out_h.div_ceil(self.rows);
        let copy_len = self.copy_len();
        threads.run_on(operands.images * bands, |worker, task| {
            let (image, top) = (task / bands, task % bands * self.rows);
            let rows = self.rows.min(s.out_h - top);
            // SAFETY: the scratch was found to have room for every thread, and `worker` is below their number.
            let copy =
                unsafe { std::slice::from_raw_parts_mut(scratch.get().add(worker * copy_len), copy_len) };
            let first = top * s.stride.0;
            self.copy(&operands.input[image * s.input_len()..][..s.input_len()], first, copy);
            let out = image * s.out_h * s.out_w * operands.out_stride;
            let operands = Operands { residual: operands.residual.map(|r| &r[out..]), ..operands };
            // The copy's rows stand for those of the whole padded picture.
            let input = copy.as_ptr().wrapping_sub(first * self.padded.1 * s.in_c);
            let pixels = (top * s.out_w, rows * s.out_w);
            let task = self.direct.task(operands, input, pixels, output.get().wrapping_add(out));
            // SAFETY: the copy holds as many rows as these windows reach, each `padded.1` pixels wide; packed weights,
            // output and residual were found long enough; tasks write different rows.
            unsafe { task.run() }
        });
    }

    /// Copies rows from `first` on of the padded picture.
    fn copy(&self, picture: &[f32], first: usize, copy: &mut [f32]) {
        let s = &self.shape;
        let row = self.padded.1 * s.in_c;
        let left = (s.padding.1 * s.in_c).min(row);
        let len = (s.in_w * s.in_c).min(row - left);
        for (number, to) in copy.chunks_exact_mut(row).enumerate() {
            let y = (first + number).wrapping_sub(s.padding.0);
            if y >= s.in_h {
                to.fill(0.0);
                continue;
            }
            to[..left].fill(0.0);
            to[left..left + len].copy_from_slice(&picture[y * s.in_w * s.in_c..][..len]);
            to[left + len..].fill(0.0);
        }
    }
}
