//! sgn, sigmoid and ReLU with their derivatives, and softmax as a distribution.
//!
//! `cargo run --release --example activations`
//!
//! The functions are computed by the operators that networks are made of, the derivatives by their formulas, and each
//! derivative is held against the slope between two neighbouring points. The page `docs/course/03-activations.md`
//! walks through it.

use eyespot_cpu::Cpu;
use eyespot_figure::{Chart, Mark, below, beside, save_png};
use eyespot_graph::{Builder, Device, Op, Params, Shape};
use std::path::Path;

/// A function of one number: its name, the operator, its derivative written with `x` and `y = f(x)`.
type Activation = (&'static str, Op, fn(f32, f32) -> f32);

fn main() -> anyhow::Result<()> {
    let activations: [Activation; 3] = [
        ("sgn", Op::Sgn, |_, _| 0.0),
        ("sigmoid", Op::Sigmoid, |_, y| y * (1.0 - y)),
        ("ReLU", Op::Relu, |x, _| if x > 0.0 { 1.0 } else { 0.0 }),
    ];
    let mut charts = Vec::new();
    for (name, op, derivative) in activations {
        let x: Vec<f32> = (-200..=200).map(|i| i as f32 / 40.0).collect();
        let y = apply(op, &x)?;
        let slope: Vec<f32> = x.iter().zip(&y).map(|(&x, &y)| derivative(x, y)).collect();
        println!("{name}\n       x     f(x)    f'(x)  slope to the next point");
        for i in (0..x.len() - 1).step_by(50) {
            let next = (y[i + 1] - y[i]) / (x[i + 1] - x[i]);
            println!("  {:6.2}  {:7.4}  {:7.4}  {next:7.4}", x[i], y[i], slope[i]);
        }
        charts.push(chart(name, &x, &y, &slope)?);
    }
    charts.push(softmax()?);
    let file = Path::new("eyespot-course/activations.png");
    save_png(&below(&[beside(&charts[..2]), beside(&charts[2..])]), file)?;
    println!("figure: {}", file.display());
    Ok(())
}

/// The operator on each of the numbers, or, for softmax, on all of them together.
fn apply(op: Op, x: &[f32]) -> anyhow::Result<Vec<f32>> {
    let mut b = Builder::new("activation", Shape::Vector(x.len()));
    let input = b.input();
    b.add_op("activation", op, &[input]);
    Ok(Cpu::new(1).inference(&b.finish()?, &Params::new(), 1)?.run(x, 1)?.to_vec())
}

fn chart(name: &str, x: &[f32], y: &[f32], slope: &[f32]) -> anyhow::Result<image::RgbImage> {
    let line = |label: &str, y: &[f32], color| Mark::Line {
        label: label.to_owned(),
        points: x.iter().zip(y).map(|(&x, &y)| (f64::from(x), f64::from(y))).collect(),
        color,
    };
    let chart = Chart {
        title: name.to_owned(),
        x_label: "x".to_owned(),
        y_label: String::new(),
        x_range: Some((-5.0, 5.0)),
        y_range: Some(if name == "ReLU" { (-0.5, 7.5) } else { (-0.1, 1.7) }),
        marks: vec![line("derivative", slope, 1), line("function", y, 0)],
    };
    Ok(chart.draw(440, 320)?)
}

/// Scores of five classes become shares of one; three times the scores make the first class surer.
fn softmax() -> anyhow::Result<image::RgbImage> {
    let scores = [2.0, 1.0, 0.5, 0.0, -1.0];
    let mut marks = Vec::new();
    println!("softmax");
    for (color, times) in [(0, 1.0f32), (1, 3.0)] {
        let z = scores.map(|z| z * times);
        let p = apply(Op::Softmax, &z)?;
        println!("  scores {z:5.1?}  shares {p:.3?}  sum {:.3}", p.iter().sum::<f32>());
        // Bars as outlines, so that both can be seen.
        let bar = |(i, &p): (usize, &f32)| {
            let (left, right, top) = (i as f64 + 0.65, i as f64 + 1.35, f64::from(p));
            [(left, 0.0), (left, top), (right, top), (right, 0.0)]
        };
        let points = p.iter().enumerate().flat_map(bar).collect();
        marks.push(Mark::Line { label: format!("scores times {times}"), points, color });
    }
    let chart = Chart {
        title: "softmax".to_owned(),
        x_label: "class, with scores 2, 1, 0.5, 0, -1".to_owned(),
        y_label: "share".to_owned(),
        x_range: Some((0.5, 5.5)),
        y_range: Some((0.0, 1.05)),
        marks,
    };
    Ok(chart.draw(440, 320)?)
}
