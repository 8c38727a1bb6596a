//! A device that knows one network: a linear layer, perhaps with a sigmoid behind it.

use eyespot_graph::{
    Builder, Device, DeviceError, Graph, Inference, Op, Optimizer, Params, Shape, Tensor, TensorScales,
    Training, Update,
};
use eyespot_train::InMemory;

/// The linear layer `fc` with `inputs` and `outputs`.
pub fn graph(inputs: usize, outputs: usize, sigmoid: bool) -> Graph {
    let mut b = Builder::new("plain", Shape::Vector(inputs));
    let x = b.input();
    let x = b.linear("fc", x, outputs);
    if sigmoid {
        b.add_op("sigmoid", Op::Sigmoid, &[x]);
    }
    b.finish().unwrap()
}

#[derive(Debug)]
pub struct Plain;

#[derive(Clone)]
struct Layer {
    weight: Tensor,
    bias: Tensor,
    sigmoid: bool,
    scores: Vec<f32>,
    batch: usize,
}

impl Layer {
    fn new(graph: &Graph, params: &Params, batch: usize) -> Result<Self, DeviceError> {
        let get = |name: &str| params.get(name).cloned().ok_or(DeviceError::MissingTensor(name.to_owned()));
        let sigmoid = graph.node(graph.output()).op == Op::Sigmoid;
        Ok(Self { weight: get("fc.weight")?, bias: get("fc.bias")?, sigmoid, scores: Vec::new(), batch })
    }

    fn forward(&mut self, input: &[f32], images: usize) -> &[f32] {
        let (outputs, inputs) = (self.weight.shape()[0], self.weight.shape()[1]);
        assert!(images <= self.batch && input.len() == images * inputs);
        self.scores.clear();
        for x in input.chunks(inputs) {
            for o in 0..outputs {
                let sum: f32 = x.iter().enumerate().map(|(i, x)| x * self.weight[[o, i]]).sum();
                let z = sum + self.bias[[o]];
                self.scores.push(if self.sigmoid { 1.0 / (1.0 + (-z).exp()) } else { z });
            }
        }
        &self.scores
    }
}

struct Learning {
    layer: Layer,
    /// Gradients, momentum and average of weight and bias.
    gradients: [Tensor; 2],
    momentum: Option<[Tensor; 2]>,
    average: Option<[Tensor; 2]>,
}

impl Device for Plain {
    fn inference(&self, g: &Graph, params: &Params, batch: usize) -> Result<Box<dyn Inference>, DeviceError> {
        Ok(Box::new(Layer::new(g, params, batch)?))
    }

    fn training(
        &self,
        graph: &Graph,
        params: &Params,
        batch: usize,
        _: u64,
    ) -> Result<Box<dyn Training>, DeviceError> {
        let layer = Layer::new(graph, params, batch)?;
        let gradients = [layer.weight.clone(), layer.bias.clone()];
        Ok(Box::new(Learning { layer, gradients, momentum: None, average: None }))
    }
}

impl Inference for Layer {
    fn batch(&self) -> usize {
        self.batch
    }

    fn run(&mut self, input: &[f32], images: usize) -> Result<&[f32], DeviceError> {
        Ok(self.forward(input, images))
    }

    fn set_params(&mut self, params: &Params) -> Result<(), DeviceError> {
        let get = |name: &str| params.get(name).cloned().ok_or(DeviceError::MissingTensor(name.to_owned()));
        (self.weight, self.bias) = (get("fc.weight")?, get("fc.bias")?);
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        0
    }
}

fn named(prefix: &str, pair: &[Tensor; 2]) -> Vec<(String, Tensor)> {
    vec![(format!("{prefix}fc.weight"), pair[0].clone()), (format!("{prefix}fc.bias"), pair[1].clone())]
}

impl Training for Learning {
    fn batch(&self) -> usize {
        self.layer.batch
    }

    fn forward(&mut self, input: &[f32], images: usize, _: u64) -> Result<&[f32], DeviceError> {
        Ok(self.layer.forward(input, images))
    }

