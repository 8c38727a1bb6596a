//! A backbone and a head are separate notions: this takes a network's backbone, or puts a new head on it.

use crate::{Builder, Graph, GraphError, Shape};

/// The layers that tell the classes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// One linear layer.
    Linear,
    /// Dropout of one half, then one linear layer: for a head that learns together with its backbone.
    DropoutLinear,
    /// Linear to half as many numbers, ReLU, linear.
    Mlp,
}

/// The part of `graph` that describes a picture by a vector: all up to [`Graph::features`], averaged over the pixels
/// where that is a map.
///
/// # Errors
/// A damaged graph.
///
/// ```
/// use eyespot_graph::{Shape, zoo};
/// let graph = zoo::build("squeezenet1_1", 1000, None)?;
/// assert_eq!(zoo::backbone(&graph)?.output_shape(), Shape::Vector(512));
/// # Ok::<(), eyespot_graph::GraphError>(())
/// ```
pub fn backbone(graph: &Graph) -> Result<Graph, GraphError> {
    let mut b = Builder::from_graph(graph.up_to(graph.features)?);
    let x = b.last();
    if matches!(b.shape(x), Shape::Map { .. }) {
        let x = b.global_avg_pool("head.avgpool", x);
        b.flatten("head.flatten", x);
    }
    b.finish()
}

/// The backbone of `graph` with a fresh head for `classes` outputs.
///
/// A map is averaged over its pixels first. A linear head takes the name of the linear layer it replaces (`fc`,
/// `classifier.6`), otherwise it is called `head`; the layers of [`Head::Mlp`] are `head.0`, `head.1`, `head.2`.
///
/// # Errors
/// A damaged graph, or no classes.
///
/// ```
/// use eyespot_graph::{Shape, zoo};
/// let graph = zoo::build("squeezenet1_1", 1000, None)?;
/// let graph = zoo::with_head(&graph, zoo::Head::Linear, 2)?;
/// assert_eq!(graph.node(graph.features).shape, Shape::map(512, 13, 13));
/// assert_eq!(graph.node(graph.output()).name, "head");
/// # Ok::<(), eyespot_graph::GraphError>(())
/// ```
pub fn with_head(graph: &Graph, head: Head, classes: usize) -> Result<Graph, GraphError> {
    if classes == 0 {
        let reason = "a head needs at least one class".to_owned();
        return Err(GraphError::Unsuitable { network: graph.name.clone(), reason });
    }
    let mut b = Builder::from_graph(backbone(graph)?);
    let replaced = graph.classifier_layer().map(|id| graph.node(id));
    let mut x = b.last();
    match head {
        Head::Linear | Head::DropoutLinear => {
            // On a vector the new layer stands exactly where the old classifier stood.
            let same_place = graph.node(graph.features).shape == b.shape(x);
            let old = replaced.filter(|node| same_place && matches!(node.op, crate::Op::Linear(_)));
            if head == Head::DropoutLinear {
                x = b.dropout("head.dropout", x, 0.5);
            }
            b.linear(old.map_or("head", |node| node.name.as_str()), x, classes);
        }
        Head::Mlp => {
            let hidden = (b.shape(x).elements() / 2).max(1);
            x = b.linear("head.0", x, hidden);
            x = b.relu("head.1", x);
            b.linear("head.2", x, classes);
        }
    }
    b.finish()
}
