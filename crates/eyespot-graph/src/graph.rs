//! A network as data, and how one is written down.

use crate::ops::{BatchNorm2d, Conv2d, Gaussian, Linear, LocalResponseNorm, MaxPool2d, PadShortcut};
use crate::{GraphError, Init, Op, ParamSpec, Shape};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// A node's place in [`Graph::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub usize);

/// One operator at its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name, torchvision's where the operator has parameters: `layer1.0.conv1`.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// Whose results it takes; all stand before it.
    pub inputs: Vec<NodeId>,
    /// The shape of its result for one picture.
    pub shape: Shape,
}

/// A network: nodes in an order in which they can be computed. Node 0 is the input, the last one the output.
///
/// Reading one with serde validates it, so a damaged or hostile model file gives an error and never a graph that
/// breaks its promises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Graph {
    /// The network's name, such as `resnet50`.
    pub name: String,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The last node of the backbone: what comes after it is the head that tells the classes apart.
    pub features: NodeId,
}

/// A graph as it stands in a file.
#[derive(Deserialize)]
struct Unchecked {
    name: String,
    nodes: Vec<Node>,
    features: NodeId,
}

impl TryFrom<Unchecked> for Graph {
    type Error = GraphError;

    fn try_from(Unchecked { name, nodes, features }: Unchecked) -> Result<Self, GraphError> {
        let graph = Self { name, nodes, features };
        graph.validate()?;
        Ok(graph)
    }
}

/// The most numbers a layer may give for one picture (4 GiB in f32).
const MAX_RESULT: u64 = 1 << 30;
/// The most numbers a weight tensor may have (16 GiB in f32).
const MAX_WEIGHTS: u64 = 1 << 32;

impl Graph {
    /// The node with this id.
    ///
    /// # Panics
    /// If the id belongs to a larger graph.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The shape of one picture.
    pub fn input_shape(&self) -> Shape {
        self.nodes[0].shape
    }

    /// The last node.
    pub fn output(&self) -> NodeId {
        NodeId(self.nodes.len() - 1)
    }

    /// The shape of the result for one picture.
    pub fn output_shape(&self) -> Shape {
        self.nodes[self.nodes.len() - 1].shape
    }

    /// Every parameter with its full name, in order.
    pub fn param_specs(&self) -> Vec<(String, ParamSpec)> {
        let named = |node: &Node| {
            let name = node.name.clone();
            node.op.params().into_iter().map(move |spec| (format!("{name}.{}", spec.suffix), spec))
        };
        self.nodes.iter().flat_map(named).collect()
    }

    /// How many learned numbers the network has.
    pub fn parameter_count(&self) -> u64 {
        let count =
            |(_, spec): (String, ParamSpec)| spec.dims.iter().fold(1u64, |n, &d| n.saturating_mul(d as u64));
        self.param_specs()
            .into_iter()
            .filter(|(_, spec)| spec.learned)
            .map(count)
            .fold(0, u64::saturating_add)
    }

    /// Checks a graph that came from outside: order, names, shapes, and sizes a machine could hold.
    pub fn validate(&self) -> Result<(), GraphError> {
        let damaged = |reason: String| Err(GraphError::Damaged(reason));
        if self.nodes.is_empty() || self.nodes[0].op != Op::Input || !self.nodes[0].inputs.is_empty() {
            return damaged("it doesn't begin with an input".to_owned());
        }
        if self.features.0 >= self.nodes.len() {
            return damaged("its backbone ends beyond its last layer".to_owned());
        }
        let mut names = HashSet::new();
        // Names come into messages and tables, where control characters would steer the terminal.
        let is_odd = |name: &str| name.len() > MAX_NAME || name.chars().any(char::is_control);
        for (index, node) in self.nodes.iter().enumerate() {
            if is_odd(&node.name) || is_odd(&self.name) {
                return damaged(format!(
                    "the network or its layer {index} has a name with control characters or of more than \
                     {MAX_NAME} bytes"
                ));
            }
            if !names.insert(node.name.as_str()) {
                return Err(GraphError::DuplicateName(node.name.clone()));
            }
            if node.inputs.iter().any(|input| input.0 >= index) {
                return damaged(format!("layer `{}` reads from a layer behind it", node.name));
            }
            check_sizes(node)?;
            if index == 0 {
                continue;
            }
            let inputs: Vec<Shape> = node.inputs.iter().map(|&id| self.node(id).shape).collect();
            let shape = node
                .op
                .output_shape(&inputs)
                .map_err(|reason| GraphError::Shape { node: node.name.clone(), reason })?;
            if shape != node.shape {
                return damaged(format!("layer `{}` gives {shape}, not {}", node.name, node.shape));
            }
        }
        Ok(())
    }
}

