//! Starting weights.

use crate::{Graph, Params, Tensor, ops::ParamSpec};
use ndarray::IxDyn;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// How a weight tensor starts. `fan_in` and `fan_out` count a unit's inputs and outputs as in
/// `torch.nn.init`: channels per group × kernel area.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub enum Init {
    /// PyTorch's own start for linear and convolution: uniform within ±1/√fan_in, for weight and bias.
    #[default]
    Default,
    /// `kaiming_normal_(mode="fan_out")` for ReLU, std √(2 / fan_out); bias 0.
    KaimingNormalFanOut,
    /// `kaiming_uniform_(mode="fan_in")` for ReLU, within ±√(6 / fan_in); bias 0.
    KaimingUniformFanIn,
    /// Normal with this standard deviation; bias 0.
    Normal(f32),
    /// Every weight the same; bias 0.
    Constant(f32),
}

/// Starting weights for every parameter of `graph`; the same seed gives the same bits on every machine.
pub fn initialise(graph: &Graph, seed: u64) -> Params {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    graph.param_specs().into_iter().map(|(name, spec)| (name, sample(&spec, &mut rng))).collect()
}

fn sample(spec: &ParamSpec, rng: &mut ChaCha8Rng) -> Tensor {
    let fan_in = spec.fan_in.max(1) as f32;
    let fan_out = spec.fan_out.max(1) as f32;
    let is_bias = spec.is_bias;
    let draw: Box<dyn FnMut() -> f32> = match spec.init {
        Init::Default => {
            let bound = 1.0 / fan_in.sqrt();
            Box::new(move || (uniform(rng) * 2.0 - 1.0) * bound)
        }
        _ if is_bias => Box::new(|| 0.0),
        Init::Constant(c) => Box::new(move || c),
        Init::KaimingNormalFanOut => {
            let std = (2.0 / fan_out).sqrt();
            Box::new(move || normal(rng) * std)
        }
        Init::KaimingUniformFanIn => {
            let bound = (6.0 / fan_in).sqrt();
            Box::new(move || (uniform(rng) * 2.0 - 1.0) * bound)
        }
        Init::Normal(std) => Box::new(move || normal(rng) * std),
    };
    Tensor::from_shape_simple_fn(IxDyn(&spec.dims), draw)
}

/// Uniform in [0, 1) with 24 random bits.
fn uniform(rng: &mut ChaCha8Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1 << 24) as f32
}

/// Standard normal by Box and Muller; f64 inside so that the tail is right.
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - f64::from(uniform(rng))).ln()).sqrt();
    (radius * (std::f64::consts::TAU * f64::from(uniform(rng))).cos()) as f32
}
