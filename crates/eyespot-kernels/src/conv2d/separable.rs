//! A depthwise convolution with the pointwise ones around it (the inverted residual of MobileNetV2), band by band.
//!
//! The maps between the three are several times larger than what goes in and comes out. Computed one after the other they
//! travel to memory and back; computed for a few rows at a time they stay in the second-level cache. Bands compute the
//! rows at their edges twice, to the same bits.

use super::depthwise::Depthwise;
use super::direct::{Direct, MOST_PIXELS, Operands};
use super::inference::{Conv2dKernel, Plan};
use crate::threads::Shared;
use crate::{Threads, check};

/// Bytes between the convolutions up to which there is nothing to gain.
const SMALL: usize = 512 << 10;

/// Bytes of a band between the convolutions.
const BAND: usize = 512 << 10;

/// Pixels that a pointwise convolution takes at a time.
const PIXELS: usize = 96;

/// Pointwise (optional), depthwise and pointwise convolution as one.
#[derive(Debug)]
pub struct SeparableKernel {
    expand: Option<Conv2dKernel>,
    depthwise: Conv2dKernel,
    project: Conv2dKernel,
    /// Output rows of a band at most.
    rows: usize,
}

fn pointwise(kernel: &Conv2dKernel) -> Option<&Direct> {
    let s = kernel.shape();
    match &kernel.plan {
        Plan::Direct(plan)
            if s.kernel == (1, 1)
                && s.stride == (1, 1)
                && s.padding == (0, 0)
                && s.groups == 1
                // Pixels then have the same numbers on both sides, which the bands rely on.
                && (s.in_h, s.in_w) == (s.out_h, s.out_w) =>
        {
            Some(plan)
        }
        _ => None,
    }
}

impl SeparableKernel {
    /// Whether the three follow each other as they must and gain from running as one.
    pub fn fits(expand: Option<&Conv2dKernel>, depthwise: &Conv2dKernel, project: &Conv2dKernel) -> bool {
        let (s, p) = (depthwise.shape(), project.shape());
        let expand_fits = expand.is_none_or(|expand| {
            let e = expand.shape();
            pointwise(expand).is_some() && (e.out_h, e.out_w, e.out_c) == (s.in_h, s.in_w, s.in_c)
        });
        let between = check::sum([s.output_len(), if expand.is_some() { s.input_len() } else { 0 }]);
        expand_fits
            && matches!(depthwise.plan, Plan::Depthwise(_))
            && pointwise(project).is_some()
            && (p.in_h, p.in_w, p.in_c) == (s.out_h, s.out_w, s.out_c)
            && s.dilation == (1, 1)
            && between > SMALL / 4
    }

    /// Fuses kernels that [`fits`](Self::fits) accepts.
    ///
    /// # Panics
    /// When it doesn't.
    pub fn new(expand: Option<Conv2dKernel>, depthwise: Conv2dKernel, project: Conv2dKernel) -> Self {
        assert!(Self::fits(expand.as_ref(), &depthwise, &project), "convolutions that follow each other");
        let s = depthwise.shape();
        let expanded = if expand.is_some() { check::product([s.stride.0, s.in_w, s.in_c]) } else { 0 };
        let row = check::sum([check::product([s.out_w, s.out_c]), expanded]);
        let bands = s.out_h.div_ceil((BAND / 4 / row).max(1));
        Self { rows: s.out_h.div_ceil(bands), expand, depthwise, project }
    }

    /// Bytes of the packed weights.
    pub fn memory_bytes(&self) -> usize {
        let expand = self.expand.as_ref().map_or(0, Conv2dKernel::memory_bytes);
        expand + self.depthwise.memory_bytes() + self.project.memory_bytes()
    }

    /// Floats of a band's two maps.
    fn band_len(&self) -> (usize, usize) {
        let s = self.depthwise.shape();
        let seen = check::product([(self.rows - 1) * s.stride.0 + s.kernel.0, s.in_w, s.in_c]);
        let expanded = if self.expand.is_some() { seen } else { 0 };
        let between = check::product([self.rows, s.out_w, s.out_c]);
        // Rounded up to whole cache lines.
        (check::sum([expanded, 15]) / 16 * 16, check::sum([between, 15]) / 16 * 16)
    }

    /// Floats of scratch memory that [`run`](Self::run) needs.
    pub fn scratch_len(&self, threads: &Threads) -> usize {
        let (expanded, between) = self.band_len();
        check::product([threads.count(), check::sum([expanded, between])])
    }

