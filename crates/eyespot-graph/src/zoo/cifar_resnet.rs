//! Residual networks for CIFAR-10: He et al., "Deep residual learning for image recognition" (2015), section 4.2,
//! with parameter-free shortcuts (option A). Names are those of the widely used PyTorch weights by Yerlan Idelbayev.

use crate::ops::Conv2d;
use crate::{Builder, Init, NodeId};

/// 6·`blocks` + 2 layers: three stages of `blocks` basic blocks, 16, 32 and 64 channels wide.
pub(super) fn net(b: &mut Builder, classes: usize, blocks: usize) {
    let x = b.input();
    let x = conv_bn(b, "conv1", "bn1", x, 16, 1);
    let mut x = b.relu("relu", x);
    for (stage, width) in [16, 32, 64].into_iter().enumerate() {
        for index in 0..blocks {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            x = basic_block(b, &format!("layer{}.{index}", stage + 1), x, width, stride);
        }
    }
    let x = b.global_avg_pool("avgpool", x);
    let x = b.flatten("flatten", x);
    b.mark_features(x);
    b.linear_init(kaiming_normal(64));
    b.linear("linear", x, classes);
}

fn basic_block(b: &mut Builder, name: &str, x: NodeId, width: usize, stride: usize) -> NodeId {
    let layer = |part: &str| format!("{name}.{part}");
    let y = conv_bn(b, &layer("conv1"), &layer("bn1"), x, width, stride);
    let y = b.relu(layer("relu1"), y);
    let y = conv_bn(b, &layer("conv2"), &layer("bn2"), y, width, 1);
    let shortcut = if stride == 1 { x } else { b.pad_shortcut(layer("shortcut"), x, width, stride) };
    let sum = b.add(layer("add"), y, shortcut);
    b.relu(layer("relu"), sum)
}

fn conv_bn(b: &mut Builder, conv: &str, norm: &str, x: NodeId, out: usize, stride: usize) -> NodeId {
    let channels = b.shape(x).channels();
    let init = kaiming_normal(channels * 9);
    let x = b.conv2d(conv, x, Conv2d::new(channels, out, 3).stride(stride).padding(1).no_bias().init(init));
    b.batch_norm(norm, x)
}

/// `kaiming_normal_` by the number of inputs, as these networks start.
fn kaiming_normal(fan_in: usize) -> Init {
    Init::Normal((2.0 / fan_in as f32).sqrt())
}
