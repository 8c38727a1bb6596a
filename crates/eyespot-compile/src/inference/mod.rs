//! The plan of an inference program.

mod planning;

use crate::arena::{Planner, Source, Span};
use crate::check::check_graph;
use crate::functions::Activation;
use eyespot_graph::{DeviceError, Graph, Shape};

/// What a step computes. The operator's settings stand in the graph at [`Step::node`].
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Convolution with all that follows it; a second input is added before the activation.
    Conv2d {
        /// The nodes of the batch norms to be folded into its weights, in order.
        norms: Vec<usize>,
        /// What comes last.
        activation: Activation,
        /// How many numbers the result's pixels are apart.
        out_stride: usize,
    },
    /// A linear layer.
    Linear {
        /// The map whose order in memory its columns have to be put into, where it reads one.
        map: Option<Shape>,
        /// What follows.
        activation: Activation,
    },
    /// Gaussian units.
    Gaussian {
        /// As in [`Kind::Linear`].
        map: Option<Shape>,
    },
    /// One part of a concatenation: pixels of `channels` numbers into wider ones of `total`, from `offset` on.
    Insert {
        /// Numbers in a pixel of the part.
        channels: usize,
        /// Numbers in a pixel of the whole.
        total: usize,
        /// Where in the wider pixel the part begins.
        offset: usize,
    },
    /// Any other operator, by itself, as it stands in the graph.
    Op,
    /// The input as it is: a network that changes nothing.
    Copy,
}

/// One step: what, on what, where to.
#[derive(Debug, Clone)]
pub struct Step {
    /// The layers it computes, joined by `+`.
    pub name: String,
    /// The node it computes, the first one where several are fused; for [`Kind::Insert`] the concatenation.
    pub node: usize,
    /// What it computes.
    pub kind: Kind,
    /// What it reads, in the operator's order.
    pub inputs: Vec<Source>,
    /// The result; the same span as the input where an element-wise function works in place.
    pub y: Span,
    /// Multiply-adds of one picture.
    pub multiply_adds: u64,
    /// Numbers one picture's step writes or multiplies: what decides whether threads are worth while.
    pub work: usize,
}

/// The steps, the buffers they use, and where the result lies.
#[derive(Debug, Clone)]
pub struct InferencePlan {
    /// In the order in which they are computed.
    pub steps: Vec<Step>,
    /// The buffers of all results; a step's place in `steps` is its time.
    pub planner: Planner,
    /// The result of the network.
    pub output: Span,
}

impl InferencePlan {
    /// Plans a program for up to `batch` pictures.
    ///
    /// # Errors
    /// As [`check_graph`].
    pub fn new(graph: &Graph, batch: usize) -> Result<Self, DeviceError> {
        check_graph(graph, batch)?;
        Ok(planning::plan(graph, batch))
    }
}
