//! MobileNetV2: Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks" (2018), table 2.

use crate::ops::Conv2d;
use crate::{Builder, Init, NodeId, Op};

/// Expansion factor t, output channels c, repetitions n, stride s of the first.
const TABLE: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

pub(super) fn mobilenet_v2(b: &mut Builder, classes: usize) {
    let x = b.input();
    let channels = b.shape(x).channels();
    let mut x = conv_bn_relu6(b, "features.0", x, Conv2d::new(channels, 32, 3).stride(2).padding(1));
    let mut index = 1;
    for (expansion, out, repetitions, stride) in TABLE {
        for repetition in 0..repetitions {
            let stride = if repetition == 0 { stride } else { 1 };
            x = inverted_residual(b, &format!("features.{index}"), x, expansion, out, stride);
            index += 1;
        }
    }
    let channels = b.shape(x).channels();
    let x = conv_bn_relu6(b, &format!("features.{index}"), x, Conv2d::new(channels, 1280, 1));

    let x = b.global_avg_pool("avgpool", x);
    let x = b.flatten("flatten", x);
    b.mark_features(x);
    let x = b.dropout("classifier.0", x, 0.2);
    b.linear_init(Init::Normal(0.01));
    b.linear("classifier.1", x, classes);
}

/// 1×1 up (left out for expansion 1), depthwise 3×3, 1×1 down without activation; added to `x` where shapes agree.
fn inverted_residual(
    b: &mut Builder,
    name: &str,
    x: NodeId,
    expansion: usize,
    out: usize,
    stride: usize,
) -> NodeId {
    let channels = b.shape(x).channels();
    let hidden = channels * expansion;
    let mut y = x;
    let mut part = 0;
    if expansion != 1 {
        y = conv_bn_relu6(b, &format!("{name}.conv.{part}"), y, Conv2d::new(channels, hidden, 1));
        part += 1;
    }
    let depthwise = Conv2d::new(hidden, hidden, 3).stride(stride).padding(1).groups(hidden);
    y = conv_bn_relu6(b, &format!("{name}.conv.{part}"), y, depthwise);
    let project = Conv2d::new(hidden, out, 1).no_bias().init(Init::KaimingNormalFanOut);
    y = b.conv2d(format!("{name}.conv.{}", part + 1), y, project);
    y = b.batch_norm(format!("{name}.conv.{}", part + 2), y);
    if stride == 1 && channels == out { b.add(format!("{name}.add"), x, y) } else { y }
}

fn conv_bn_relu6(b: &mut Builder, name: &str, x: NodeId, conv: Conv2d) -> NodeId {
    let x = b.conv2d(format!("{name}.0"), x, conv.no_bias().init(Init::KaimingNormalFanOut));
    let x = b.batch_norm(format!("{name}.1"), x);
    b.add_op(format!("{name}.2"), Op::Relu6, &[x])
}
