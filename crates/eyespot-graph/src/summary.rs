//! What a network is made of and what it costs: the layer table of `eyespot inspect`.

use crate::{Graph, NodeId, Op, Optimizer, Shape};
use serde::Serialize;
use std::fmt;

/// One layer of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// Its name.
    pub name: String,
    /// PyTorch's name of the operator.
    pub kind: &'static str,
    /// The shape of its result for one picture.
    pub output: Shape,
    /// Learned numbers.
    pub parameters: u64,
    /// Multiply-adds for one picture.
    pub multiply_adds: u64,
}

/// Bytes a program needs, estimated in f32.
///
/// The estimate follows lifetimes: a result is kept until its last reader is done, and batch norm, activations,
/// dropout, flatten, add and concatenate reuse the memory of inputs nobody reads after them. Scratch memory of
/// the kernels and the packing of weights come on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Memory {
    /// Weights and running statistics.
    pub weights: u64,
    /// Results held at once at the fullest moment, the pictures included. Training keeps every result that is not
    /// written over its input, since backward needs it.
    pub activations: u64,
    /// Gradients of the weights and, at the fullest moment, of the results; 0 for inference.
    pub gradients: u64,
    /// Optimizer state: one number per learned weight for momentum, two for Adam and AdamW; 0 for inference.
    pub optimizer: u64,
}

impl Memory {
    /// The sum.
    pub fn total(&self) -> u64 {
        [self.weights, self.activations, self.gradients, self.optimizer]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// A network's layers, totals and memory. Its `Display` is a plain-text table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The network's name.
    pub network: String,
    /// The layers in the order they are computed; the first is the input.
    pub layers: Vec<LayerSummary>,
    /// Learned numbers in all.
    pub parameters: u64,
    /// Multiply-adds for one picture in all.
    pub multiply_adds: u64,
    /// Pictures per batch the memory is estimated for.
    pub batch: usize,
    /// Memory for inference.
    pub inference: Memory,
    /// Memory for training with momentum.
    pub training: Memory,
}

impl Graph {
    /// The layer table, totals, and memory at `batch` pictures.
    ///
    /// ```
    /// let graph = eyespot_graph::zoo::build("resnet50", 1000, None)?;
    /// let summary = graph.summary(16);
    /// assert_eq!(summary.parameters, 25_557_032);
    /// println!("{summary}");
    /// # Ok::<(), eyespot_graph::GraphError>(())
    /// ```
    pub fn summary(&self, batch: usize) -> Summary {
        let layer = |node: &crate::Node| {
            let input = node.inputs.first().map_or(node.shape, |&id| self.node(id).shape);
            LayerSummary {
                name: node.name.clone(),
                kind: node.op.kind(),
                output: node.shape,
                parameters: node.op.parameter_count(),
                multiply_adds: node.op.multiply_adds(input, node.shape),
            }
        };
        let layers: Vec<LayerSummary> = self.nodes.iter().map(layer).collect();
        let momentum = Optimizer::Sgd { momentum: 0.9, nesterov: false };
        Summary {
            network: self.name.clone(),
            parameters: self.parameter_count(),
            multiply_adds: layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.multiply_adds)),
            layers,
            batch,
            inference: self.inference_memory(batch),
            training: self.training_memory(batch, &momentum),
        }
    }

    /// An estimate of the memory for inference on `batch` pictures a call.
    pub fn inference_memory(&self, batch: usize) -> Memory {
        let last_reader = self.last_readers();
        let dying = |index: usize| {
            // An input read twice by one node dies once.
            let mut inputs = self.nodes[index].inputs.clone();
            inputs.sort_unstable();
            inputs.dedup();
            let dead = inputs.into_iter().filter(|id| last_reader[id.0] == index);
            dead.fold(0u64, |sum, id| sum.saturating_add(self.numbers(id)))
        };
        let (mut live, mut peak) = (0u64, 0u64);
        for (index, node) in self.nodes.iter().enumerate() {
            let freed = dying(index);
            let result = self.numbers(NodeId(index));
            let needed = if in_place(&node.op) { live.saturating_sub(freed) } else { live };
            peak = peak.max(needed.saturating_add(result));
            live = live.saturating_sub(freed).saturating_add(result);
        }
        Memory { weights: self.weight_bytes(), activations: bytes(peak, batch), ..Memory::default() }
    }

    /// An estimate of the memory for training on `batch` pictures a step.
    pub fn training_memory(&self, batch: usize, optimizer: &Optimizer) -> Memory {
        let kept = |(_, node): &(usize, &crate::Node)| !overwrites(&node.op);
        let kept = self.nodes.iter().enumerate().filter(kept);
        let activations =
            kept.fold(0, |sum: u64, (index, _)| sum.saturating_add(self.numbers(NodeId(index))));

        // Backward: a result's gradient lives from its last reader's turn to its own turn.
        let last_reader = self.last_readers();
        let (mut live, mut peak) = (self.numbers(self.output()), 0u64);
        for index in (1..self.nodes.len()).rev() {
            let appears = |id: &&NodeId| id.0 > 0 && last_reader[id.0] == index;
            let new = self.nodes[index].inputs.iter().filter(appears);
            let new = new.fold(0u64, |sum, &id| sum.saturating_add(self.numbers(id)));
            let own = self.numbers(NodeId(index));
            if in_place(&self.nodes[index].op) {
                live = live.saturating_sub(own).saturating_add(new);
                peak = peak.max(live);
            } else {
                peak = peak.max(live.saturating_add(new));
                live = live.saturating_add(new).saturating_sub(own);
            }
        }
        let learned = self.parameter_count();
        let slots = match optimizer {
            Optimizer::Sgd { momentum, .. } => u64::from(*momentum != 0.0),
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } => 2,
        };
        Memory {
            weights: self.weight_bytes(),
            activations: bytes(activations, batch),
            gradients: bytes(learned, 1).saturating_add(bytes(peak, batch)),
            optimizer: bytes(learned.saturating_mul(slots), 1),
        }
    }

    fn numbers(&self, id: NodeId) -> u64 {
        self.node(id).shape.elements() as u64
    }

    fn weight_bytes(&self) -> u64 {
        let count =
            |node: &crate::Node| node.op.params().iter().fold(0u64, |n, p| n.saturating_add(p.numbers()));
        bytes(self.nodes.iter().fold(0, |sum, node| sum.saturating_add(count(node))), 1)
    }

    /// For each node the last one that reads its result; the output is read after the end.
    fn last_readers(&self) -> Vec<usize> {
        let mut last = vec![0; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|id| last[id.0] = index);
        }
        last[self.output().0] = self.nodes.len();
        last
    }
}

