//! AlexNet in torchvision's form: Krizhevsky, "One weird trick for parallelizing convolutional neural networks"
//! (2014), one column, no local response normalisation.

use crate::ops::{Conv2d, MaxPool2d};
use crate::{Builder, Op};

pub(super) fn alexnet(b: &mut Builder, classes: usize) {
    let x = b.input();
    let channels = b.shape(x).channels();
    let x = b.conv2d("features.0", x, Conv2d::new(channels, 64, 11).stride(4).padding(2));
    let x = b.relu("features.1", x);
    let x = b.max_pool2d("features.2", x, MaxPool2d::new(3, 2));
    let x = b.conv2d("features.3", x, Conv2d::new(64, 192, 5).padding(2));
    let x = b.relu("features.4", x);
    let x = b.max_pool2d("features.5", x, MaxPool2d::new(3, 2));
    let x = b.conv2d("features.6", x, Conv2d::new(192, 384, 3).padding(1));
    let x = b.relu("features.7", x);
    let x = b.conv2d("features.8", x, Conv2d::new(384, 256, 3).padding(1));
    let x = b.relu("features.9", x);
    let x = b.conv2d("features.10", x, Conv2d::new(256, 256, 3).padding(1));
    let x = b.relu("features.11", x);
    let x = b.max_pool2d("features.12", x, MaxPool2d::new(3, 2));

    let x = b.add_op("avgpool", Op::AdaptiveAvgPool2d { height: 6, width: 6 }, &[x]);
    let x = b.flatten("flatten", x);
    let x = b.dropout("classifier.0", x, 0.5);
    let x = b.linear("classifier.1", x, 4096);
    let x = b.relu("classifier.2", x);
    let x = b.dropout("classifier.3", x, 0.5);
    let x = b.linear("classifier.4", x, 4096);
    let x = b.relu("classifier.5", x);
    b.mark_features(x);
    b.linear("classifier.6", x, classes);
}
