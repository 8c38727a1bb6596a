//! Random graphs with random weights.

use eyespot_graph::ops::{AvgPool2d, Conv2d, LocalResponseNorm, MaxPool2d};
use eyespot_graph::{Builder, Graph, Init, NodeId, Op, Params, Shape, initialise};

/// A small linear congruential generator; its upper bits are good enough to draw test cases.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u32) -> Self {
        Self(u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678)
    }

    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }

    /// In −1 … 1.
    pub(crate) fn number(&mut self) -> f32 {
        self.next() as f32 / (1u32 << 30) as f32 - 1.0
    }
}

/// A graph of about `layers` random layers with branches, residual sums and concatenations.
pub fn graph(seed: u32, layers: usize, dropout: f32) -> Graph {
    let mut random = Random::new(seed);
    let mut b = Builder::new("random", Shape::map(3, 5, 6));
    let mut nodes = vec![b.input()];
    for index in 0..layers {
        let name = format!("n{index}");
        // Mostly a chain, sometimes a branch from an earlier result.
        let x = if random.below(3) > 0 { nodes[nodes.len() - 1] } else { nodes[random.below(nodes.len())] };
        let node = layer(&mut b, &mut random, &nodes, x, name, dropout);
        nodes.push(node);
    }
    let x = nodes[nodes.len() - 1];
    head(&mut b, &mut random, x);
    b.finish().expect("a sound graph")
}

fn layer(
    b: &mut Builder,
    random: &mut Random,
    nodes: &[NodeId],
    x: NodeId,
    name: String,
    dropout: f32,
) -> NodeId {
    let channels = b.shape(x).channels();
    match random.below(20) {
        0 | 1 => b.conv2d(name, x, Conv2d::new(channels, 4, 3).padding(1)),
        2 => b.conv2d(name, x, Conv2d::new(channels, 4, 1)),
        3 => b.conv2d(name, x, Conv2d::new(channels, channels, 3).padding(1).groups(channels)),
        4..=6 => {
            let conv = b.conv2d(name.clone() + ".conv", x, Conv2d::new(channels, 4, 3).padding(1).no_bias());
            let norm = b.batch_norm(name.clone() + ".bn", conv);
            if random.below(2) == 0 { b.relu(name, norm) } else { b.add_op(name, Op::Relu6, &[norm]) }
        }
        // A residual block on whatever earlier results have its shape.
        7..=9 => {
            let conv = b.conv2d(name.clone() + ".conv", x, Conv2d::new(channels, channels, 1).no_bias());
            let norm = b.batch_norm(name.clone() + ".bn", conv);
            let same: Vec<_> = nodes.iter().filter(|&&n| b.shape(n) == b.shape(norm)).copied().collect();
            let other = same[random.below(same.len())];
            let sum = if random.below(2) == 0 {
                b.add(name.clone() + ".sum", norm, other)
            } else {
                b.add(name.clone() + ".sum", other, norm)
            };
            if random.below(3) > 0 { b.relu(name, sum) } else { sum }
        }
        10 => b.batch_norm(name, x),
        11 => b.relu(name, x),
        12 => {
            let op = [Op::Sigmoid, Op::Tanh, Op::LeakyRelu { slope: 0.1 }][random.below(3)].clone();
            b.add_op(name, op, &[x])
        }
        13 => b.add(name, x, x),
        14 | 15 => {
            let (h, w) = (b.shape(x).chw().1, b.shape(x).chw().2);
            let part = b.conv2d(name.clone() + ".part", x, Conv2d::new(channels, 2, 3).padding(1));
            let part = if random.below(2) == 0 { b.relu(name.clone() + ".relu", part) } else { part };
            let fits = |n: &&NodeId| {
                (b.shape(**n).chw().1, b.shape(**n).chw().2) == (h, w) && b.shape(**n).channels() < 9
            };
            let others: Vec<_> = nodes.iter().filter(fits).copied().collect();
            let other = if others.is_empty() { x } else { others[random.below(others.len())] };
            let inputs = if random.below(2) == 0 { [part, other] } else { [other, part] };
            b.concat(name, &inputs)
        }
        16 => b.max_pool2d(name, x, MaxPool2d::new(3, 1).padding(1)),
        17 => {
            let mut pool = AvgPool2d::new(3, 1);
            pool.padding = (1, 1);
            pool.count_include_pad = random.below(2) == 0;
            b.add_op(name, Op::AvgPool2d(pool), &[x])
        }
        18 => b.local_response_norm(name, x, LocalResponseNorm { alpha: 0.1, ..LocalResponseNorm::new(3) }),
        _ if dropout > 0.0 => b.dropout(name, x, dropout),
        _ => b.pad_shortcut(name, x, channels + 2, 1),
    }
}

fn head(b: &mut Builder, random: &mut Random, x: NodeId) {
    let x = match random.below(4) {
        0 => b.global_avg_pool("pool", x),
        1 => b.add_op("pool", Op::AdaptiveAvgPool2d { height: 2, width: 4 }, &[x]),
        2 => b.max_pool2d("pool", x, MaxPool2d::new(2, 2).ceil_mode()),
        _ => x,
    };
    let x = b.flatten("flatten", x);
    let x = if random.below(2) == 0 { b.dropout("dropout", x, 0.0) } else { x };
    match random.below(4) {
        0 => b.linear("fc", x, 3),
        1 => {
            let x = b.linear("fc1", x, 5);
            let x = b.relu("relu", x);
            let x = b.linear("fc2", x, 3);
            b.add_op("log_softmax", Op::LogSoftmax, &[x])
        }
        2 => {
            let x = b.linear("fc", x, 3);
            b.add_op("softmax", Op::Softmax, &[x])
        }
        _ => b.gaussian("rbf", x, 3, Init::Normal(0.5)),
    };
}

/// Weights with all running statistics and batch norm parameters away from their defaults.
pub fn weights(graph: &Graph, seed: u32) -> Params {
    let mut random = Random::new(seed);
    let mut params = initialise(graph, u64::from(seed));
    for (name, tensor) in params.iter_mut() {
        let norm = tensor.ndim() == 1;
        for value in tensor.iter_mut() {
            if name.ends_with("running_var") {
                *value = 1.0 + 0.5 * random.number();
            } else if norm {
                *value += 0.3 * random.number();
            }
        }
    }
    params
}
