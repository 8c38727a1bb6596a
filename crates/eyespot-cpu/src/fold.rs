//! Weights as inference needs them: batch norm folded in, columns in memory order.

use crate::check::tensor;
use eyespot_graph::{DeviceError, Params, Shape, ops::BatchNorm2d};

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

/// Weights (out × anything) and bias of a layer in `f64`, into which what follows is folded.
pub(crate) struct Folded {
    weights: Vec<f64>,
    bias: Vec<f64>,
}

impl Folded {
    pub(crate) fn new(
        name: &str,
        has_bias: bool,
        outputs: usize,
        params: &Params,
    ) -> Result<Self, DeviceError> {
        let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect();
        let weights = wide(&tensor(params, &format!("{name}.weight"))?);
        let bias =
            if has_bias { wide(&tensor(params, &format!("{name}.bias"))?) } else { vec![0.0; outputs] };
        Ok(Self { weights, bias })
    }

    /// Appends `y · scale + shift` per output.
    pub(crate) fn follow_by(&mut self, by: &ScaleShift) {
        let row = self.weights.len() / self.bias.len();
        for (o, weights) in self.weights.chunks_exact_mut(row).enumerate() {
            weights.iter_mut().for_each(|w| *w *= by.scale[o]);
            self.bias[o] = self.bias[o] * by.scale[o] + by.shift[o];
        }
    }

    /// Weights and bias, rounded once.
    pub(crate) fn finish(self) -> (Vec<f32>, Vec<f32>) {
        let narrow = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect();
        (narrow(self.weights), narrow(self.bias))
    }
}

/// Reorders the columns of linear weights from PyTorch's channel, row, column of the flattened map to the order in
/// memory: row, column, channel.
pub(crate) fn columns_in_memory_order(weights: &[f32], map: Shape) -> Vec<f32> {
    let (channels, height, width) = map.chw();
    let pixels = height * width;
    let mut reordered = Vec::with_capacity(weights.len());
    for row in weights.chunks_exact(channels * pixels) {
        for p in 0..pixels {
            reordered.extend((0..channels).map(|c| row[c * pixels + p]));
        }
    }
    reordered
}
