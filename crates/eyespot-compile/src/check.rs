//! What must hold before anything is allocated: a sound graph, tensors of the right shapes, sizes within reach.

use eyespot_graph::{DeviceError, Graph, Params};

/// The most floats one activation may have over the whole batch: 2^40 bytes, beyond any machine eyespot runs on.
const MOST_FLOATS: usize = 1 << 38;

/// Checks graph, weights and batch size.
///
/// # Errors
/// As [`check_graph`] and [`check_params`].
pub fn check(graph: &Graph, params: &Params, batch: usize) -> Result<(), DeviceError> {
    check_graph(graph, batch)?;
    check_params(graph, params)
}

/// Checks that a graph is sound and its results for `batch` pictures are of a size that can be.
///
/// # Errors
/// An unsound graph, no pictures at all, or a result that no machine could hold.
pub fn check_graph(graph: &Graph, batch: usize) -> Result<(), DeviceError> {
    graph.validate()?;
    if batch == 0 {
        return Err(DeviceError::Call("a program needs a batch size of at least 1".to_owned()));
    }
    for node in &graph.nodes {
        let elements = node.shape.elements();
        let fits = elements.checked_mul(batch).is_some_and(|total| total <= MOST_FLOATS);
        if elements == 0 || !fits {
            let reason = format!("its result of {} for {batch} pictures can't be held in memory", node.shape);
            return Err(DeviceError::Unsupported { node: node.name.clone(), reason });
        }
    }
    Ok(())
}

/// Checks that every tensor the graph needs is there, in its shape.
///
/// # Errors
/// The first tensor that is missing or has another shape.
pub fn check_params(graph: &Graph, params: &Params) -> Result<(), DeviceError> {
    for (name, spec) in graph.param_specs() {
        let Some(tensor) = params.get(&name) else {
            return Err(DeviceError::MissingTensor(name));
        };
        if tensor.shape() != spec.dims {
            let found = tensor.shape().to_vec();
            return Err(DeviceError::TensorShape { name, expected: spec.dims, found });
        }
    }
    Ok(())
}

/// Checks that a call brings `images` pictures of `elements` numbers each, and not more than the program takes.
///
/// # Errors
/// A call that brings more, or another amount of numbers.
pub fn check_call(input: &[f32], images: usize, elements: usize, batch: usize) -> Result<(), DeviceError> {
    if images > batch {
        return Err(DeviceError::Call(format!(
            "{images} pictures were given to a program for at most {batch}; compile it for more or give fewer"
        )));
    }
    if input.len() != images * elements {
        return Err(DeviceError::Call(format!(
            "{images} pictures of {elements} numbers each were announced, {} numbers were given",
            input.len()
        )));
    }
    Ok(())
}

/// A tensor's numbers in order. The names were checked, so this only allocates where the tensor isn't contiguous.
///
/// # Errors
/// A tensor that isn't there.
pub fn tensor<'a>(params: &'a Params, name: &str) -> Result<std::borrow::Cow<'a, [f32]>, DeviceError> {
    let tensor = params.get(name).ok_or_else(|| DeviceError::MissingTensor(name.to_owned()))?;
    Ok(match tensor.as_slice() {
        Some(slice) => slice.into(),
        None => tensor.iter().copied().collect::<Vec<f32>>().into(),
    })
}
