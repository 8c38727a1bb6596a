//! VGG: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2014),
//! table 1.

use crate::ops::{Conv2d, MaxPool2d};
use crate::{Builder, Init, Op};

/// Output channels of the 3×3 convolutions of each stage; a 2×2 max pooling ends a stage.
pub(super) type Table = &'static [&'static [usize]];

pub(super) const A: Table = &[&[64], &[128], &[256, 256], &[512, 512], &[512, 512]];
pub(super) const B: Table = &[&[64, 64], &[128, 128], &[256, 256], &[512, 512], &[512, 512]];
pub(super) const D: Table = &[&[64, 64], &[128, 128], &[256, 256, 256], &[512, 512, 512], &[512, 512, 512]];
pub(super) const E: Table =
    &[&[64, 64], &[128, 128], &[256, 256, 256, 256], &[512, 512, 512, 512], &[512, 512, 512, 512]];

pub(super) fn vgg(b: &mut Builder, classes: usize, stages: Table, batch_norm: bool) {
    let mut x = b.input();
    // torchvision numbers all layers of `features` through.
    let mut numbers = 0..;
    let mut name = || format!("features.{}", numbers.next().unwrap_or(0));
    for stage in stages {
        for &out in *stage {
            let channels = b.shape(x).channels();
            let conv = Conv2d::new(channels, out, 3).padding(1).init(Init::KaimingNormalFanOut);
            x = b.conv2d(name(), x, conv);
            if batch_norm {
                x = b.batch_norm(name(), x);
            }
            x = b.relu(name(), x);
        }
        x = b.max_pool2d(name(), x, MaxPool2d::new(2, 2));
    }

    b.linear_init(Init::Normal(0.01));
    let x = b.add_op("avgpool", Op::AdaptiveAvgPool2d { height: 7, width: 7 }, &[x]);
    let x = b.flatten("flatten", x);
    let x = b.linear("classifier.0", x, 4096);
    let x = b.relu("classifier.1", x);
    let x = b.dropout("classifier.2", x, 0.5);
    let x = b.linear("classifier.3", x, 4096);
    let x = b.relu("classifier.4", x);
    b.mark_features(x);
    let x = b.dropout("classifier.5", x, 0.5);
    b.linear("classifier.6", x, classes);
}
