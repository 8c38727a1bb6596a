//! The sizes that the pooling kernels take.

use eyespot_graph::Shape;

/// Images, input and output sizes, window, stride and padding, in the kernels' order.
pub(crate) fn windows(
    images: usize,
    (input, output): (Shape, Shape),
    [kernel, stride, padding]: [(usize, usize); 3],
) -> [usize; 12] {
    let ((c, h, w), (_, oh, ow)) = (input.chw(), output.chw());
    [images, h, w, c, oh, ow, kernel.0, kernel.1, stride.0, stride.1, padding.0, padding.1]
}