fn bytes(numbers: u64, batch: usize) -> u64 {
    numbers.saturating_mul(batch as u64).saturating_mul(size_of::<f32>() as u64)
}

/// Whether inference writes the result where a dying input was.
fn in_place(op: &Op) -> bool {
    op.is_element_wise()
        || matches!(op, Op::Dropout { .. } | Op::Flatten | Op::BatchNorm2d(_) | Op::Add | Op::Concat)
}

/// Whether training does so too: backward can do with the result alone.
fn overwrites(op: &Op) -> bool {
    let reads_input = matches!(op, Op::Gelu { .. } | Op::Silu | Op::HardSwish);
    (op.is_element_wise() && !reads_input) || matches!(op, Op::Dropout { .. } | Op::Flatten)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![["layer", "kind", "output", "parameters", "multiply-adds"].map(str::to_owned)];
        for layer in &self.layers {
            let kind = layer.kind.to_owned();
            let (parameters, work) = (count_or_blank(layer.parameters), count_or_blank(layer.multiply_adds));
            rows.push([layer.name.clone(), kind, layer.output.to_string(), parameters, work]);
        }
        let mut widths = [0; 5];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let [a, b, c, d, e] = widths;
        writeln!(f, "{}", self.network)?;
        for [name, kind, output, parameters, work] in &rows {
            writeln!(f, "{name:a$}  {kind:b$}  {output:>c$}  {parameters:>d$}  {work:>e$}")?;
        }
        writeln!(f)?;
        writeln!(f, "{} parameters, {}", grouped(self.parameters), megabytes(self.inference.weights))?;
        writeln!(f, "{} multiply-adds per picture", grouped(self.multiply_adds))?;
        let pictures = if self.batch == 1 { "picture" } else { "pictures" };
        writeln!(f, "memory for {} {pictures} at a time, about", self.batch)?;
        let (inference, training) = (&self.inference, &self.training);
        let (weights, activations) = (megabytes(inference.weights), megabytes(inference.activations));
        writeln!(
            f,
            "  inference  {} (weights {weights}, activations {activations})",
            megabytes(inference.total())
        )?;
        let (activations, gradients) = (megabytes(training.activations), megabytes(training.gradients));
        let optimizer = megabytes(training.optimizer);
        writeln!(
            f,
            "  training   {} (weights {weights}, activations {activations}, gradients {gradients}, momentum {optimizer})",
            megabytes(training.total())
        )
    }
}

fn count_or_blank(n: u64) -> String {
    if n == 0 { String::new() } else { grouped(n) }
}

/// 25557032 as 25,557,032.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
