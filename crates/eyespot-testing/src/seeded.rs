//! Weights and images by formula: the twin of scripts/reference/seeded.py, bit for bit.

use eyespot_graph::{Graph, Params, Shape, Tensor};

fn fnv1a(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Number `index` of the sequence that begins with `seed`: splitmix64's upper 24 bits as a number in [-1, 1).
fn uniform(seed: u64, index: usize) -> f64 {
    let z = seed.wrapping_add((index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 23) - 1.0
}

/// The first `count` numbers of the sequence called `name`, in [-1, 1).
pub fn sequence(name: &str, count: usize) -> Vec<f64> {
    let seed = fnv1a(name);
    (0..count).map(|index| uniform(seed, index)).collect()
}

/// Weights and running statistics for every parameter of `graph`.
pub fn params(graph: &Graph) -> Params {
    graph.param_specs().into_iter().map(|(name, spec)| (name.clone(), weights(&name, &spec.dims))).collect()
}

fn weights(name: &str, dims: &[usize]) -> Tensor {
    let residual_end = ["bn2.weight", "bn3.weight", "conv.3.weight"];
    let (offset, scale) = if name.ends_with("running_var") {
        (1.0, 0.5)
    } else if name.ends_with("running_mean") || name.ends_with("bias") {
        (0.0, 0.1)
    } else if dims.len() == 1 {
        (1.0, 0.2)
    } else {
        let fan_in: usize = dims[1..].iter().product();
        (0.0, (6.0 / fan_in as f64).sqrt())
    };
    let small = dims.len() == 1 && residual_end.iter().any(|end| name.ends_with(end));
    let factor = if small { 0.5 } else { 1.0 };
    let seed = fnv1a(name);
    let numbers =
        (0..dims.iter().product()).map(|index| ((offset + scale * uniform(seed, index)) * factor) as f32);
    Tensor::from_shape_vec(dims, numbers.collect()).expect("as many numbers as the shape says")
}

/// Images 0 to `count` − 1 of this shape, one behind the other, NHWC.
pub fn images(count: usize, shape: Shape) -> Vec<f32> {
    let (channels, height, width) = shape.chw();
    let mut out = Vec::with_capacity(count * shape.elements());
    for number in 0..count {
        let seed = fnv1a(&format!("picture{number}"));
        for y in 0..height {
            for x in 0..width {
                for c in 0..channels {
                    let noise = uniform(seed, (c * height + y) * width + x);
                    let slope = ((x * (c + 1) + 2 * y + 5 * number) % 32) as f64 / 16.0 - 1.0;
                    out.push((noise + slope) as f32);
                }
            }
        }
    }
    out
}
