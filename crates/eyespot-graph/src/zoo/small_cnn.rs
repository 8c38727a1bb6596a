//! A small convolutional network to train from scratch on a few hundred photos in under a minute.
//!
//! Four stages halve the map and widen it; each is a strided 3×3 convolution and a residual 3×3 convolution, with
//! batch norm and ReLU. At 96×96 pixels it has 0.33 million parameters and 63 million multiply-adds.

use crate::ops::Conv2d;
use crate::{Builder, Init, NodeId};

pub(super) fn small_cnn(b: &mut Builder, classes: usize) {
    let mut x = b.input();
    for (stage, width) in [32, 48, 80, 112].into_iter().enumerate() {
        let layer = |part: &str| format!("stage{}.{part}", stage + 1);
        x = conv_bn(b, &layer("conv1"), &layer("bn1"), x, width, 2);
        x = b.relu(layer("relu1"), x);
        let y = conv_bn(b, &layer("conv2"), &layer("bn2"), x, width, 1);
        let sum = b.add(layer("add"), x, y);
        x = b.relu(layer("relu2"), sum);
    }
    let x = b.global_avg_pool("avgpool", x);
    let x = b.flatten("flatten", x);
    b.mark_features(x);
    let x = b.dropout("dropout", x, 0.2);
    b.linear("fc", x, classes);
}

fn conv_bn(b: &mut Builder, conv: &str, norm: &str, x: NodeId, out: usize, stride: usize) -> NodeId {
    let channels = b.shape(x).channels();
    let conv2d = Conv2d::new(channels, out, 3).stride(stride).padding(1).no_bias();
    let x = b.conv2d(conv, x, conv2d.init(Init::KaimingNormalFanOut));
    b.batch_norm(norm, x)
}
