//! Convolutions as data.

use super::{Constants, Launch, Place};
use eyespot_compile::Activation;
use eyespot_graph::{Shape, ops};

/// The sizes of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Sizes {
    pub(crate) images: usize,
    /// Height, width, channels.
    pub(crate) input: [usize; 3],
    pub(crate) output: [usize; 3],
    pub(crate) kernel: (usize, usize),
    pub(crate) stride: (usize, usize),
    pub(crate) padding: (usize, usize),
    pub(crate) dilation: (usize, usize),
    pub(crate) groups: usize,
    /// How many numbers the result's pixels are apart.
    pub(crate) out_stride: usize,
}

impl Sizes {
    /// `channels` are those of the input as it lies in memory.
    pub(crate) fn new(op: &ops::Conv2d, input: Shape, output: Shape, channels: usize, images: usize) -> Self {
        let ((_, h, w), (oc, oh, ow)) = (input.chw(), output.chw());
        Self {
            images,
            input: [h, w, channels],
            output: [oh, ow, oc],
            kernel: op.kernel,
            stride: op.stride,
            padding: op.padding,
            dilation: op.dilation,
            groups: op.groups,
            out_stride: oc,
        }
    }

    /// Weights, as they are packed.
    pub(crate) fn weights(&self) -> usize {
        self.output[2] * self.kernel.0 * self.kernel.1 * (self.input[2] / self.groups)
    }

    /// As the kernels of `convolution.cu` read it.
    fn table(&self) -> Vec<u32> {
        let ([h, w, c], [oh, ow, oc]) = (self.input, self.output);
        let pairs = [self.kernel, self.stride, self.padding, self.dilation];
        let mut all = vec![h, w, c, oh, ow, oc];
        all.extend(pairs.into_iter().flat_map(|(a, b)| [a, b]));
        all.extend([self.groups, self.out_stride]);
        all.into_iter().map(|size| u32::try_from(size).expect("the plan's sizes are below 2^31")).collect()
    }
}

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Direction {
    /// `y` from `x` and `w`, then bias, residual sum and activation.
    Forward { bias: Option<Place>, residual: Option<Place>, activation: Activation },
    /// The gradient `x` from the gradient `y` and `w`.
    Data,
    /// The gradient `w` from `x` and the gradient `y`.
    Filter,
}

/// A convolution with its places.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Convolution {
    pub(crate) sizes: Sizes,
    pub(crate) direction: Direction,
    pub(crate) x: Place,
    pub(crate) w: Place,
    pub(crate) y: Place,
    /// What computes it where cuDNN can't.
    pub(crate) instead: Launch,
    /// Bias, residual sum and activation by themselves, where cuDNN doesn't take them with the convolution.
    pub(crate) finish: Option<Launch>,
}

impl Convolution {
    pub(crate) fn new(
        sizes: Sizes,
        direction: Direction,
        [x, w, y]: [Place; 3],
        element: crate::kernels::Element,
        constants: &mut Constants,
    ) -> Self {
        let table = constants.push_u32(&sizes.table());
        let ([h, width, c], [oh, ow, oc]) = (sizes.input, sizes.output);
        let (ins, outs) = (sizes.images * h * width * c, sizes.images * oh * ow * oc);
        let instead = match direction {
            Direction::Forward { .. } => {
                Launch::each("convolution", outs).arg(table).arg(sizes.images).args([x, w, y])
            }
            Direction::Data => {
                Launch::each("convolution_backward_data", ins).arg(table).arg(sizes.images).args([y, w, x])
            }
            Direction::Filter => Launch::new("convolution_backward_filter", (sizes.weights(), 1), (256, 1))
                .arg(table)
                .arg(sizes.images)
                .args([x, y, w]),
        };
        let finish = match direction {
            Direction::Forward { bias, residual, activation }
                if bias.is_some() || residual.is_some() || activation != Activation::None =>
            {
                // A slice of a concatenation may begin between two packs.
                let whole = sizes.out_stride.is_multiple_of(element.pack()) && y.offset.is_multiple_of(16);
                let width = if whole { oc } else { 1 };
                let launch = Launch::packs("finish", element, width, outs).arg(bias).arg(residual).arg(y);
                let pixels = sizes.images * oh * ow;
                Some(launch.args([oc, sizes.out_stride, pixels, then(activation)]))
            }
            _ => None,
        };
        Self { sizes, direction, x, w, y, instead, finish }
    }
}

/// The number that stands for an activation in the kernels.
pub(crate) fn then(activation: Activation) -> usize {
    match activation {
        Activation::None => 0,
        Activation::Relu => 1,
        Activation::Relu6 => 2,
    }
}

/// Weights from out × in × height × width to out × height × width × `channels`, the channels that are added being zero.
pub(crate) fn packed(
    weights: &[f32],
    out: usize,
    channels_in: usize,
    taps: usize,
    channels: usize,
) -> Vec<f32> {
    let mut packed = vec![0.0; out * taps * channels];
    for o in 0..out {
        for c in 0..channels_in {
            for tap in 0..taps {
                packed[(o * taps + tap) * channels + c] = weights[(o * channels_in + c) * taps + tap];
            }
        }
    }
    packed
}
