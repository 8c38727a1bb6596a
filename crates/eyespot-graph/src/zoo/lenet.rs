//! LeNet-5: LeCun et al., "Gradient-based learning applied to document recognition" (1998), section II.B.
//!
//! Three liberties: C3 sees all maps of S2 (the paper leaves some connections out); the squashing is tanh where
//! the paper has 1.7159·tanh(2/3·x), which the neighbouring weights make up for; the Gaussian centres learn.

use crate::ops::{AvgPool2d, Conv2d};
use crate::{Builder, Init, NodeId, Op};

/// With a linear output, for cross-entropy.
pub(super) fn lenet5(b: &mut Builder, classes: usize) {
    let x = up_to_f6(b);
    b.linear("output", x, classes);
}

/// With the paper's Gaussian connections: a score is the logarithm of a Gaussian around the class' centre.
pub(super) fn lenet5_gaussian(b: &mut Builder, classes: usize) {
    let x = up_to_f6(b);
    b.gaussian("output", x, classes, Init::Normal(0.5));
}

fn up_to_f6(b: &mut Builder) -> NodeId {
    let x = b.input();
    let (channels, height, width) = b.shape(x).chw();
    // The paper's digits of 28×28 lie in the middle of 32×32.
    let padding = if height.min(width) < 32 { 2 } else { 0 };
    let x = convolve(b, "c1", x, Conv2d::new(channels, 6, 5).padding(padding));
    let x = subsample(b, "s2", x);
    let x = convolve(b, "c3", x, Conv2d::new(6, 16, 5));
    let x = subsample(b, "s4", x);
    // C5 covers the whole map: 5×5 for the paper's 32×32.
    let (_, height, width) = b.shape(x).chw();
    let x = convolve(b, "c5", x, Conv2d { kernel: (height, width), ..Conv2d::new(16, 120, 5) });
    let x = b.flatten("flatten", x);
    let x = b.linear("f6", x, 84);
    let x = b.add_op("f6.tanh", Op::Tanh, &[x]);
    b.mark_features(x);
    x
}

fn convolve(b: &mut Builder, name: &str, x: NodeId, conv: Conv2d) -> NodeId {
    let x = b.conv2d(name, x, conv);
    b.add_op(format!("{name}.tanh"), Op::Tanh, &[x])
}

/// Means of 2×2 pixels, times a trained coefficient, plus a trained bias, squashed: 2 parameters per map.
fn subsample(b: &mut Builder, name: &str, x: NodeId) -> NodeId {
    let maps = b.shape(x).channels();
    let x = b.add_op(format!("{name}.mean"), Op::AvgPool2d(AvgPool2d::new(2, 2)), &[x]);
    let coefficient = Conv2d::new(maps, maps, 1).groups(maps).init(Init::Constant(1.0));
    convolve(b, name, x, coefficient)
}
