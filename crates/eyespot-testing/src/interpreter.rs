//! A naive interpreter of graphs in f64 that keeps every result.

use crate::random::Random;
use eyespot_graph::{Graph, Node, Op, Params, Shape};

/// How batch norm takes its statistics. Dropout does nothing in both; graphs for training tests have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// From the running statistics.
    Inference,
    /// From the batch.
    Training,
}

/// The result of every node for `images` images, NHWC.
pub fn interpret(graph: &Graph, params: &Tensors, input: &[f64], images: usize, mode: Mode) -> Vec<Vec<f64>> {
    let mut results: Vec<Vec<f64>> = vec![input.to_vec()];
    for node in &graph.nodes[1..] {
        let inputs: Vec<(&[f64], Shape)> =
            node.inputs.iter().map(|id| (&results[id.0][..], graph.node(*id).shape)).collect();
        let result = node_result(node, params, &inputs, images, mode);
        assert_eq!(result.len(), images * node.shape.elements(), "{}", node.name);
        results.push(result);
    }
    results
}

/// Weights in f64, by name.
#[derive(Debug, Clone)]
pub struct Tensors(pub Vec<(String, Vec<f64>)>);

impl Tensors {
    /// The same numbers, wider.
    pub fn new(params: &Params) -> Self {
        let wide = |(name, tensor): (&str, &eyespot_graph::Tensor)| {
            (name.to_owned(), tensor.iter().map(|&v| f64::from(v)).collect())
        };
        Self(params.iter().map(wide).collect())
    }

    fn get(&self, name: &str) -> Option<&[f64]> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, values)| &values[..])
    }
}

