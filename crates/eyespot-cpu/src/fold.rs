//! Weights as inference needs them: batch norm folded in, columns in memory order.

use crate::check::tensor;
use eyespot_graph::{DeviceError, Params, Shape, ops::BatchNorm2d};
use eyespot_kernels::Floats;

/// A batch norm with its running statistics as `y = x · scale + shift` per channel.
pub(crate) struct ScaleShift {
    pub(crate) scale: Vec<f64>,
    pub(crate) shift: Vec<f64>,
}

impl ScaleShift {
    /// `scale = weight / √(running_var + eps)`, `shift = bias − running_mean · scale`.
    pub(crate) fn new(name: &str, op: &BatchNorm2d, params: &Params) -> Result<Self, DeviceError> {
        let get = |suffix| tensor(params, &format!("{name}.{suffix}"));
        let (weight, bias) = (get("weight")?, get("bias")?);
        let (mean, var) = (get("running_mean")?, get("running_var")?);
        let scale: Vec<f64> = weight
            .iter()
            .zip(var.iter())
            .map(|(&w, &v)| f64::from(w) / (f64::from(v) + f64::from(op.eps)).sqrt())
            .collect();
        let shift = (0..scale.len()).map(|c| f64::from(bias[c]) - f64::from(mean[c]) * scale[c]).collect();
        Ok(Self { scale, shift })
    }
}

/// What follows a convolution, as one `y · scale + shift` per output on top of its bias; `f64` until the end.
pub(crate) struct Folded {
    scale: Vec<f64>,
    bias: Vec<f64>,
}

impl Folded {
    /// Nothing follows yet.
    pub(crate) fn new(outputs: usize, bias: Option<&[f32]>) -> Self {
        let bias = bias.map_or_else(|| vec![0.0; outputs], |b| b.iter().map(|&v| f64::from(v)).collect());
        Self { scale: vec![1.0; outputs], bias }
    }

    /// Appends `y · scale + shift` per output.
    pub(crate) fn follow_by(&mut self, by: &ScaleShift) {
        for (o, (scale, shift)) in by.scale.iter().zip(&by.shift).enumerate() {
            self.scale[o] *= scale;
            self.bias[o] = self.bias[o] * scale + shift;
        }
    }

    /// The folded weights (out × anything) and bias, each rounded once.
    pub(crate) fn finish(&self, weights: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let row = weights.len() / self.scale.len();
        let rows = weights.chunks_exact(row).zip(&self.scale);
        let weights = rows.flat_map(|(row, scale)| row.iter().map(move |&w| (f64::from(w) * scale) as f32));
        (weights.collect(), self.bias.iter().map(|&b| b as f32).collect())
    }
}

/// Linear weights with their columns reordered from PyTorch's channel, row, column of the flattened map to the order in
/// memory: row, column, channel. The largest weights of a network often are these, so they are copied only once.
pub(crate) fn columns_in_memory_order(weights: &[f32], map: Shape) -> Floats {
    let (channels, height, width) = map.chw();
    let pixels = height * width;
    let mut reordered = Floats::zeroed(weights.len());
    let rows = weights.chunks_exact(channels * pixels);
    for (to, row) in reordered.chunks_exact_mut(channels * pixels).zip(rows) {
        for (p, to) in to.chunks_exact_mut(channels).enumerate() {
            to.iter_mut().enumerate().for_each(|(c, to)| *to = row[c * pixels + p]);
        }
    }
    reordered
}
