//! Cutting a network in two and putting two together.

use crate::{Graph, GraphError, Node, NodeId, Op};

impl Graph {
    /// Cuts the network after `node`: the front's output is that node's result, the rest takes it as input.
    ///
    /// Names stay, so one [`crate::Params`] serves both; [`Graph::join`] is the way back.
    ///
    /// # Errors
    /// [`GraphError::Cut`] where a later layer also reads something from before the cut (inside a residual block,
    /// say), or where one side would be empty.
    ///
    /// ```
    /// use eyespot_graph::zoo;
    /// let graph = zoo::build("resnet18", 10, None)?;
    /// let (front, rest) = graph.split(graph.features)?;
    /// assert_eq!(rest.parameter_count(), 512 * 10 + 10);
    /// assert_eq!(front.join(&rest)?, graph);
    /// # Ok::<(), eyespot_graph::GraphError>(())
    /// ```
    pub fn split(&self, node: NodeId) -> Result<(Graph, Graph), GraphError> {
        let front = self.needed_for(node)?;
        let name = self.node(node).name.as_str();
        if node.0 == 0 {
            return Err(GraphError::Cut(format!("cutting after the input `{name}` leaves nothing before")));
        }
        if node == self.output() {
            return Err(GraphError::Cut(format!(
                "cutting after the last layer `{name}` leaves nothing behind"
            )));
        }
        let rest = self.needed_after(node, &front)?;
        Ok((self.subgraph(&front, node), self.subgraph(&rest, node)))
    }

    /// Cuts after the last layer called `prefix` or `prefix.…`: `layer3` cuts a ResNet after its third stage.
    ///
    /// # Errors
    /// As [`Graph::split`], and where no layer has such a name.
    pub fn split_after_prefix(&self, prefix: &str) -> Result<(Graph, Graph), GraphError> {
        let within = |node: &Node| {
            node.name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        match self.nodes.iter().rposition(within) {
            Some(index) => self.split(NodeId(index)),
            None => {
                let mut parts: Vec<&str> =
                    self.nodes.iter().skip(1).filter_map(|node| node.name.split('.').next()).collect();
                parts.dedup();
                let parts = parts.join(", ");
                Err(GraphError::Cut(format!("no layer is called `{prefix}`; {} has {parts}", self.name)))
            }
        }
    }

    /// This network with `rest` behind it.
    ///
    /// # Errors
    /// Where the shapes don't meet or a name appears in both.
    pub fn join(&self, rest: &Graph) -> Result<Graph, GraphError> {
        self.validate()?;
        rest.validate()?;
        let (out, taken) = (self.output_shape(), rest.input_shape());
        if out != taken {
            return Err(GraphError::Cut(format!("the front gives {out}, the rest takes {taken}")));
        }
        let last = self.output().0;
        let mut joined = self.clone();
        for node in &rest.nodes[1..] {
            let inputs = node.inputs.iter().map(|id| NodeId(last + id.0)).collect();
            joined.nodes.push(Node { inputs, ..node.clone() });
        }
        if rest.features.0 > 0 {
            joined.features = NodeId(last + rest.features.0);
        }
        joined.validate()?;
        Ok(joined)
    }

    /// The layer whose outputs are the class scores: the last one that learns.
    ///
    /// Its weights have one row per class, so it is the one to replace for other classes.
    pub fn classifier_layer(&self) -> Option<NodeId> {
        let scores = |node: &Node| matches!(node.op, Op::Linear(_) | Op::Conv2d(_) | Op::Gaussian(_));
        self.nodes.iter().rposition(scores).map(NodeId)
    }

    /// The part of the network that computes `node`, with it as output: what to run for the node's result.
    ///
    /// # Errors
    /// A node the network doesn't have.
    pub fn up_to(&self, node: NodeId) -> Result<Graph, GraphError> {
        let kept = self.needed_for(node)?;
        Ok(self.subgraph(&kept, node))
    }

    /// Which nodes `node` depends on, itself included.
    fn needed_for(&self, node: NodeId) -> Result<Vec<bool>, GraphError> {
        self.validate()?;
        if node.0 >= self.nodes.len() {
            return Err(GraphError::Cut(format!("{} has no layer number {}", self.name, node.0)));
        }
        let mut needed = vec![false; self.nodes.len()];
        needed[node.0] = true;
        for index in (0..=node.0).rev() {
            if needed[index] {
                self.nodes[index].inputs.iter().for_each(|id| needed[id.0] = true);
            }
        }
        Ok(needed)
    }

    /// Which nodes the output depends on behind `cut`; an error names those that also reach before it.
    fn needed_after(&self, cut: NodeId, front: &[bool]) -> Result<Vec<bool>, GraphError> {
        let mut needed = vec![false; self.nodes.len()];
        let mut offenders = Vec::new();
        needed[self.output().0] = true;
        for index in (0..self.nodes.len()).rev() {
            if !needed[index] || index == cut.0 {
                continue;
            }
            let node = &self.nodes[index];
            for &id in &node.inputs {
                if id != cut && front[id.0] {
                    offenders.push(format!("`{}` also reads `{}`", node.name, self.node(id).name));
                } else {
                    needed[id.0] = true;
                }
            }
        }
        let name = &self.node(cut).name;
        if !offenders.is_empty() {
            offenders.truncate(4);
            let offenders = offenders.join(", ");
            return Err(GraphError::Cut(format!(
                "can't cut after `{name}`: {offenders} from before the cut; cut after a whole block"
            )));
        }
        if !needed[cut.0] {
            return Err(GraphError::Cut(format!(
                "can't cut after `{name}`: the output doesn't depend on it"
            )));
        }
        Ok(needed)
    }

    /// The kept nodes in order. Where the first kept node isn't the input, it becomes the input.
    fn subgraph(&self, kept: &[bool], cut: NodeId) -> Graph {
        let mut places = vec![NodeId(0); self.nodes.len()];
        let mut nodes: Vec<Node> = Vec::new();
        for (index, node) in self.nodes.iter().enumerate().filter(|&(index, _)| kept[index]) {
            places[index] = NodeId(nodes.len());
            let node = if nodes.is_empty() {
                Node {
                    name: self.nodes[0].name.clone(),
                    op: Op::Input,
                    inputs: Vec::new(),
                    shape: node.shape,
                }
            } else {
                let inputs = node.inputs.iter().map(|id| places[id.0]).collect();
                Node { inputs, ..node.clone() }
            };
            nodes.push(node);
        }
        let features = if kept[self.features.0] { places[self.features.0] } else { places[cut.0] };
        Graph { name: self.name.clone(), nodes, features }
    }
}
