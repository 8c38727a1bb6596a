//! The simple network: linear + sigmoid, binary cross-entropy, SGD with the full batch.
//!
//! `cargo run --release --example simple_network [-- [EPOCHS] [FOLDER]]` (default 50,000 epochs, `--quick` makes it 500;
//! FOLDER holds your own pictures, a folder for each of two classes)
//!
//! 64 drawn pictures of 16 × 16 grey pixels, fish (0) and butterflies (1), are told apart by one unit:
//! `p = sigmoid(w·x + b)`, `L = −1/N Σ yᵢ ln pᵢ + (1 − yᵢ) ln(1 − pᵢ)`. See `docs/course/04-simple-network.md`.

#[path = "course/two_classes.rs"]
mod two_classes;

use eyespot_graph::{Builder, Op, Shape};

fn main() -> anyhow::Result<()> {
    let mut b = Builder::new("simple_network", Shape::Vector(two_classes::PIXELS));
    let x = b.input();
    let x = b.linear("linear", x, 1);
    b.add_op("sigmoid", Op::Sigmoid, &[x]);
    two_classes::run(&b.finish()?, "linear")
}
