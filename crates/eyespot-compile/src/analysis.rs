//! Who uses whose result, seen past the operators that change nothing.

use eyespot_graph::{Graph, NodeId, Op, Shape};

/// The purpose a graph is analysed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Dropout changes nothing, and weights can be reordered once.
    Inference,
    /// Every result may be asked for its gradient.
    Training,
}

/// What lowering needs to know about a graph. Nodes are given by index.
#[derive(Debug)]
pub struct Analysis {
    /// The node whose result stands for this node's: itself, or for an operator that changes nothing (dropout in
    /// inference, flattening a single pixel), that of its input.
    pub value: Vec<usize>,
    /// The nodes that read this node's result, once per use. Operators that change nothing and those whose results
    /// reach nothing don't count.
    pub consumers: Vec<Vec<usize>>,
    /// Whether the node computes something that is needed.
    pub computes: Vec<bool>,
    /// The node whose result is the program's.
    pub output: usize,
    /// Flattened maps that keep their order in memory; the linear layers behind them reorder their weights instead.
    pub unordered: Vec<bool>,
}

impl Analysis {
    /// Analyses a graph that is sound.
    pub fn new(graph: &Graph, purpose: Purpose) -> Self {
        let none = vec![false; graph.nodes.len()];
        let first = Self::with(graph, purpose, none);
        if purpose == Purpose::Training {
            return first;
        }
        // A flattened map that only linear layers read needs no reordering: their weights are reordered, once.
        let reads_any_order =
            |&consumer: &usize| matches!(graph.nodes[consumer].op, Op::Linear(_) | Op::Gaussian(_));
        let unordered = (0..graph.nodes.len())
            .map(|i| {
                graph.nodes[i].op == Op::Flatten
                    && first.computes[i]
                    && first.output != i
                    && first.consumers[i].iter().all(reads_any_order)
            })
            .collect();
        Self::with(graph, purpose, unordered)
    }

    fn with(graph: &Graph, purpose: Purpose, unordered: Vec<bool>) -> Self {
        let count = graph.nodes.len();
        let mut needed = vec![false; count];
        needed[count - 1] = true;
        for i in (0..count).rev().filter(|&i| i > 0) {
            if needed[i] {
                graph.nodes[i].inputs.iter().for_each(|input| needed[input.0] = true);
            }
        }
        let mut value: Vec<usize> = Vec::with_capacity(count);
        for (i, node) in graph.nodes.iter().enumerate() {
            let same = unordered[i] || changes_nothing(graph, NodeId(i), purpose);
            value.push(if same { value[node.inputs[0].0] } else { i });
        }
        let mut consumers = vec![Vec::new(); count];
        let mut computes = vec![false; count];
        for (i, node) in graph.nodes.iter().enumerate().skip(1) {
            if needed[i] && value[i] == i {
                computes[i] = true;
                node.inputs.iter().for_each(|input| consumers[value[input.0]].push(i));
            }
        }
        Self { output: value[count - 1], value, consumers, computes, unordered }
    }

    /// The one node that reads this result, where there is just one and it isn't the program's result too.
    pub fn only_consumer(&self, node: usize) -> Option<usize> {
        match self.consumers[node][..] {
            [consumer] if node != self.output => Some(consumer),
            _ => None,
        }
    }

    /// The results that a node reads.
    pub fn inputs(&self, graph: &Graph, node: usize) -> Vec<usize> {
        graph.nodes[node].inputs.iter().map(|input| self.value[input.0]).collect()
    }

    /// The map that a linear layer reads in memory order, where it stands behind an [`unordered`](Self::unordered)
    /// flattening.
    pub fn unordered_input(&self, graph: &Graph, node: usize) -> Option<Shape> {
        let mut at = graph.nodes[node].inputs[0].0;
        loop {
            let node = &graph.nodes[at];
            if self.unordered[at] {
                return Some(graph.node(node.inputs[0]).shape);
            }
            if self.value[at] == at {
                return None;
            }
            at = node.inputs[0].0;
        }
    }
}

fn changes_nothing(graph: &Graph, id: NodeId, purpose: Purpose) -> bool {
    let node = graph.node(id);
    let input = || graph.node(node.inputs[0]).shape;
    match node.op {
        Op::Dropout { p } => purpose == Purpose::Inference || p == 0.0,
        Op::Flatten => input().pixels() == 1,
        // Each window is one pixel.
        Op::AdaptiveAvgPool2d { .. } => input() == node.shape,
        _ => false,
    }
}

/// The shape of a node's first input and of its result.
///
/// # Panics
/// For the graph's input, which has none.
pub fn in_and_out(graph: &Graph, node: usize) -> (Shape, Shape) {
    let node = &graph.nodes[node];
    (graph.node(node.inputs[0]).shape, node.shape)
}