/// Bytes of a layer's name.
const MAX_NAME: usize = 200;

fn check_sizes(node: &Node) -> Result<(), GraphError> {
    let error = |reason: String| Err(GraphError::Shape { node: node.name.clone(), reason });
    let numbers = node.shape.elements() as u64;
    if numbers == 0 || numbers > MAX_RESULT {
        return error(format!("a result of {} has no numbers or more than {MAX_RESULT}", node.shape));
    }
    let too_large = |spec: &ParamSpec| spec.numbers() == 0 || spec.numbers() > MAX_WEIGHTS;
    match node.op.params().into_iter().find(too_large) {
        Some(ParamSpec { suffix, dims, .. }) => {
            error(format!("{suffix} of {dims:?} has no numbers or more than {MAX_WEIGHTS}"))
        }
        None => Ok(()),
    }
}

/// Writes a network down, layer by layer.
///
/// A layer that doesn't fit is remembered and reported by [`Builder::finish`], so a network reads as a list.
///
/// ```
/// use eyespot_graph::{Builder, Shape, ops::Conv2d};
/// let mut b = Builder::new("tiny", Shape::map(3, 32, 32));
/// let x = b.input();
/// let x = b.conv2d("conv1", x, Conv2d::new(3, 8, 3).padding(1));
/// let x = b.relu("relu1", x);
/// let x = b.global_avg_pool("avgpool", x);
/// let x = b.flatten("flatten", x);
/// b.mark_features(x);
/// b.linear("fc", x, 10);
/// let graph = b.finish()?;
/// assert_eq!(graph.parameter_count(), 3 * 8 * 9 + 8 + 8 * 10 + 10);
/// # Ok::<(), eyespot_graph::GraphError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Builder {
    graph: Graph,
    linear_init: Init,
    error: Option<GraphError>,
}

impl Builder {
    /// Begins a network that takes pictures (or vectors) of this shape.
    pub fn new(name: impl Into<String>, input: Shape) -> Self {
        let node = Node { name: "input".to_owned(), op: Op::Input, inputs: Vec::new(), shape: input };
        let graph = Graph { name: name.into(), nodes: vec![node], features: NodeId(0) };
        Self { graph, linear_init: Init::Default, error: None }
    }

    /// Goes on where this network ends; the last node is [`Builder::last`].
    pub(crate) fn from_graph(graph: Graph) -> Self {
        Self { graph, linear_init: Init::Default, error: None }
    }

    /// The pictures.
    pub fn input(&self) -> NodeId {
        NodeId(0)
    }

    /// The layer added last.
    pub fn last(&self) -> NodeId {
        self.graph.output()
    }

    /// The shape of a node's result.
    pub fn shape(&self, id: NodeId) -> Shape {
        self.graph.node(id).shape
    }

    /// How the weights of the linear layers that follow start.
    pub fn linear_init(&mut self, init: Init) {
        self.linear_init = init;
    }

    /// Adds any operator.
    pub fn add_op(&mut self, name: impl Into<String>, op: Op, inputs: &[NodeId]) -> NodeId {
        let name = name.into();
        let shapes: Vec<Shape> = inputs.iter().map(|&id| self.shape(id)).collect();
        let shape = op.output_shape(&shapes).unwrap_or_else(|reason| {
            self.error.get_or_insert(GraphError::Shape { node: name.clone(), reason });
            shapes.first().copied().unwrap_or(Shape::Vector(0))
        });
        self.graph.nodes.push(Node { name, op, inputs: inputs.to_vec(), shape });
        self.graph.output()
    }