    /// As [`Conv2dKernel::run`], for the three after each other; `residual` and `output` are those of the last.
    ///
    /// # Panics
    /// When a slice is too short.
    #[allow(clippy::too_many_arguments)] // as there
    pub fn run(
        &self,
        threads: &Threads,
        images: usize,
        input: &[f32],
        residual: Option<&[f32]>,
        output: &mut [f32],
        out_stride: usize,
        scratch: &mut [f32],
    ) {
        let (s, p) = (self.depthwise.shape(), self.project.shape());
        let first = self.expand.as_ref().unwrap_or(&self.depthwise).shape();
        if images == 0 {
            return;
        }
        check::at_least("convolution input", input.len(), check::product([images, first.input_len()]));
        let operands = self.project.operands(images, &[], residual, out_stride);
        operands.check_output([images, p.out_h, p.out_w], p.out_c, output);
        check::at_least("convolution scratch", scratch.len(), self.scratch_len(threads));

        // Enough bands for all threads; where they are cut changes no result.
        let rows = self.rows.min((images * s.out_h).div_ceil(2 * threads.count()).max(2));
        let bands = s.out_h.div_ceil(rows);
        let (expanded_len, between_len) = self.band_len();
        let (output, scratch) = (Shared(output.as_mut_ptr()), Shared(scratch.as_mut_ptr()));
        threads.run_on(images * bands, |worker, task| {
            let (image, from) = (task / bands, task % bands * rows);
            let out = image * s.out_h * s.out_w * out_stride;
            let expanded = scratch.get().wrapping_add(worker * (expanded_len + between_len));
            let band = Band {
                kernel: self,
                rows: (from, s.out_h.min(from + rows)),
                input: &input[image * first.input_len()..][..first.input_len()],
                residual: residual.map(|r| &r[out..]),
                out_stride,
                expanded,
                between: expanded.wrapping_add(expanded_len),
                output: output.get().wrapping_add(out),
            };
            // SAFETY: input, output and residual were found to hold all images, the scratch two maps for every thread, of
            // which `worker` is one; the weights are the kernels' own, packed for their shapes; tasks write different rows.
            unsafe { band.run() }
        });
    }
}

/// Some output rows of an image.
struct Band<'a> {
    kernel: &'a SeparableKernel,
    rows: (usize, usize),
    input: &'a [f32],
    residual: Option<&'a [f32]>,
    out_stride: usize,
    expanded: *mut f32,
    between: *mut f32,
    output: *mut f32,
}

impl Band<'_> {
    /// # Safety
    /// `expanded` and `between` have room for the band, `output` for the image; nobody else touches them or these
    /// rows of the output meanwhile.
    unsafe fn run(&self) {
        let kernel = self.kernel;
        let s = kernel.depthwise.shape();
        let (from, to) = self.rows;
        // The input rows that the band sees.
        let first = (from * s.stride.0).saturating_sub(s.padding.0);
        let end = ((to - 1) * s.stride.0 + s.kernel.0).saturating_sub(s.padding.0).min(s.in_h);
        let mut seen = self.input.as_ptr();
        if let Some(expand) = &kernel.expand {
            // A band's first row stands where the whole map would have it.
            let map = self.expanded.wrapping_sub(first * s.in_w * s.in_c);
            let operands = expand.operands(1, self.input, None, s.in_c);
            // SAFETY: the caller's promise: these rows of the map are the band's.
            unsafe { pixels(expand, operands, seen, (first * s.in_w, end * s.in_w), map) };
            seen = map;
        }
        let between = self.between.wrapping_sub(from * s.out_w * s.out_c);
        if let Plan::Depthwise(plan) = &kernel.depthwise.plan {
            let operands = kernel.depthwise.operands(1, &[], None, s.out_c);
            // SAFETY: as above; the rows seen were computed.
            unsafe { Depthwise::rows(plan, operands, seen, (from, to), between) };
        }
        let operands = kernel.project.operands(1, &[], self.residual, self.out_stride);
        // SAFETY: as above.
        unsafe { pixels(&kernel.project, operands, between, (from * s.out_w, to * s.out_w), self.output) };
    }
}

/// Pixels from … to of a pointwise convolution between two whole maps, of which only those pixels need to exist.
///
/// # Safety
/// They do, and nobody else touches those of the output.
unsafe fn pixels(
    kernel: &Conv2dKernel,
    operands: Operands,
    input: *const f32,
    (from, to): (usize, usize),
    output: *mut f32,
) {
    const { assert!(PIXELS <= MOST_PIXELS) };
    if let Some(plan) = pointwise(kernel) {
        for at in (from..to).step_by(PIXELS) {
            let task = plan.task(operands, input, (at, PIXELS.min(to - at)), output);
            // SAFETY: the caller's promise.
            unsafe { task.run() };
        }
    }
}
