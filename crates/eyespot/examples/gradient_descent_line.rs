//! A line fitted by gradient descent: the smallest thing that learns.
//!
//! `cargo run --release --example gradient_descent_line [-- SEED]`
//!
//! A line `y = a·x + b` splits the plane; the model `z = a·x − y + b` says +1 below it (z > 0) and −1 elsewhere. From
//! random a', b' gradient descent on `L = 1/N Σ (z'ᵢ − zᵢ)²` finds the line again — or not, with a learning
//! rate that is too small or too large. The page `docs/course/01-gradient-descent.md` walks through it.

use anyhow::Context;
use eyespot_figure::{Chart, Heat, Mark, below, beside, save_png};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::path::Path;

const TRUE_LINE: (f64, f64) = (1.2, -0.3);
const STEPS: usize = 60;

fn main() -> anyhow::Result<()> {
    // It takes no time, so `--quick` changes nothing.
    let seed = match std::env::args().nth(1).filter(|text| text != "--quick") {
        None => 5,
        Some(text) => text.parse().with_context(|| format!("the seed must be a number, not `{text}`"))?,
    };
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut random = |reach: f64| (f64::from(dice.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0) * reach;
    let points: Vec<(f64, f64)> = (0..100).map(|_| (random(1.0), random(1.0))).collect();
    let start = (random(2.0), random(2.0));
    let mut rows = Vec::new();
    for (rate, name) in [(0.01, "too small"), (0.4, "right"), (1.05, "too large")] {
        println!("learning rate {rate} ({name})");
        let path = descend(&points, start, rate);
        rows.push(beside(&[plane(&points, &path, rate)?, surface(&points, &path, rate)?]));
        println!();
    }
    let file = Path::new("eyespot-course/gradient_descent_line.png");
    save_png(&below(&rows), file)?;
    println!("figure: {}", file.display());
    Ok(())
}

fn z((a, b): (f64, f64), (x, y): (f64, f64)) -> f64 {
    a * x - y + b
}

fn loss(points: &[(f64, f64)], line: (f64, f64)) -> f64 {
    let square = |&p| (z(line, p) - z(TRUE_LINE, p)).powi(2);
    points.iter().map(square).sum::<f64>() / points.len() as f64
}

/// ∂L/∂a' = 2/N Σ (z'ᵢ − zᵢ)·xᵢ and ∂L/∂b' = 2/N Σ (z'ᵢ − zᵢ).
fn gradient(points: &[(f64, f64)], line: (f64, f64)) -> (f64, f64) {
    let n = points.len() as f64;
    points.iter().fold((0.0, 0.0), |(ga, gb), &p| {
        let error = z(line, p) - z(TRUE_LINE, p);
        (ga + 2.0 / n * error * p.0, gb + 2.0 / n * error)
    })
}

/// The lines from step to step. Stops with an explanation when the loss grows without end.
fn descend(points: &[(f64, f64)], start: (f64, f64), rate: f64) -> Vec<(f64, f64)> {
    let mut line = start;
    let mut path = vec![line];
    let first = loss(points, line);
    for step in 0..=STEPS {
        let now = loss(points, line);
        if step <= 3 || step % 10 == 0 {
            println!("  step {step:3}: a = {:8.4}, b = {:8.4}, loss = {now:.6}", line.0, line.1);
        }
        if now > 10.0 * first {
            println!(
                "  stopped: the loss grew from {first:.3} to {now:.3}. Every step jumps past the valley and lands"
            );
            println!(
                "  higher on the other side. Below {:.3} the steps shrink; take a smaller learning rate.",
                largest_rate(points)
            );
            return path;
        }
        if step == STEPS {
            break;
        }
        let (ga, gb) = gradient(points, line);
        line = (line.0 - rate * ga, line.1 - rate * gb);
        path.push(line);
    }
    let right = points.iter().filter(|&&p| (z(line, p) > 0.0) == (z(TRUE_LINE, p) > 0.0)).count();
    let far = (line.0 - TRUE_LINE.0).hypot(line.1 - TRUE_LINE.1);
    println!(
        "  after {STEPS} steps {right} of {} points lie on their side; the line is {far:.4} from the true one",
        points.len()
    );
    if far > 0.05 {
        println!("  not there yet: the steps are too short. Take a larger learning rate or more steps.");
    }
    path
}

/// Gradient descent on a bowl of largest curvature λ shrinks the error as long as the rate is below 2/λ.
fn largest_rate(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |f: &dyn Fn(f64) -> f64| points.iter().map(|p| f(p.0)).sum::<f64>() / n;
    let (xx, x) = (2.0 * mean(&|x| x * x), 2.0 * mean(&|x| x));
    // The larger eigenvalue of [[xx, x], [x, 2]], the matrix of second derivatives.
    let half = (xx + 2.0) / 2.0;
    2.0 / (half + ((xx - 2.0).powi(2) / 4.0 + x * x).sqrt())
}

fn plane(points: &[(f64, f64)], path: &[(f64, f64)], rate: f64) -> anyhow::Result<image::RgbImage> {
    let of_side =
        |above: bool| points.iter().copied().filter(|&p| (z(TRUE_LINE, p) > 0.0) == above).collect();
    let line = |(a, b): (f64, f64), label: String, color| {
        let points = vec![(-1.0, b - a), (1.0, a + b)];
        Mark::Line { label, points, color }
    };
    let mut marks = vec![
        Mark::Dots { label: "+1".into(), points: of_side(true), color: 0 },
        Mark::Dots { label: "-1".into(), points: of_side(false), color: 1 },
    ];
    let last = path.len() - 1;
    for (step, color) in [(0, 6), (1, 4), (2, 5), (5, 2)].into_iter().filter(|&(step, _)| step < last) {
        marks.push(line(path[step], format!("step {step}"), color));
    }
    marks.push(line(path[last], format!("step {last}, the last"), 3));
    let title = format!("learning rate {rate}: the line moves");
    let range = Some((-1.0, 1.0));
    let chart =
        Chart { title, x_label: "x".into(), y_label: "y".into(), x_range: range, y_range: range, marks };
    Ok(chart.draw(560, 400)?)
}

fn surface(points: &[(f64, f64)], path: &[(f64, f64)], rate: f64) -> anyhow::Result<image::RgbImage> {
    const CELLS: usize = 60;
    let (low, high) = (-3.0, 3.0);
    let at = |i: usize| low + (high - low) * (i as f64 + 0.5) / CELLS as f64;
    // The root shows the bottom of the bowl better than the loss itself.
    let value = |i: usize| loss(points, (at(i % CELLS), at(i / CELLS))).sqrt();
    let heat = Heat { values: (0..CELLS * CELLS).map(value).collect(), columns: CELLS };
    // Up to where it leaves the picture.
    let inside = |p: &&(f64, f64)| p.0.abs() <= high && p.1.abs() <= high;
    let shown: Vec<(f64, f64)> = path.iter().take_while(inside).copied().collect();
    let marks = vec![
        Mark::Heat(heat),
        Mark::Line { label: String::new(), points: shown.clone(), color: 3 },
        Mark::Dots { label: "line after each step".into(), points: shown, color: 3 },
        Mark::Dots { label: "true line".into(), points: vec![TRUE_LINE], color: 2 },
    ];
    let title = format!("learning rate {rate}: the path over the loss");
    let range = Some((low, high));
    let chart =
        Chart { title, x_label: "a".into(), y_label: "b".into(), x_range: range, y_range: range, marks };
    Ok(chart.draw(560, 400)?)
}
