//! The three-layer network: in → in/2 → out with ReLU and sigmoid, binary cross-entropy, SGD with the full batch.
//!
//! `cargo run --release --example three_layer_network [-- [EPOCHS] [FOLDER]]` (default 50,000 epochs, `--quick` makes it 500;
//! FOLDER holds your own pictures, a folder for each of two classes)
//!
//! The same pictures and the same loop as `simple_network`, with a hidden layer between:
//! `h = max(W₁x + b₁, 0)`, `p = sigmoid(w₂·h + b₂)`. See `docs/course/05-three-layer-network.md`.

#[path = "course/two_classes.rs"]
mod two_classes;

use eyespot_graph::{Builder, Op, Shape};

fn main() -> anyhow::Result<()> {
    let mut b = Builder::new("three_layer_network", Shape::Vector(two_classes::PIXELS));
    let x = b.input();
    let x = b.linear("linear1", x, two_classes::PIXELS / 2);
    let x = b.relu("relu", x);
    let x = b.linear("linear2", x, 1);
    b.add_op("sigmoid", Op::Sigmoid, &[x]);
    two_classes::run(&b.finish()?, "linear1")
}