fn node_result(
    node: &Node,
    params: &Tensors,
    inputs: &[(&[f64], Shape)],
    images: usize,
    mode: Mode,
) -> Vec<f64> {
    let (x, shape) = inputs[0];
    let (c, h, w) = shape.chw();
    let (oc, oh, ow) = node.shape.chw();
    let param = |suffix: &str| params.get(&format!("{}.{suffix}", node.name));
    let map = |f: &dyn Fn(f64) -> f64| x.iter().map(|&v| f(v)).collect::<Vec<f64>>();
    // The input at a place, none outside the map.
    let at = |n: usize, y: isize, xx: isize, ch: usize| {
        let inside = y >= 0 && xx >= 0 && y < h as isize && xx < w as isize;
        inside.then(|| x[((n * h + y as usize) * w + xx as usize) * c + ch])
    };
    let each = |f: &dyn Fn(usize, usize, usize, usize) -> f64| {
        let mut result = Vec::new();
        for n in 0..images {
            for i in 0..oh {
                for j in 0..ow {
                    (0..oc).for_each(|o| result.push(f(n, i, j, o)));
                }
            }
        }
        result
    };
    match &node.op {
        Op::Input => unreachable!(),
        Op::Linear(op) => {
            let (weight, bias) = (param("weight").unwrap(), param("bias"));
            each(&|n, _, _, o| {
                let row = &weight[o * op.in_features..][..op.in_features];
                let dot: f64 = row.iter().zip(&x[n * op.in_features..]).map(|(a, b)| a * b).sum();
                dot + bias.map_or(0.0, |b| b[o])
            })
        }
        Op::Conv2d(op) => {
            let (weight, bias) = (param("weight").unwrap(), param("bias"));
            let (gi, go) = (c / op.groups, oc / op.groups);
            each(&|n, i, j, o| {
                let mut sum = bias.map_or(0.0, |b| b[o]);
                for k in 0..gi {
                    for u in 0..op.kernel.0 {
                        for v in 0..op.kernel.1 {
                            let y = (i * op.stride.0 + u * op.dilation.0) as isize - op.padding.0 as isize;
                            let xx = (j * op.stride.1 + v * op.dilation.1) as isize - op.padding.1 as isize;
                            let w = weight[((o * gi + k) * op.kernel.0 + u) * op.kernel.1 + v];
                            sum += w * at(n, y, xx, o / go * gi + k).unwrap_or(0.0);
                        }
                    }
                }
                sum
            })
        }
        Op::BatchNorm2d(op) => {
            let pixels = (images * h * w) as f64;
            let (mean, var): (Vec<f64>, Vec<f64>) = match mode {
                Mode::Inference => {
                    (param("running_mean").unwrap().to_vec(), param("running_var").unwrap().to_vec())
                }
                Mode::Training => (0..c)
                    .map(|ch| {
                        let values = || x.iter().skip(ch).step_by(c);
                        let mean = values().sum::<f64>() / pixels;
                        (mean, values().map(|v| (v - mean).powi(2)).sum::<f64>() / pixels)
                    })
                    .unzip(),
            };
            let (weight, bias) = (param("weight").unwrap(), param("bias").unwrap());
            let normal = |(index, v): (usize, &f64)| {
                let ch = index % c;
                (v - mean[ch]) / (var[ch] + f64::from(op.eps)).sqrt() * weight[ch] + bias[ch]
            };
            x.iter().enumerate().map(normal).collect()
        }
        Op::Relu => map(&|v| v.max(0.0)),
        Op::Relu6 => map(&|v| v.clamp(0.0, 6.0)),
        Op::LeakyRelu { slope } => map(&|v| if v > 0.0 { v } else { v * f64::from(*slope) }),
        Op::Sigmoid => map(&|v| 1.0 / (1.0 + (-v).exp())),
        Op::Tanh => map(&f64::tanh),
        Op::Sgn => map(&|v| if v >= 0.0 { 1.0 } else { 0.0 }),
        Op::Gelu { tanh: true } => map(&|v| {
            let argument = (2.0 / std::f64::consts::PI).sqrt() * (v + 0.044_715 * v.powi(3));
            0.5 * v * (1.0 + argument.tanh())
        }),
        Op::Gelu { tanh: false } => map(&|v| v * normal_cdf(v)),
        Op::Silu => map(&|v| v / (1.0 + (-v).exp())),
        Op::HardSwish => map(&|v| v * (v + 3.0).clamp(0.0, 6.0) / 6.0),
        Op::HardSigmoid => map(&|v| (v + 3.0).clamp(0.0, 6.0) / 6.0),
        Op::Dropout { .. } => x.to_vec(),
        Op::Softmax | Op::LogSoftmax => {
            let rows = x.chunks_exact(c).flat_map(|row| {
                let sum: f64 = row.iter().map(|v| v.exp()).sum();
                let log = node.op == Op::LogSoftmax;
                row.iter().map(move |v| if log { v - sum.ln() } else { v.exp() / sum })
            });
            rows.collect()
        }
        Op::MaxPool2d(op) => each(&|n, i, j, o| {
            let mut largest = f64::NEG_INFINITY;
            window(op.kernel, op.stride, op.padding, i, j, |y, xx| {
                largest = largest.max(at(n, y, xx, o).unwrap_or(f64::NEG_INFINITY));
            });
            largest
        }),
        Op::AvgPool2d(op) => each(&|n, i, j, o| {
            let (mut sum, mut count) = (0.0, 0);
            window(op.kernel, op.stride, op.padding, i, j, |y, xx| {
                let value = at(n, y, xx, o);
                sum += value.unwrap_or(0.0);
                // Padding counts where asked for; what hangs over it never does.
                let padded = y < (h + op.padding.0) as isize && xx < (w + op.padding.1) as isize;
                count += usize::from(value.is_some() || (op.count_include_pad && padded));
            });
            sum / count as f64
        }),
        Op::AdaptiveAvgPool2d { .. } => each(&|n, i, j, o| {
            let (y0, y1) = (i * h / oh, ((i + 1) * h).div_ceil(oh));
            let (x0, x1) = (j * w / ow, ((j + 1) * w).div_ceil(ow));
            let sum: f64 = (y0..y1)
                .flat_map(|y| (x0..x1).map(move |xx| (y, xx)))
                .filter_map(|(y, xx)| at(n, y as isize, xx as isize, o))
                .sum();
            sum / ((y1 - y0) * (x1 - x0)) as f64
        }),
        Op::Flatten => {
            let mut result = Vec::new();
            for n in 0..images {
                for ch in 0..c {
                    (0..h * w).for_each(|p| result.push(x[(n * h * w + p) * c + ch]));
                }
            }
            result
        }
        Op::Add => x.iter().zip(inputs[1].0).map(|(a, b)| a + b).collect(),
        Op::Mul => {
            let (factors, per_channel) = (inputs[1].0, inputs[1].1.pixels() == 1);
            let factor =
                |i: usize| if per_channel { factors[i / (h * w * c) * c + i % c] } else { factors[i] };
            x.iter().enumerate().map(|(i, v)| v * factor(i)).collect()
        }
        Op::Concat => {
            let mut result = Vec::new();
            for p in 0..images * h * w {
                for (x, shape) in inputs {
                    result.extend_from_slice(&x[p * shape.channels()..][..shape.channels()]);
                }
            }
            result
        }
        Op::PadShortcut(op) => {
            let pad = (op.out_channels - c) / 2;
            each(&|n, i, j, o| {
                let inside = (pad..pad + c).contains(&o);
                let from = |o: usize| at(n, (i * op.stride) as isize, (j * op.stride) as isize, o - pad);
                if inside { from(o).unwrap_or(0.0) } else { 0.0 }
            })
        }
        Op::Gaussian(op) => {
            let weight = param("weight").unwrap();
            each(&|n, _, _, o| {
                let centre = &weight[o * op.in_features..][..op.in_features];
                -0.5 * centre.iter().zip(&x[n * op.in_features..]).map(|(a, b)| (b - a).powi(2)).sum::<f64>()
            })
        }
        Op::LocalResponseNorm(op) => each(&|n, i, j, o| {
            let (from, to) = (o.saturating_sub(op.size / 2), (o + (op.size - 1) / 2 + 1).min(c));
            let value = |ch| at(n, i as isize, j as isize, ch).unwrap_or(0.0);
            let squares: f64 = (from..to).map(|ch| value(ch).powi(2)).sum();
            let base = f64::from(op.k) + f64::from(op.alpha) / op.size as f64 * squares;
            value(o) / base.powf(f64::from(op.beta))
        }),
    }
}

/// The standard normal distribution by its power series about 0 (Abramowitz and Stegun, 26.2.11).
fn normal_cdf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= x * x / f64::from(2 * n + 1);
        sum += term;
    }
    0.5 + sum * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

fn window(
    kernel: (usize, usize),
    stride: (usize, usize),
    padding: (usize, usize),
    i: usize,
    j: usize,
    mut f: impl FnMut(isize, isize),
) {
    for u in 0..kernel.0 {
        for v in 0..kernel.1 {
            f(
                (i * stride.0 + u) as isize - padding.0 as isize,
                (j * stride.1 + v) as isize - padding.1 as isize,
            );
        }
    }
}

/// Fails where a number is further from the expected one than `tolerance` of the largest expected one (or of 1).
pub fn assert_close(found: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0f64, |largest, v| largest.max(v.abs()));
    for (i, (&f, &e)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(f) - e).abs();
        assert!(error <= tolerance * largest, "{what}: number {i} is {f}, expected {e}");
    }
}

/// Numbers in −1 … 1 that are the same on every machine.
pub fn numbers(seed: u32, len: usize) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..len).map(|_| random.number()).collect()
}

/// The same numbers in f64.
pub fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}