    fn backward(&mut self, input: &[f32], scores_gradient: &[f32]) -> Result<(), DeviceError> {
        let (outputs, inputs) = (self.layer.weight.shape()[0], self.layer.weight.shape()[1]);
        self.gradients.iter_mut().for_each(|g| g.fill(0.0));
        for (n, x) in input.chunks(inputs).enumerate() {
            for o in 0..outputs {
                let y = self.layer.scores[n * outputs + o];
                let slope = if self.layer.sigmoid { y * (1.0 - y) } else { 1.0 };
                let d = scores_gradient[n * outputs + o] * slope;
                self.gradients[1][[o]] += d;
                x.iter().enumerate().for_each(|(i, x)| self.gradients[0][[o, i]] += d * x);
            }
        }
        Ok(())
    }

    fn gradient_norm(&mut self) -> Result<f64, DeviceError> {
        Ok(self.gradients.iter().flatten().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt())
    }

    fn update(&mut self, update: &Update) -> Result<(), DeviceError> {
        let Optimizer::Sgd { momentum, .. } = update.optimizer else { panic!("the plain device knows SGD") };
        let weights = [&mut self.layer.weight, &mut self.layer.bias];
        let average = update.ema_decay.map(|_| weights.each_ref().map(|w| (**w).clone()));
        self.average = self.average.take().or(average);
        let gradients = self.gradients.each_ref().map(|g| g * update.gradient_scale);
        let velocity = match self.momentum.take() {
            Some([a, b]) => [a * momentum + &gradients[0], b * momentum + &gradients[1]],
            None => gradients,
        };
        for (w, v) in weights.into_iter().zip(&velocity) {
            *w -= &(v * update.learning_rate);
        }
        self.momentum = Some(velocity);
        if let (Some(decay), Some([a, b])) = (update.ema_decay, &mut self.average) {
            *a = &*a * decay + &(&self.layer.weight * (1.0 - decay));
            *b = &*b * decay + &(&self.layer.bias * (1.0 - decay));
        }
        Ok(())
    }

    fn set_tensor_scales(&mut self, _: &TensorScales) -> Result<(), DeviceError> {
        Err(DeviceError::Call("the plain device steps all tensors alike".to_owned()))
    }

    fn params(&self) -> Result<Params, DeviceError> {
        Ok(named("", &[self.layer.weight.clone(), self.layer.bias.clone()]).into_iter().collect())
    }

    fn averaged_params(&self) -> Result<Option<Params>, DeviceError> {
        Ok(self.average.as_ref().map(|average| named("", average).into_iter().collect()))
    }

    fn gradients(&self) -> Result<Params, DeviceError> {
        Ok(named("", &self.gradients).into_iter().collect())
    }

    fn optimizer_state(&self) -> Result<Params, DeviceError> {
        let momentum = self.momentum.iter().flat_map(|m| named("momentum.", m));
        Ok(momentum.chain(self.average.iter().flat_map(|a| named("average.", a))).collect())
    }

    fn set_optimizer_state(&mut self, state: &Params) -> Result<(), DeviceError> {
        let pair = |prefix: &str| {
            let get = |name: &str| state.get(&format!("{prefix}.{name}")).cloned();
            Some([get("fc.weight")?, get("fc.bias")?])
        };
        (self.momentum, self.average) = (pair("momentum"), pair("average"));
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        0
    }
}

/// Numbers of a sample of [`clouds`].
pub const INPUTS: usize = 6;

/// Three clouds that a line nearly tells apart.
pub fn clouds(samples: usize, salt: usize) -> InMemory {
    let labels: Vec<u32> = (0..samples).map(|i| (i % 3) as u32).collect();
    let noise = |i: usize| ((i * 2654435761 + salt * 40503) % 1009) as f32 / 1009.0 - 0.5;
    let input = |i: usize| if i % INPUTS == labels[i / INPUTS] as usize { 1.0 } else { 0.0 };
    let inputs = (0..samples * INPUTS).map(|i| input(i) + 1.5 * noise(i)).collect();
    InMemory::new(inputs, labels, INPUTS, 1).unwrap()
}