    /// Says that the backbone ends with this node.
    pub fn mark_features(&mut self, id: NodeId) {
        self.graph.features = id;
    }

    /// The finished network, or the first layer that didn't fit.
    pub fn finish(self) -> Result<Graph, GraphError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.graph.validate()?;
        Ok(self.graph)
    }

    /// [`Op::Conv2d`].
    pub fn conv2d(&mut self, name: impl Into<String>, x: NodeId, conv: Conv2d) -> NodeId {
        self.add_op(name, Op::Conv2d(conv), &[x])
    }

    /// [`Op::Linear`] with a bias and as many inputs as `x` has numbers.
    pub fn linear(&mut self, name: impl Into<String>, x: NodeId, out_features: usize) -> NodeId {
        let in_features = self.shape(x).elements();
        let op = Op::Linear(Linear { in_features, out_features, bias: true, init: self.linear_init });
        self.add_op(name, op, &[x])
    }

    /// [`Op::BatchNorm2d`] with PyTorch's defaults.
    pub fn batch_norm(&mut self, name: impl Into<String>, x: NodeId) -> NodeId {
        let features = self.shape(x).channels();
        self.add_op(name, Op::BatchNorm2d(BatchNorm2d::new(features)), &[x])
    }

    /// [`Op::Gaussian`] with as many inputs as `x` has numbers.
    pub fn gaussian(
        &mut self,
        name: impl Into<String>,
        x: NodeId,
        out_features: usize,
        init: Init,
    ) -> NodeId {
        let in_features = self.shape(x).elements();
        self.add_op(name, Op::Gaussian(Gaussian { in_features, out_features, init }), &[x])
    }

    /// [`Op::Relu`].
    pub fn relu(&mut self, name: impl Into<String>, x: NodeId) -> NodeId {
        self.add_op(name, Op::Relu, &[x])
    }

    /// [`Op::MaxPool2d`].
    pub fn max_pool2d(&mut self, name: impl Into<String>, x: NodeId, pool: MaxPool2d) -> NodeId {
        self.add_op(name, Op::MaxPool2d(pool), &[x])
    }

    /// [`Op::AdaptiveAvgPool2d`] to one pixel: the mean of each channel.
    pub fn global_avg_pool(&mut self, name: impl Into<String>, x: NodeId) -> NodeId {
        self.add_op(name, Op::AdaptiveAvgPool2d { height: 1, width: 1 }, &[x])
    }

    /// [`Op::Flatten`].
    pub fn flatten(&mut self, name: impl Into<String>, x: NodeId) -> NodeId {
        self.add_op(name, Op::Flatten, &[x])
    }

    /// [`Op::Dropout`].
    pub fn dropout(&mut self, name: impl Into<String>, x: NodeId, p: f32) -> NodeId {
        self.add_op(name, Op::Dropout { p }, &[x])
    }

    /// [`Op::Add`].
    pub fn add(&mut self, name: impl Into<String>, a: NodeId, b: NodeId) -> NodeId {
        self.add_op(name, Op::Add, &[a, b])
    }

    /// [`Op::Mul`]: `x` by `factors`, of the same shape or one per channel.
    pub fn mul(&mut self, name: impl Into<String>, x: NodeId, factors: NodeId) -> NodeId {
        self.add_op(name, Op::Mul, &[x, factors])
    }

    /// [`Op::Concat`].
    pub fn concat(&mut self, name: impl Into<String>, inputs: &[NodeId]) -> NodeId {
        self.add_op(name, Op::Concat, inputs)
    }

    /// [`Op::PadShortcut`].
    pub fn pad_shortcut(
        &mut self,
        name: impl Into<String>,
        x: NodeId,
        out_channels: usize,
        stride: usize,
    ) -> NodeId {
        self.add_op(name, Op::PadShortcut(PadShortcut { out_channels, stride }), &[x])
    }

    /// [`Op::LocalResponseNorm`].
    pub fn local_response_norm(
        &mut self,
        name: impl Into<String>,
        x: NodeId,
        norm: LocalResponseNorm,
    ) -> NodeId {
        self.add_op(name, Op::LocalResponseNorm(norm), &[x])
    }
}
