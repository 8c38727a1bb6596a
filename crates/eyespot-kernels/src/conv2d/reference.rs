//! The definition of convolution and its gradients, written out as loops: what the fast paths are tested against.

use super::Conv2dShape;

/// Calls `f(output pixel, output channel, input float, weight float)` for every product of one image.
fn products(s: &Conv2dShape, mut f: impl FnMut(usize, usize, usize, usize)) {
    let (group_in, group_out) = (s.group_in(), s.group_out());
    for i in 0..s.out_h {
        for j in 0..s.out_w {
            for u in 0..s.kernel.0 {
                for v in 0..s.kernel.1 {
                    let (y, x) = (i * s.stride.0 + u * s.dilation.0, j * s.stride.1 + v * s.dilation.1);
                    if y < s.padding.0 || x < s.padding.1 {
                        continue;
                    }
                    let (y, x) = (y - s.padding.0, x - s.padding.1);
                    if y >= s.in_h || x >= s.in_w {
                        continue;
                    }
                    for o in 0..s.out_c {
                        for c in 0..group_in {
                            let input = (y * s.in_w + x) * s.in_c + o / group_out * group_in + c;
                            let weight = ((o * group_in + c) * s.kernel.0 + u) * s.kernel.1 + v;
                            f(i * s.out_w + j, o, input, weight);
                        }
                    }
                }
            }
        }
    }
}

/// `y` without activation; sums in `f64`.
pub(super) fn forward(s: &Conv2dShape, x: &[f32], weights: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let images = x.len() / s.input_len();
    let mut y = Vec::with_capacity(images * s.output_len());
    for image in 0..images {
        let x = &x[image * s.input_len()..][..s.input_len()];
        let mut sums: Vec<f64> =
            (0..s.output_len()).map(|i| bias.map_or(0.0, |b| f64::from(b[i % s.out_c]))).collect();
        products(s, |pixel, o, i, w| sums[pixel * s.out_c + o] += f64::from(x[i]) * f64::from(weights[w]));
        y.extend(sums.iter().map(|&v| v as f32));
    }
    y
}

/// The gradient with respect to the input.
pub(super) fn backward_input(s: &Conv2dShape, dy: &[f32], weights: &[f32]) -> Vec<f32> {
    let images = dy.len() / s.output_len();
    let mut dx = Vec::with_capacity(images * s.input_len());
    for image in 0..images {
        let dy = &dy[image * s.output_len()..][..s.output_len()];
        let mut sums = vec![0.0f64; s.input_len()];
        products(s, |pixel, o, i, w| {
            sums[i] += f64::from(dy[pixel * s.out_c + o]) * f64::from(weights[w]);
        });
        dx.extend(sums.iter().map(|&v| v as f32));
    }
    dx
}

/// The gradients with respect to the weights and the bias.
pub(super) fn backward_weights(s: &Conv2dShape, x: &[f32], dy: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let images = dy.len() / s.output_len();
    let mut dw = vec![0.0f64; s.weights_len()];
    let mut db = vec![0.0f64; s.out_c];
    for image in 0..images {
        let x = &x[image * s.input_len()..][..s.input_len()];
        let dy = &dy[image * s.output_len()..][..s.output_len()];
        products(s, |pixel, o, i, w| {
            dw[w] += f64::from(dy[pixel * s.out_c + o]) * f64::from(x[i]);
        });
        dy.iter().enumerate().for_each(|(i, &v)| db[i % s.out_c] += f64::from(v));
    }
    (dw.iter().map(|&v| v as f32).collect(), db.iter().map(|&v| v as f32).collect())
}
