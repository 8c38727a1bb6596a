//! A convolution, ReLU and pooling, each result as a picture.
//!
//! `cargo run --release --example convolution_and_pooling [-- PICTURE]` (a drawn butterfly by default)
//!
//! The filter [[1,0,1],[0,1,0],[1,0,1]] slides over a grey picture of 64 × 64 pixels; then come ReLU, max pooling and
//! mean pooling. All of it is what every network here is made of: a graph, compiled and run. The page
//! `docs/course/02-convolution-and-pooling.md` walks through it.

use anyhow::Context;
use eyespot_cpu::Cpu;
use eyespot_data::drawn::{Factors, draw};
use eyespot_data::{Limits, Transform, decode};
use eyespot_figure::{Cell, Grid, grey, save_png, signed};
use eyespot_graph::ops::{AvgPool2d, Conv2d, MaxPool2d};
use eyespot_graph::{Builder, Device, Graph, NodeId, Op, Params, Shape, Tensor};
use std::path::Path;

const SIDE: usize = 64;
#[rustfmt::skip]
const FILTER: [f32; 9] = [
    1.0, 0.0, 1.0,
    0.0, 1.0, 0.0,
    1.0, 0.0, 1.0,
];

fn main() -> anyhow::Result<()> {
    // It takes no time, so `--quick` changes nothing.
    let picture = match std::env::args().nth(1).filter(|text| text != "--quick") {
        None => draw(0, SIDE as u32, &Factors::all(0.0), 0),
        Some(path) => decode(Path::new(&path), &Limits::default()).context(path)?,
    };
    // One grey channel from −1 (black) to 1 (white).
    let side = SIDE as u32;
    let transform = Transform { resize: Some(side), ..Transform::unscaled(side, side, 1) };
    let mut x = vec![0.0; transform.len()];
    transform.apply(&picture, &mut x)?;

    let mut b = Builder::new("convolution_and_pooling", Shape::map(1, SIDE, SIDE));
    let input = b.input();
    let convolved = b.conv2d("convolution", input, Conv2d::new(1, 1, 3).no_bias());
    let rectified = b.relu("relu", convolved);
    let largest = b.max_pool2d("max pooling", rectified, MaxPool2d::new(2, 2));
    let mean = b.add_op("mean pooling", Op::AvgPool2d(AvgPool2d::new(2, 2)), &[rectified]);
    let graph = b.finish()?;
    let mut params = Params::new();
    params
        .insert("convolution.weight".to_owned(), Tensor::from_shape_vec(&[1, 1, 3, 3][..], FILTER.to_vec())?);

    let mut cells = vec![
        Cell::new(grey(&x, SIDE, SIDE), format!("picture, {SIDE}×{SIDE}")),
        Cell::new(signed(&FILTER, 3, 3), "filter: red 1, white 0"),
    ];
    println!("picture: {SIDE}×{SIDE} numbers from -1 (black) to 1 (white)");
    for node in [convolved, rectified, largest, mean] {
        let y = result(&graph, &params, node, &x)?;
        let name = &graph.node(node).name;
        let (_, height, width) = graph.node(node).shape.chw();
        let (low, high) = y.iter().fold((f32::MAX, f32::MIN), |(l, h), &v| (l.min(v), h.max(v)));
        println!("{name}: {height}×{width} numbers from {low:.2} to {high:.2}");
        if node == convolved {
            by_hand(&x, &y);
        }
        // Only before ReLU there are numbers below 0, in blue.
        let picture = if node == convolved { signed(&y, width, height) } else { grey(&y, width, height) };
        cells.push(Cell::new(picture, format!("{name}, {height}×{width}")));
    }
    let title = "Convolution, ReLU, pooling".to_owned();
    let figure = Grid { title, columns: 3, cell: 248, sharp: true }.draw(&cells);
    let file = Path::new("eyespot-course/convolution_and_pooling.png");
    save_png(&figure, file)?;
    println!("figure: {}", file.display());
    Ok(())
}

/// What a node of the graph makes of the picture.
fn result(graph: &Graph, params: &Params, node: NodeId, x: &[f32]) -> anyhow::Result<Vec<f32>> {
    let graph = graph.up_to(node)?;
    Ok(Cpu::new(1).inference(&graph, params, 1)?.run(x, 1)?.to_vec())
}

/// The sum at one place, term by term: `y[i, j] = Σ_u Σ_v W[u, v] · x[i + u, j + v]`.
fn by_hand(x: &[f32], y: &[f32]) {
    let (i, j) = (SIDE / 2, SIDE / 2);
    let mut terms = Vec::new();
    let mut sum = 0.0;
    for (index, weight) in FILTER.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
        let value = x[(i + index / 3) * SIDE + j + index % 3];
        sum += weight * value;
        terms.push(format!("{weight}·({value:.3})"));
    }
    println!("  at row {i}, column {j}: {} = {sum:.3}", terms.join(" + "));
    println!("  computed by the network:  {:.3}", y[i * (SIDE - 2) + j]);
}
