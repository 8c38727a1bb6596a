//! Weights as inference needs them: batch norm folded in, columns in memory order.

use crate::check::tensor;
use eyespot_graph::{DeviceError, Graph, Op, Params, Shape, ops::BatchNorm2d};
use std::borrow::Cow;

/// A batch norm with its running statistics as `y = x · scale + shift` per channel.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaleShift {
    /// What each channel is multiplied by.
    pub scale: Vec<f64>,
    /// What is added to each channel then.
    pub shift: Vec<f64>,
}

impl ScaleShift {
    /// `scale = weight / √(running_var + eps)`, `shift = bias − running_mean · scale`, from the tensors of the layer `name`.
    ///
    /// # Errors
    /// A tensor that isn't there.
    pub fn new(name: &str, op: &BatchNorm2d, params: &Params) -> Result<Self, DeviceError> {
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

    /// Scale and shift, each rounded once.
    pub fn rounded(&self) -> (Vec<f32>, Vec<f32>) {
        let round = |values: &[f64]| values.iter().map(|&v| v as f32).collect();
        (round(&self.scale), round(&self.shift))
    }
}

/// What follows a convolution, as one `y · scale + shift` per output on top of its bias; `f64` until the end.
#[derive(Debug, Clone)]
pub struct Folded {
    scale: Vec<f64>,
    bias: Vec<f64>,
}

impl Folded {
    /// Nothing follows yet.
    pub fn new(outputs: usize, bias: Option<&[f32]>) -> Self {
        let bias = bias.map_or_else(|| vec![0.0; outputs], |b| b.iter().map(|&v| f64::from(v)).collect());
        Self { scale: vec![1.0; outputs], bias }
    }

    /// Appends `y · scale + shift` per output.
    pub fn follow_by(&mut self, by: &ScaleShift) {
        for (o, (scale, shift)) in by.scale.iter().zip(&by.shift).enumerate() {
            self.scale[o] *= scale;
            self.bias[o] = self.bias[o] * scale + shift;
        }
    }

    /// The folded weights (out × anything) and bias, each rounded once.
    pub fn finish(&self, weights: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let row = weights.len() / self.scale.len();
        let rows = weights.chunks_exact(row).zip(&self.scale);
        let weights = rows.flat_map(|(row, scale)| row.iter().map(move |&w| (f64::from(w) * scale) as f32));
        (weights.collect(), self.bias.iter().map(|&b| b as f32).collect())
    }
}

/// A tensor's numbers: the caller's own, or computed from them.
pub type Numbers<'a> = Cow<'a, [f32]>;

/// A convolution's weights (and bias, where there is one) with the batch norms at the nodes `norms` folded into them.
///
/// # Errors
/// A tensor that isn't there.
///
/// # Panics
/// Where `node` is no convolution or one of `norms` no batch norm.
pub fn conv2d_weights<'a>(
    graph: &Graph,
    params: &'a Params,
    node: usize,
    norms: &[usize],
) -> Result<(Numbers<'a>, Option<Numbers<'a>>), DeviceError> {
    let name = &graph.nodes[node].name;
    let Op::Conv2d(op) = &graph.nodes[node].op else { unreachable!("`{name}` is a convolution") };
    let weights = tensor(params, &format!("{name}.weight"))?;
    let bias = if op.bias { Some(tensor(params, &format!("{name}.bias"))?) } else { None };
    if norms.is_empty() {
        return Ok((weights, bias));
    }
    let mut folded = Folded::new(op.out_channels, bias.as_deref());
    for &norm in norms {
        let norm = &graph.nodes[norm];
        let Op::BatchNorm2d(op) = &norm.op else { unreachable!("`{}` is a batch norm", norm.name) };
        folded.follow_by(&ScaleShift::new(&norm.name, op, params)?);
    }
    let (weights, bias) = folded.finish(&weights);
    Ok((weights.into(), Some(bias.into())))
}

/// Writes linear weights to `reordered` with their columns reordered from PyTorch's channel, row, column of the
/// flattened map to the order in memory: row, column, channel. The largest weights of a network often are these, so they
/// are copied only once, to where the device wants them.
///
/// # Panics
/// When `reordered` isn't as long as `weights`.
pub fn columns_in_memory_order(weights: &[f32], map: Shape, reordered: &mut [f32]) {
    assert_eq!(weights.len(), reordered.len(), "reordering keeps the length");
    let (channels, height, width) = map.chw();
    let pixels = height * width;
    let rows = weights.chunks_exact(channels * pixels);
    for (to, row) in reordered.chunks_exact_mut(channels * pixels).zip(rows) {
        for (p, to) in to.chunks_exact_mut(channels).enumerate() {
            to.iter_mut().enumerate().for_each(|(c, to)| *to = row[c * pixels + p]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_go_from_channels_first_to_channels_last() {
        // Two rows for a map of 2 channels of 1 × 3 pixels; the tens are the channel, the ones the pixel.
        let weights = [0.0, 1.0, 2.0, 10.0, 11.0, 12.0, 100.0, 101.0, 102.0, 110.0, 111.0, 112.0];
        let mut reordered = [0.0; 12];
        columns_in_memory_order(&weights, Shape::map(2, 1, 3), &mut reordered);
        assert_eq!(reordered, [0.0, 10.0, 1.0, 11.0, 2.0, 12.0, 100.0, 110.0, 101.0, 111.0, 102.0, 112.0]);
    }
}
