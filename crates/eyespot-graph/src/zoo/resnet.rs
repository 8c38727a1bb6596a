//! Residual networks for ImageNet: He et al., "Deep residual learning for image recognition" (2015), table 1.
//!
//! As in torchvision, the stride of a bottleneck sits on its 3×3 convolution ("ResNet v1.5").

use crate::ops::{Conv2d, MaxPool2d};
use crate::{Builder, Init, NodeId};

/// A block's layers: builder, name, input, width, stride.
type Block = fn(&mut Builder, &str, NodeId, usize, usize) -> NodeId;

/// ResNet-18 and -34: `depths` blocks of two 3×3 convolutions per stage.
pub(super) fn basic(b: &mut Builder, classes: usize, depths: [usize; 4]) {
    resnet(b, classes, basic_block, depths);
}

/// ResNet-50, -101 and -152: `depths` bottlenecks per stage.
pub(super) fn bottleneck(b: &mut Builder, classes: usize, depths: [usize; 4]) {
    resnet(b, classes, bottleneck_block, depths);
}

fn resnet(b: &mut Builder, classes: usize, block: Block, depths: [usize; 4]) {
    let x = b.input();
    let x = conv_bn(b, ("conv1", "bn1"), x, 64, 7, 2);
    let x = b.relu("relu", x);
    let mut x = b.max_pool2d("maxpool", x, MaxPool2d::new(3, 2).padding(1));

    for (stage, (depth, width)) in depths.into_iter().zip([64, 128, 256, 512]).enumerate() {
        for index in 0..depth {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            x = block(b, &format!("layer{}.{index}", stage + 1), x, width, stride);
        }
    }

    let x = b.global_avg_pool("avgpool", x);
    let x = b.flatten("flatten", x);
    b.mark_features(x);
    b.linear("fc", x, classes);
}

/// 3×3, 3×3; the result has `width` channels.
fn basic_block(b: &mut Builder, name: &str, x: NodeId, width: usize, stride: usize) -> NodeId {
    let layer = |part: &str| format!("{name}.{part}");
    let y = conv_bn(b, (&layer("conv1"), &layer("bn1")), x, width, 3, stride);
    let y = b.relu(layer("relu1"), y);
    let y = conv_bn(b, (&layer("conv2"), &layer("bn2")), y, width, 3, 1);
    join(b, name, x, y, stride)
}

/// 1×1 down, 3×3, 1×1 up; the result has 4 · `width` channels.
fn bottleneck_block(b: &mut Builder, name: &str, x: NodeId, width: usize, stride: usize) -> NodeId {
    let layer = |part: &str| format!("{name}.{part}");
    let y = conv_bn(b, (&layer("conv1"), &layer("bn1")), x, width, 1, 1);
    let y = b.relu(layer("relu1"), y);
    let y = conv_bn(b, (&layer("conv2"), &layer("bn2")), y, width, 3, stride);
    let y = b.relu(layer("relu2"), y);
    let y = conv_bn(b, (&layer("conv3"), &layer("bn3")), y, 4 * width, 1, 1);
    join(b, name, x, y, stride)
}

/// `ReLU(y + shortcut(x))`; the shortcut is a strided 1×1 convolution where the shapes differ.
fn join(b: &mut Builder, name: &str, x: NodeId, y: NodeId, stride: usize) -> NodeId {
    let layer = |part: &str| format!("{name}.{part}");
    let channels = b.shape(y).channels();
    let shortcut = if stride != 1 || b.shape(x).channels() != channels {
        conv_bn(b, (&layer("downsample.0"), &layer("downsample.1")), x, channels, 1, stride)
    } else {
        x
    };
    let sum = b.add(layer("add"), y, shortcut);
    b.relu(layer("relu"), sum)
}

/// A convolution that keeps the size (but for the stride), and batch norm.
fn conv_bn(
    b: &mut Builder,
    (conv_name, norm_name): (&str, &str),
    x: NodeId,
    out: usize,
    kernel: usize,
    stride: usize,
) -> NodeId {
    let conv = Conv2d::new(b.shape(x).channels(), out, kernel).stride(stride).padding(kernel / 2);
    let x = b.conv2d(conv_name, x, conv.no_bias().init(Init::KaimingNormalFanOut));
    b.batch_norm(norm_name, x)
}
