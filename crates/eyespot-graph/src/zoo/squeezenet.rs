//! SqueezeNet: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model
//! size" (2016), table 1; 1.1 is the authors' later, lighter form.
//!
//! The class scores are a 1×1 convolution averaged over the map; the backbone ends with the last fire module's map.

use crate::ops::{Conv2d, MaxPool2d};
use crate::{Builder, Init, NodeId};

enum Layer {
    /// 3×3 max pooling with stride 2.
    Pool,
    /// Channels of squeeze 1×1, and of expand 1×1 and expand 3×3 each.
    Fire(usize, usize),
}
use Layer::{Fire, Pool};

pub(super) fn squeezenet1_0(b: &mut Builder, classes: usize) {
    let layers = [
        Pool,
        Fire(16, 64),
        Fire(16, 64),
        Fire(32, 128),
        Pool,
        Fire(32, 128),
        Fire(48, 192),
        Fire(48, 192),
        Fire(64, 256),
        Pool,
        Fire(64, 256),
    ];
    squeezenet(b, classes, 96, 7, &layers);
}

pub(super) fn squeezenet1_1(b: &mut Builder, classes: usize) {
    let layers = [
        Pool,
        Fire(16, 64),
        Fire(16, 64),
        Pool,
        Fire(32, 128),
        Fire(32, 128),
        Pool,
        Fire(48, 192),
        Fire(48, 192),
        Fire(64, 256),
        Fire(64, 256),
    ];
    squeezenet(b, classes, 64, 3, &layers);
}

fn squeezenet(b: &mut Builder, classes: usize, first: usize, first_kernel: usize, layers: &[Layer]) {
    let x = b.input();
    let x = conv(b, "features.0".to_owned(), x, first, first_kernel, 2, 0);
    let mut x = b.relu("features.1", x);
    for (index, layer) in layers.iter().enumerate() {
        let name = format!("features.{}", index + 2);
        x = match *layer {
            Pool => b.max_pool2d(name, x, MaxPool2d::new(3, 2).ceil_mode()),
            Fire(squeeze, expand) => fire(b, &name, x, squeeze, expand),
        };
    }
    b.mark_features(x);

    let x = b.dropout("classifier.0", x, 0.5);
    let scores = Conv2d::new(b.shape(x).channels(), classes, 1).init(Init::Normal(0.01));
    let x = b.conv2d("classifier.1", x, scores);
    let x = b.relu("classifier.2", x);
    let x = b.global_avg_pool("classifier.3", x);
    b.flatten("flatten", x);
}

fn fire(b: &mut Builder, name: &str, x: NodeId, squeeze: usize, expand: usize) -> NodeId {
    let layer = |part: &str| format!("{name}.{part}");
    let x = conv(b, layer("squeeze"), x, squeeze, 1, 1, 0);
    let x = b.relu(layer("squeeze_activation"), x);
    let one = conv(b, layer("expand1x1"), x, expand, 1, 1, 0);
    let one = b.relu(layer("expand1x1_activation"), one);
    let three = conv(b, layer("expand3x3"), x, expand, 3, 1, 1);
    let three = b.relu(layer("expand3x3_activation"), three);
    b.concat(layer("concat"), &[one, three])
}

fn conv(
    b: &mut Builder,
    name: String,
    x: NodeId,
    out: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> NodeId {
    let conv = Conv2d::new(b.shape(x).channels(), out, kernel).stride(stride).padding(padding);
    b.conv2d(name, x, conv.init(Init::KaimingUniformFanIn))
}
